"""What backfill promises: who has to wait starts no later for it, all work ends, and nothing is given away twice."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import JobKey
from longshore.domain.powers import Backfill
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.forecast.course import Course, Started
from longshore.scheduling.forecast.world import Running
from longshore.scheduling.gang import gang_of
from longshore.scheduling.snapshot import EnvironmentView, QueueView, Run, Snapshot, WaitingClass
from longshore.testing.builders import HERE
from tests.properties import promised
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, a_view, some


def any_work(rng: Random) -> Snapshot:
    """Idle hosts and jobs of two queues that could all start there, with time-outs that are exact."""
    totals = [some(rng.choice((2, 4, 8)), 4096, rng.choice((0, 0, 2))) for _ in range(rng.randint(1, 4))]
    hosts = [a_host(f"h{at}", total) for at, total in enumerate(totals)]
    largest = max(host.total.vcpu_milli for host in hosts) // 1000
    cap = rng.choice((None, None, largest, largest + 2))
    runs_alone = rng.random() < 0.2
    classes: list[WaitingClass] = []
    order = list(range(1, 41))
    rng.shuffle(order)
    for number in range(rng.randint(3, 10)):
        vcpus = rng.randint(1, largest)
        gang = ()
        asked = some(vcpus, rng.choice((0, 1024)))
        if runs_alone and cap is None and rng.random() < 0.2:
            asked = some(largest + 1)
        elif rng.random() < 0.3 and cap is None:
            smallest = min(host.total.vcpu_milli for host in hosts) // 1000
            node = some(rng.randint(1, smallest))
            gang = gang_of([node] * rng.randint(2, max(2, len(hosts))))
            if len(hosts) > 1:
                asked = some(node.vcpu_milli * gang[0][0] / 1000)
            else:
                gang = ()
        job_class = JobClass(
            scope=HERE,
            queue_name=rng.choice(("first", "second")),
            resources=asked,
            gang=gang,
            timeout_seconds=rng.randint(1, 30) * 10 + number,
        )
        intakes = sorted(order.pop() for _ in range(rng.randint(1, 4)))
        runs = [Run(intake=intake, key=JobKey(1000 + intake), count=1) for intake in intakes]
        classes.append(WaitingClass(job_class=job_class, runs=runs))
    names = [host.id for host in hosts]
    return a_snapshot(
        *classes,
        hosts=hosts,
        environments=[a_view("environment", hosts=names, cap=cap)],
        queues=[a_line("first", priority=2), a_line("second", priority=rng.choice((1, 2)))],
        oversize="run-alone" if runs_alone else "wait",
    )


def exact(key: JobKey, job_class: JobClass) -> float:
    assert job_class.timeout_seconds is not None
    return float(job_class.timeout_seconds)


def choosing(snapshot: Snapshot, backfill: Backfill) -> Snapshot:
    queues: Sequence[QueueView] = [replace(queue, backfill=backfill) for queue in snapshot.queues]
    return replace(snapshot, queues=queues)


def after(snapshot: Snapshot, starts: int) -> tuple[Snapshot, list[Running]]:
    """The situation once so many have started, and what runs then; a time at which nobody can start."""
    course = Course(choosing(snapshot, "easy"), seconds_of=exact)
    for event in course.events():
        starts -= isinstance(event, Started)
        if starts < 0 and course.now > 0:
            break
    now = course.now
    running = [
        replace(each, started_at=each.started_at - now, ends_at=each.ends_at - now)
        for each in course.running
        if each.ends_at > now
    ]
    fleet = Fleet.of(snapshot.hosts)
    (view,) = snapshot.environments.values()
    for each in running:
        for node in each.placement.nodes or (each.placement,):
            fleet.take(node.host_id, node.resources, node.gpu_names)
    held = sum(each.placement.job_class.resources.vcpu_milli for each in running)
    free_cap = None if view.cap_milli is None else view.cap_milli - held
    left: EnvironmentView = replace(view, free_cap_milli=free_cap)
    return replace(snapshot, hosts=fleet, environments={view.name: left}, classes=list(course.waiting)), running


def starts_of(snapshot: Snapshot, running: Sequence[Running], backfill: Backfill) -> dict[JobKey, float]:
    course = Course(choosing(snapshot, backfill), seconds_of=exact, running=running)
    starts = {event.placement.key: event.at for event in course.events() if isinstance(event, Started)}
    assert not course.waiting
    return starts


@promised(150)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_the_head_starts_no_later_than_without_backfill(seed: int, count: int) -> None:
    """From any situation that comes about, when it is exact how long jobs run."""
    snapshot, running = after(any_work(Random(seed)), count)
    first = [w for w in snapshot.classes if w.job_class.queue_name == "first"]
    alone = replace(snapshot, classes=[w for w in snapshot.classes if w.job_class.queue_name == "first"])
    if not first:
        return
    without = starts_of(alone, running, "none")
    # the first that can't start at once
    waits = [key for key in sorted(without) if without[key] > 0]
    if snapshot.queues[0].priority > snapshot.queues[1].priority and waits:
        assert starts_of(snapshot, running, "easy")[waits[0]] <= without[waits[0]]


@promised(100)
@given(st.integers(0, 2**32), st.sampled_from(("easy", "greedy", "none")))
def test_all_work_ends(seed: int, backfill: Backfill) -> None:
    """Gangs and jobs that run alone among it: nobody waits for another that waits for him."""
    snapshot = any_work(Random(seed))
    starts = starts_of(snapshot, (), backfill)
    assert len(starts) == sum(run.count for waiting in snapshot.classes for run in waiting.runs)


@promised(100)
@given(st.integers(0, 2**32), st.sampled_from(("easy", "greedy", "none")))
def test_nothing_is_given_away_twice(seed: int, backfill: Backfill) -> None:
    """At no instant do jobs hold more of a host, or of the cap, than there is; a gang holds all its nodes at once."""
    snapshot = any_work(Random(seed))
    course = Course(choosing(snapshot, backfill), seconds_of=exact)
    (view,) = snapshot.environments.values()
    for event in course.events():
        if not isinstance(event, Started):
            continue
        fleet = Fleet.of(snapshot.hosts)
        for each in course.running:
            placement = each.placement
            assert len(placement.nodes) == sum(count for count, _ in placement.job_class.gang)
            for node in placement.nodes or (placement,):
                fleet.take(node.host_id, node.resources, node.gpu_names)
        assert (fleet.free >= 0).all()
        held = sum(each.placement.job_class.resources.vcpu_milli for each in course.running)
        assert view.cap_milli is None or held <= view.cap_milli


@promised(50)
@given(st.integers(0, 2**32))
def test_the_same_comes_of_the_same(seed: int) -> None:
    """In whatever order classes are listed."""
    snapshot = any_work(Random(seed))
    assert starts_of(snapshot, (), "easy") == starts_of(replace(snapshot, classes=snapshot.classes[::-1]), (), "easy")
