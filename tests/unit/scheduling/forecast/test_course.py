"""The course of things on virtual time, by schedules worked out by hand and by what must hold of any."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import HostId, JobKey
from longshore.scheduling.classes import JobClass
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.fairshare import HOLDING_SECONDS, ShareView
from longshore.scheduling.forecast.course import Arrival, Course, Ended, Started
from longshore.scheduling.forecast.world import Running
from longshore.scheduling.gang import gang_of
from longshore.scheduling.plan import Placement
from longshore.scheduling.snapshot import ConsumableView, Snapshot
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, any_snapshot, fairly, some, waiting


def a_class(vcpus: float, **members: object) -> JobClass:
    return waiting(some(vcpus), 1, **members).job_class


def an_arrival(key: int, at: float, vcpus: float = 1, count: int = 1, **members: object) -> Arrival:
    return Arrival(at=at, key=JobKey(key), job_class=a_class(vcpus, **members), count=count)


def runs(seconds: Mapping[int, float] | float) -> Callable[[JobKey, JobClass], float]:
    return lambda key, job_class: seconds if isinstance(seconds, float) else seconds[key]


def starts_of(course: Course) -> dict[int, float]:
    return {event.placement.key: event.at for event in course.events() if isinstance(event, Started)}


def test_what_waits_starts_when_others_end() -> None:
    """Two jobs of 4 vCPUs on one such host: the second begins when the first has ended."""
    course = Course(a_snapshot(waiting(some(4), 1, 2)), seconds_of=runs({1001: 10.0, 1002: 5.0}))
    events = [(type(event), event.at) for event in course.events()]
    assert events == [(Started, 0.0), (Ended, 10.0), (Started, 10.0), (Ended, 15.0)]
    assert not course.waiting


def test_what_comes_is_taken_in_at_its_time_and_ends_come_first() -> None:
    """Room that is given back at an instant is there for what is submitted then."""
    arrivals = [an_arrival(1, 0.0, 4), an_arrival(2, 10.0, 4), an_arrival(3, 12.5, 2, count=2)]
    course = Course(a_snapshot(), seconds_of=runs({1: 10.0, 2: 5.0, 3: 1.0, 4: 2.0}), arrivals=arrivals)
    assert starts_of(course) == {1: 0.0, 2: 10.0, 3: 15.0, 4: 15.0}


def test_cycles_wait_for_the_interval() -> None:
    """With 30 seconds between cycles, jobs start at multiples of them, and end when they end."""
    course = Course(
        a_snapshot(),
        seconds_of=runs({1: 40.0, 2: 5.0}),
        arrivals=[an_arrival(1, 1.0, 4), an_arrival(2, 2.0, 4)],
        interval_seconds=30.0,
    )
    events = [(type(event), event.at) for event in course.events()]
    assert events == [(Started, 30.0), (Ended, 70.0), (Started, 90.0), (Ended, 95.0)]


def test_what_runs_now_gives_back_what_it_holds() -> None:
    """The present's jobs end when they are said to; what waits behind them starts then."""
    job_class = a_class(3)
    placement = Placement(
        key=JobKey(7),
        intake=1,
        job_class=job_class,
        environment_name="environment",
        host_id=HostId("local"),
        resources=job_class.resources,
        gpu_names=(),
    )
    present = a_snapshot(waiting(some(2), 2), hosts=[a_host(used=some(3))])
    running = [Running(placement=placement, started_at=-5.0, ends_at=20.0)]
    assert starts_of(Course(present, seconds_of=runs(1.0), running=running)) == {1002: 20.0}


def test_a_job_that_never_fits_is_left_waiting() -> None:
    """The course ends when nothing can happen any more."""
    course = Course(a_snapshot(waiting(some(1, gpus=9), 1)), seconds_of=runs(1.0))
    assert list(course.events()) == []
    assert [each.job_class.resources.gpus for each in course.waiting] == [9]


