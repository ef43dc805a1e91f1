"""Many jobs at once: children of arrays, their summaries, and runs of jobs that wait."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter

from sqlalchemy import Integer, bindparam, or_, select, update

from longshore.domain.array import ArraySummary
from longshore.domain.ids import JobKey
from longshore.domain.job import Job, JobSpec
from longshore.domain.lifecycle.status import ARRAY_STATUSES, JobStatus
from longshore.ports.store import KeyRange, RunOfJobs
from longshore.store.codec import encode_list, from_ms, to_ms, to_ms_or_none
from longshore.store.counters import CounterRows
from longshore.store.specs import SpecRows
from longshore.store.statements import InList, Row, Statement, assigned, insert_into
from longshore.store.tables import IS_LIVE, array_summaries, jobs

_COUNTS = tuple(status.lower() for status in ARRAY_STATUSES)
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
    .where(
        *_CHILDREN_IN,
        or_(_j.wish_kind.is_(None), bindparam("moves_wished", type_=Integer) == 1),
        or_(_j.attempts_made == 0, bindparam("moves_attempted", type_=Integer) == 1),
    ),
    *(f"new_{name}" for name in _MOVED),
    *("parent", "last", "status_from", "moves_wished", "moves_attempted"),
)
_MOVE_AND_NUMBER = Statement(
    update(jobs)
    .values({**assigned(_MOVED), "intake": bindparam("first_intake", type_=Integer) + _j.array_index})
    .where(*_CHILDREN_IN),
    *(f"new_{name}" for name in _MOVED),
    *("first_intake", "parent", "last", "status_from"),
)

_RANGE = Statement(
    select(_j.key, _j.intake, _j.memory_mib)
    .where(
        _j.key >= bindparam("first"),
        _j.key <= bindparam("last"),
        _j.status == bindparam("in_status"),
        _j.intake.is_not(None),
        _j.held_at.is_(None),
    )
    .order_by(_j.key),
    *("first", "last", "in_status"),
)
# Not in order, which would make SQLite go through all jobs instead of the index of live ones.
_LIVE = Statement(select(_j.key, _j.array_size, _j.status, _j.intake, _j.memory_mib, _j.held_at).where(IS_LIVE))


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

    def save_children(
        self,
        parent: JobKey,
        *,
        status_from: JobStatus,
        like: Job,
        intake_of_first: int | None,
        with_attempts: bool = True,
    ) -> int:
        last = self.load_spec(parent).last_key
        wish = (None, None) if like.wish is None else (str(like.wish.kind), like.wish.reason)
        moved = (str(like.status), like.status_reason, to_ms_or_none(like.stopped_at), *wish)
        if intake_of_first is None:
            which = str(status_from), int(like.wish is not None), int(with_attempts)
            return self.run(_MOVE, *moved, parent, last, *which)
        self.note_intake(intake_of_first + last - parent - 1)
        return self.run(_MOVE_AND_NUMBER, *moved, intake_of_first, parent, last, str(status_from))

    def live_specs(self) -> Sequence[JobSpec]:
        return self.read_specs(sorted(key for key, *_ in self.rows(_LIVE)))

    def held_arrays(self) -> Collection[JobKey]:
        return [JobKey(key) for key, size, *_, held_at in self.rows(_LIVE) if size is not None and held_at is not None]

    def ranges(self, spec: JobSpec, status: JobStatus) -> Sequence[RunOfJobs]:
        first = spec.key if spec.array_size is None else spec.child_key(0)
        return self._runs(first, spec.last_key, status)

    def live_runs(self, status: JobStatus) -> Sequence[tuple[JobKey, RunOfJobs]]:
        runs: list[tuple[JobKey, RunOfJobs]] = []
        for key, array_size, job_status, intake, memory_mib, held_at in sorted(self.rows(_LIVE), key=itemgetter(0)):
            if held_at is not None:
                continue
            if array_size is not None:
                runs += ((JobKey(key), run) for run in self._runs(key + 1, key + array_size, status))
            elif job_status == status and intake is not None:
                own = KeyRange(first=JobKey(key), last=JobKey(key))
                runs.append((JobKey(key), RunOfJobs(own, intake, memory_mib)))
        return runs

    def _runs(self, first_key: int, last_key: int, status: JobStatus) -> list[RunOfJobs]:
        """Neighbours with consecutive keys and intake numbers and equal memory, joined."""
        runs: list[RunOfJobs] = []
        memory: int | None = None
        first = last = first_intake = 0  # no job has key 0

        def end_run() -> None:
            if first:
                runs.append(RunOfJobs(KeyRange(first=JobKey(first), last=JobKey(last)), first_intake, memory))

        for key, intake, memory_mib in self.rows(_RANGE, first_key, last_key, str(status)):
            if key != last + 1 or intake - key != first_intake - first or memory_mib != memory:
                end_run()
                first, first_intake, memory = key, intake, memory_mib
            last = key
        end_run()
        return runs


def _summary(row: Row) -> ArraySummary:
    parent_key, *counts, updated_at = row
    return ArraySummary(
        parent_key=JobKey(parent_key),
        counts=dict(zip(ARRAY_STATUSES, counts, strict=True)),
        updated_at=from_ms(updated_at),
    )


def _counted(summary: ArraySummary) -> Row:
    return *(summary.counts.get(status, 0) for status in ARRAY_STATUSES), to_ms(summary.updated_at)
