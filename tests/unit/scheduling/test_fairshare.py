"""Shares take turns by what they have used; consumable resources are kept for who comes first."""

from collections import Counter

import pytest

from longshore.domain.policy import FairsharePolicy, ShareAttributes
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.fairshare import ShareView, use_after
from longshore.scheduling.order import first_jobs, order_of
from longshore.scheduling.plan import Plan
from longshore.scheduling.snapshot import ConsumableView
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, a_view, fairly, some, started, waiting

POLICY = FairsharePolicy()


def shares_of(plan: Plan) -> str:
    """Shares of what the plan starts, in its order."""
    return "".join(placement.job_class.share for placement in plan.placements)


def test_shares_that_used_nothing_take_turns() -> None:
    """Also when all jobs of one were submitted first."""
    classes = [waiting(some(1), 1, 2, 3, 4, share="a"), waiting(some(1), 5, 6, 7, 8, share="b")]
    assert shares_of(plan_cycle(a_snapshot(*classes, queues=[a_line(fair=fairly())]))) == "abab"


def test_who_used_less_comes_first() -> None:
    """Until it holds so much more that both stand alike: 60 seconds of use for each vCPU."""
    fair = fairly(a=ShareView(milli_seconds=150_000.0), b=ShareView())
    classes = [waiting(some(1), 1, 2, 3, 4, share="a"), waiting(some(1), 5, 6, 7, 8, share="b")]
    assert shares_of(plan_cycle(a_snapshot(*classes, queues=[a_line(fair=fair)]))) == "bbba"


def test_a_lower_weight_gets_more() -> None:
    """A share of weight 0.125 gets eight times as much as one of weight 1."""
    classes = [waiting(some(1), *range(1, 50), share="a"), waiting(some(1), *range(50, 99), share="b")]
    host = a_host(total=some(18))
    plan = plan_cycle(a_snapshot(*classes, hosts=[host], queues=[a_line(fair=fairly({"b": 0.125}))]))
    assert Counter(shares_of(plan)) == {"a": 2, "b": 16}


def test_a_weight_with_an_asterisk_is_divided() -> None:
    """Among the active shares that it covers; an exact entry covers one, and others have weight 1."""
    fair = fairly({"user*": 1.5, "guest": 3.0}, user1=ShareView(), user2=ShareView(), guest=ShareView())
    assert [fair.weight(share) for share in ("user1", "guest", "other")] == [3.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("a", "a", True),
        ("a*", "a", True),
        ("a*", "ab*", True),
        ("ab", "a*", True),
        ("a", "ab", False),
        ("a", "ab*", False),
    ],
)
def test_entries_overlap(one: str, other: str, overlap: bool) -> None:
    """When some share could be covered by both, whichever is named first."""
    entries = ShareAttributes(share_identifier=one), ShareAttributes(share_identifier=other)
    assert entries[0].overlaps(entries[1]) is overlap
    assert entries[1].overlaps(entries[0]) is overlap


def test_priority_counts_within_a_share() -> None:
    """And not between shares; equal ones go by submission."""
    classes = [
        waiting(some(1), 1, 3, share="a"),
        waiting(some(1), 2, 4, share="a", priority=9),
        waiting(some(1), 5, share="b"),
    ]
    plan = plan_cycle(a_snapshot(*classes, hosts=[a_host(total=some(5))], queues=[a_line(fair=fairly())]))
    assert started(plan) == [2, 5, 4, 1, 3]


def test_use_halves_with_every_half_window() -> None:
    """What is held for long comes to rest at a fixed use; pieces of time add up."""
    assert use_after(8000.0, 0, 300.0, POLICY) == pytest.approx(4000.0)
    assert use_after(8000.0, 0, 1800.0, FairsharePolicy(share_decay_seconds=3600)) == pytest.approx(4000.0)
    assert use_after(0.0, 1000, 1.0, POLICY) == pytest.approx(1000.0, rel=0.01)
    assert use_after(0.0, 1000, 1e6, POLICY) == use_after(5e9, 1000, 1e6, POLICY)
    halfway = use_after(123.0, 2000, 40.0, POLICY)
    assert use_after(halfway, 2000, 60.0, POLICY) == pytest.approx(use_after(123.0, 2000, 100.0, POLICY))


def test_a_blocked_head_blocks_all_shares() -> None:
    """They wait behind it, whatever share it is of."""
    classes = [waiting(some(4), 1, share="a"), waiting(some(1), 2, share="b")]
    host = a_host(used=some(1))
    plan = plan_cycle(a_snapshot(*classes, hosts=[host], queues=[a_line(fair=fairly(b=ShareView(held_milli=1000)))]))
    assert started(plan) == []
    assert [reason.behind for reason in plan.reasons.values()] == [None, 1001]
    assert [head.key for head in plan.heads] == [1001]


