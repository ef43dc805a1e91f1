"""Cycles over queues with quota shares: hosts and environments have their say too."""

from collections.abc import Sequence
from dataclasses import replace

from longshore.domain.ids import JobKey
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.plan import Plan, Preemption
from longshore.scheduling.quota import OVER_LIMIT, Holder, QuotaShareView, QuotaView
from longshore.scheduling.snapshot import EnvironmentView, Snapshot, WaitingClass
from tests.unit.scheduling.situations import FOUR_VCPUS, a_host, a_line, a_snapshot, a_view, some, started, waiting

UNIT = "ml.m5.large"
SHARES = {
    "a": QuotaShareView(limits={UNIT: 2}, strategy="LEND_AND_BORROW", borrow_percent=None),
    "b": QuotaShareView(limits={UNIT: 2}, strategy="LEND"),
}


def job(share: str, *intakes: int, vcpus: float = 1, amount: int = 1) -> WaitingClass:
    return waiting(some(vcpus), *intakes, share=share, instances=((UNIT, amount),))


def holder(key: int, share: str) -> Holder:
    return Holder(key=JobKey(key), share=share, amounts={UNIT: 1}, priority=0, placed_at=key)


def situation(
    *classes: WaitingClass, holders: Sequence[Holder] = (), environment: EnvironmentView | None = None
) -> Snapshot:
    line = replace(a_line(), quota=QuotaView(capacity={UNIT: 4}, shares=SHARES, holders=holders))
    host = a_host(used=some(len(holders)), total=FOUR_VCPUS)
    limited = replace(environment or a_view(), limits={UNIT: 4}, free_limits={UNIT: 4 - len(holders)})
    return a_snapshot(*classes, queues=[line], hosts=[host], environments=[limited], oversize="wait")


def causes(plan: Plan, waits: WaitingClass) -> str:
    return "\n".join(plan.reasons[waits.job_class].causes)


def test_jobs_start_as_their_shares_allow() -> None:
    lent = job("a", 1, 2, 3, 4, 5)
    plan = plan_cycle(situation(lent))
    assert started(plan) == [1, 2, 3, 4]
    assert "quota share a holds 4 of its 2, and may borrow whatever others lend" in causes(plan, lent)


def test_a_job_for_which_others_go_says_who() -> None:
    own = job("b", 9)
    plan = plan_cycle(situation(own, holders=[holder(key, "a") for key in range(1, 5)]))
    assert (started(plan), plan.preemptions) == ([], [Preemption(victim=JobKey(4), beneficiary=JobKey(1009))])
    reason = plan.reasons[own.job_class]
    assert reason.preempted == (JobKey(4),)
    assert "jobs are being stopped for it" in causes(plan, own)


def test_nobody_goes_while_the_environment_lets_nothing_start() -> None:
    own = job("b", 9)
    closed = a_view(problem="is DISABLED")
    plan = plan_cycle(situation(own, holders=[holder(key, "a") for key in range(1, 5)], environment=closed))
    assert (started(plan), list(plan.preemptions)) == ([], [])
    assert "is DISABLED" in causes(plan, own)


def test_nobody_goes_for_a_job_that_no_host_could_take() -> None:
    """It steps aside, and the next one has its turn."""
    large, own = job("b", 8, vcpus=64), job("b", 9)
    plan = plan_cycle(situation(large, own, holders=[holder(key, "a") for key in range(1, 5)]))
    assert plan.preemptions == [Preemption(victim=JobKey(4), beneficiary=JobKey(1009))]
    assert plan.reasons[large.job_class].code.startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")


def test_a_job_that_its_share_could_never_hold_is_a_head() -> None:
    """So that an action of the queue can end it; those behind it start."""
    large, small = job("b", 1, amount=3), job("b", 2)
    plan = plan_cycle(situation(large, small))
    assert started(plan) == [2]
    assert plan.reasons[large.job_class].code == OVER_LIMIT
    assert [head.code for head in plan.heads] == ["MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED"]


def test_ordinary_jobs_are_counted_in_what_shares_have_limits_in() -> None:
    """Here vCPU, in thousandths, and not memory; what is told is in whole ones."""
    half = QuotaShareView(limits={"VCPU": 2000}, strategy="LEND_AND_BORROW", borrow_percent=25)
    quota = QuotaView(capacity={"VCPU": 4000}, shares={"a": half, "b": half})
    lent = waiting(some(0.75, memory_mib=16), 1, 2, 3, 4, share="a")
    plan = plan_cycle(a_snapshot(lent, queues=[replace(a_line(), quota=quota)], hosts=[a_host()]))
    assert started(plan) == [1, 2, 3]
    assert causes(plan, lent).splitlines() == [
        "asks 0.75 VCPU; quota share a holds 2.25 of its 2, and may borrow 0.5 more",
        "all quota shares hold 2.25 of 4 VCPU, 0.25 of them borrowed; the others lend 2 more",
    ]


def test_a_job_of_a_quota_share_does_not_run_alone() -> None:
    """It would hold more than its share is charged for."""
    whole = QuotaShareView(limits={"MEMORY": 1 << 30}, strategy="LEND")
    quota = QuotaView(capacity={"MEMORY": 1 << 30}, shares={"a": whole})
    large = waiting(some(64), 1, share="a")
    plan = plan_cycle(
        a_snapshot(large, queues=[replace(a_line(), quota=quota)], hosts=[a_host()], oversize="run-alone")
    )
    assert started(plan) == []
    assert plan.reasons[large.job_class].code.startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")


def test_a_share_that_waits_blocks_no_other() -> None:
    blocked, behind, other = job("b", 1, 2, 3), job("b", 4, vcpus=0.5), job("a", 5)
    plan = plan_cycle(situation(blocked, behind, other, holders=[holder(1, "a")]))
    assert started(plan) == [1, 2, 5]
    assert plan.reasons[behind.job_class].behind == JobKey(1003)
