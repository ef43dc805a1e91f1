"""What members of requests do once a control loop works on what was accepted, on virtual time."""

import asyncio
from itertools import count
from typing import Any

import pytest

from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host
from longshore.domain.ids import AttemptId
from longshore.domain.resources import Resources
from longshore.engines.fake import FakeDriver, FakeSite
from longshore.testing.builders import LOCAL
from longshore.testing.simulation.logs import KeptLogs
from tests.api.batch_service import Batch

ACTION = {
    "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "state": "RUNNABLE",
    "maxTimeSeconds": 600,
    "action": "CANCEL",
}


async def lead(batch: Batch, seconds: float, *, vcpus: int = 1) -> None:
    """Lead for so long, over one host."""
    numbers = count(1)
    leader = Leader(
        store=batch.store,
        drivers={"fake": FakeDriver(FakeSite(batch.clock), batch.clock)},
        logs=KeptLogs(),
        clock=batch.clock,
        inbox=Inbox(),
        hosts=[Host(id=LOCAL, total=Resources(vcpu_milli=1000 * vcpus, memory_mib=1024))],
        settings=ControlSettings(oversize="wait"),
        new_attempt_id=lambda: AttemptId(f"{next(numbers):032x}"),
    )
    await leader.lead()
    await leader.lanes["fake"].check_health_once()
    ends_at = batch.clock.boot_seconds() + seconds
    while (due := 0.0 if await leader.turn() else leader.idle_seconds()) is not None:
        if batch.clock.boot_seconds() + due > ends_at:
            break
        await batch.clock.advance(due)
    await batch.clock.advance_to(ends_at)


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With an environment whose jobs a loop can start."""
    batch.environment(tags={"longshore:engine": "fake"})
    return batch


def submit_too_large(batch: Batch) -> str:
    needs = [{"type": "VCPU", "value": "9"}, {"type": "MEMORY", "value": "128"}]
    batch.definition(container={"resourceRequirements": needs})
    return batch.submit()


def check_cancelled_in_time(batch: Batch, job_id: str) -> None:
    asyncio.run(lead(batch, 590))
    assert batch.job(job_id)["status"] == "RUNNABLE"
    asyncio.run(lead(batch, 20))
    job = batch.job(job_id)
    reason = f"Canceled by JobStateTimeLimit action due to reason: {ACTION['reason']}"
    assert (job["status"], job["statusReason"]) == ("FAILED", reason)


@pytest.mark.covers(
    "CreateJobQueue.jobStateTimeLimitActions",
    "CreateJobQueue.jobStateTimeLimitActions.reason",
    "CreateJobQueue.jobStateTimeLimitActions.state",
    "CreateJobQueue.jobStateTimeLimitActions.maxTimeSeconds",
    "CreateJobQueue.jobStateTimeLimitActions.action",
)
def test_a_head_that_waits_for_ever_is_cancelled(batch: Batch) -> None:
    batch.queue("queue", "ce", jobStateTimeLimitActions=[ACTION])
    check_cancelled_in_time(batch, submit_too_large(batch))


@pytest.mark.covers(
    "UpdateJobQueue.jobStateTimeLimitActions",
    "UpdateJobQueue.jobStateTimeLimitActions.reason",
    "UpdateJobQueue.jobStateTimeLimitActions.state",
    "UpdateJobQueue.jobStateTimeLimitActions.maxTimeSeconds",
    "UpdateJobQueue.jobStateTimeLimitActions.action",
)
def test_actions_that_a_queue_is_given_later_count(batch: Batch) -> None:
    batch.queue("queue", "ce")
    job_id = submit_too_large(batch)
    batch.update_job_queue(jobQueue="queue", jobStateTimeLimitActions=[ACTION])
    check_cancelled_in_time(batch, job_id)


def fair_queue(batch: Batch) -> None:
    arn = batch.create_scheduling_policy(name="policy")["arn"]
    batch.queue("queue", "ce", schedulingPolicyArn=arn)


def statuses(batch: Batch, *job_ids: str) -> list[Any]:
    return [batch.job(job_id)["status"] for job_id in job_ids]


@pytest.mark.covers("RegisterJobDefinition.schedulingPriority")
def test_the_higher_priority_of_a_share_goes_first(batch: Batch) -> None:
    fair_queue(batch)
    batch.definition("ordinary", schedulingPriority=1)
    batch.definition("urgent", schedulingPriority=5)
    ordinary, urgent = (batch.submit(definition=each, shareIdentifier="a") for each in ("ordinary", "urgent"))
    asyncio.run(lead(batch, 5))
    assert statuses(batch, ordinary, urgent) == ["RUNNABLE", "STARTING"]


@pytest.mark.covers("SubmitJob.schedulingPriorityOverride", "SubmitJob.shareIdentifier")
def test_the_priority_of_a_submission_wins(batch: Batch) -> None:
    fair_queue(batch)
    batch.definition(schedulingPriority=5)
    ordinary, urgent = (batch.submit(shareIdentifier="a", schedulingPriorityOverride=priority) for priority in (1, 9))
    asyncio.run(lead(batch, 5))
    assert statuses(batch, ordinary, urgent) == ["RUNNABLE", "STARTING"]


@pytest.mark.covers("CreateComputeEnvironment.unmanagedvCpus", "UpdateComputeEnvironment.unmanagedvCpus")
@pytest.mark.parametrize(("given", "started"), [(None, 4), (2, 3), (4, 2), (99, 2)])
@pytest.mark.parametrize("is_given_later", [False, True])
def test_what_is_kept_for_new_shares_of_an_unmanaged_environment(
    batch: Batch, given: int | None, started: int, is_given_later: bool
) -> None:
    """A half of what it says it has, of which there may be less; nothing where it does not say."""
    members = {} if given is None else {"unmanagedvCpus": given}
    batch.environment("part", tags={"longshore:engine": "fake"}, **({} if is_given_later else members))
    if is_given_later:
        batch.update_compute_environment(computeEnvironment="part", **members)
    arn = batch.create_scheduling_policy(name="policy", fairsharePolicy={"computeReservation": 50})["arn"]
    batch.queue("queue", "part", schedulingPolicyArn=arn)
    batch.definition()
    jobs = [batch.submit(shareIdentifier="a") for _ in range(4)]
    asyncio.run(lead(batch, 5, vcpus=4))
    assert statuses(batch, *jobs).count("STARTING") == started
