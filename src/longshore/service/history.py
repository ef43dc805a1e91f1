"""What was done: jobs that have ended, one by one, for whoever reckons with them or replays them."""

from datetime import datetime

from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import JobView, Reader
from longshore.scheduling.classes import class_id
from longshore.service.documents import Amounts, Document, Place, Used, amounts_of, place_of, use_of


class HistoryRow(Document, frozen=True):
    """One job or array child that has ended."""

    job_id: str
    name: str
    place: Place
    #: equal for jobs that look the same to the scheduler
    class_id: str
    #: share identifier or quota share; None: its queue has neither
    share: str | None
    definition: str
    status: JobStatus
    exit_code: int | None
    attempts_made: int
    submitted_at: datetime
    #: of its latest attempt; None: none came to run
    started_at: datetime | None
    stopped_at: datetime
    timeout_seconds: int | None
    #: by all of its nodes
    asked: Amounts
    #: by its latest attempt
    used: Used | None


class HistoryPage(Document, frozen=True):
    """Jobs in the order in which they were submitted; with a cursor there are more."""

    jobs: tuple[HistoryRow, ...]
    next_cursor: JobKey | None = None


def list_history(reader: Reader, *, account_id: str | None, cursor: JobKey | None, limit: int) -> HistoryPage:
    """A page of what has ended, of one account or of all."""
    found = reader.ended_keys(after=cursor, limit=limit + 1)
    views = reader.describe_jobs(found[:limit])
    rows = tuple(_row(view) for view in views if account_id in (None, view.job.spec.scope.account_id))
    return HistoryPage(jobs=rows, next_cursor=found[limit - 1] if len(found) > limit else None)


def _row(view: JobView) -> HistoryRow:
    job, spec = view.job, view.job.spec
    assert job.stopped_at is not None, job
    return HistoryRow(
        job_id=str(job.id),
        name=spec.name,
        place=place_of(spec),
        class_id=class_id(spec, None, job.memory_mib),
        share=spec.share,
        definition=spec.definition,
        status=job.status,
        exit_code=job.exit_code,
        attempts_made=job.attempts_made,
        submitted_at=job.created_at,
        started_at=job.started_at,
        stopped_at=job.stopped_at,
        timeout_seconds=spec.timeout_seconds,
        asked=amounts_of(job.resources),
        used=use_of(view.attempts[-1]) if view.attempts else None,
    )
