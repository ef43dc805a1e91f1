"""Jobs of all regions, and of all accounts or of one, in one listing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

from longshore.domain.errors import NotFound
from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.status import WAITING_STATUSES, JobStatus
from longshore.ports.store import JobFilter, JobView, Reader
from longshore.service.documents import Amounts, Children, Document, Place, Used, amounts_of, place_of, use_of
from longshore.service.everywhere import ALL
from longshore.service.forecasts import Foresight
from longshore.service.published import with_reasons
from longshore.service.starts import Start, start_of


class JobRow(Document, frozen=True):
    """One submitted job."""

    job_id: str
    name: str
    place: Place
    status: JobStatus
    status_reason: str
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    #: of array jobs
    children: Children | None
    attempts_made: int
    attempts_allowed: int
    exit_code: int | None
    reason: str
    asked: Amounts
    #: by the latest attempt, when it has ended
    used: Used | None
    #: of a job that waits
    start: Start | None = None


class JobPage(Document, frozen=True):
    """Submitted jobs, newest first; with a cursor there are more."""

    jobs: tuple[JobRow, ...]
    next_cursor: JobKey | None = None

    @property
    def has_waiting(self) -> bool:
        """Whether one of them, or of their children, has yet to start."""
        return any(
            count and status in WAITING_STATUSES
            for row in self.jobs
            for status, count in (row.children.counts if row.children else {row.status: 1}).items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs a listing holds."""

    #: None: of all accounts
    account_id: str | None = None
    queue_name: str | None = None
    #: of array jobs their own, not their children's; empty: any
    statuses: frozenset[JobStatus] = frozenset()
    #: compared without case; `*` at the end matches any rest
    name: str | None = None
    limit: int = 50
    #: the last page's
    cursor: JobKey | None = None


def list_jobs(reader: Reader, query: JobQuery, foresight: Foresight | None = None) -> JobPage:
    """A page of the jobs of all queues, deleted ones too, or of those of one name.

    Raises:
        NotFound: there is no queue of that name, and there are no jobs of one that was.
    """
    wanted, account_id = query.queue_name, query.account_id
    queues = [
        (scope, name)
        for scope, name in reader.submitted_queues()
        if wanted in (None, name) and account_id in (None, scope.account_id)
    ]
    where = JobFilter(statuses=query.statuses or None, name=query.name)
    found: list[JobKey] = []
    for scope, name in queues:
        views = reader.list_jobs(scope, name, where, before=query.cursor, limit=query.limit + 1)
        found = nlargest(query.limit + 1, [*found, *(view.job.key for view in views)])
    page = reader.describe_jobs(found[: query.limit])
    if wanted is not None and not page and not _has_queue(reader, wanted, account_id):
        raise NotFound(f"there is no job queue {wanted}")
    more = len(found) > query.limit
    return JobPage(jobs=_rows(reader, page, foresight), next_cursor=found[query.limit - 1] if more else None)


def _has_queue(reader: Reader, name: str, account_id: str | None) -> bool:
    queues = reader.queues(None, names=[name], limit=ALL)
    return any(account_id in (None, queue.scope.account_id) for queue in queues)


def _rows(reader: Reader, views: Sequence[JobView], foresight: Foresight | None) -> tuple[JobRow, ...]:
    rows: list[JobRow] = []
    for view in with_reasons(reader, views):
        job, spec = view.job, view.job.spec
        ended = [attempt for attempt in view.attempts if attempt.has_ended]
        children = Children(size=view.summary.size, counts=dict(view.summary.counts)) if view.summary else None
        row = JobRow(
            job_id=str(job.id),
            name=spec.name,
            place=place_of(spec),
            status=job.status,
            status_reason=job.status_reason,
            created_at=job.created_at,
            started_at=job.started_at,
            stopped_at=job.stopped_at,
            children=children,
            attempts_made=job.attempts_made,
            attempts_allowed=spec.retry.attempts,
            exit_code=job.exit_code,
            reason=job.reason,
            asked=amounts_of(job.resources),
            used=use_of(ended[-1]) if ended and job.attempt is None else None,
            start=start_of(reader, view, foresight),
        )
        rows.append(row)
    return tuple(rows)
