"""Limits of service environments: how many instances jobs hold together."""

from dataclasses import replace

from longshore.domain.resources import Resources
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.snapshot import EnvironmentView
from tests.unit.scheduling.situations import a_line, a_snapshot, a_view, fairly, started, waiting

SMALL = Resources(vcpu_milli=100, memory_mib=1)
NAME = "service-environment/gpus"
QUEUE = a_line(environments=(NAME,))


def limited(free: dict[str, int], limits: dict[str, int]) -> EnvironmentView:
    """An environment with these limits, of which `free` is left."""
    return replace(a_view(NAME), limits=limits, free_limits=free)


def test_jobs_start_until_the_limit_is_reached() -> None:
    """Each takes as many as it has instances, of whatever type; the next says with numbers what it waits for."""
    view = limited({"NUM_INSTANCES": 5}, {"NUM_INSTANCES": 6})
    two = waiting(SMALL, 1, 2, 3, instances=(("ml.m5.large", 1), ("ml.g5.xlarge", 1)))
    plan = plan_cycle(a_snapshot(two, environments=[view], queues=[QUEUE]))
    assert started(plan) == [1, 2]
    reason = plan.reasons[two.job_class]
    cause = "service environment gpus: needs 2 instances; 5 of 6 free, 4 of them given to jobs ahead"
    assert (reason.status_reason, reason.code) == (f"Waiting: {cause}", "")


def test_each_type_has_a_limit_of_its_own() -> None:
    """A job whose type is used up holds up its queue, not others that ask for another type."""
    view = limited({"ml.m5.large": 0, "ml.g5.xlarge": 1}, {"ml.m5.large": 1, "ml.g5.xlarge": 1})
    common = waiting(SMALL, 1, instances=(("ml.m5.large", 1),))
    rare = waiting(SMALL, 2, queue="other", instances=(("ml.g5.xlarge", 1),))
    queues = [QUEUE, replace(QUEUE, name="other")]
    plan = plan_cycle(a_snapshot(common, rare, environments=[view], queues=queues))
    assert started(plan) == [2]
    assert plan.reasons[common.job_class].causes == (
        "service environment gpus: needs 1 ml.m5.large instance; 0 of 1 free",
    )


def test_what_is_over_the_limit_steps_aside() -> None:
    """It would never start; those behind it do."""
    view = limited({"NUM_INSTANCES": 2}, {"NUM_INSTANCES": 2})
    large = waiting(SMALL, 1, instances=(("ml.m5.large", 3),))
    small = waiting(SMALL, 2, instances=(("ml.m5.large", 1),))
    plan = plan_cycle(a_snapshot(large, small, environments=[view], queues=[QUEUE]))
    assert started(plan) == [2]
    reason = plan.reasons[large.job_class]
    assert reason.code.startswith("MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE - ")
    assert reason.causes == ("service environment gpus: needs 3 instances, its limit is 2",)
    assert [head.code for head in plan.heads] == ["MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE"]


def test_what_the_head_waits_for_is_kept_for_it() -> None:
    """A queue of lower priority gets nothing of the limit before the head has it."""
    view = limited({"NUM_INSTANCES": 1}, {"NUM_INSTANCES": 2})
    head = waiting(SMALL, 1, instances=(("ml.m5.large", 2),))
    other = waiting(SMALL, 2, queue="other", instances=(("ml.m5.large", 1),))
    queues = [replace(QUEUE, priority=2), replace(QUEUE, name="other", priority=1)]
    plan = plan_cycle(a_snapshot(head, other, environments=[view], queues=queues))
    assert started(plan) == []


def test_shares_take_turns_by_instances() -> None:
    """However much of the hosts an instance has."""
    view = limited({"NUM_INSTANCES": 4}, {"NUM_INSTANCES": 4})
    wide = waiting(SMALL, 1, 2, share="a", instances=(("ml.m5.large", 2),))
    narrow = waiting(SMALL + SMALL, 3, 4, share="b", instances=(("ml.m5.xlarge", 1),))
    queue = replace(QUEUE, fair=fairly())
    plan = plan_cycle(a_snapshot(wide, narrow, environments=[view], queues=[queue]))
    assert started(plan) == [1, 3, 4]


def test_a_nodes_limit_counts_all_its_instances() -> None:
    """A gang starts whole or not at all, by hosts and by limits."""
    view = limited({"NUM_INSTANCES": 2}, {"NUM_INSTANCES": 3})
    pair = waiting(SMALL + SMALL, 1, gang=((2, SMALL),), instances=(("ml.m5.large", 2),))
    trio = waiting(SMALL + SMALL + SMALL, 2, gang=((3, SMALL),), instances=(("ml.m5.large", 3),))
    plan = plan_cycle(a_snapshot(pair, trio, environments=[view], queues=[QUEUE]))
    assert started(plan) == [1]
    assert plan.reasons[trio.job_class].causes == (
        "service environment gpus: needs 3 instances; 2 of 3 free, 2 of them given to jobs ahead",
    )
