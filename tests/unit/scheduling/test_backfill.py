"""Who may pass a job that has to wait, case by case."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from longshore.domain.ids import HostId, JobKey
from longshore.domain.powers import Backfill
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.explain import span
from longshore.scheduling.fairshare import ShareView
from longshore.scheduling.gang import gang_of
from longshore.scheduling.snapshot import EnvironmentView, QueueView, RunLength, RunningView, Snapshot, WaitingClass
from longshore.testing.builders import HERE
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, a_view, fairly, some, started, waiting

HOSTS = {"a": some(4, 4096), "b": some(4, 4096)}


def running(
    key: int, host: str, held: Resources, *, ends: float | None, environment: str = "environment", learned: bool = False
) -> RunningView:
    return RunningView(
        key=JobKey(key),
        job_class=JobClass(scope=HERE, queue_name="queue", resources=held),
        environment=(HERE, environment),
        held=((HostId(host), held),),
        since=0.0,
        ends_by=None if learned else ends,
        expected_by=ends if learned else None,
    )


def situation(
    *classes: WaitingClass,
    runs: Sequence[RunningView] = (),
    hosts: Mapping[str, Resources] = HOSTS,
    backfill: Backfill = "easy",
    environments: Sequence[EnvironmentView] | None = None,
    queues: Sequence[QueueView] | None = None,
    now: float = 0.0,
) -> Snapshot:
    """Hosts of which `runs` hold their parts."""
    used = {name: Resources() for name in hosts}
    for view in runs:
        for host_id, amount in view.held:
            used[host_id] += amount
    snapshot = a_snapshot(
        *classes,
        hosts=[a_host(name, total, used=used[name]) for name, total in hosts.items()],
        environments=environments or [a_view(hosts=tuple(hosts))],
        queues=queues or [a_line(backfill=backfill)],
    )
    return replace(snapshot, running=list(runs), now=now)


ONE = {"a": some(4, 4096)}
BUSY = (running(1, "a", some(2), ends=100),)
HEAD = waiting(some(4), 1)


@pytest.mark.parametrize(("seconds", "passes"), [(100, True), (101, False), (None, False)])
def test_who_is_over_before_the_head_starts_may_pass_it(seconds: int | None, passes: bool) -> None:
    """By its time-out; of one that may run for any time, nobody knows."""
    behind = waiting(some(1), 2, timeout_seconds=seconds)
    plan = plan_cycle(situation(HEAD, behind, runs=BUSY, hosts=ONE))
    assert started(plan) == ([2] if passes else [])
    if not passes:
        reason = plan.reasons[behind.job_class]
        runs = "how long this one may run is not known" if seconds is None else f"this one may run for {span(seconds)}"
        assert reason.causes == (
            "compute environment environment: host a is free now, but is kept for a job ahead that is to start in "
            f"1 min 40 s; {runs}",
        )
        assert reason.kept_for == JobKey(1001)


def test_the_head_is_told_when_there_will_be_room() -> None:
    plan = plan_cycle(situation(HEAD, runs=BUSY, hosts=ONE, now=40))
    assert plan.reasons[HEAD.job_class].causes[-1] == "host a will have room for it in 1 min at the latest"


def test_other_hosts_are_for_all() -> None:
    """The head waits for the one where it can start first."""
    runs = (running(1, "a", some(2), ends=200), running(2, "b", some(2), ends=100))
    plan = plan_cycle(situation(HEAD, waiting(some(2), 2), runs=runs))
    assert [(p.intake, p.host_id) for p in plan.placements] == [(2, "a")]


def test_what_the_head_leaves_of_its_host_is_for_all() -> None:
    """As much as there will be beside it, however many ask for that."""
    head, behind = waiting(some(3), 1), waiting(some(0.5), 2, 3, 4)
    plan = plan_cycle(situation(head, behind, runs=BUSY, hosts=ONE))
    assert started(plan) == [2, 3]


def test_a_short_job_takes_nothing_from_the_rest() -> None:
    head, short, behind = waiting(some(3), 1), waiting(some(1), 2, timeout_seconds=9), waiting(some(1), 3)
    plan = plan_cycle(situation(head, short, behind, runs=BUSY, hosts=ONE))
    assert started(plan) == [2, 3]


def test_where_nobody_knows_when_the_head_starts_it_may_be_at_once() -> None:
    """Who passes it uses no more than what it leaves of what is free now."""
    head, short, other = waiting(some(3, 100), 1), waiting(some(1), 2, timeout_seconds=1), waiting(some(1), 3)
    runs = (running(1, "a", some(2), ends=None), running(2, "b", some(3), ends=None))
    plan = plan_cycle(situation(head, short, other, runs=runs))
    assert [(p.intake, p.host_id) for p in plan.placements] == [(2, "b")]
    small = waiting(Resources(memory_mib=3996), 2)
    assert started(plan_cycle(situation(head, small, runs=(*runs[:1], running(2, "b", HOSTS["b"], ends=None))))) == [2]


def test_what_was_learned_counts_until_it_was_wrong() -> None:
    """Of who runs for longer than any before it, the end is not known."""
    runs = (running(1, "a", some(2), ends=100, learned=True),)
    behind = waiting(some(1), 2, history="short")
    durations = {"short": RunLength(median=20, p90=40, bound=50)}
    for now, passes in ((0.0, True), (50.0, True), (51.0, False), (100.0, False)):
        snapshot = replace(situation(HEAD, behind, runs=runs, hosts=ONE, now=now), durations=durations)
        assert started(plan_cycle(snapshot)) == ([2] if passes else []), now


def test_none_lets_nobody_pass() -> None:
    behind = waiting(some(1), 2, timeout_seconds=1)
    plan = plan_cycle(situation(HEAD, behind, runs=BUSY, hosts=ONE, backfill="none"))
    assert started(plan) == []
    assert plan.reasons[behind.job_class].behind == JobKey(1001)


def test_a_lower_queue_may_pass_where_it_delays_nobody() -> None:
    """Whatever the queue of the one that waits lets its own jobs do."""
    queues = [a_line(priority=2, backfill="none"), a_line("low")]
    short, long = waiting(some(1), 2, queue="low", timeout_seconds=100), waiting(some(1), 3, queue="low")
    assert started(plan_cycle(situation(HEAD, short, long, runs=BUSY, hosts=ONE, queues=queues))) == [2]


def test_greedy_lets_all_pass_until_one_is_over_the_age_bound() -> None:
    behind = waiting(some(1), 2, 3)
    assert started(plan_cycle(situation(HEAD, behind, runs=BUSY, hosts=ONE, backfill="greedy"))) == [2, 3]
    queues = [a_line(backfill="greedy", aged_intake=2)]
    assert started(plan_cycle(situation(HEAD, behind, runs=BUSY, hosts=ONE, queues=queues))) == []


def test_who_is_over_the_age_bound_comes_before_queues_of_higher_priority() -> None:
    queues = [a_line("high", priority=9), a_line("low", aged_intake=3)]
    jobs = [waiting(some(4), 1, queue="high"), waiting(some(4), 2, 4, queue="low")]
    plan = plan_cycle(situation(*jobs, hosts=ONE, queues=queues))
    assert started(plan) == [2]
    held = plan_cycle(situation(*jobs, hosts=ONE, queues=queues, runs=(running(1, "a", some(1), ends=5),)))
    assert started(held) == []
    assert held.reasons[jobs[1].job_class].causes[-1] == "host a will have room for it in 5 s at the latest"


def test_what_starts_over_the_age_bound_counts_for_its_share() -> None:
    """It starts though `computeReservation` keeps room for others; what comes after it then does not."""
    fair = fairly({}, reservation=50, a=ShareView(held_milli=1000))
    queues = [a_line("queue", fair=fair, backfill="easy", aged_intake=2)]
    jobs = [waiting(some(1), 1, share="a"), waiting(some(0.5), 2, share="a")]
    assert started(plan_cycle(situation(*jobs, hosts=ONE, queues=queues))) == [1]


def test_a_cap_is_kept_in_time() -> None:
    """For who waits for it or will need it; the host beside it too."""
    views = [a_view(hosts=("a", "b"), cap=4, used=2)]
    head = waiting(some(3), 1)
    runs = (running(1, "a", some(2), ends=100),)
    jobs = [waiting(some(1), 2, timeout_seconds=101), waiting(some(2), 3, timeout_seconds=100), waiting(some(1), 4)]
    plan = plan_cycle(situation(head, *jobs, runs=runs, environments=views))
    assert started(plan) == [2]
    assert plan.reasons[jobs[2].job_class].causes == (
        "compute environment environment: asks 1 vCPU, free 1 vCPU of its maxvCpus 4 vCPU, kept for a job ahead",
    )


def test_a_gang_has_its_hosts_kept() -> None:
    """From when all its nodes have room; who is over by then may use them."""
    gang = waiting(some(8), 1, gang=gang_of([some(4), some(4)]))
    runs = (running(1, "a", some(1), ends=10), running(2, "b", some(1), ends=30))
    short, long = waiting(some(3), 2, timeout_seconds=30), waiting(some(3), 3, timeout_seconds=31)
    plan = plan_cycle(situation(gang, short, long, runs=runs))
    assert started(plan) == [2]
    assert plan.reasons[gang.job_class].causes[-1] == "hosts a, b will have room for it in 30 s at the latest"


def test_a_job_that_runs_alone_has_its_host_kept() -> None:
    alone = waiting(some(9), 1)
    short, long = waiting(some(1), 2, timeout_seconds=100), waiting(some(1), 3)
    assert started(plan_cycle(situation(alone, short, long, runs=BUSY, hosts=ONE))) == [2]


def test_two_heads_stand_one_after_another() -> None:
    """The second starts when the first has ended; who is over before either does may pass both."""
    queues = [a_line("first", priority=2), a_line("second", priority=1, backfill="easy")]
    first = waiting(some(4), 1, queue="first", timeout_seconds=50)
    second = waiting(some(4), 2, queue="second", timeout_seconds=50)
    short = waiting(some(2), 3, queue="second", timeout_seconds=100)
    plan = plan_cycle(situation(first, second, short, runs=BUSY, hosts=ONE, queues=queues))
    assert started(plan) == [3]
    assert plan.reasons[second.job_class].causes[-1] == "host a will have room for it in 2 min 30 s at the latest"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.2, "1 s"), (59, "59 s"), (60, "1 min"), (3661, "1 h 1 min"), (3600, "1 h"), (90061, "1 d 1 h")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
