"""Quota shares of job queues, and service jobs that are submitted to them: golden answers and refusals."""

import json
from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.ids import JobId
from longshore.domain.job import Job
from longshore.domain.lifecycle.status import JobStatus
from tests.api.batch_service import Batch

UNIT = "ml.m5.large"
PAYLOAD = json.dumps(
    {
        "TrainingJobName": "train",
        "RoleArn": "arn:aws:iam::111122223333:role/train",
        "AlgorithmSpecification": {"TrainingImage": "busybox", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": UNIT, "InstanceCount": 1, "VolumeSizeInGB": 1},
    }
)


def environment(batch: Batch, name: str = "gpus", unit: str = UNIT) -> list[dict[str, Any]]:
    """An order of one service environment."""
    batch.create_service_environment(
        serviceEnvironmentName=name,
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=[{"maxCapacity": 8, "capacityUnit": unit}],
    )
    return [{"order": 1, "serviceEnvironment": name}]


def queue(batch: Batch, name: str = "training", *, policy: str | None = None, **members: Any) -> None:
    if policy is None:
        quota = {"idleResourceAssignmentStrategy": "FIFO"}
        policy = batch.create_scheduling_policy(name=f"policy-{name}", quotaSharePolicy=quota)["arn"]
    order = members.pop("serviceEnvironmentOrder", None) or environment(batch)
    batch.create_job_queue(
        jobQueueName=name,
        priority=1,
        jobQueueType="SAGEMAKER_TRAINING",
        schedulingPolicyArn=policy,
        serviceEnvironmentOrder=order,
        **members,
    )


def draft(name: str = "red", **members: Any) -> dict[str, Any]:
    return {
        "quotaShareName": name,
        "jobQueue": "training",
        "capacityLimits": [{"maxCapacity": 2, "capacityUnit": UNIT}],
        "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": 150},
        "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
        **members,
    }


def submit(share: str | None = "red", **members: Any) -> dict[str, Any]:
    named = {} if share is None else {"quotaShareName": share}
    return {
        "jobName": "job",
        "jobQueue": "training",
        "serviceJobType": "SAGEMAKER_TRAINING",
        "serviceRequestPayload": PAYLOAD,
        **named,
        **members,
    }


def test_a_share_is_described_as_it_was_created(batch: Batch) -> None:
    queue(batch)
    arn = batch.arn("job-queue", "training/quota-share/red")
    assert batch.create_quota_share(**draft(tags={"team": "vision"})) == {
        "quotaShareName": "red",
        "quotaShareArn": arn,
    }
    shown = {
        "quotaShareName": "red",
        "quotaShareArn": arn,
        "jobQueueArn": batch.arn("job-queue", "training"),
        "capacityLimits": [{"maxCapacity": 2, "capacityUnit": UNIT}],
        "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": 150},
        "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
        "state": "ENABLED",
        "status": "VALID",
    }
    assert batch.describe_quota_share(quotaShareArn=arn) == {**shown, "tags": {"team": "vision"}}
    assert batch.list_quota_shares(jobQueue="training") == {"quotaShares": [shown]}
    batch.tag_resource(resourceArn=arn, tags={"more": "yes"})
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"team": "vision", "more": "yes"}}


def test_a_borrower_without_a_limit_borrows_whatever_is_lent(batch: Batch) -> None:
    queue(batch)
    arn = batch.create_quota_share(**draft(resourceSharingConfiguration={"strategy": "LEND_AND_BORROW"}))
    shown = batch.describe_quota_share(quotaShareArn=arn["quotaShareArn"])
    assert shown["resourceSharingConfiguration"] == {"strategy": "LEND_AND_BORROW", "borrowLimit": -1}