def test_gangs_hold_all_their_hosts() -> None:
    """Two nodes of 4 vCPUs take both hosts, and both are free again at the same time."""
    hosts = [a_host("a"), a_host("b")]
    gang = gang_of([some(4), some(4)])
    present = a_snapshot(waiting(some(8), 1, gang=gang), waiting(some(1), 2), hosts=hosts)
    present = replace(
        present,
        environments={
            name: replace(view, hosts=tuple(host.id for host in hosts)) for name, view in present.environments.items()
        },
    )
    assert starts_of(Course(present, seconds_of=runs({1001: 10.0, 1002: 1.0}))) == {1001: 0.0, 1002: 10.0}


def test_consumables_that_do_not_come_back() -> None:
    """Of three, each job takes one: those that are given back serve a fourth job, those that are used up do not."""
    jobs = waiting(some(1), 1, 2, 3, 4, consumables=(("tokens", 1),))
    for comes_back, count in ((True, 4), (False, 3)):
        tokens = ConsumableView(total=3, free=3, is_replenishable=comes_back)
        course = Course(a_snapshot(jobs, consumables={"tokens": tokens}), seconds_of=runs(10.0))
        assert len(starts_of(course)) == count


def test_shares_take_turns_by_what_they_have_used() -> None:
    """A share that has used nothing comes before one that has just held everything, though it submitted later."""
    present = a_snapshot(
        waiting(some(4), 1, 2, share="greedy"), waiting(some(4), 3, share="modest"), queues=[a_line(fair=fairly())]
    )
    assert starts_of(Course(present, seconds_of=runs(100.0))) == {1001: 0.0, 1003: 100.0, 1002: 200.0}


def test_use_decays_as_in_the_server() -> None:
    """Half of what was used is forgotten after half of the window; then what is held counts for more."""
    held = 1000 * HOLDING_SECONDS
    fair = fairly(old=ShareView(milli_seconds=1.5 * held), new=ShareView(milli_seconds=0.0))
    window = fair.policy.window_seconds
    for seconds, first in ((0.0, 2), (window / 2, 1)):
        arrivals = [
            an_arrival(9, seconds, 1, share="new"),  # holds 1 vCPU: counts as `held`, 0.75 times that is left of `old`
            an_arrival(1, seconds, 3, share="old"),
            an_arrival(2, seconds, 3, share="new"),
        ]
        lengths = runs({9: 1e6, 1: 10.0, 2: 10.0})
        starts = starts_of(Course(a_snapshot(queues=[a_line(fair=fair)]), seconds_of=lengths, arrivals=arrivals))
        assert min((1, 2), key=lambda key: starts[key]) == first


def peaks(events: Iterable[Started | Ended], present: Snapshot) -> None:
    """No host holds more than it has at any time."""
    held: Counter[str] = Counter()
    for event in events:
        placement = event.placement if isinstance(event, Started) else event.running.placement
        for node in placement.nodes or (placement,):
            held[node.host_id] += node.resources.vcpu_milli * (1 if isinstance(event, Started) else -1)
            assert held[node.host_id] <= present.hosts[node.host_id].free.vcpu_milli


@given(st.integers(0, 2**32))
def test_any_present_runs_out(seed: int) -> None:
    """Nothing is over-committed, each job starts and ends once, it begins as the server would, and it is repeatable."""
    present = any_snapshot(Random(seed))

    def seconds_of(key: JobKey, job_class: JobClass) -> float:
        return float((key * 7919) % 100)

    course = Course(present, seconds_of=seconds_of)
    events = list(course.events())
    peaks(events, present)
    began = [event.placement for event in events if isinstance(event, Started)]
    ended = [event.running.placement.key for event in events if isinstance(event, Ended)]
    assert sorted(placement.key for placement in began) == sorted(ended)
    assert len(set(ended)) == len(ended)
    waiting_still = sum(run.count for each in course.waiting for run in each.runs)
    assert len(began) + waiting_still == sum(run.count for each in present.classes for run in each.runs)
    first = plan_cycle(present).placements
    assert began[: len(first)] == list(first)
    assert events == list(Course(present, seconds_of=seconds_of).events())
