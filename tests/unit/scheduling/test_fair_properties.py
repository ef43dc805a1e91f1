"""What fair shares promise, whoever submits what.

AWS documents parts of 1/weightFactor. Dominant Resource Fairness (Ghodsi and others, 2011) names what a division should
promise besides. Fair shares count vCPU only, over time and by weight; so of its claims these hold, for jobs that are
short against the window and small against the parts:

- a share guarantee: who always has jobs waiting gets its part, whatever others do, and more where others want less;
- nothing stays idle that the next job fits into;
- who asks for more than it needs gets less done; how work is cut into jobs, or into identifiers that one entry of the
  policy covers, changes nothing.

What does not hold is stated by the last two tests, and one thing is not tested: nobody is stopped in a fair-share
queue, so one long job on an idle machine has it to its end. Quota shares take it back.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.policy import FairsharePolicy, ShareAttributes
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.fairshare import ShareView
from tests.properties import promised
from tests.unit.scheduling.fair_course import FairCourse, User, parts_by_weight
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, fairly, some, waiting

WINDOW = 600
CAPACITY = 32_000
#: What a share has used that has held all of the capacity for ever: no start is more uneven.
MOST_USED = CAPACITY * WINDOW / 2 / math.log(2)
CLOSE = 0.05


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A queue with users, two at least, of whom one at least always has jobs waiting."""

    weights: Mapping[str, float]
    users: Sequence[User]
    used: Mapping[str, float]
    holding: Sequence[str]

    def live(self, *users: User, entries: Mapping[str, float] | None = None) -> FairCourse:
        """Three windows, and one more that is measured; `users` in place of those of the same shares."""
        given = {user.share: user for user in (*self.users, *users)}
        distribution = tuple(
            ShareAttributes(share_identifier=share, weight_factor=weight)
            for share, weight in (entries or self.weights).items()
        )
        course = FairCourse(
            FairsharePolicy(share_decay_seconds=WINDOW, share_distribution=distribution),
            CAPACITY,
            list(given.values()),
            used=self.used,
            holding=self.holding,
            measured_from=3 * WINDOW,
        )
        course.run(4 * WINDOW)
        return course


seconds = st.integers(2, 6).map(lambda fives: 5.0 * fives)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    shares = "abcd"[: draw(st.integers(2, 4))]
    weights = {share: draw(st.sampled_from([0.5, 0.75, 1.0, 1.5, 2.0])) for share in shares}
    users = [
        User(
            share=share,
            seconds=draw(seconds),
            milli=draw(st.sampled_from([250, 500, 1000])),
            at_once=None if share == "a" else draw(st.one_of(st.none(), st.integers(1, 20))),
        )
        for share in shares
    ]
    used = {share: draw(st.one_of(st.just(0.0), st.just(MOST_USED), st.floats(0, MOST_USED))) for share in shares}
    holding = [draw(st.sampled_from(shares))] * draw(st.sampled_from([0, 8, 128]))
    return Situation(weights=weights, users=users, used=used, holding=holding)


@promised(30)
@given(situations())
def test_shares_converge_to_their_weights(situation: Situation) -> None:
    """After three decay times each has its part, within five percent, from any start; nothing stays idle meanwhile."""
    course = situation.live()
    held = sum(course.measured.values()) / WINDOW
    assert held >= CAPACITY - max(user.milli for user in situation.users)
    wanted = {user.share: math.inf if user.at_once is None else user.at_once * user.milli for user in situation.users}
    parts = parts_by_weight(held, situation.weights, wanted)
    for share, part in parts.items():
        assert course.measured[share] / WINDOW == pytest.approx(part, rel=CLOSE), share


@promised(10)
@given(situations(), st.sampled_from([1.25, 1.5, 2.0]), st.booleans())
def test_who_asks_for_more_than_needed_gets_no_more_done(situation: Situation, factor: float, is_last: bool) -> None:
    """Its jobs do the same work in the same time, and are counted with all that they asked for."""
    user = situation.users[-1 if is_last else 0]
    greedy = replace(user, milli=round(user.milli * factor))
    honest, asked_more = situation.live(), situation.live(greedy)
    allowance = 1 + CAPACITY // user.milli  # a round of jobs may end just inside what is measured, or just outside
    assert asked_more.done[user.share] <= honest.done[user.share] * (1 + CLOSE) + allowance


@promised(10)
@given(situations(), st.sampled_from([(2, 1.0), (1, 0.5), (2, 0.5)]), st.booleans())
def test_how_work_is_cut_changes_nothing(situation: Situation, cut: tuple[int, float], is_last: bool) -> None:
    """More jobs that are smaller, or shorter, hold no more together."""
    pieces, shorter = cut
    user = situation.users[-1 if is_last else 0]
    cut_up = replace(
        user,
        milli=user.milli // pieces,
        seconds=user.seconds * shorter,
        at_once=None if user.at_once is None else user.at_once * pieces,
    )
    whole, parts = situation.live(), situation.live(cut_up)
    assert parts.measured[user.share] <= whole.measured[user.share] * (1 + 2 * CLOSE)


@promised(10)
@given(situations())
def test_identifiers_of_one_entry_get_no_more_together(situation: Situation) -> None:
    """Its weight is divided among those that are active."""
    first = situation.users[0]
    entries = {f"{share}*": weight for share, weight in situation.weights.items()}
    alone = situation.live(entries=entries)
    twins = [replace(first, share="a1"), replace(first, share="a2")]
    others = replace(situation, users=situation.users[1:], holding=(), used={})
    both = others.live(*twins, entries=entries)
    together = both.measured["a1"] + both.measured["a2"]
    assert together <= alone.measured["a"] * (1 + 2 * CLOSE)


@promised(10)
@given(situations())
def test_the_same_start_has_the_same_course(situation: Situation) -> None:
    one, other = situation.live(), situation.live()
    assert (one.measured, one.done) == (other.measured, other.done)


def test_identifiers_that_no_entry_covers_get_a_part_each() -> None:
    """So the operator has to say who may submit under which, or cover them with an entry that ends in `*`."""
    fair = fairly(honest=ShareView(), sly1=ShareView(), sly2=ShareView())
    classes = [waiting(some(1), 1 + number, 11 + number, 21 + number, share=s) for number, s in enumerate(fair.shares)]
    plan = plan_cycle(a_snapshot(*classes, hosts=[a_host(total=some(6))], queues=[a_line(fair=fair)]))
    assert sorted(placement.job_class.share for placement in plan.placements) == ["honest"] * 2 + [
        "sly1",
        "sly1",
        "sly2",
        "sly2",
    ]


def test_memory_is_not_counted() -> None:
    """Who asks for little vCPU and much memory comes next all the same, and has all of it."""
    fair = fairly(large=ShareView(milli_seconds=1000.0), small=ShareView(milli_seconds=1_000_000.0))
    large, small = waiting(some(0.1, 1024), 1, 2, 3, 4, share="large"), waiting(some(1, 1024), 5, share="small")
    plan = plan_cycle(a_snapshot(large, small, queues=[a_line(fair=fair)]))
    assert {placement.job_class.share for placement in plan.placements} == {"large"}