def test_an_update_changes_what_it_names(batch: Batch) -> None:
    queue(batch)
    arn = batch.create_quota_share(**draft())["quotaShareArn"]
    answer = batch.update_quota_share(quotaShareArn=arn, resourceSharingConfiguration={"strategy": "RESERVE"})
    assert answer == {"quotaShareName": "red", "quotaShareArn": arn}
    shown = batch.describe_quota_share(quotaShareArn=arn)
    assert shown["resourceSharingConfiguration"] == {"strategy": "RESERVE"}
    assert (shown["state"], shown["capacityLimits"][0]["maxCapacity"]) == ("ENABLED", 2)


def test_a_share_is_deleted_once_it_is_disabled(batch: Batch) -> None:
    queue(batch)
    arn = batch.create_quota_share(**draft())["quotaShareArn"]
    assert batch.refusal("delete_quota_share", quotaShareArn=arn) == "Cannot delete, quota share must be DISABLED"
    batch.update_quota_share(quotaShareArn=arn, state="DISABLED")
    assert batch.delete_quota_share(quotaShareArn=arn) == {}
    assert batch.refusal("describe_quota_share", quotaShareArn=arn) == f"{arn} does not exist"
    assert batch.delete_quota_share(quotaShareArn=arn) == {}


def test_a_share_with_jobs_goes_when_they_have_ended(batch: Batch) -> None:
    queue(batch)
    arn = batch.create_quota_share(**draft())["quotaShareArn"]
    batch.submit_service_job(**submit())
    batch.update_quota_share(quotaShareArn=arn, state="DISABLED")
    batch.delete_quota_share(quotaShareArn=arn)
    assert batch.describe_quota_share(quotaShareArn=arn)["status"] == "DELETING"
    refusal = batch.refusal("update_quota_share", quotaShareArn=arn, state="ENABLED")
    assert refusal == "Cannot update, resource is being modified"


def test_shares_go_with_their_queue(batch: Batch) -> None:
    queue(batch)
    arn = batch.create_quota_share(**draft())["quotaShareArn"]
    batch.update_job_queue(jobQueue="training", state="DISABLED")
    batch.delete_job_queue(jobQueue="training")
    assert batch.refusal("describe_quota_share", quotaShareArn=arn) == f"{arn} does not exist"


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"quotaShareName": "a b"}, "Quota share name should match valid pattern: 1 to 128 letters, digits, hyphens"),
        ({"capacityLimits": []}, "capacityLimits should have 1 to 5 entries, got 0"),
        ({"capacityLimits": [{"maxCapacity": 0, "capacityUnit": UNIT}]}, "maxCapacity should be at least 1, got 0"),
        (
            {"capacityLimits": [{"maxCapacity": 1, "capacityUnit": "ml.m4.xlarge"}]},
            "The service environment of the job queue has no capacity limit in ml.m4.xlarge",
        ),
        (
            {"capacityLimits": [{"maxCapacity": 1, "capacityUnit": UNIT}] * 2},
            "The capacity units of capacityLimits should be unique",
        ),
        (
            {"resourceSharingConfiguration": {"strategy": "LEND", "borrowLimit": 5}},
            "borrowLimit can only be set with the strategy LEND_AND_BORROW",
        ),
        (
            {"resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": -2}},
            "borrowLimit should be at least -1, got -2",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused(batch: Batch, members: dict[str, Any], text: str) -> None:
    queue(batch)
    assert batch.refusal("create_quota_share", **draft(**members)).removeprefix("W: ").startswith(text)


def test_a_queue_has_twenty_shares_at_most_each_once(batch: Batch) -> None:
    queue(batch)
    for number in range(20):
        batch.create_quota_share(**draft(f"share-{number}"))
    assert "more than 20 quota shares" in batch.refusal("create_quota_share", **draft("one-more"))
    assert batch.refusal("create_quota_share", **draft("share-3")) == "W: Object already exists"
    page = batch.list_quota_shares(jobQueue="training", maxResults=15)
    rest = batch.list_quota_shares(jobQueue="training", maxResults=15, nextToken=page["nextToken"])
    names = [share["quotaShareName"] for share in (*page["quotaShares"], *rest["quotaShares"])]
    assert names == sorted(f"share-{number}" for number in range(20))


