"""New jobs: the rows of a submission, its array children among them."""

import sqlite3

from sqlalchemy import BindParameter, Dialect, Integer, Text, bindparam, insert, literal, select

from longshore.domain.array import ArraySummary
from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import NewJob
from longshore.store.arrays import ArrayRows
from longshore.store.batch import Batch, HeldBackFailed, NewRows
from longshore.store.codec import to_ms
from longshore.store.consumables import ConsumableRows
from longshore.store.dependencies import DependencyRows
from longshore.store.queue_names import QueueNameRows, fold_name
from longshore.store.specs import SpecCache
from longshore.store.statements import Cursor, Statement, insert_into
from longshore.store.tables import job_specs, jobs

_INSERT_SPEC = insert_into(job_specs, "key", "version", "body", "tags")
_INSERT_JOB = insert_into(
    jobs,
    *("key", "status", "status_reason", "created_at", "attempts_made", "lost_hosts", "preemptions"),
    *("reason", "array_size", "uuid"),
    *("queue_id", "name_folded", "definition_name", "definition_revision", "share_identifier"),
)


def _insert_children() -> Statement:
    """Children 0 to `size` - 1 of `parent`, counted by the database."""

    def given(name: str) -> BindParameter[int]:
        return bindparam(name, type_=Integer)

    index = select(literal(0, Integer).label("i")).cte("children", recursive=True)
    index = index.union_all(select(index.c.i + 1).where(index.c.i + 1 < given("size")))
    values = {
        "key": given("parent") + 1 + index.c.i,
        "parent_key": given("parent"),
        "array_index": index.c.i,
        "status": literal(str(JobStatus.SUBMITTED), Text),
        "status_reason": literal("", Text),
        "created_at": given("at"),
        "attempts_made": literal(0, Integer),
        "lost_hosts": literal(0, Integer),
        "preemptions": literal(0, Integer),
        "reason": literal("", Text),
    }
    return Statement(insert(jobs).from_select(list(values), select(*values.values())), "size", "parent", "at")


_INSERT_CHILDREN = _insert_children()


class SubmissionRows(ArrayRows, ConsumableRows, DependencyRows, QueueNameRows):
    """What accepting a job writes.

    The rows of a new job are held back until a statement could miss them, so that a group of submissions is inserted
    by two statements; and until a work changes rows it needs no savepoint.
    """

    def __init__(self, cursor: Cursor, dialect: Dialect, cache: SpecCache, batch: Batch) -> None:
        super().__init__(cursor, dialect, cache)
        self._batch = batch
        self._own = NewRows()
        self._highest_key_before = batch.highest_key
        self._has_savepoint = False

    def settle(self, *, writes: bool) -> None:
        if self._batch.new.jobs:
            try:
                self._insert(self._batch.new)
            except sqlite3.IntegrityError as problem:
                raise HeldBackFailed from problem
        if (writes or self._own.jobs) and not self._has_savepoint:
            self._cursor.execute("SAVEPOINT work")
            self._has_savepoint = True
        if self._own.jobs:
            self._insert(self._own)

    def _insert(self, new: NewRows) -> None:
        self._cursor.executemany(*_INSERT_SPEC.bound_many(self._dialect, new.specs))
        self._cursor.executemany(*_INSERT_JOB.bound_many(self._dialect, new.jobs))
        new.clear()

    def end(self) -> None:
        """The work is done: what can't be held back is written, and may still fail."""
        if not self._batch.holds_back:
            self.settle(writes=False)

    def keep(self) -> None:
        """The work has succeeded: what it did is part of the transaction."""
        if self._has_savepoint:
            self._cursor.execute("RELEASE work")
        self._batch.new.extend(self._own)

    def undo(self) -> None:
        """The work has failed: nothing of it stays."""
        if self._has_savepoint:
            self._cursor.execute("ROLLBACK TO work")
            self._cursor.execute("RELEASE work")
            self._batch.queue_ids.clear()
        self._batch.highest_key = self._highest_key_before

    def finish(self) -> None:
        """Write what is held back of the whole transaction."""
        self._has_savepoint = True  # what is written here goes with all the rest
        self.settle(writes=False)
        if self._batch.highest_key is not None:
            self.raise_highest("job_key", self._batch.highest_key)

    def allocate_keys(self, count: int) -> JobKey:
        if self._batch.highest_key is None:
            self._batch.highest_key = self._highest_key_before = self.highest("job_key")
        self._batch.highest_key += count
        return JobKey(self._batch.highest_key - count + 1)

    def insert_job(self, new: NewJob) -> None:
        spec = new.spec
        name, _, revision = spec.definition.rpartition(":")
        definition = (name, int(revision)) if spec.definition else (None, None)
        created_at = to_ms(new.created_at)
        place = spec.scope, spec.queue_name
        if place not in self._batch.queue_ids:
            self._batch.queue_ids[place] = self.queue_id_for(*place)
        self._own.specs.append(self.note_spec(spec, new.tags))
        self._own.jobs.append(
            (
                *(spec.key, str(JobStatus.SUBMITTED), "", created_at, 0, 0, 0, "", spec.array_size, spec.uuid),
                *(self._batch.queue_ids[place], fold_name(spec.name)),
                *(*definition, spec.share),
            )
        )
        if spec.array_size is not None:
            self.run(_INSERT_CHILDREN, spec.array_size, spec.key, created_at)
            counts = {JobStatus.SUBMITTED: spec.array_size}
            self.insert_summary(ArraySummary(parent_key=spec.key, counts=counts, updated_at=new.created_at))
        self.insert_edges(new.edges)
        self.insert_consumables(spec)
