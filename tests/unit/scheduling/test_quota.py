"""Quota shares: who may start, and who makes room for whom."""

from collections.abc import Mapping

from longshore.domain.ids import JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.quota import (
    OVER_BORROW_LIMIT,
    OVER_LENDABLE,
    OVER_LIMIT,
    Holder,
    QuotaShareView,
    QuotaView,
    never,
)
from longshore.scheduling.snapshot import Run, WaitingClass
from longshore.testing.builders import HERE
from tests.unit.scheduling.quota_plan import Outcome, plan

UNIT = "ml.m5.large"


def reserve(limit: int) -> QuotaShareView:
    return QuotaShareView(limits={UNIT: limit}, strategy="RESERVE")


def lend(limit: int) -> QuotaShareView:
    return QuotaShareView(limits={UNIT: limit}, strategy="LEND")


def borrow(limit: int, percent: int | None = None, *, in_share: bool = False) -> QuotaShareView:
    return QuotaShareView(
        limits={UNIT: limit}, strategy="LEND_AND_BORROW", borrow_percent=percent, has_in_share_preemption=in_share
    )


def waits(key: int, share: str, amount: int = 1, priority: int = 0, count: int = 1) -> WaitingClass:
    job_class = JobClass(
        scope=HERE,
        queue_name="queue",
        resources=Resources(),
        share=share,
        priority=priority,
        instances=((UNIT, amount),),
    )
    return WaitingClass(job_class=job_class, runs=(Run(intake=key, key=JobKey(key), count=count),))


def holds(key: int, share: str, amount: int = 1, priority: int = 0, *, is_going: bool = False) -> Holder:
    """Placed in the order of keys."""
    return Holder(
        key=JobKey(key), share=share, amounts={UNIT: amount}, priority=priority, placed_at=key, is_going=is_going
    )


def outcome(capacity: int, shares: Mapping[str, QuotaShareView], *parts: Holder | WaitingClass) -> Outcome:
    view = QuotaView(
        capacity={UNIT: capacity}, shares=shares, holders=[part for part in parts if isinstance(part, Holder)]
    )
    return plan(view, [part for part in parts if isinstance(part, WaitingClass)])


def test_a_share_that_reserves_starts_what_its_limit_allows() -> None:
    found = outcome(8, {"a": reserve(2), "b": reserve(6)}, waits(1, "a", count=5))
    assert found.started == [1, 2]
    assert found.blocked == {"a": 3}


def test_idle_capacity_is_lent_up_to_the_borrow_limit() -> None:
    found = outcome(8, {"a": borrow(2, 50), "b": lend(6)}, waits(1, "a", count=5))
    assert found.started == [1, 2, 3]


def test_what_is_reserved_is_never_lent() -> None:
    found = outcome(8, {"a": borrow(2), "b": reserve(5), "c": lend(1)}, waits(1, "a", count=9))
    assert found.started == [1, 2, 3]


def test_what_is_in_no_limit_is_lent_by_nobody() -> None:
    assert outcome(8, {"a": borrow(2)}, waits(1, "a", count=9)).started == [1, 2]


def test_idle_capacity_goes_to_borrowers_in_the_order_of_submission() -> None:
    shares = {"a": borrow(1), "b": borrow(1), "c": lend(2)}
    found = outcome(4, shares, waits(1, "b", count=3), waits(4, "a", count=3))
    assert found.started == [1, 4, 2, 3]
    assert outcome(4, shares, waits(1, "a", count=1), waits(2, "b", count=2), waits(4, "a")).started == [1, 2, 3, 4]


def test_a_large_borrower_is_not_passed_by_smaller_ones_of_other_shares() -> None:
    shares = {"a": borrow(2), "b": borrow(2), "c": lend(2)}
    busy = [holds(1, "a", 2), holds(2, "b", 2), holds(3, "c", 1)]
    assert outcome(6, shares, *busy, waits(10, "a", 2), waits(11, "b", 1)).started == []
    assert outcome(6, shares, *busy, waits(10, "a", 1), waits(11, "b", 1)).started == [10]


def test_owners_come_before_borrowers_that_were_submitted_first() -> None:
    found = outcome(4, {"a": borrow(2), "b": lend(2)}, waits(1, "a", count=4), waits(9, "b"))
    assert found.started == [1, 2, 9, 3]


def test_an_owner_takes_back_what_it_has_lent() -> None:
    shares = {"a": borrow(2), "b": lend(2)}
    found = outcome(4, shares, *[holds(key, "a") for key in range(1, 5)], waits(9, "b", count=5))
    assert found.started == []
    assert found.preempted == {9: [4], 10: [3]}
    assert found.blocked == {"b": 11}


