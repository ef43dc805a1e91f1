"""The present copied, for those who look ahead while turns go on."""

from collections.abc import Iterable
from dataclasses import replace

from longshore.control.ledger import OpenAttempt, holdings_of
from longshore.control.present import Present
from longshore.domain.dependency import When
from longshore.domain.ids import JobKey
from longshore.domain.job import Intent
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import Instant
from longshore.ports.store import Edge, Reader
from longshore.scheduling.classes import class_of
from longshore.scheduling.forecast.course import Arrival
from longshore.scheduling.forecast.dependents import Follower
from longshore.scheduling.forecast.outlook import Holding, Outlook
from longshore.scheduling.plan import NodePlacement, Placement
from longshore.scheduling.snapshot import Snapshot, WaitingClass
from longshore.service.following import followers_of

#: Jobs that others wait for: no more are looked at.
_MOST_AWAITED = 1_000


def take_outlook(reader: Reader, present: Present, snapshot: Snapshot, now: Instant) -> Outlook:
    """A copy that later turns do not change. `snapshot` is of now."""
    classes = [WaitingClass(job_class=each.job_class, runs=tuple(each.runs)) for each in snapshot.classes]
    holding = [_holding(entry, now) for entry in present.ledger.open_attempts() if not entry.attempt.has_ended]
    return Outlook(
        snapshot=replace(snapshot, classes=classes, durations=dict(snapshot.durations), running=()),
        holding=holding,
        histories=dict(present.learning.histories),
        followers=tuple(_followers(reader, present)),
        recent=[
            Arrival(at=max((now.at - at).total_seconds(), 0.0), key=JobKey(0), job_class=job_class, count=count)
            for at, job_class, count in present.recent
        ],
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
        job_class=class_of(job.spec, job.scheduling_priority, job.memory_mib),
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
            yield from followers_of(reader, job, reader.ranges(job.spec, JobStatus.PENDING), own, jobs)
