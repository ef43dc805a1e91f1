"""Which waiting jobs have become free to run, or can never be.

Nothing is counted: what a job waits for is looked up each time it may have changed, so a repeated look does no harm and
none can be lost (all open questions are asked again when a leader starts).
"""

from collections import defaultdict
from collections.abc import Iterator

from longshore.control.changes import Changes
from longshore.control.present import Present
from longshore.domain.ids import JobKey
from longshore.domain.job import Job
from longshore.domain.lifecycle.events import DependenciesSucceeded, DependencyFailed
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import Edge, Transaction
from longshore.service.waits import awaited_by

#: How many jobs one look may concern.
BATCH = 1000


def resolve_dependencies(tx: Transaction, present: Present, changes: Changes) -> None:
    """Look at up to `BATCH` of the jobs that `present.checks` names."""
    keys: dict[JobKey, None] = {}
    while present.checks and len(keys) < BATCH:
        keys[present.checks.popleft()] = None
    changes.load(keys)
    pending = [job for key in keys if (job := changes.job(key)) is not None and job.status is JobStatus.PENDING]
    edges: dict[JobKey, list[Edge]] = defaultdict(list)
    for edge in tx.edges_of({job.spec.key for job in pending}):
        edges[edge.job_key].append(edge)
    awaited = {job.key: awaited_by(job, edges[job.spec.key]) for job in pending}
    statuses = tx.statuses({key for keys in awaited.values() for key in keys})
    for job in pending:
        if changes.job(job.key) is None:
            continue  # it has just been moved with all its siblings
        failed = [key for key in awaited[job.key] if statuses.get(key, JobStatus.FAILED) is JobStatus.FAILED]
        if not failed and any(statuses[key] is not JobStatus.SUCCEEDED for key in awaited[job.key]):
            continue
        event = DependencyFailed(job_id=_name_of(failed[0], tx)) if failed else DependenciesSucceeded()
        if not job.is_array_parent:
            changes.apply(job.key, event)
        elif isinstance(event, DependencyFailed):
            changes.apply(job.key, event)
            changes.apply_to_children(job, event, [JobStatus.PENDING])
            present.checks.extend(_left_pending(job, tx))
        elif any(edge.type is not None for edge in edges[job.spec.key]):
            present.check_children(tx, job.key)
        else:
            changes.apply_to_children(job, event, [JobStatus.PENDING])
            present.checks.extend(_left_pending(job, tx))
    changes.flush()


def _left_pending(job: Job, tx: Transaction) -> Iterator[JobKey]:
    """Children with a wish of their own, which an event for all leaves where they are: each is looked at for itself."""
    for keys, _ in tx.ranges(job.spec, JobStatus.PENDING):
        yield from map(JobKey, range(keys.first, keys.last + 1))


def _name_of(key: JobKey, tx: Transaction) -> str:
    """The id of a job that failed, or that history no longer has."""
    job = tx.load_jobs([key]).get(key)
    return str(job.id) if job is not None else "that is no longer known"
