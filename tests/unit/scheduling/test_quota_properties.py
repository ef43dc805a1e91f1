"""What holds for quota shares, whatever they are and whoever waits."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import JobKey
from longshore.domain.quota import SharingStrategy
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.quota import Account, Holder, QuotaShareView, QuotaView, never
from longshore.scheduling.quota_order import QuotaOrder, Verdict
from longshore.scheduling.snapshot import Run, WaitingClass
from longshore.testing.builders import HERE
from tests.properties import promised
from tests.unit.scheduling.quota_plan import Outcome, plan

UNITS = ("ml.m5.large", "ml.p4d.24xlarge")
many = promised(100)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A job that waits, or holds what it asks for."""

    key: int
    share: str
    units: tuple[tuple[str, int], ...]
    priority: int


@st.composite
def share_views(draw: st.DrawFn) -> QuotaShareView:
    limits = {unit: draw(st.integers(0, 4)) for unit in UNITS}
    strategies: list[SharingStrategy] = ["RESERVE", "LEND", "LEND_AND_BORROW", "LEND_AND_BORROW"]
    strategy = draw(st.sampled_from(strategies))
    percent = draw(st.sampled_from([None, 0, 50, 100, 250])) if strategy == "LEND_AND_BORROW" else 0
    return QuotaShareView(
        limits=limits, strategy=strategy, borrow_percent=percent, has_in_share_preemption=draw(st.booleans())
    )


@st.composite
def views(draw: st.DrawFn, *, may_promise_too_much: bool = False) -> QuotaView:
    shares = {name: draw(share_views()) for name in ("a", "b", "c")[: draw(st.integers(1, 3))]}
    promised = {unit: sum(share.limit(unit) for share in shares.values()) for unit in UNITS}
    least = -3 if may_promise_too_much else 0
    return QuotaView(
        capacity={unit: max(promised[unit] + draw(st.integers(least, 2)), 0) for unit in UNITS}, shares=shares
    )


@st.composite
def jobs(draw: st.DrawFn) -> Sequence[Asked]:
    asked = st.one_of(
        st.integers(1, 4).map(lambda n: ((UNITS[0], n),)),
        st.integers(1, 2).map(lambda n: ((UNITS[1], n),)),
        st.tuples(st.integers(1, 3), st.integers(1, 2)).map(lambda n: ((UNITS[0], n[0]), (UNITS[1], n[1]))),
    )
    return [
        Asked(key=key, share=draw(st.sampled_from("abc")), units=draw(asked), priority=draw(st.integers(0, 2)))
        for key in range(1, draw(st.integers(1, 14)))
    ]


def waiting_of(asked: Sequence[Asked]) -> list[WaitingClass]:
    classes: dict[JobClass, list[Run]] = {}
    for job in sorted(asked, key=lambda job: job.key):
        job_class = JobClass(
            scope=HERE,
            queue_name="queue",
            resources=Resources(),
            share=job.share,
            priority=job.priority,
            instances=job.units,
        )
        classes.setdefault(job_class, []).append(Run(intake=job.key, key=JobKey(job.key), count=1))
    return [WaitingClass(job_class=job_class, runs=runs) for job_class, runs in classes.items()]


@dataclass(kw_only=True)
class Queue:
    """A queue as it goes on."""

    view: QuotaView
    waiting: dict[int, Asked] = field(default_factory=dict[int, Asked])
    held: dict[int, tuple[Asked, Holder]] = field(default_factory=dict[int, tuple[Asked, Holder]])
    clock: int = 0
    #: for whom who had to go
    displaced: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])

    @property
    def present(self) -> QuotaView:
        return replace(self.view, holders=[holder for _, holder in self.held.values()])

    def cycle(self) -> Outcome:
        view, shares = self.present, self.view.shares
        found = plan(view, waiting_of([job for job in self.waiting.values() if job.share in shares]))
        account = Account(view, view.holders)
        for key in found.started:
            job = self.waiting.pop(key)
            account.add(job.share, dict(job.units))
            for unit, _ in job.units:
                ceiling = shares[job.share].ceiling(unit)
                assert ceiling is None or account.held(job.share, unit) <= ceiling
                assert account.total(unit) <= view.capacity[unit]
            self.clock += 1
            holder = Holder(
                key=JobKey(key),
                share=job.share,
                amounts=dict(job.units),
                priority=job.priority,
                placed_at=float(self.clock),
                returns_at=key,
            )
            self.held[key] = job, holder
        for beneficiary, victims in found.preempted.items():
            for victim in victims:
                job, holder = self.held[victim]
                assert not holder.is_going
                assert (victim, beneficiary) not in self.displaced, "who was preempted preempts who took its place"
                self.displaced.add((beneficiary, victim))
                self.held[victim] = job, replace(holder, is_going=True)
        return found

    def let_go(self) -> None:
        """Those that are being stopped have gone, and wait again."""
        for key, (job, holder) in list(self.held.items()):
            if holder.is_going:
                del self.held[key]
                self.waiting[key] = job


