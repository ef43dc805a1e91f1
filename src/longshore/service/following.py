"""Jobs that wait for others, as forecasts see them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from longshore.domain.ids import JobId, JobKey
from longshore.domain.job import Job
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import Edge, Reader, RunOfJobs
from longshore.scheduling.classes import class_of
from longshore.scheduling.forecast.dependents import Awaited, Follower
from longshore.service.awaited import awaited_by

#: Children of one array job that wait each for others.
_MOST_FOLLOWERS = 10_000


def followers_of(
    reader: Reader,
    job: Job,
    runs: Sequence[RunOfJobs],
    edges: Sequence[Edge],
    jobs: Mapping[JobKey, Job],
) -> Iterable[Follower]:
    """Those of `runs`, which are the job or its children, that wait for jobs which have not ended.

    Each run comes with the intake number of its first job. `jobs` are those that the edges name; the job's own children
    that history does not know have not ended.
    """
    job_class = class_of(job.spec, job.scheduling_priority, job.memory_mib)
    plain = tuple(
        awaited
        for edge in edges
        if edge.type is None and (awaited := _awaited(reader, jobs.get(edge.on_key))) is not None
    )
    if all(edge.type is None for edge in edges):
        for keys, intake, _ in runs if plain else ():
            count = keys.last - keys.first + 1
            yield Follower(key=keys.first, intake=intake, job_class=job_class, count=count, awaits=plain)
        return
    children = (
        (JobKey(keys.first + n), intake + n) for keys, intake, _ in runs for n in range(keys.last - keys.first + 1)
    )
    awaited = {
        key: (intake, [other for other, _ in awaited_by(_child(job, key), edges) if other not in jobs])
        for key, intake in islice(children, _MOST_FOLLOWERS)
    }
    statuses = dict.fromkeys(awaited, JobStatus.PENDING)
    statuses |= reader.statuses({other for _, others in awaited.values() for other in others})
    for key, (intake, others) in awaited.items():
        live = [other for other in others if other in statuses and not statuses[other].is_final]
        awaits = (*plain, *(Awaited(first=other, last=other, left=1) for other in live))
        if awaits:
            yield Follower(key=key, intake=intake, job_class=job_class, awaits=awaits)


def _child(parent: Job, key: JobKey) -> Job:
    index = key - parent.spec.child_key(0)
    return replace(parent, key=key, id=JobId(uuid=parent.id.uuid, index=index))


def _awaited(reader: Reader, job: Job | None) -> Awaited | None:
    """None when nothing of it is left to wait for."""
    if job is None or job.status.is_final:
        return None
    if not job.is_array_parent:
        return Awaited(first=job.key, last=job.key, left=1)
    summary = reader.summary(job.key)
    assert summary is not None, job
    left = sum(count for status, count in summary.counts.items() if not status.is_final)
    return Awaited(first=job.spec.child_key(0), last=job.spec.last_key, left=left)