@pytest.mark.parametrize(("reservation", "active", "starts"), [(50, "a", 2), (50, "ab", 3), (0, "a", 4), (99, "a", 1)])
def test_a_part_is_kept_for_shares_to_come(reservation: int, active: str, starts: int) -> None:
    """`(reservation / 100) ** active` of the capacity; one job may always run."""
    fair = fairly(reservation=reservation, **{share: ShareView() for share in active})
    job = waiting(some(1), *range(1, 9), share="a")
    plan = plan_cycle(a_snapshot(job, queues=[a_line(fair=fair)]))
    assert len(started(plan)) == starts
    if reservation == 50 and active == "a":
        assert plan.reasons[job.job_class].causes == (
            "asks 1 vCPU; computeReservation lets the active shares hold 2 vCPU of 4 vCPU, and they hold 2 vCPU",
        )


def test_what_is_kept_is_of_what_the_environments_allow() -> None:
    """Caps and hosts both bound it."""
    fair = fairly(reservation=50)
    job = waiting(some(0.25), *range(1, 20), share="a")
    environments = [a_view("small", cap=1), a_view("other", cap=1)]
    line = a_line(environments=["small", "other"], fair=fair)
    assert len(started(plan_cycle(a_snapshot(job, environments=environments, queues=[line])))) == 4


def test_the_order_of_those_that_wait() -> None:
    """As they would start if there were room, without a look at hosts."""
    classes = [waiting(some(9), 1, 2, share="a"), waiting(some(1), 3, 4, 5, share="b")]
    order = order_of(classes, a_line(fair=fairly()), 0)
    assert first_jobs(order, 4) == [1001, 1003, 1004, 1005]
    assert first_jobs(order_of(classes, a_line(), 0), 100) == [1001, 1002, 1003, 1004, 1005]
    assert first_jobs(order_of([], a_line(), 0), 100) == []


def licences(free: int, total: int = 5) -> dict[str, ConsumableView]:
    return {"licence": ConsumableView(total=total, free=free)}


def test_a_consumable_resource_is_given_once() -> None:
    """Who lacks it steps aside, with numbers; others of the queue start."""
    asking, plain = waiting(some(1), 1, 2, 4, consumables=(("licence", 2),)), waiting(some(1), 3)
    plan = plan_cycle(a_snapshot(asking, plain, consumables=licences(3)))
    assert started(plan) == [1, 3]
    reason = plan.reasons[asking.job_class]
    assert reason.causes == ("asks 2 of consumable resource licence, free 3 of 5, 2 of them given to jobs ahead",)
    assert reason.status_reason == f"Waiting: {reason.causes[0]}"


def test_what_a_job_waits_for_is_kept_for_it() -> None:
    """Smaller ones behind it do not starve it; who needs another resource passes."""
    large = waiting(some(1), 1, consumables=(("licence", 4),))
    small = waiting(some(1), 2, consumables=(("licence", 1),))
    plan = plan_cycle(a_snapshot(large, small, waiting(some(1), 3), consumables=licences(3)))
    assert started(plan) == [3]
    assert plan.reasons[small.job_class].causes == (
        "asks 1 of consumable resource licence, free 3 of 5, 4 of them given to jobs ahead",
    )


def test_what_there_never_is_enough_of_is_kept_for_nobody() -> None:
    """Nor is what does not exist."""
    huge = waiting(some(1), 1, consumables=(("licence", 6),))
    lost = waiting(some(1), 2, consumables=(("gone", 1),))
    small = waiting(some(1), 3, consumables=(("licence", 3),))
    plan = plan_cycle(a_snapshot(huge, lost, small, consumables=licences(3)))
    assert started(plan) == [3]
    assert [plan.reasons[each.job_class].causes for each in (huge, lost)] == [
        ("asks 6 of consumable resource licence, of which there are 5 in all",),
        ("consumable resource gone does not exist",),
    ]


def test_a_blocked_head_keeps_its_consumables() -> None:
    """Another queue does not take them."""
    head = waiting(some(4), 1, consumables=(("licence", 3),))
    other = waiting(some(0.5), 2, queue="other", consumables=(("licence", 1),))
    hosts = [a_host("a", used=some(1)), a_host("b")]
    environments = [a_view("a", hosts=["a"]), a_view("b", hosts=["b"])]
    queues = [a_line(environments=["a"]), a_line("other", environments=["b"])]
    snapshot = a_snapshot(head, other, hosts=hosts, environments=environments, queues=queues, consumables=licences(3))
    assert started(plan_cycle(snapshot)) == []


def test_heads_have_the_codes_of_what_blocks_them() -> None:
    """Who can never start is a head too; who waits for its own environment's cap has no code."""
    never, busy = waiting(some(1, 0, 1), 1), waiting(some(3), 2)
    plan = plan_cycle(a_snapshot(never, busy, waiting(some(1), 3), hosts=[a_host(used=some(2))]))
    assert [(head.key, head.code) for head in plan.heads] == [
        (1001, "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"),
        (1002, "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"),
    ]
    capped = plan_cycle(a_snapshot(waiting(some(2), 1), environments=[a_view(cap=3, used=2)]))
    assert capped.heads == []
