"""One trace under one policy: the server's scheduler on virtual time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from longshore.domain.ids import JobKey, Scope
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.forecast.course import Arrival, Course, Started
from longshore.scheduling.gang import gang_of
from longshore.scheduling.snapshot import EnvironmentView, QueueView, Snapshot
from longshore.simulator.fleet import Fleet
from longshore.simulator.policies import Policy
from longshore.simulator.trace import Seconds, Trace

_SCOPE = Scope(account_id="000000000000", region="simulated")
_NAME = "simulated"
#: How many starts there are between two calls of the one who watches.
_REPORT_EVERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """When each job of a trace started."""

    policy: Policy
    #: by job, in the order of the trace; not a number where it never started
    started_at: Seconds


def replay(
    trace: Trace,
    fleet: Fleet,
    policy: Policy,
    *,
    interval_seconds: float = 0.0,
    decay_seconds: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> Replay:
    """When each job starts under this policy. `on_progress` hears now and then how many have."""
    seconds: list[float] = trace.held_seconds.tolist()
    course = Course(
        present_of(fleet, policy, decay_seconds),
        seconds_of=lambda key, job_class: seconds[key],
        arrivals=_arrivals(trace, fleet, policy),
        interval_seconds=interval_seconds,
    )
    started_at = np.full(len(trace), np.nan)
    count = 0
    for event in course.events():
        if isinstance(event, Started):
            started_at[event.placement.key] = event.at
            count += 1
            if on_progress is not None and count % _REPORT_EVERY == 0:
                on_progress(count)
    if on_progress is not None:
        on_progress(count)
    return Replay(policy=policy, started_at=started_at)


def present_of(fleet: Fleet, policy: Policy, decay_seconds: int) -> Snapshot:
    hosts = {host.id: host for host in fleet.hosts()}
    environment = EnvironmentView(
        name=(_SCOPE, _NAME), problem="", cap_milli=None, free_cap_milli=None, hosts=tuple(hosts)
    )
    queue = QueueView(
        scope=_SCOPE,
        name=_NAME,
        priority=1,
        environments=(_NAME,),
        fair=policy.fair(decay_seconds),
        backfill=policy.backfill,
    )
    return Snapshot(
        queues=[queue], environments={environment.name: environment}, hosts=hosts, classes=(), oversize="wait"
    )


def _arrivals(trace: Trace, fleet: Fleet, policy: Policy) -> Iterator[Arrival]:
    """The jobs of the trace. Neighbours that look the same and come together are one arrival."""
    classes, numbers = _classes(trace, fleet, policy)
    times = trace.submitted_at
    is_new = np.ones(len(trace), dtype=bool)
    is_new[1:] = (numbers[1:] != numbers[:-1]) | (times[1:] != times[:-1])
    begins: list[int] = np.flatnonzero(is_new).tolist()
    for begin, end in pairwise([*begins, len(trace)]):
        job_class = classes[int(numbers[begin])]
        yield Arrival(at=float(times[begin]), key=JobKey(begin), job_class=job_class, count=end - begin)


def _classes(trace: Trace, fleet: Fleet, policy: Policy) -> tuple[list[JobClass], NDArray[np.intp]]:
    """The classes of the trace's jobs, and the number of each job's; apart is only what the policy tells apart."""
    nothing = np.zeros(len(trace), dtype=np.int64)
    memory = trace.memory_mib if fleet.has_memory else nothing
    limits = np.where(np.isinf(trace.limit_seconds), 0, trace.limit_seconds) if policy.looks_ahead else nothing
    shares = trace.share if policy.is_fair else nothing
    columns = np.stack([trace.vcpu_milli, memory, trace.gpus, limits.astype(np.int64), shares.astype(np.int64)])
    rows, numbers = np.unique(columns, axis=1, return_inverse=True)
    found: list[list[int]] = rows.T.tolist()
    classes = [
        replace(
            class_in(fleet, Resources(vcpu_milli=vcpu_milli, memory_mib=memory_mib, gpus=gpus)),
            share=trace.shares[share] if policy.is_fair else "",
            timeout_seconds=limit or None,
        )
        for vcpu_milli, memory_mib, gpus, limit, share in found
    ]
    return classes, numbers.reshape(-1)


def class_in(fleet: Fleet, asked: Resources) -> JobClass:
    """What is larger than any host is split into equal nodes."""
    count = nodes_of(asked, fleet)
    if count == 1:
        return JobClass(scope=_SCOPE, queue_name=_NAME, resources=asked)
    node = Resources.of(-(-amount // count) for amount in asked.amounts)
    whole = Resources.of(amount * count for amount in node.amounts)
    return JobClass(scope=_SCOPE, queue_name=_NAME, resources=whole, gang=gang_of([node] * count))


def nodes_of(resources: Resources, fleet: Fleet) -> int:
    """How many equal nodes a job is split into: as few as can be placed on the largest hosts; 1 if none can."""
    fewest: int | None = None
    for group in fleet.groups:
        parts = [(resources.vcpu_milli, group.vcpus * 1000), (resources.gpus, group.gpus)]
        if group.memory_mib is not None:
            parts.append((resources.memory_mib, group.memory_mib))
        if any(asked and not offered for asked, offered in parts):
            continue
        count = max(-(-asked // offered) for asked, offered in parts if offered)
        fewest = count if fewest is None else min(fewest, count)
    return max(fewest or 1, 1)
