"""Quota shares for ordinary jobs: queues of compute environments, and the tags of submissions."""

from typing import Any

import pytest

from longshore.domain.ids import JobId
from longshore.domain.job import JobSpec
from tests.api.batch_service import Batch

RED = {"longshore:quota-share": "red"}


@pytest.fixture
def shared(batch: Batch) -> Batch:
    """A queue with quota shares on a compute environment, and a definition."""
    quota = {"idleResourceAssignmentStrategy": "FIFO"}
    arn = batch.create_scheduling_policy(name="quotas", quotaSharePolicy=quota)["arn"]
    batch.queue(schedulingPolicyArn=arn)
    batch.definition()
    return batch


def draft(*limits: tuple[str, int], name: str = "red") -> dict[str, Any]:
    return {
        "quotaShareName": name,
        "jobQueue": "queue",
        "capacityLimits": [{"capacityUnit": unit, "maxCapacity": most} for unit, most in limits],
        "resourceSharingConfiguration": {"strategy": "LEND"},
        "preemptionConfiguration": {"inSharePreemption": "DISABLED"},
    }


def stored(batch: Batch, job_id: str) -> JobSpec:
    (key,) = batch.read(lambda reader: list(reader.find_jobs(batch.scope, [JobId(uuid=job_id)]).values()))
    return batch.read(lambda reader: reader.load_jobs([key]))[key].spec


def test_shares_have_limits_in_what_jobs_ask_for(shared: Batch) -> None:
    shared.create_quota_share(**draft(("VCPU", 4), ("MEMORY", 8192), ("GPU", 1)))
    (share,) = shared.list_quota_shares(jobQueue="queue")["quotaShares"]
    assert {each["capacityUnit"] for each in share["capacityLimits"]} == {"VCPU", "MEMORY", "GPU"}
    refusal = shared.refusal("create_quota_share", **draft(("ml.m5.large", 1), name="blue"))
    assert refusal == (
        "W: The capacityUnit of a job queue with compute environments should be VCPU, MEMORY (in MiB) or GPU, "
        "got ml.m5.large"
    )


def test_a_job_says_in_a_tag_which_share_it_is_in(shared: Batch) -> None:
    """And how often it may be preempted; the tags stay tags."""
    shared.create_quota_share(**draft(("VCPU", 4)))
    tags = {**RED, "longshore:preemption-retries": "2"}
    job_id = shared.submit(tags=tags, schedulingPriorityOverride=7)
    spec = stored(shared, job_id)
    assert (spec.quota_share_name, spec.preemption_retries, spec.scheduling_priority) == ("red", 2, 7)
    assert shared.job(job_id)["tags"] == tags


def test_a_definition_may_say_it_for_its_jobs(shared: Batch) -> None:
    shared.create_quota_share(**draft(("VCPU", 4)))
    shared.create_quota_share(**draft(("VCPU", 4), name="blue"))
    shared.definition("of-red", tags=RED)
    assert stored(shared, shared.submit(definition="of-red")).quota_share_name == "red"
    blue = shared.submit(definition="of-red", tags={"longshore:quota-share": "blue"})
    assert stored(shared, blue).quota_share_name == "blue"


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ({}, "A tag longshore:quota-share is required to submit a job to a job queue with a quota share policy."),
        ({"longshore:quota-share": "none"}, "Quota share none of job queue queue does not exist"),
        (
            {**RED, "longshore:preemption-retries": "-1"},
            "W: longshore:preemption-retries should be a whole number of at least 0, got '-1'",
        ),
        (
            {**RED, "longshore:preemption-retries": "often"},
            "W: longshore:preemption-retries should be a whole number of at least 0, got 'often'",
        ),
    ],
)
def test_submissions_that_are_refused(shared: Batch, tags: dict[str, str], text: str) -> None:
    shared.create_quota_share(**draft(("VCPU", 4)))
    members = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition"}
    assert shared.refusal("submit_job", tags=tags, **members) == text


def test_other_queues_have_none(batch: Batch) -> None:
    batch.queue()
    batch.definition()
    members = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition"}
    refusal = batch.refusal("submit_job", tags=RED, **members)
    assert refusal == "tag longshore:quota-share is for job queues with a quota share policy only"
    refusal = batch.refusal("submit_job", tags={"longshore:preemption-retries": "1"}, **members)
    assert refusal == "tag longshore:preemption-retries is for job queues with a quota share policy only"


def test_the_environments_of_such_a_queue_serve_no_other(shared: Batch) -> None:
    order = [{"order": 1, "computeEnvironment": "ce"}]
    refusal = shared.refusal("create_job_queue", jobQueueName="q", priority=1, computeEnvironmentOrder=order)
    assert "A compute environment that serves a job queue with a quota share policy can serve no other" in refusal
