"""Generated workloads: repeatable, as large as asked for, and with the moments of the published models."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.stats import gamma

from longshore.simulator.fleet import parse_hosts
from longshore.simulator.models import MODELS, Mix
from longshore.simulator.models.lublin_feitelson import day_weights as weights_of_a_day
from longshore.simulator.models.lublin_feitelson import draw_runs, draw_sizes, lublin_feitelson
from longshore.simulator.models.poisson_arrays import poisson_arrays

FLEET = parse_hosts(["16x8:16GiB"])
MIX = Mix(jobs=20_000, load=0.7, users=5, largest=128, seed=1)


@pytest.mark.parametrize("model", MODELS)
def test_a_seed_makes_the_same_jobs_again(model: str) -> None:
    one, again, other = (MODELS[model](replace(MIX, seed=seed), FLEET) for seed in (1, 1, 2))
    for name in ("submitted_at", "run_seconds", "limit_seconds", "vcpu_milli", "memory_mib", "share"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
    assert not np.array_equal(one.run_seconds, other.run_seconds)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("jobs", [1, 2, 20_000])
def test_a_mix_is_what_was_asked_for(model: str, jobs: int) -> None:
    """So many jobs in the order of time, none above the largest or without a limit, and the load of the fleet."""
    trace = MODELS[model](replace(MIX, jobs=jobs), FLEET)
    assert len(trace) == jobs
    assert trace.submitted_at[0] == 0
    assert (np.diff(trace.submitted_at) >= 0).all()
    assert trace.vcpu_milli.min() >= 1000
    assert trace.vcpu_milli.max() <= 128_000
    assert (trace.limit_seconds >= trace.run_seconds).all()
    assert (trace.limit_seconds % 1 == 0).all()
    if jobs == MIX.jobs:
        volume = (trace.run_seconds * trace.vcpu_milli).sum() / FLEET.total.vcpu_milli
        assert volume / trace.submitted_at[-1] == pytest.approx(0.7, rel=0.01)
        assert np.bincount(trace.share).argmax() == 0  # the busiest user comes first


def test_sizes_of_lublin_and_feitelson() -> None:
    """24.4 % are serial and 57.6 % powers of two besides; sizes of the rest follow the two-stage uniform distribution.

    The mean of its logarithm is (0.86 (0.8 + 4.5) + 0.14 (4.5 + 7)) / 2 for 128 processors.
    """
    sizes = draw_sizes(default_rng(5), 400_000, 128)
    assert (sizes == 1).mean() == pytest.approx(0.244, abs=0.003)
    powers = np.isin(sizes, [2, 4, 8, 16, 32, 64, 128])
    assert 0.576 <= powers.mean() <= 0.576 + 0.18  # some of the rest are by chance
    logs = np.log2(sizes[sizes > 1])
    assert logs.mean() == pytest.approx((0.86 * (0.8 + 4.5) + 0.14 * (4.5 + 7)) / 2, abs=0.03)
    assert sizes.max() == 128


@pytest.mark.parametrize("size", [1, 32, 128])
def test_run_times_of_lublin_and_feitelson(size: int) -> None:
    """The logarithm is hyper-gamma: a mixture of gamma(4.2, 0.94) and gamma(312, 0.03), p = 0.78 - 0.0054 n."""
    runs = draw_runs(default_rng(6), np.full(200_000, size))
    p = 0.78 - 0.0054 * size
    short, long = gamma(4.2, scale=0.94), gamma(312, scale=0.03)
    kept = p * short.cdf(12) + (1 - p) * long.cdf(12)
    for seconds in (20, 400, 8000, 30_000):
        log = np.log(seconds)
        expected = (p * short.cdf(log) + (1 - p) * long.cdf(log)) / kept
        assert (runs < seconds).mean() == pytest.approx(expected, abs=0.005)
    # both gammas have their means at 3.95 and 9.36
    expected = (p * short.expect(lb=0, ub=12) + (1 - p) * long.expect(lb=0, ub=12)) / kept
    assert np.log(runs + 0.5).mean() == pytest.approx(expected, abs=0.03)


def test_the_day_of_lublin_and_feitelson() -> None:
    """Half hours from 05:30 on are weighted by a gamma distribution of shape 8.1737 and scale 3.9631."""
    weights = weights_of_a_day()
    day = gamma(8.1737, scale=3.9631)
    for number in range(11, 59):
        part = day.cdf(number + 0.5) - day.cdf(number - 0.5)
        assert weights[(number - 1) % 48] == pytest.approx(part / (day.cdf(58.5) - day.cdf(10.5)) * 48, rel=1e-9)
    trace = lublin_feitelson(replace(MIX, jobs=200_000), FLEET)
    hours = np.bincount((trace.submitted_at % 86_400 // 1800).astype(int), minlength=48) / len(trace) * 48
    # the day of the first job begins at some time of day, so the pattern is only moved
    assert np.sort(hours) == pytest.approx(np.sort(weights), abs=0.15)


def test_arrays_are_as_described() -> None:
    """A hundred children on average that come together and ask for the same; arrays come as a Poisson process."""
    trace = poisson_arrays(replace(MIX, jobs=300_000), FLEET)
    begins = np.flatnonzero(np.diff(trace.submitted_at, prepend=-1.0))
    sizes = np.diff(begins, append=len(trace))
    assert sizes.mean() == pytest.approx(100, rel=0.06)
    gaps = np.diff(trace.submitted_at[begins])
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.06)
    for begin, size in zip(begins[:50], sizes[:50], strict=True):
        assert len(set(trace.vcpu_milli[begin : begin + size])) <= 2  # two arrays may share a second
