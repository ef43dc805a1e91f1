"""What is wanted of a generated workload, and what the models share."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from longshore.simulator.fleet import Fleet
from longshore.simulator.trace import Seconds

DAY_SECONDS = 86_400.0
#: Run times that people ask for: they request the first of these that leaves room enough.
_ROUND_SECONDS = np.array(
    [60, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 345_600], dtype=np.float64
)
#: They take their jobs to run for up to so many times as long as they do.
_MOST_OVERESTIMATE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What is wanted of a generated workload."""

    jobs: int
    #: part of the fleet's vCPU that the jobs take on average from the first submission to the last
    load: float
    #: who submits; the busiest submits twice as much as the second, three times as much as the third, ...
    users: int
    #: vCPUs of the largest job
    largest: int
    seed: int


def about(model: str, mix: Mix) -> str:
    """Where a trace comes from."""
    return f"{model}, seed {mix.seed}, load {mix.load:g}"


def span_seconds(vcpu_seconds: float, mix: Mix, fleet: Fleet) -> float:
    """Seconds from the first submission to the last."""
    return vcpu_seconds / (fleet.total.vcpu_milli / 1000 * mix.load)


def requested_seconds(rng: Generator, runs: Seconds) -> Seconds:
    """A round time above each run time: people ask for more than they need, and in hours and minutes."""
    needed = runs * rng.uniform(1.0, _MOST_OVERESTIMATE, len(runs))
    at = np.minimum(np.searchsorted(_ROUND_SECONDS, needed), len(_ROUND_SECONDS) - 1)
    return np.maximum(_ROUND_SECONDS[at], np.ceil(runs))


def shares(rng: Generator, count: int, users: int) -> NDArray[np.int32]:
    """Who submits each, as `Mix.users` says."""
    parts = 1 / np.arange(1, users + 1)
    return rng.choice(users, size=count, p=parts / parts.sum()).astype(np.int32)


def share_names(users: int) -> tuple[str, ...]:
    """The users."""
    width = len(str(users))
    return tuple(f"user-{number:0{width}}" for number in range(1, users + 1))
