"""Limits on what runs at once: case by case, and what holds over any history."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.domain.ids import JobKey
from longshore.domain.powers import ConcurrencyKey, JobPowers, QueuePowers
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass, class_id, class_of
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.limits import Cap, Counted, Limit, LimitKind, caps_of
from longshore.scheduling.plan import Plan
from longshore.scheduling.snapshot import ConsumableView, QueueView, Run, Snapshot, WaitingClass
from longshore.scheduling.tally import Tally
from longshore.testing.builders import HERE, a_job_spec
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, a_view, fairly, some, started, waiting


def an_array(name: str, most: int) -> Limit:
    return Limit(counted=Counted(scope=HERE, kind=LimitKind.ARRAY, name=name), most=most)


def a_key(name: str = "db", most: int = 1) -> Limit:
    return Limit(counted=Counted(scope=HERE, kind=LimitKind.KEY, name=name), most=most)


def capped(*caps: Cap, name: str = "queue", **members: object) -> QueueView:
    return replace(a_line(name), caps=caps, **members)


MOST_JOBS, MOST_VCPUS = Cap(unit="jobs", most=2), Cap(unit="vcpu_milli", most=3000)


def run_beside(snapshot: Snapshot, *running: tuple[int, JobClass]) -> Snapshot:
    """The snapshot while these jobs run, by key."""
    tally = Tally()
    for key, job_class in running:
        tally.add(JobKey(key), job_class)
    return replace(snapshot, limits=tally.uses())


def test_array_runs_so_many_children() -> None:
    """Those that run count, and those that have just been placed; others pass."""
    children = waiting(some(0.5), 1, 2, 3, limits=(an_array("a", 2),))
    other = waiting(some(0.5), 4)
    plan = plan_cycle(run_beside(a_snapshot(children, other), (7, children.job_class)))
    assert started(plan) == [1, 4]
    assert plan.reasons[children.job_class].causes == (
        "1 of at most 2 children of its array job run, and 1 more goes first (longshore:max-concurrent)",
    )


def test_key_is_held_by_one() -> None:
    """Whatever queue its jobs are in, and the reason says who holds it."""
    first, second = waiting(some(1), 1, limits=(a_key(),)), waiting(some(1), 2, queue="other", limits=(a_key(),))
    snapshot = a_snapshot(first, second, queues=[a_line(), a_line("other")])
    plan = plan_cycle(snapshot)
    assert started(plan) == [1]
    plan = plan_cycle(run_beside(snapshot, (9, first.job_class)))
    assert started(plan) == []
    reason = plan.reasons[second.job_class]
    assert reason.status_reason == (
        "Waiting: 1 of at most 1 jobs hold the key db, and 1 more goes first (longshore:concurrency-key)"
    )
    assert reason.holders == (9,)


def test_lowest_number_of_a_key_counts() -> None:
    """Who allows three is beside who allows one only when that one is not there; nobody passes who waits for it."""
    lone, many = waiting(some(0.1), 2, limits=(a_key(most=1),)), waiting(some(0.1), 1, 3, 4, limits=(a_key(most=3),))
    plan = plan_cycle(a_snapshot(lone, many))
    assert started(plan) == [1]
    assert "2 more go first" in plan.reasons[many.job_class].causes[0]
    assert started(plan_cycle(run_beside(a_snapshot(many), (9, lone.job_class)))) == []


def test_queue_runs_so_many_jobs() -> None:
    """And others are not concerned."""
    jobs, others = waiting(some(0.5), 1, 2, 3), waiting(some(0.5), 4, queue="other")
    plan = plan_cycle(a_snapshot(jobs, others, queues=[capped(MOST_JOBS), a_line("other")]))
    assert started(plan) == [1, 2, 4]
    assert plan.reasons[jobs.job_class].causes == (
        "0 of at most 2 jobs of job queue queue run, and 2 more go first (longshore:max-jobs)",
    )


def test_queue_runs_so_many_vcpus() -> None:
    """A small job does not pass a large one that waits for the cap."""
    large, small = waiting(some(2), 1, 2), waiting(some(0.5), 3)
    plan = plan_cycle(a_snapshot(large, small, queues=[capped(MOST_VCPUS)]))
    assert started(plan) == [1]
    assert plan.reasons[large.job_class].causes == (
        "asks 2 vCPU; job queue queue runs 0 vCPU of at most 3 vCPU, and 2 vCPU more go first (longshore:max-vcpus)",
    )


def test_more_than_a_cap_ever_allows() -> None:
    """Such a job keeps nothing from others."""
    large, small = waiting(some(3.5), 1), waiting(some(0.5), 3)
    plan = plan_cycle(a_snapshot(large, small, queues=[capped(MOST_VCPUS)]))
    assert started(plan) == [3]
    assert plan.reasons[large.job_class].causes == (
        "asks 3.5 vCPU; job queue queue may run 3 vCPU at most (longshore:max-vcpus)",
    )


def test_each_share_runs_so_many() -> None:
    """One at its cap does not keep another from starting."""
    red, blue = waiting(some(0.5), 1, 2, share="red"), waiting(some(0.5), 3, share="blue")
    queue = capped(Cap(unit="jobs", most=1, is_per_share=True), fair=fairly())
    plan = plan_cycle(run_beside(a_snapshot(red, blue, queues=[queue]), (9, red.job_class)))
    assert started(plan) == [3]
    assert plan.reasons[red.job_class].causes == (
        "1 of at most 1 jobs of share red of job queue queue run (longshore:max-jobs-per-share)",
    )


def test_who_waits_for_a_key_takes_no_place_in_the_queue() -> None:
    """Nor any consumable resource."""
    keyed = waiting(some(0.5), 1, 2, limits=(a_key(),), consumables=(("licence", 1),))
    other = waiting(some(0.5), 3, consumables=(("licence", 1),))
    licences = {"licence": ConsumableView(total=1, free=1)}
    snapshot = a_snapshot(keyed, other, queues=[capped(Cap(unit="jobs", most=1))], consumables=licences)
    holder = replace(keyed.job_class, queue_name="elsewhere")
    assert started(plan_cycle(run_beside(snapshot, (9, holder)))) == [3]


def test_blocked_head_keeps_its_place() -> None:
    """What it will take of limits is kept for it, as room is."""
    head, behind = waiting(some(4), 1, limits=(a_key(),)), waiting(some(1), 2, queue="other", limits=(a_key(),))
    hosts = [a_host("busy", used=some(1)), a_host("free", some(1))]
    views = [a_view(hosts=["busy"]), a_view("free", hosts=["free"])]
    queues = [a_line(), a_line("other", environments=["free"])]
    snapshot = a_snapshot(head, behind, hosts=hosts, environments=views, queues=queues, oversize="wait")
    assert started(plan_cycle(snapshot)) == []


def test_limits_make_classes() -> None:
    """Jobs with and without them are not alike, and a digest tells them apart."""
    plain = a_job_spec()
    keyed = replace(plain, powers=JobPowers(concurrency_key=ConcurrencyKey(name="db", most=3)))
    assert class_of(plain) != class_of(keyed)
    assert class_id(plain) != class_id(keyed)
    assert class_of(keyed).limits == (a_key(most=3),)
    array = replace(a_job_spec(array_size=5), powers=JobPowers(max_concurrent=2))
    assert class_of(array).limits == (an_array(array.uuid, 2),)
    assert class_of(replace(array, array_size=None)).limits == ()


def test_caps_of_a_queue() -> None:
    """The narrowest first."""
    assert caps_of(QueuePowers()) == ()
    assert caps_of(QueuePowers(max_jobs=3, max_vcpu_milli_per_share=500)) == (
        Cap(unit="vcpu_milli", most=500, is_per_share=True),
        Cap(unit="jobs", most=3),
    )


# --- over any history ------------------------------------------------------------------------------------------------

_CLASSES: Sequence[tuple[str, str, Resources, tuple[Limit, ...]]] = [
    ("first", "red", some(1), ()),
    ("first", "blue", some(2), ()),
    ("first", "red", some(0.5), (an_array("a", 2),)),
    ("first", "blue", some(0.5), (an_array("b", 1), a_key("db", 1))),
    ("first", "blue", some(0.5), (a_key("db", 3),)),
    ("second", "", some(1), (a_key("db", 2),)),
    ("second", "", some(0.25), (a_key("other", 1),)),
    ("second", "", some(1.5), ()),
]
_CAPS = st.lists(
    st.builds(Cap, unit=st.just("jobs"), most=st.integers(1, 4), is_per_share=st.booleans())
    | st.builds(Cap, unit=st.just("vcpu_milli"), most=st.sampled_from([2000, 3000, 4500]), is_per_share=st.booleans()),
    max_size=3,
).map(tuple)


class History:
    """Cycle after cycle on room enough for all; what starts runs for some of them."""

    def __init__(self, rng: Random, caps: tuple[Cap, ...], *, lasting: int = 0) -> None:
        """Jobs run for `lasting` cycles, or by chance."""
        self.rng = rng
        self.lasting = lasting
        self.queues = [
            capped(*caps, name="first", fair=fairly()),
            capped(*(cap for cap in caps if not cap.is_per_share), name="second"),
        ]
        self.tally = Tally()
        self.waiting: dict[JobKey, JobClass] = {}
        self.running: dict[JobKey, tuple[JobClass, int]] = {}
        self.cycles = self._last_key = 0

    def submit(self, number: int) -> JobKey:
        queue, share, resources, limits = _CLASSES[number]
        self._last_key += 1
        job_class = JobClass(scope=HERE, queue_name=queue, share=share, resources=resources, limits=limits)
        self.waiting[JobKey(self._last_key)] = job_class
        return JobKey(self._last_key)

    def cycle(self) -> Plan:
        """End what is over, then place."""
        self.cycles += 1
        for key, (job_class, until) in list(self.running.items()):
            if until == self.cycles:
                del self.running[key]
                self.tally.remove(key, job_class)
        runs: dict[JobClass, list[Run]] = {}
        for key, job_class in self.waiting.items():
            runs.setdefault(job_class, []).append(Run(intake=key, key=key, count=1))
        snapshot = a_snapshot(
            *(WaitingClass(job_class=job_class, runs=each) for job_class, each in runs.items()),
            hosts=[a_host(total=some(1000, 100))],
            queues=self.queues,
        )
        plan = plan_cycle(replace(snapshot, limits=self.tally.uses()))
        for placement in plan.placements:
            job_class = self.waiting.pop(placement.key)
            self.running[placement.key] = job_class, self.cycles + (self.lasting or self.rng.randint(1, 3))
            self.tally.add(placement.key, job_class)
        return plan

    def check(self) -> None:
        """No limit is exceeded, counted here from what runs."""
        counts: Counter[tuple[str, str]] = Counter()
        for job_class, _ in self.running.values():
            for limit in job_class.limits:
                counts["limit", limit.counted.name] += 1
            for place in (job_class.queue_name, f"{job_class.queue_name} {job_class.share}"):
                counts["jobs", place] += 1
                counts["vcpu_milli", place] += job_class.resources.vcpu_milli
        for job_class, _ in self.running.values():
            assert all(counts["limit", limit.counted.name] <= limit.most for limit in job_class.limits)
        for queue in self.queues:
            for cap in queue.caps:
                places = [f"{queue.name} red", f"{queue.name} blue"] if cap.is_per_share else [queue.name]
                assert all(counts[cap.unit, place] <= cap.most for place in places)


_drawn = given(seed=st.integers(0, 2**32), caps=_CAPS)


@settings(max_examples=100)
@_drawn
def test_no_limit_is_ever_exceeded(seed: int, caps: tuple[Cap, ...]) -> None:
    """Whatever comes, and every class that waits is told why."""
    history = History(Random(seed), caps)
    for _ in range(12):
        for _ in range(history.rng.randint(0, 6)):
            history.submit(history.rng.randrange(len(_CLASSES)))
        plan = history.cycle()
        history.check()
        assert plan.reasons.keys() == set(history.waiting.values())


@pytest.mark.parametrize(("large", "small"), [(7, 5), (3, 4)])
def test_small_jobs_do_not_starve_a_large_one(large: int, small: int) -> None:
    """Though one of them ends in every cycle and another waits: vCPUs of a queue, and a key that one wants alone."""
    history = History(Random(1), (Cap(unit="vcpu_milli", most=2000),), lasting=3)
    for _ in range(2):
        history.submit(small)
        history.cycle()
    watched = history.submit(large)
    for _ in range(18):
        history.submit(small)
        history.cycle()
    assert watched not in history.waiting


@settings(max_examples=50)
@_drawn
def test_nobody_starves(seed: int, caps: tuple[Cap, ...]) -> None:
    """However many come behind, each job starts that its queue's caps allow at all."""
    history = History(Random(seed), caps)
    tightest = min((cap.most for cap in caps if cap.unit == "vcpu_milli"), default=2000)
    asked = [number for number, (_, _, resources, _) in enumerate(_CLASSES) if resources.vcpu_milli <= tightest]
    watched = [history.submit(number) for number in asked]
    for _ in range(60):
        for _ in range(3):
            history.submit(history.rng.choice(asked))
        history.cycle()
    left = [key for key in watched if key in history.waiting]
    assert not left, [history.waiting[key] for key in left]


@settings(max_examples=100)
@_drawn
def test_a_free_place_is_taken(seed: int, caps: tuple[Cap, ...]) -> None:
    """With room for all, whoever waits alone starts at once: limits stop nobody whom they do not concern."""
    history = History(Random(seed), caps)
    for _ in range(8):
        history.submit(history.rng.randrange(len(_CLASSES)))
        history.cycle()
    alone = JobClass(scope=HERE, queue_name="third", resources=some(1))
    history.queues.append(a_line("third"))
    history.waiting[JobKey(10**6)] = alone
    history.cycle()
    assert JobKey(10**6) in history.running
