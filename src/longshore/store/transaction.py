"""One unit of work on the store: all rooms of the schema behind the port's one door."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from longshore.domain.ids import JobKey, Scope
from longshore.domain.job import Attempt
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import JobFilter, JobView
from longshore.store.attempts import AttemptRows
from longshore.store.control import ControlRows
from longshore.store.events import EventRows
from longshore.store.history import HistoryRows
from longshore.store.jobs import JobRows
from longshore.store.keys import KeyRows
from longshore.store.listing import ListingRows
from longshore.store.resources import ResourceRows
from longshore.store.submission import SubmissionRows
from longshore.store.uses import UseRows

_NO_ATTEMPTS: Mapping[JobKey, Sequence[Attempt]] = {}


class SqlTransaction(
    ResourceRows,
    SubmissionRows,
    JobRows,
    AttemptRows,
    ListingRows,
    UseRows,
    EventRows,
    ControlRows,
    HistoryRows,
    KeyRows,
):
    """A `Transaction` of the store port. Its owner begins it, ends it, and adds `seen_specs` to the cache."""

    def describe_jobs(self, keys: Sequence[JobKey]) -> Sequence[JobView]:
        attempts: dict[JobKey, list[Attempt]] = {}
        for attempt in self.attempts_of(keys):
            attempts.setdefault(attempt.job_key, []).append(attempt)
        placed_at = {key: each[-1].opened_at for key, each in attempts.items()}
        return self._views(keys, placed_at, attempts)

    def list_jobs(
        self, scope: Scope, queue_name: str, where: JobFilter, *, before: JobKey | None, limit: int
    ) -> Sequence[JobView]:
        keys = self.listed_keys(scope, queue_name, where, before=before, limit=limit)
        return self._views(keys, self.placed_at(keys))

    def list_named(
        self, scope: Scope, queue_name: str, prefix: str, *, before: tuple[str, JobKey] | None, limit: int
    ) -> Sequence[JobView]:
        keys = self.named_keys(scope, queue_name, prefix, before=before, limit=limit)
        return self._views(keys, self.placed_at(keys))

    def list_children(
        self, parent: JobKey, statuses: frozenset[JobStatus] | None, *, after: JobKey | None, limit: int
    ) -> Sequence[JobView]:
        spec = self.load_specs((parent,)).get(parent)
        if spec is None:
            return ()
        keys = self.child_keys(spec.child_key(0), spec.last_key, statuses, after=after, limit=limit)
        return self._views(keys, self.placed_at(keys))

    def _views(
        self,
        keys: Sequence[JobKey],
        placed_at: Mapping[JobKey, datetime],
        attempts: Mapping[JobKey, Sequence[Attempt]] = _NO_ATTEMPTS,
    ) -> Sequence[JobView]:
        jobs = self.load_jobs(keys)
        tags = self.tags_of({job.spec.key for job in jobs.values()})
        summaries = self.summaries([key for key, job in jobs.items() if job.is_array_parent])
        return [
            JobView(
                job=jobs[key],
                attempts=tuple(attempts.get(key, ())),
                tags=tags[jobs[key].spec.key],
                summary=summaries.get(key),
                scheduled_at=placed_at.get(key),
            )
            for key in keys
            if key in jobs
        ]
