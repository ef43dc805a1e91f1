"""Which waiting jobs have become free to run, or can never be.

Nothing is counted: what a job waits for is looked up each time it may have changed, so a repeated look does no harm and
none can be lost (all open questions are asked again when a leader starts).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from longshore.control.changes import Changes
from longshore.control.present import Present
from longshore.domain.dependency import When, is_met
from longshore.domain.ids import JobKey
from longshore.domain.job import Job
from longshore.domain.lifecycle.events import DependenciesSucceeded, DependencyFailed, NotNeeded
from longshore.domain.lifecycle.reasons import was_needed
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import Edge, Transaction
from longshore.service.awaited import awaited_by

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
    statuses = tx.statuses({key for each in awaited.values() for key, _ in each})
    failed = tx.load_jobs([key for key, status in statuses.items() if status is JobStatus.FAILED])
    for job in pending:
        if changes.job(job.key) is None:
            continue  # it has just been moved with all its siblings
        event = _outcome(awaited[job.key], statuses, failed, tx)
        if event is None:
            continue
        if not job.is_array_parent:
            changes.apply(job.key, event)
        elif not isinstance(event, DependenciesSucceeded):
            changes.apply(job.key, event)
            changes.apply_to_children(job, event, [JobStatus.PENDING])
            present.checks.extend(_left_pending(job, tx))
        elif any(edge.type is not None for edge in edges[job.spec.key]):
            present.check_children(tx, job.key)
        else:
            changes.apply_to_children(job, event, [JobStatus.PENDING])
            present.checks.extend(_left_pending(job, tx))
    changes.flush()


def _was_needed(failed: Job, tx: Transaction) -> bool:
    """Whether it failed, and did not only end because it was not needed; of an array whether some child did."""
    if not failed.is_array_parent:
        return was_needed(failed.status_reason)
    children = tx.list_children(
        failed.key, frozenset({JobStatus.FAILED}), after=None, limit=failed.spec.array_size or 0
    )
    return any(was_needed(child.job.status_reason) for child in children)


def _left_pending(job: Job, tx: Transaction) -> Iterator[JobKey]:
    """Children with a wish of their own, which an event for all leaves where they are: each is looked at for itself."""
    for keys, *_ in tx.ranges(job.spec, JobStatus.PENDING):
        yield from map(JobKey, range(keys.first, keys.last + 1))


def _outcome(
    awaited: Sequence[tuple[JobKey, When]],
    statuses: Mapping[JobKey, JobStatus],
    failed: Mapping[JobKey, Job],
    tx: Transaction,
) -> DependenciesSucceeded | DependencyFailed | NotNeeded | None:
    """What has come of a job's dependencies, a failure before all else; None while they are open.

    `failed` has those of them that failed; what history no longer has counts as failed.
    """
    is_open, not_needed = False, None
    for key, when in awaited:
        status, other = statuses.get(key, JobStatus.FAILED), failed.get(key)
        needed = other is None or when is When.END or _was_needed(other, tx)
        met = is_met(when, status, was_needed=needed)
        is_open = is_open or met is None
        if met is not False:
            continue
        if status is JobStatus.FAILED and needed:
            return DependencyFailed(job_id="that is no longer known" if other is None else str(other.id))
        (ended,) = tx.load_jobs([key]).values()
        not_needed = not_needed or NotNeeded(job_id=str(ended.id), has_succeeded=needed)
    return not_needed or (None if is_open else DependenciesSucceeded())
