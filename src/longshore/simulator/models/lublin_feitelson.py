"""Lublin and Feitelson's model of rigid parallel jobs with a daily cycle.

Source: U. Lublin and D. G. Feitelson, "The workload on parallel supercomputers: modeling the characteristics of rigid
jobs", Journal of Parallel and Distributed Computing 63(11), 2003; the parameters are those of the whole sample.
"""

from collections.abc import Callable
from math import exp, lgamma, log, log2

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from longshore.simulator.fleet import Fleet
from longshore.simulator.models.mix import DAY_SECONDS, Mix, about, requested_seconds, share_names, shares, span_seconds
from longshore.simulator.trace import Counts, Seconds, Trace

SERIAL_PART = 0.244
POWER_OF_TWO_PART = 0.576
#: log2 of the size: uniform from LOW to MED with probability FIRST, else from MED to that of the largest size
SIZE_LOG_LOW = 0.8
SIZE_LOG_MED_BELOW_LARGEST = 2.5
SIZE_LOG_FIRST = 0.86
#: ln of the run time: a gamma distribution of short jobs or one of long ones, each by its shape and scale
SHORT_RUN = (4.2, 0.94)
LONG_RUN = (312.0, 0.03)
#: probability of the first of these: slope over the size, and where it begins
SHORT_PART = (-0.0054, 0.78)
LONGEST_RUN_LOG = 12.0
#: ln of the time between submissions at rush hours, and what makes of it that of all hours
GAP = (10.2303 * 1.0225, 0.4871)
LONGEST_GAP_LOG = 13.0
#: submissions of a day, by half hours from 05:30 on
DAY_CYCLE = (8.1737, 3.9631)
_HALF_HOURS = 48
_DAY_BEGINS = 11


def lublin_feitelson(mix: Mix, fleet: Fleet) -> Trace:
    """A workload of the model.

    It says nothing of what users request and of who they are: `requested_seconds` and `shares` are added. Times between
    submissions are stretched to the wanted load.
    """
    rng = default_rng(mix.seed)
    sizes = draw_sizes(rng, mix.jobs, mix.largest)
    runs = draw_runs(rng, sizes)
    span = span_seconds(float((runs * sizes).sum()), mix, fleet)
    return Trace(
        about=about("lublin-feitelson", mix),
        submitted_at=_daily_times(rng, mix.jobs, span),
        run_seconds=runs,
        limit_seconds=requested_seconds(rng, runs),
        vcpu_milli=sizes * 1000,
        memory_mib=np.zeros(mix.jobs, dtype=np.int64),
        gpus=np.zeros(mix.jobs, dtype=np.int64),
        share=shares(rng, mix.jobs, mix.users),
        shares=share_names(mix.users),
        remarks=("the model has no memory; requested times and users are made up",),
    )


def draw_sizes(rng: Generator, count: int, largest: int) -> Counts:
    """Processors of each job: serial, a power of two, or any."""
    high = log2(largest)
    low, med = min(SIZE_LOG_LOW, high), max(high - SIZE_LOG_MED_BELOW_LARGEST, min(SIZE_LOG_LOW, high))
    is_first = rng.random(count) < SIZE_LOG_FIRST
    logs = np.where(is_first, rng.uniform(low, med, count), rng.uniform(med, high, count))
    kind = rng.random(count)
    logs = np.where(kind < SERIAL_PART + POWER_OF_TWO_PART, np.floor(logs + 0.5), logs)
    sizes = np.where(kind < SERIAL_PART, 1.0, np.floor(2.0**logs + 0.5))
    return np.clip(sizes, 1, largest).astype(np.int64)


def draw_runs(rng: Generator, sizes: Counts) -> Seconds:
    """How long jobs of these sizes run, whole seconds; large ones are rarely short."""
    slope, begin = SHORT_PART
    short = np.clip(slope * sizes + begin, 0.0, 1.0, dtype=np.float64)
    return np.floor(np.exp(_below(LONGEST_RUN_LOG, len(sizes), lambda at: _hyper_gamma(rng, short[at]))))


def _hyper_gamma(rng: Generator, short: Seconds) -> Seconds:
    is_short = rng.random(len(short)) < short
    return np.where(is_short, rng.gamma(*SHORT_RUN, len(short)), rng.gamma(*LONG_RUN, len(short)))


def _below(most: float, count: int, draw: Callable[[NDArray[np.intp]], Seconds]) -> Seconds:
    """`count` draws, each repeated until it is at most so much; `draw` is told which are to be drawn."""
    values = np.full(count, np.inf)
    while len(again := np.flatnonzero(values > most)):
        values[again] = draw(again)
    return values


def _daily_times(rng: Generator, count: int, span: float) -> Seconds:
    """Times of submission over `span` seconds. A gap is paid for with the weights of the half hours it goes over."""
    gaps: Seconds = np.exp(_below(LONGEST_GAP_LOG, count, lambda at: rng.gamma(*GAP, len(at))))
    points: Seconds = gaps.cumsum() - gaps[0]
    if points[-1] > 0:
        points *= span / DAY_SECONDS * _HALF_HOURS / points[-1]
    days = np.floor(points / _HALF_HOURS)
    rest = points - days * _HALF_HOURS
    paid: Seconds = np.concatenate([[0.0], day_weights().cumsum()])
    times: Seconds = days * DAY_SECONDS + np.interp(rest, paid, np.arange(_HALF_HOURS + 1) * DAY_SECONDS / _HALF_HOURS)
    return np.floor(times - times[0])


def day_weights() -> Seconds:
    """Submissions in each half hour of a day from midnight, beside the mean of all."""
    shape, scale = DAY_CYCLE
    weights = np.zeros(_HALF_HOURS)
    for number in range(_DAY_BEGINS, _DAY_BEGINS + _HALF_HOURS):
        part = _gamma_cdf((number + 0.5) / scale, shape) - _gamma_cdf((number - 0.5) / scale, shape)
        weights[(number - 1) % _HALF_HOURS] = part
    return weights / weights.mean()


def _gamma_cdf(x: float, shape: float) -> float:
    """Regularised lower incomplete gamma function, by its power series."""
    term = exp(shape * log(x) - x - lgamma(shape + 1))
    total, step = term, 0
    while term > total * 1e-15:
        step += 1
        term *= x / (shape + step)
        total += term
    return total
