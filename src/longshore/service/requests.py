"""Use cases CancelJob, TerminateJob and TerminateServiceJob: callers' wishes on jobs, recorded for the control loop."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.domain.ids import JobId, Scope
from longshore.domain.job import Wish, WishKind
from longshore.ports.notifier import Notifier
from longshore.ports.store import Store, Transaction
from longshore.service.job_references import JobKind, parse_job_reference
from longshore.service.refusals import invalid

_LONGEST_REASON = 1024
_MOST_JOBS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """What came of a request on many jobs, by the texts that named them."""

    successful: Sequence[str]
    malformed: Sequence[str]


class Requests:
    """What callers ask of jobs of one kind that were submitted."""

    def __init__(self, store: Store, notifier: Notifier, *, kind: JobKind = "job") -> None:
        self._store = store
        self._notifier = notifier
        self._kind: JobKind = kind

    async def request(self, scope: Scope, text: str, wish: Wish) -> None:
        """Record `wish` on a job that has not ended. Any text that names no such job is fine.

        Raises:
            InvalidRequest: the reason is too long.
        """
        _check_reason(wish)
        job_id = parse_job_reference(text, scope, self._kind)
        if job_id is not None:
            await self._record(scope, [job_id], wish)

    async def request_many(self, scope: Scope, texts: Sequence[str], wish: Wish) -> BulkOutcome:
        """Record `wish` on each of the jobs that has not ended; those that do not exist count as successful.

        Raises:
            InvalidRequest: the reason is too long, or the jobs are too many.
        """
        _check_reason(wish)
        if len(texts) > _MOST_JOBS:
            raise invalid(f"Maximum number of jobs supported is {_MOST_JOBS}, got {len(texts)}")
        parsed = {text: parse_job_reference(text, scope, self._kind) for text in texts}
        malformed = [text for text, job_id in parsed.items() if job_id is None]
        await self._record(scope, [job_id for job_id in parsed.values() if job_id is not None], wish)
        return BulkOutcome(successful=[text for text in parsed if text not in malformed], malformed=malformed)

    async def _record(self, scope: Scope, ids: Sequence[JobId], wish: Wish) -> None:
        def work(tx: Transaction) -> bool:
            jobs = tx.load_jobs(list(tx.find_jobs(scope, ids).values())).values()
            unfinished = [job.key for job in jobs if job.spec.arn_kind == self._kind and not job.status.is_final]
            for key in unfinished:
                tx.put_request(key, wish)
            return bool(unfinished)

        if ids and await self._store.write(work):
            self._notifier.notify()


def cancellation(reason: str) -> Wish:
    """The wish that a job which does not run yet fails for `reason`."""
    return Wish(kind=WishKind.CANCEL, reason=reason)


def termination(reason: str) -> Wish:
    """The wish that a job is stopped, wherever it stands, and fails for `reason`."""
    return Wish(kind=WishKind.TERMINATE, reason=reason)


def _check_reason(wish: Wish) -> None:
    if len(wish.reason) > _LONGEST_REASON:
        raise invalid(f"Reason cannot be longer than {_LONGEST_REASON} characters")
