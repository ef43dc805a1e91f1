"""Replays of small traces, by schedules worked out by hand, and the figures of them."""

import numpy as np
import pytest

from longshore.domain.resources import Resources
from longshore.simulator.charts import busy
from longshore.simulator.fleet import Fleet, parse_hosts
from longshore.simulator.measures import Delay, bounded_slowdowns, delay, jain, measure, volume_bound
from longshore.simulator.models import MODELS, Mix
from longshore.simulator.policies import POLICIES
from longshore.simulator.replay import nodes_of, replay
from longshore.simulator.trace import Trace, TracedJob, trace_of

FOUR = parse_hosts(["1x4"])
Row = tuple[float, float, int] | tuple[float, float, int, str]


def a_trace(*rows: Row) -> Trace:
    """Jobs as (submitted, run seconds, vCPUs) and perhaps their share; each is limited to what it runs."""
    jobs = [
        TracedJob(
            submitted_at=row[0],
            run_seconds=row[1],
            limit_seconds=int(row[1]),
            vcpu_milli=row[2] * 1000,
            memory_mib=0,
            gpus=0,
            share=row[3] if len(row) == 4 else "s",
        )
        for row in rows
    ]
    return trace_of("test", jobs)


def starts(trace: Trace, policy: str, fleet: Fleet = FOUR, *, interval: float = 0.0) -> list[float]:
    return replay(trace, fleet, POLICIES[policy], interval_seconds=interval).started_at.tolist()


def test_first_in_first_out() -> None:
    """A job of 4 vCPUs waits for one of 3, and a small one that would fit waits behind it."""
    trace = a_trace((0, 100, 3), (1, 100, 4), (2, 10, 1))
    assert starts(trace, "fifo") == [0.0, 100.0, 200.0]
    assert starts(trace, "fifo", interval=60) == [0.0, 120.0, 240.0]


def test_who_may_pass_a_blocked_head() -> None:
    """A job of 4 vCPUs waits for one of 3 until second 100: none pass it, or those that are over by then, or all."""
    trace = a_trace((0, 100, 3), (1, 100, 4), (2, 10, 1), (3, 300, 1))
    assert starts(trace, "fifo") == [0.0, 100.0, 200.0, 200.0]
    assert starts(trace, "easy") == [0.0, 100.0, 2.0, 200.0]
    assert starts(trace, "greedy") == [0.0, 312.0, 2.0, 12.0]


def test_shares() -> None:
    """Who has used nothing comes before who has held everything."""
    trace = a_trace((0, 100, 4, "a"), (1, 100, 4, "a"), (2, 100, 4, "b"))
    assert starts(trace, "fifo") == [0.0, 100.0, 200.0]
    assert starts(trace, "fair") == [0.0, 200.0, 100.0]


def test_what_no_host_can_take_is_split_and_what_none_ever_can_is_left() -> None:
    fleet = parse_hosts(["2x4:8GiB"])
    assert nodes_of(Resources(vcpu_milli=8000), fleet) == 2
    assert nodes_of(Resources(vcpu_milli=1000, memory_mib=8193), fleet) == 2
    assert nodes_of(Resources(vcpu_milli=1000, gpus=1), fleet) == 1
    assert starts(a_trace((0, 10, 8), (1, 10, 4)), "fifo", parse_hosts(["2x4"])) == [0.0, 10.0]
    never, then = starts(a_trace((0, 10, 12), (1, 10, 4)), "fifo", parse_hosts(["2x4"]))
    assert np.isnan(never)
    assert then == 1.0


def test_figures_by_hand() -> None:
    """Two jobs of 4 vCPUs: the second waits 99 s and runs 5 s, which count as 10 s."""
    trace = a_trace((0, 100, 4, "a"), (1, 5, 4, "b"))
    found = measure(trace, FOUR, replay(trace, FOUR, POLICIES["fifo"]))
    assert (found.jobs, found.never_started) == (2, 0)
    assert (found.wait_seconds.mean, found.wait_seconds.median, found.wait_seconds.max) == (49.5, 49.5, 99.0)
    assert found.bounded_slowdown.max == pytest.approx((99 + 5) / 10)
    assert found.makespan_seconds == found.bound_seconds == 105.0
    assert found.gap == 0.0
    assert found.utilisation == 1.0
    assert found.fairness == pytest.approx((1 + 10.4) ** 2 / (2 * (1 + 10.4**2)))


def test_definitions() -> None:
    assert bounded_slowdowns(np.array([0.0, 5.0, 90.0]), np.array([0.0, 1.0, 30.0])).tolist() == [1.0, 1.0, 4.0]
    assert jain(np.array([3.0, 3.0, 3.0])) == pytest.approx(1.0)
    assert jain(np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert jain(np.array([])) == 1.0
    # what comes late still takes its volume: 4 s at second 10, though the fleet was idle before
    trace = a_trace((0, 1, 1), (10, 4, 4))
    assert volume_bound(trace, FOUR, np.array([True, True])) == 14.0
    assert volume_bound(a_trace((0, 8, 2), (0, 8, 4)), FOUR, np.array([True, True])) == 12.0


def test_delays_beside_another_policy() -> None:
    trace = a_trace((0, 100, 4, "a"), (1, 100, 4, "a"), (2, 100, 4, "b"))
    fifo, fair = (replay(trace, FOUR, POLICIES[name]) for name in ("fifo", "fair"))
    assert delay(fair, fifo) == Delay(than="fifo", jobs=1, mean_seconds=100.0, max_seconds=100.0)


def test_what_is_drawn_is_what_was_held() -> None:
    """1 from second 2 to 4 and 3 from 3 to 5, between seconds 0, 2, 4, 6; one that never began holds nothing."""
    begins, lengths, amounts = np.array([2.0, 3.0, np.nan]), np.array([2.0, 2.0, 9.0]), np.array([1.0, 3.0, 9.0])
    assert busy(begins, lengths, amounts, np.array([0.0, 2.0, 4.0, 6.0])).tolist() == [0.0, 2.5, 1.5]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("model", MODELS)
def test_any_replay_keeps_the_rules(policy: str, model: str) -> None:
    """Nobody starts before submission, no more is held than there is, all start, and it is repeatable."""
    fleet = parse_hosts(["8x8:32GiB"])
    trace = MODELS[model](Mix(jobs=300, load=1.2, users=3, largest=64, seed=3), fleet)
    one, again = (replay(trace, fleet, POLICIES[policy], interval_seconds=30.0) for _ in range(2))
    assert np.array_equal(one.started_at, again.started_at)
    assert (one.started_at >= trace.submitted_at).all()
    edges = np.unique(np.concatenate([one.started_at, one.started_at + trace.held_seconds]))
    assert busy(one.started_at, trace.held_seconds, trace.vcpu_milli.astype(float), edges).max() <= 64_000 + 1e-3
    assert measure(trace, fleet, one).gap >= 0
