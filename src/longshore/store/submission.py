"""New jobs: the rows of a submission, its array children among them."""

from sqlalchemy import BindParameter, Integer, Text, bindparam, insert, literal, select

from longshore.domain.array import ArraySummary
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import NewJob
from longshore.store.arrays import ArrayRows
from longshore.store.codec import to_ms
from longshore.store.consumables import ConsumableRows
from longshore.store.dependencies import DependencyRows
from longshore.store.queue_names import QueueNameRows, fold_name
from longshore.store.statements import Statement, insert_into
from longshore.store.tables import jobs

_INSERT_JOB = insert_into(
    jobs,
    *("key", "status", "status_reason", "created_at", "attempts_made", "lost_hosts", "reason", "array_size", "uuid"),
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
        "reason": literal("", Text),
    }
    return Statement(insert(jobs).from_select(list(values), select(*values.values())), "size", "parent", "at")


_INSERT_CHILDREN = _insert_children()


class SubmissionRows(ArrayRows, ConsumableRows, DependencyRows, QueueNameRows):
    """What accepting a job writes."""

    def insert_job(self, new: NewJob) -> None:
        spec = new.spec
        name, _, revision = spec.definition.rpartition(":")
        definition = (name, int(revision)) if spec.definition else (None, None)
        created_at = to_ms(new.created_at)
        self.insert_spec(spec, new.tags)
        self.run(
            _INSERT_JOB,
            *(spec.key, str(JobStatus.SUBMITTED), "", created_at, 0, 0, "", spec.array_size, spec.uuid),
            *(self.queue_id_for(spec.scope, spec.queue_name), fold_name(spec.name)),
            *(*definition, spec.share_identifier),
        )
        if spec.array_size is not None:
            self.run(_INSERT_CHILDREN, spec.array_size, spec.key, created_at)
            counts = {JobStatus.SUBMITTED: spec.array_size}
            self.insert_summary(ArraySummary(parent_key=spec.key, counts=counts, updated_at=new.created_at))
        self.insert_edges(new.edges)
        self.insert_consumables(spec)
