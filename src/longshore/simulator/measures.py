"""How well a replay did, in numbers that are defined here and nowhere else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from longshore.simulator.fleet import Fleet
from longshore.simulator.replay import Replay
from longshore.simulator.trace import Seconds, Trace

#: Shorter runs count as if they had been so long; else the shortest jobs would make up all of the mean.
THRESHOLD_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A quantity of many jobs."""

    mean: float
    median: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How much later jobs started than under another policy."""

    than: str
    jobs: int
    mean_seconds: float
    max_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One replay. Jobs that never started are counted, and are in no other figure."""

    jobs: int
    never_started: int
    #: from submission to start
    wait_seconds: Spread
    #: (wait + run) / run, at least 1, where a run counts as at least `THRESHOLD_SECONDS`
    bounded_slowdown: Spread
    #: from the first submission to the last end
    makespan_seconds: float
    #: no schedule ends earlier: see `volume_bound`
    bound_seconds: float
    #: of the vCPU-seconds that the fleet has over the makespan, the part that jobs held
    utilisation: float
    #: Jain's index of the mean bounded slowdowns of the shares: 1 when all are slowed the same, 1/n when one bears all
    fairness: float

    @property
    def gap(self) -> float:
        """How much longer than the bound it took, as a part of it."""
        return self.makespan_seconds / self.bound_seconds - 1 if self.bound_seconds else 0.0


def measure(trace: Trace, fleet: Fleet, replay: Replay) -> Measures:
    """The figures of a replay."""
    began = ~np.isnan(replay.started_at)
    waits = (replay.started_at - trace.submitted_at)[began]
    runs = trace.held_seconds[began]
    slowdowns = bounded_slowdowns(waits, runs)
    makespan = float((replay.started_at[began] + runs).max(initial=0.0))
    held = float((runs * trace.vcpu_milli[began]).sum())
    offered = fleet.total.vcpu_milli * makespan
    return Measures(
        jobs=len(trace),
        never_started=int(len(trace) - began.sum()),
        wait_seconds=_spread(waits),
        bounded_slowdown=_spread(slowdowns),
        makespan_seconds=makespan,
        bound_seconds=volume_bound(trace, fleet, began),
        utilisation=held / offered if offered else 0.0,
        fairness=jain(_mean_by_share(slowdowns, trace.share[began])),
    )


def bounded_slowdowns(waits: Seconds, runs: Seconds) -> Seconds:
    """Of each job. Source: Feitelson and others, "Theory and Practice in Parallel Job Scheduling", 1997."""
    return np.maximum((waits + runs) / np.maximum(runs, THRESHOLD_SECONDS), 1.0)


def jain(values: Seconds) -> float:
    """Jain's index of some amounts: from 1/n, when one has all, to 1, when all have the same.

    Source: Jain, Chiu and Hawe, DEC research report TR-301, 1984.
    """
    if not len(values) or not values.any():
        return 1.0
    return float(values.sum() ** 2 / (len(values) * (values**2).sum()))


def volume_bound(trace: Trace, fleet: Fleet, counted: NDArray[np.bool_]) -> float:
    """Seconds from the first submission before which no schedule can end.

    What is submitted from an instant on takes at least its volume over the capacity, and each job its own time.
    """
    submitted, held = trace.submitted_at[counted], trace.held_seconds[counted]
    bound = float((submitted + held).max(initial=0.0))
    total = fleet.total
    asked = [(trace.vcpu_milli, total.vcpu_milli), (trace.gpus, total.gpus)]
    if fleet.has_memory:
        asked.append((trace.memory_mib, total.memory_mib))
    for amounts, capacity in asked:
        if capacity:
            volumes = held * amounts[counted] / capacity
            bound = max(bound, float((submitted + volumes[::-1].cumsum()[::-1]).max(initial=0.0)))
    return bound


def delay(replay: Replay, other: Replay) -> Delay:
    """Which jobs start later than in `other`, and by how much."""
    later = replay.started_at - other.started_at
    later = later[later > 0]
    return Delay(
        than=other.policy.name,
        jobs=len(later),
        mean_seconds=float(later.mean()) if len(later) else 0.0,
        max_seconds=float(later.max(initial=0.0)),
    )


def _spread(values: Seconds) -> Spread:
    if not len(values):
        return Spread(mean=0.0, median=0.0, p95=0.0, max=0.0)
    median, p95 = np.percentile(values, [50, 95])
    return Spread(mean=float(values.mean()), median=float(median), p95=float(p95), max=float(values.max()))


def _mean_by_share(values: Seconds, shares: NDArray[np.int32]) -> Seconds:
    """Of the shares that have any."""
    counts = np.bincount(shares)
    sums = np.bincount(shares, weights=values)
    return sums[counts > 0] / counts[counts > 0]