def test_queues_that_can_have_no_shares(batch: Batch) -> None:
    batch.queue("plain")
    assert "queues with a quota share policy" in batch.refusal("create_quota_share", **draft(jobQueue="plain"))
    assert batch.refusal("create_quota_share", **draft(jobQueue="none")) == "JobQueue none not found."
    policy = batch.create_scheduling_policy(name="quotas", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"})[
        "arn"
    ]
    members = {"jobQueueName": "q", "priority": 1, "jobQueueType": "SAGEMAKER_TRAINING", "schedulingPolicyArn": policy}
    counted = environment(batch, "counted", "NUM_INSTANCES")
    refusal = batch.refusal("create_job_queue", serviceEnvironmentOrder=counted, **members)
    assert refusal == "W: A job queue with a quota share policy needs capacity limits in instance types"
    order = environment(batch)
    queue(batch, "training", serviceEnvironmentOrder=order)
    assert "can serve no other: job queue training" in batch.refusal(
        "create_job_queue", serviceEnvironmentOrder=order, **members
    )


def test_jobs_name_their_share(batch: Batch) -> None:
    """And it must take jobs."""
    queue(batch)
    arn = batch.create_quota_share(**draft())["quotaShareArn"]
    assert batch.refusal("submit_service_job", **submit(None)) == (
        "A quotaShareName is required to submit a job to a job queue with a quota share policy."
    )
    assert "Quota share blue of job queue training does not exist" in batch.refusal(
        "submit_service_job", **submit("blue")
    )
    batch.update_quota_share(quotaShareArn=arn, state="DISABLED")
    assert batch.refusal("submit_service_job", **submit()) == f"Quota share {arn} is DISABLED"
    fair = batch.create_scheduling_policy(name="fair")["arn"]
    queue(batch, "fair", policy=fair, serviceEnvironmentOrder=environment(batch, "other"))
    refusal = batch.refusal("submit_service_job", **submit(jobQueue="fair", shareIdentifier="a"))
    assert refusal == "quotaShareName is for job queues with a quota share policy only"


def test_a_job_shows_its_share_and_how_often_it_was_preempted(batch: Batch) -> None:
    queue(batch)
    batch.create_quota_share(**draft())
    preemption = {"preemptionRetriesBeforeTermination": 0}
    job_id = batch.submit_service_job(**submit(preemptionConfiguration=preemption))["jobId"]
    shown = batch.describe_service_job(jobId=job_id)
    assert (shown["quotaShareName"], shown["preemptionConfiguration"]) == ("red", preemption)
    assert shown["preemptionSummary"] == {"preemptedAttemptCount": 0, "recentPreemptedAttempts": []}

    def take_in(tx: Any) -> None:
        (key,) = tx.find_jobs(batch.scope, [JobId(uuid=job_id)]).values()
        job: Job = tx.load_jobs([key])[key]
        tx.save_jobs([replace(job, status=JobStatus.RUNNABLE, intake=1)])

    batch.write(take_in)
    filters = [{"name": "QUOTA_SHARE_NAME", "values": ["red"]}]
    listed = batch.list_service_jobs(jobQueue="training", jobStatus="RUNNABLE", filters=filters)["jobSummaryList"]
    assert [(job["jobId"], job["quotaShareName"]) for job in listed] == [(job_id, "red")]
    filters[0]["values"] = ["blue"]
    assert not batch.list_service_jobs(jobQueue="training", jobStatus="RUNNABLE", filters=filters)["jobSummaryList"]


def test_a_snapshot_of_a_queue_that_nobody_has_looked_at(batch: Batch) -> None:
    queue(batch)
    snapshot = batch.get_job_queue_snapshot(jobQueue="training")
    assert snapshot["frontOfQuotaShares"] == {"quotaShares": {}}
    assert snapshot["queueUtilization"]["quotaShareUtilization"] == {"topCapacityUtilization": []}
