"""The present copied, for those who look ahead while turns go on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from longshore.control.ledger import OpenAttempt, holdings_of
from longshore.control.present import Present
from longshore.domain.dependency import When
from longshore.domain.ids import JobId, JobKey
from longshore.domain.job import Intent, Job
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import Instant
from longshore.ports.store import Edge, Reader
from longshore.scheduling.classes import class_of
from longshore.scheduling.forecast.dependents import Awaited, Follower
from longshore.scheduling.forecast.outlook import Holding, Outlook
from longshore.scheduling.plan import NodePlacement, Placement
from longshore.scheduling.snapshot import Snapshot, WaitingClass
from longshore.service.waits import awaited_by

#: Jobs that others wait for: no more are looked at.
_MOST_AWAITED = 1_000
#: Children of one array job that wait each for others.
_MOST_FOLLOWERS = 10_000


def take_outlook(reader: Reader, present: Present, snapshot: Snapshot, now: Instant) -> Outlook:
    """A copy that later turns do not change. `snapshot` is of now."""
    classes = [WaitingClass(job_class=each.job_class, runs=tuple(each.runs)) for each in snapshot.classes]
    holding = [_holding(entry, now) for entry in present.ledger.open_attempts() if not entry.attempt.has_ended]
    return Outlook(
        snapshot=replace(snapshot, classes=classes, durations=dict(snapshot.durations), running=()),
        holding=holding,
        histories=dict(present.learning.histories),
        followers=tuple(_followers(reader, present)),
    )


def _holding(entry: OpenAttempt, now: Instant) -> Holding:
    attempt, job = entry.attempt, entry.job
    nodes: tuple[NodePlacement, ...] = ()
    if job.spec.has_nodes:
        nodes = tuple(
            NodePlacement(host_id=host_id, resources=held, gpu_names=tuple(gpu_names))
            for host_id, held, gpu_names in holdings_of(entry)
        )
    placement = Placement(
        key=job.key,
        intake=job.intake or 0,
        job_class=class_of(job.spec, job.scheduling_priority),
        environment_name=attempt.environment_name,
        host_id=attempt.host_id,
        resources=attempt.resources,
        gpu_names=attempt.gpu_names,
        nodes=nodes,
    )
    elapsed = 0.0
    if attempt.started_boot_seconds is not None and attempt.started_boot_id == now.boot_id:
        elapsed = now.boot_seconds - attempt.started_boot_seconds
    elif attempt.started_at is not None:
        elapsed = (now.at - attempt.started_at).total_seconds()
    return Holding(placement=placement, elapsed_seconds=max(elapsed, 0.0), is_going=attempt.intent is Intent.STOP)


def _followers(reader: Reader, present: Present) -> Iterable[Follower]:
    """Jobs that wait for others to succeed or end, as far as those are known that they wait for."""
    edges: dict[JobKey, list[Edge]] = {}
    for edge in reader.edges_on(sorted(present.depended_on)[:_MOST_AWAITED]):
        edges.setdefault(edge.job_key, []).append(edge)
    jobs = reader.load_jobs({*edges, *(edge.on_key for own in edges.values() for edge in own)})
    for key, own in edges.items():
        job = None if any(edge.when is When.FAILURE for edge in own) else jobs.get(key)
        if job is not None and job.status is JobStatus.PENDING and job.intake is not None:
            yield from _followers_of(reader, job, own, jobs)


def _followers_of(reader: Reader, job: Job, edges: Sequence[Edge], jobs: Mapping[JobKey, Job]) -> Iterable[Follower]:
    job_class = class_of(job.spec, job.scheduling_priority)
    plain = tuple(
        awaited
        for edge in edges
        if edge.type is None and (awaited := _awaited(reader, jobs.get(edge.on_key))) is not None
    )
    runs = reader.ranges(job.spec, JobStatus.PENDING)
    if all(edge.type is None for edge in edges):
        for keys, intake in runs if plain else ():
            count = keys.last - keys.first + 1
            yield Follower(key=keys.first, intake=intake, job_class=job_class, count=count, awaits=plain)
        return
    children = (
        (JobKey(keys.first + n), intake + n) for keys, intake in runs for n in range(keys.last - keys.first + 1)
    )
    awaited = {
        key: (intake, [other for other, _ in awaited_by(_child(job, key), edges) if other not in jobs])
        for key, intake in islice(children, _MOST_FOLLOWERS)
    }
    statuses = reader.statuses({other for _, others in awaited.values() for other in others})
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
