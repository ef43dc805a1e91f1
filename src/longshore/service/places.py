"""Places of waiting jobs in their queues."""

from longshore.domain.ids import JobKey
from longshore.domain.job import JobSpec
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import JobView, Reader
from longshore.scheduling.position import position_of
from longshore.scheduling.snapshot import Snapshot
from longshore.service.documents import Document
from longshore.service.forecasts import Foresight
from longshore.service.held import held_since


class Position(Document, frozen=True):
    """Where a job stands in its queue, were there room for all."""

    #: jobs that come before it; array children count each
    ahead: int
    #: there may be more
    is_at_least: bool
    #: all RUNNABLE jobs of the queue
    waiting: int
    #: who comes next
    first_job_id: str | None


def place_in_queue(reader: Reader, view: JobView, foresight: Foresight | None) -> Position | None:
    """The place of a RUNNABLE job, or of the first RUNNABLE child of an array job."""
    job = view.job
    if foresight is None or held_since(reader, [job]):
        return None
    key, intake = job.key, job.intake
    if job.is_array_parent:
        runs = reader.ranges(job.spec, JobStatus.RUNNABLE)
        if not runs:
            return None
        key, intake = runs[0].keys.first, runs[0].intake
    elif job.status is not JobStatus.RUNNABLE:
        return None
    return None if intake is None else position_in(reader, job.spec, key, intake, foresight.outlook.snapshot)


def position_in(reader: Reader, spec: JobSpec, key: JobKey, intake: int, snapshot: Snapshot) -> Position | None:
    """The place of a job of this submission that is RUNNABLE; None while its queue is not known."""
    name = spec.scope, spec.queue_name
    queue = next((each for each in snapshot.queues if (each.scope, each.name) == name), None)
    if queue is None:
        return None
    found = position_of(key, intake, queue, snapshot)
    first = None if found.first is None else reader.load_jobs([found.first]).get(found.first)
    return Position(
        ahead=found.ahead,
        is_at_least=found.is_at_least,
        waiting=found.waiting,
        first_job_id=None if first is None else str(first.id),
    )
