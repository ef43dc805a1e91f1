"""Many jobs at once: children of arrays, their summaries, and runs of jobs that wait."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Integer, bindparam, or_, select, union_all, update

from longshore.domain.array import ArraySummary
from longshore.domain.ids import JobKey
from longshore.domain.job import Job, JobSpec
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import KeyRange
from longshore.store.codec import encode_list, from_ms, to_ms, to_ms_or_none
from longshore.store.counters import CounterRows
from longshore.store.specs import SpecRows, decode_spec
from longshore.store.statements import InList, Row, Statement, assigned, insert_into
from longshore.store.tables import IS_LIVE, array_summaries, job_specs, jobs

_COUNTS = tuple(status.lower() for status in JobStatus)
_INSERT_SUMMARY = insert_into(array_summaries, "parent_key", *_COUNTS, "updated_at")
_SAVE_SUMMARY = Statement(
    update(array_summaries)
    .values(assigned([*_COUNTS, "updated_at"]))
    .where(array_summaries.c.parent_key == bindparam("of_key")),
    *(f"new_{name}" for name in (*_COUNTS, "updated_at")),
    "of_key",
)
_SUMMARIES = Statement(
    select(array_summaries).where(InList(array_summaries.c.parent_key, "keys")),
    "keys",
)

_j = jobs.c
_CHILDREN_IN = (_j.key > bindparam("parent"), _j.key <= bindparam("last"), _j.status == bindparam("status_from"))
_MOVED = ("status", "status_reason", "stopped_at", "wish_kind", "wish_reason")
_MOVE = Statement(
    update(jobs)
    .values(assigned(_MOVED))
    .where(*_CHILDREN_IN, or_(_j.wish_kind.is_(None), bindparam("moves_wished", type_=Integer) == 1)),
    *(f"new_{name}" for name in _MOVED),
    *("parent", "last", "status_from", "moves_wished"),
)
_MOVE_AND_NUMBER = Statement(
    update(jobs)
    .values({**assigned(_MOVED), "intake": bindparam("first_intake", type_=Integer) + _j.array_index})
    .where(*_CHILDREN_IN),
    *(f"new_{name}" for name in _MOVED),
    *("first_intake", "parent", "last", "status_from"),
)

_RANGE = Statement(
    select(_j.key, _j.intake)
    .where(
        _j.key >= bindparam("first"),
        _j.key <= bindparam("last"),
        _j.status == bindparam("in_status"),
        _j.intake.is_not(None),
    )
    .order_by(_j.key),
    *("first", "last", "in_status"),
)
_LIVE_SPECS = Statement(
    select(job_specs.c.version, job_specs.c.body)
    .join(jobs, _j.key == job_specs.c.key)
    .where(IS_LIVE)
    .order_by(job_specs.c.key)
)
_child = jobs.alias("child").c
_LIVE_JOBS = Statement(
    union_all(
        select(_j.key.label("spec_key"), _j.key.label("key"), _j.intake).where(
            IS_LIVE, _j.array_size.is_(None), _j.status == bindparam("in_status"), _j.intake.is_not(None)
        ),
        select(_j.key, _child.key, _child.intake).where(
            IS_LIVE,
            _child.key > _j.key,
            _child.key <= _j.key + _j.array_size,
            _child.status == bindparam("in_status"),
            _child.intake.is_not(None),
        ),
    ).order_by("key"),
    "in_status",
)


class ArrayRows(CounterRows, SpecRows):
    """Array jobs, and what is asked of all waiting jobs when the leader starts."""

    def summary(self, parent: JobKey) -> ArraySummary | None:
        return self.summaries((parent,)).get(parent)

    def summaries(self, parents: Collection[JobKey]) -> Mapping[JobKey, ArraySummary]:
        """Of those that are array parents."""
        return {JobKey(row[0]): _summary(row) for row in self.rows(_SUMMARIES, encode_list(parents))}

    def insert_summary(self, summary: ArraySummary) -> None:
        """The first of a new array job."""
        self.run(_INSERT_SUMMARY, summary.parent_key, *_counted(summary))

    def save_summary(self, summary: ArraySummary) -> None:
        changed = self.run(_SAVE_SUMMARY, *_counted(summary), summary.parent_key)
        assert changed == 1, summary

    def save_children(self, parent: JobKey, *, status_from: JobStatus, like: Job, intake_of_first: int | None) -> int:
        last = self.load_spec(parent).last_key
        wish = (None, None) if like.wish is None else (str(like.wish.kind), like.wish.reason)
        moved = (str(like.status), like.status_reason, to_ms_or_none(like.stopped_at), *wish)
        if intake_of_first is None:
            return self.run(_MOVE, *moved, parent, last, str(status_from), int(like.wish is not None))
        self.note_intake(intake_of_first + last - parent - 1)
        return self.run(_MOVE_AND_NUMBER, *moved, intake_of_first, parent, last, str(status_from))

    def live_specs(self) -> Sequence[JobSpec]:
        return [decode_spec(version, body) for version, body in self.rows(_LIVE_SPECS)]

    def ranges(self, spec: JobSpec, status: JobStatus) -> Sequence[tuple[KeyRange, int]]:
        first = spec.key if spec.array_size is None else spec.child_key(0)
        rows = self.rows(_RANGE, first, spec.last_key, str(status))
        return [(keys, intake) for _, keys, intake in _runs((spec.key, key, intake) for key, intake in rows)]

    def live_runs(self, status: JobStatus) -> Sequence[tuple[JobKey, KeyRange, int]]:
        """`ranges` of all submissions that are not final in one reading, each with the key of its spec."""
        return list(_runs(self.rows(_LIVE_JOBS, str(status))))


def _runs(rows: Iterable[Row]) -> Iterator[tuple[JobKey, KeyRange, int]]:
    """Neighbours of one submission with consecutive keys and intake numbers, joined; rows come by ascending key."""
    spec_key = first = last = intake = 0  # no job has key 0
    for row_spec, key, row_intake in rows:
        if key == last + 1 and spec_key == row_spec and row_intake - key == intake - first:
            last = key
            continue
        if spec_key:
            yield JobKey(spec_key), KeyRange(first=JobKey(first), last=JobKey(last)), intake
        spec_key, first, last, intake = row_spec, key, key, row_intake
    if spec_key:
        yield JobKey(spec_key), KeyRange(first=JobKey(first), last=JobKey(last)), intake


def _summary(row: Row) -> ArraySummary:
    parent_key, *counts, updated_at = row
    return ArraySummary(
        parent_key=JobKey(parent_key),
        counts=dict(zip(JobStatus, counts, strict=True)),
        updated_at=from_ms(updated_at),
    )


def _counted(summary: ArraySummary) -> Row:
    return *(summary.counts.get(status, 0) for status in JobStatus), to_ms(summary.updated_at)
