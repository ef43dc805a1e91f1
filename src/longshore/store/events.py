"""Rows of `events`: what befell whom, in order, for ever."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, or_, select

from longshore.domain.ids import JobKey
from longshore.domain.job import TimelineEntry
from longshore.domain.lifecycle.events import CancelRequested, TerminateRequested
from longshore.domain.lifecycle.status import JobStatus
from longshore.store.codec import from_ms, to_ms
from longshore.store.statements import Row, Session, Statement, insert_into
from longshore.store.tables import events, jobs

_e = events.c
_COLUMNS = ("job_key", "of_children", "at", "status_from", "status_to", "cause", "detail")
_APPEND = insert_into(events, *_COLUMNS)
_PARENT = Statement(select(jobs.c.parent_key).where(jobs.c.key == bindparam("of_key")), "of_key")
_OF = Statement(
    select(*(_e[name] for name in _COLUMNS)).where(_e.job_key == bindparam("of_key")).order_by(_e.seq), "of_key"
)
_OF_CHILD = Statement(
    select(*(_e[name] for name in _COLUMNS))
    .where(
        or_(_e.job_key == bindparam("of_key"), _e.job_key == bindparam("of_parent")),
        or_(_e.job_key == bindparam("of_key"), _e.of_children == 1),
    )
    .order_by(_e.seq),
    *("of_key", "of_parent"),
)

#: Causes by which a wish is noted on a job.
_WISHES = frozenset({CancelRequested.__name__, TerminateRequested.__name__})
_STATUS = {None: None, **{str(status): status for status in JobStatus}}


class EventRows(Session):
    """The timeline of every job."""

    def append_events(self, entries: Iterable[TimelineEntry]) -> None:
        self.run_many(_APPEND, [_row(entry) for entry in entries])

    def timeline(self, key: JobKey) -> Sequence[TimelineEntry]:
        found = self.row(_PARENT, key)
        if found is None or found[0] is None:
            return [_entry(row) for row in self.rows(_OF, key)]
        return list(_of_one_child(map(_entry, self.rows(_OF_CHILD, key, found[0]))))


def _of_one_child(entries: Iterable[TimelineEntry]) -> Iterable[TimelineEntry]:
    """A child's own entries and, of those that befell all children in some status, the ones that found it there.

    A child with a wish of its own is spared what befalls all, unless that is another wish.
    """
    status: JobStatus | None = JobStatus.SUBMITTED
    has_wish = False
    for entry in entries:
        is_wish = entry.cause in _WISHES
        if entry.of_children and (entry.status_from not in (None, status) or (has_wish and not is_wish)):
            continue
        status = entry.status_to
        has_wish = has_wish or is_wish
        yield entry


def _row(entry: TimelineEntry) -> Row:
    return (
        entry.job_key,
        1 if entry.of_children else 0,
        to_ms(entry.at),
        None if entry.status_from is None else str(entry.status_from),
        str(entry.status_to),
        entry.cause,
        entry.detail,
    )


def _entry(row: Row) -> TimelineEntry:
    job_key, of_children, at, status_from, status_to, cause, detail = row
    return TimelineEntry(
        job_key=JobKey(job_key),
        of_children=bool(of_children),
        at=from_ms(at),
        status_from=_STATUS[status_from],
        status_to=JobStatus(status_to),
        cause=cause,
        detail=detail,
    )