def test_room_that_is_being_made_is_kept_and_nobody_else_has_to_go_for_it() -> None:
    shares = {"a": borrow(2), "b": lend(2)}
    going = [*[holds(key, "a") for key in range(1, 4)], holds(4, "a", is_going=True)]
    found = outcome(4, shares, *going, waits(8, "a"), waits(9, "b"))
    assert (found.started, found.preempted) == ([], {})
    assert found.kept == [9]
    assert outcome(4, shares, *going[:3], waits(8, "a"), waits(9, "b")).started == [9]


def test_nobody_is_preempted_where_free_capacity_suffices() -> None:
    found = outcome(5, {"a": borrow(2), "b": lend(2)}, *[holds(key, "a") for key in range(1, 5)], waits(9, "b"))
    assert (found.started, found.preempted) == ([9], {})


def test_lower_priorities_go_first_and_then_the_younger() -> None:
    shares = {"a": borrow(1), "b": lend(3)}
    busy = [holds(1, "a", priority=5), holds(2, "a", priority=1), holds(3, "a", priority=1), holds(4, "a", priority=5)]
    assert outcome(4, shares, *busy, waits(9, "b", 3)).preempted == {9: [3, 2, 4]}


def test_those_that_are_borrowed_for_as_a_whole_go_first() -> None:
    shares = {"a": borrow(2), "b": lend(2)}
    busy = [holds(1, "a", 3, priority=0), holds(2, "a", 1, priority=9)]
    assert outcome(4, shares, *busy, waits(9, "b")).preempted == {9: [2]}


def test_nobody_goes_who_need_not() -> None:
    shares = {"a": borrow(1), "b": lend(3)}
    found = outcome(4, shares, holds(1, "a", 3, priority=9), holds(2, "a", 1), waits(9, "b", 3))
    assert found.preempted == {9: [1]}


def test_a_job_that_has_to_borrow_preempts_nobody_elsewhere() -> None:
    shares = {"a": borrow(2), "b": borrow(2)}
    found = outcome(4, shares, *[holds(key, "a") for key in range(1, 5)], waits(9, "b", 3, priority=99))
    assert (found.preempted, found.blocked) == ({}, {"b": 9})


def test_a_share_whose_limit_was_lowered_makes_room() -> None:
    shares = {"a": reserve(1), "b": reserve(3)}
    busy = [holds(1, "a"), holds(2, "a")]
    assert outcome(4, shares, *busy, waits(9, "b", 2)).preempted == {}
    assert outcome(4, shares, *busy, waits(9, "b", 3)).preempted == {9: [2]}
    assert outcome(4, shares, *busy, waits(9, "a", priority=9)).preempted == {}


def test_a_higher_priority_displaces_a_lower_one_where_the_share_says_so() -> None:
    busy = [holds(1, "a", priority=3), holds(2, "a", priority=2)]
    job = waits(9, "a", priority=3)
    assert outcome(2, {"a": borrow(2, in_share=True)}, *busy, job).preempted == {9: [2]}
    assert outcome(2, {"a": borrow(2)}, *busy, job).preempted == {}
    assert outcome(2, {"a": borrow(2, in_share=True)}, *busy, waits(9, "a", priority=2)).preempted == {}


def test_both_kinds_of_preemption_make_room_for_one_job() -> None:
    shares = {"a": borrow(4, in_share=True), "b": borrow(1)}
    busy = [holds(1, "a", 2), holds(2, "b"), holds(3, "b"), holds(4, "b")]
    assert outcome(5, shares, *busy, waits(9, "a", 4, priority=9)).preempted == {9: [1, 4, 3]}


def test_a_job_that_could_never_start_lets_others_pass() -> None:
    shares = {"a": reserve(2)}
    found = outcome(4, shares, waits(1, "a", 3), waits(2, "a", 2))
    assert (found.started, found.never) == ([2], [1])


def test_what_could_never_start_is_told_as_documented() -> None:
    """The examples of AWS Batch's user guide."""

    def why(share: QuotaShareView, other: QuotaShareView, asked: int) -> str:
        return never(QuotaView(capacity={UNIT: 99}, shares={"a": share, "b": other}), "a", {UNIT: asked})

    assert why(lend(4), lend(9), 5) == OVER_LIMIT
    assert why(borrow(2, 100), lend(9), 5) == OVER_BORROW_LIMIT
    assert why(borrow(2, 100), lend(9), 4) == ""
    assert why(borrow(4, 200), borrow(4, 200), 10) == OVER_LENDABLE
    assert why(borrow(4, 200), borrow(4, 200), 8) == ""


def test_a_unit_that_a_share_has_no_limit_for_is_not_for_it() -> None:
    view = QuotaView(capacity={"other": 5}, shares={"a": borrow(1), "b": lend(4)})
    assert never(view, "a", {"other": 1})