def check_reserves(queue: Queue) -> None:
    """What shares keep for themselves is there for them."""
    view = queue.present
    account = Account(view, view.holders)
    for unit in UNITS:
        assert account.total(unit) + account.idle(unit, lent=False) <= view.capacity[unit]


@many
@given(views(), jobs(), st.randoms(use_true_random=False))
def test_a_queue_as_it_goes_on(view: QuotaView, asked: Sequence[Asked], random: Random) -> None:
    """Limits, borrow limits, capacity and reserves are kept, and nobody displaces who displaced them."""
    queue, coming = Queue(view=view), list(asked)
    while coming or queue.waiting:
        for _ in range(random.randint(0, 3)):
            if coming:
                job = coming.pop(random.randrange(len(coming)))
                queue.waiting[job.key] = job
        queue.cycle()
        check_reserves(queue)
        if random.random() < 0.5:
            queue.let_go()
            for key in [key for key in queue.held if random.random() < 0.2]:
                del queue.held[key]
        if not coming:
            break


@many
@given(views(), jobs(), jobs(), st.randoms(use_true_random=False))
def test_owners_get_back_what_is_theirs(
    view: QuotaView, before: Sequence[Asked], then: Sequence[Asked], random: Random
) -> None:
    """A job within the limit of its share starts, or others go for it and it starts when they have gone."""
    queue = Queue(view=view, waiting={job.key: job for job in before})
    queue.cycle()
    # limits may have changed since
    factor = random.choice([1, 2])
    shares = {
        name: replace(share, limits={unit: limit // factor for unit, limit in share.limits.items()})
        for name, share in view.shares.items()
    }
    queue.view = replace(view, shares=shares)
    queue.waiting |= {job.key + 100: replace(job, key=job.key + 100) for job in then}
    first = queue.cycle()
    account = Account(queue.present, [holder for _, holder in queue.held.values() if not holder.is_going])
    own: list[int] = []
    borrowing: set[str] = set()  # who is behind one of the same share that has to borrow waits with it
    for key in first.kept:
        job = queue.waiting[key]
        if not account.is_own(job.share, dict(job.units)):
            borrowing.add(job.share)
        elif job.share not in borrowing:
            own.append(key)
        account.add(job.share, dict(job.units))
    for share, key in first.blocked.items():
        job = queue.waiting[key]
        going = [each for each, holder in queue.held.values() if holder.is_going and each.share == share]
        if all((-each.priority, each.key) > (-job.priority, key) for each in going):
            assert not account.is_own(share, dict(job.units)), f"job {key} is not given its own"
    queue.let_go()
    assert set(own) <= set(queue.cycle().started)


def test_an_owner_behind_what_never_starts_comes_before_borrowers() -> None:
    """Else the borrower would be started to be preempted at once."""
    unit = UNITS[0]
    shares = {
        "b": QuotaShareView(limits={unit: 1}, strategy="LEND_AND_BORROW", borrow_percent=None),
        "c": QuotaShareView(limits={unit: 1}, strategy="LEND"),
    }
    asked = [
        Asked(key=1, share="b", units=((unit, 2),), priority=0),
        Asked(key=2, share="c", units=((unit, 2),), priority=1),
        Asked(key=3, share="c", units=((unit, 1),), priority=0),
    ]
    queue = Queue(view=QuotaView(capacity={unit: 2}, shares=shares), waiting={job.key: job for job in asked})
    assert queue.cycle().started == [3]


def test_nobody_goes_for_one_that_has_to_wait_behind_who_went() -> None:
    """Job 3 of share b goes for job 106 and is before job 5 again, which would find no room then either."""
    unit = UNITS[0]
    shares = {
        "b": QuotaShareView(limits={unit: 4}, strategy="LEND", has_in_share_preemption=True),
        "c": QuotaShareView(limits={unit: 1}, strategy="LEND_AND_BORROW", borrow_percent=None),
    }
    queue = Queue(view=QuotaView(capacity={unit: 5}, shares=shares))
    for key, share, amount in ((1, "b", 1), (3, "b", 2), (4, "c", 2)):
        queue.waiting[key] = Asked(key=key, share=share, units=((unit, amount),), priority=0)
    assert queue.cycle().started == [1, 3, 4]
    queue.waiting[5] = Asked(key=5, share="b", units=((unit, 1),), priority=0)
    queue.waiting[106] = Asked(key=106, share="b", units=((unit, 2),), priority=1)
    first = queue.cycle()
    assert (first.preempted, first.kept, first.blocked) == ({106: [3]}, [106], {"b": 5})
    queue.let_go()
    second = queue.cycle()
    assert (second.started, second.preempted) == ([106], {})


@many
@given(views(may_promise_too_much=True), jobs())
def test_preemption_comes_to_rest(view: QuotaView, asked: Sequence[Asked]) -> None:
    """Where no job comes and none ends, sooner or later none has to go, and then nothing changes any more.

    Until then a cycle may start what the one before did not: who was behind a higher priority is in front now.
    """
    queue = Queue(view=view, waiting={job.key: job for job in asked})
    for _ in range(3 * len(asked) + 3):
        found = queue.cycle()
        if not found.preempted and not found.kept:
            break
        queue.let_go()
    else:
        raise AssertionError("it goes on for ever")
    for _ in asked:
        found = queue.cycle()
        assert not found.preempted
        if not found.started:
            return
    assert queue.cycle().started == []


@many
@given(views(may_promise_too_much=True), jobs(), jobs(), st.randoms(use_true_random=False))
def test_the_same_situation_has_the_same_outcome(
    view: QuotaView, before: Sequence[Asked], then: Sequence[Asked], random: Random
) -> None:
    """In whatever order things are told."""
    queue = Queue(view=view, waiting={job.key: job for job in before})
    queue.cycle()
    present = queue.present
    waiting = waiting_of([replace(job, key=job.key + 100) for job in then if job.share in view.shares])
    mixed = list(waiting), list(present.holders), list(view.shares.items())
    for each in mixed:
        random.shuffle(each)
    other = replace(present, holders=mixed[1], shares=dict(mixed[2]))
    assert plan(other, mixed[0]) == plan(present, waiting)


@many
@given(views(), jobs(), jobs())
def test_nobody_has_to_go_where_capacity_is_free(
    view: QuotaView, before: Sequence[Asked], then: Sequence[Asked]
) -> None:
    """Victims are needed, each of them, and none is of a share within its limit but for a higher priority in it."""
    queue = Queue(view=view, waiting={job.key: job for job in before})
    queue.cycle()
    view = queue.present
    for job in then:
        if job.share not in view.shares or never(view, job.share, dict(job.units)):
            continue
        decision = QuotaOrder(waiting_of([job]), view).decide()
        account = Account(view, view.holders)
        if account.allows(job.share, dict(job.units)):
            assert decision.verdict is Verdict.START
        for victim in decision.victims:
            others = [each for each in decision.victims if each is not victim]
            left = [holder for holder in view.holders if holder not in others]  # the victim stays
            assert not Account(view, left).allows(job.share, dict(job.units))
            if victim.share == job.share:
                assert victim.priority < job.priority
                assert view.shares[job.share].has_in_share_preemption
            else:
                assert any(account.borrowed(victim.share, unit) for unit, _ in job.units)
