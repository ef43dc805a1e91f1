"""Create, describe, update and delete job queues: golden answers and refusals."""

from dataclasses import replace
from typing import Any

import pytest

from tests.api.batch_service import ACCOUNT, REGION, Batch

ENVIRONMENT = f"arn:aws:batch:{REGION}:{ACCOUNT}:compute-environment"
ACTION = {
    "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "state": "RUNNABLE",
    "maxTimeSeconds": 600,
    "action": "CANCEL",
}


def order(*names: str) -> list[dict[str, Any]]:
    return [{"order": index, "computeEnvironment": name} for index, name in enumerate(names)]


def test_a_queue_is_valid_at_once(batch: Batch) -> None:
    for name in ("a", "b"):
        batch.environment(name)
    arn = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/q"
    answer = batch.create_job_queue(
        jobQueueName="q",
        priority=7,
        computeEnvironmentOrder=order(batch.arn("compute-environment", "b"), "a"),
        tags={"team": "science"},
        jobStateTimeLimitActions=[ACTION],
    )
    assert answer == {"jobQueueName": "q", "jobQueueArn": arn}
    assert batch.describe_job_queues(jobQueues=["q"]) == {
        "jobQueues": [
            {
                "jobQueueName": "q",
                "jobQueueArn": arn,
                "state": "ENABLED",
                "status": "VALID",
                "statusReason": "JobQueue Healthy",
                "priority": 7,
                "computeEnvironmentOrder": order(
                    batch.arn("compute-environment", "b"), batch.arn("compute-environment", "a")
                ),
                "jobQueueType": "ECS",
                "tags": {"team": "science"},
                "jobStateTimeLimitActions": [ACTION],
            }
        ]
    }


def test_a_queue_on_fargate_has_its_type(batch: Batch) -> None:
    batch.queue("q", batch.fargate_environment())
    (described,) = batch.describe_job_queues()["jobQueues"]
    assert described["jobQueueType"] == "ECS_FARGATE"
    assert (described["tags"], described["jobStateTimeLimitActions"]) == ({}, [])


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"jobQueueName": "a b"},
            "W: Job queue name should match valid pattern: 1 to 128 letters, digits, hyphens and underscores",
        ),
        ({"priority": -1}, "W: Priority should be at least 0, got -1"),
        ({"computeEnvironmentOrder": []}, "W: computeEnvironmentOrder needs at least one entry"),
        ({"computeEnvironmentOrder": order("ce", "ce")}, "W: A compute environment can serve a job queue once only"),
        ({"computeEnvironmentOrder": order(*"abcd")}, "W: A job queue cannot have more than 3 compute environments"),
        (
            {"computeEnvironmentOrder": [*order("ce"), *order("fargate")]},
            "W: The orders of computeEnvironmentOrder should be unique",
        ),
        (
            {"computeEnvironmentOrder": order("ce", "fargate")},
            "W: The compute environments of a job queue should be of one kind, got ECS and ECS_FARGATE",
        ),
        ({"computeEnvironmentOrder": order("no")}, f"Compute Environment {ENVIRONMENT}/no does not exist"),
        ({"computeEnvironmentOrder": order("leaving")}, f"Compute Environment {ENVIRONMENT}/leaving is not valid"),
        ({"jobQueueType": "ECS_FARGATE"}, "W: jobQueueType is ECS_FARGATE, but the compute environments are ECS"),
        ({"jobQueueType": "EKS"}, "W: jobQueueType is EKS, but the compute environments are ECS"),
        (
            {"schedulingPolicyArn": "arn:aws:batch:x"},
            "W: arn:aws:batch:x is not the ARN of a scheduling policy",
        ),
        (
            {"serviceEnvironmentOrder": [{"order": 1, "serviceEnvironment": "s"}]},
            "W: A job queue cannot have both computeEnvironmentOrder and serviceEnvironmentOrder",
        ),
        (
            {"jobStateTimeLimitActions": [{**ACTION, "maxTimeSeconds": 599}]},
            "W: maxTimeSeconds should be between 600 and 86400, got 599",
        ),
        (
            {"jobStateTimeLimitActions": [{**ACTION, "action": "TERMINATE"}]},
            "W: The action of jobStateTimeLimitActions should be CANCEL",
        ),
    ],
)
def test_creation_refuses(batch: Batch, members: dict[str, Any], text: str) -> None:
    batch.environment()
    batch.fargate_environment()
    batch.environment("leaving")
    leaving = batch.read(lambda reader: reader.environment(batch.scope, "leaving"))
    assert leaving is not None
    batch.write(lambda tx: tx.put_environment(replace(leaving, status="DELETING")))
    plain = {"jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": order("ce")}
    assert batch.refusal("create_job_queue", **(plain | members)) == text
    assert batch.describe_job_queues() == {"jobQueues": []}


def test_processors_of_one_queue_have_one_architecture(batch: Batch) -> None:
    """An environment that says nothing of instances goes with any."""
    batch.environment()
    for name, kind in (("arm", "m6g"), ("x86", "m6i")):
        resources = {"type": "EC2", "minvCpus": 0, "maxvCpus": 8, "instanceTypes": [kind], "instanceRole": "role"}
        batch.create_compute_environment(computeEnvironmentName=name, type="MANAGED", computeResources=resources)
    plain = {"jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": order("ce", "arm", "x86")}
    text = "W: The compute environments of a job queue should all have one processor architecture"
    assert batch.refusal("create_job_queue", **plain) == text
    batch.queue("q", "ce", "arm")
    refusal = batch.refusal("update_job_queue", jobQueue="q", computeEnvironmentOrder=order("arm", "x86"))
    assert refusal == text


def test_an_unknown_reason_of_a_time_limit_is_refused(batch: Batch) -> None:
    batch.environment()
    refusal = batch.refusal(
        "create_job_queue",
        jobQueueName="q",
        priority=1,
        computeEnvironmentOrder=order("ce"),
        jobStateTimeLimitActions=[{**ACTION, "reason": "BOREDOM"}],
    )
    assert refusal.startswith("W: The reason of jobStateTimeLimitActions should be one of CAPACITY:")


def test_a_name_is_taken_once(batch: Batch) -> None:
    batch.queue("q")
    refusal = batch.refusal("create_job_queue", jobQueueName="q", priority=1, computeEnvironmentOrder=order("ce"))
    assert refusal == "W: Object already exists"


def test_an_account_has_so_many_in_a_region(batch: Batch) -> None:
    """Those that are there may be changed still, and one that goes makes room for another."""
    batch.environment()
    for number in range(50):
        batch.queue(f"q{number}", "ce")
    plain = {"jobQueueName": "more", "priority": 1, "computeEnvironmentOrder": order("ce")}
    text = "W: An account cannot have more than 50 job queues in a region"
    assert batch.refusal("create_job_queue", **plain) == text
    batch.update_job_queue(jobQueue="q7", state="DISABLED")
    batch.delete_job_queue(jobQueue="q7")
    batch.create_job_queue(**plain)
    names = [each["jobQueueName"] for each in batch.describe_job_queues()["jobQueues"]]
    assert (len(names), "more" in names) == (50, True)


def test_an_update_changes_what_it_names(batch: Batch) -> None:
    batch.queue("q", jobStateTimeLimitActions=[ACTION], tags={"a": "b"})
    batch.environment("other")
    (before,) = batch.describe_job_queues()["jobQueues"]
    arn = batch.arn("job-queue", "q")
    assert batch.update_job_queue(jobQueue=arn, priority=3) == {"jobQueueName": "q", "jobQueueArn": arn}
    assert batch.describe_job_queues()["jobQueues"] == [{**before, "priority": 3}]
    batch.update_job_queue(
        jobQueue="q", state="DISABLED", computeEnvironmentOrder=order("other"), jobStateTimeLimitActions=[]
    )
    assert batch.describe_job_queues()["jobQueues"] == [
        {
            **before,
            "priority": 3,
            "state": "DISABLED",
            "computeEnvironmentOrder": order(batch.arn("compute-environment", "other")),
            "jobStateTimeLimitActions": [],
        }
    ]
    assert batch.notifier.count == 5


def test_an_update_is_checked_as_a_creation_is(batch: Batch) -> None:
    batch.queue("q")
    batch.fargate_environment()
    assert batch.refusal("update_job_queue", jobQueue="q", priority=-5) == "W: Priority should be at least 0, got -5"
    refusal = batch.refusal("update_job_queue", jobQueue="q", computeEnvironmentOrder=order("fargate"))
    assert refusal == "W: The job queue is ECS and cannot be attached to ECS_FARGATE environments"
    refusal = batch.refusal("update_job_queue", jobQueue="other", priority=1)
    assert refusal == f"{batch.arn('job-queue', 'other')} does not exist"


def test_an_idle_queue_is_deleted_at_once(batch: Batch) -> None:
    batch.queue("q")
    assert batch.refusal("delete_job_queue", jobQueue="q") == "Cannot delete, job queue must be DISABLED"
    batch.update_job_queue(jobQueue="q", state="DISABLED")
    assert batch.delete_job_queue(jobQueue="q") == {}
    assert batch.describe_job_queues(jobQueues=["q"]) == {"jobQueues": []}
    assert batch.delete_job_queue(jobQueue="q") == {}, "an unknown queue is no error"


def test_a_queue_with_jobs_is_left_to_the_control_loop(batch: Batch) -> None:
    batch.queue("q")
    batch.definition()
    batch.submit(queue="q")
    batch.update_job_queue(jobQueue="q", state="DISABLED")
    before = batch.notifier.count
    batch.delete_job_queue(jobQueue="q")
    assert batch.notifier.count == before + 1
    (described,) = batch.describe_job_queues()["jobQueues"]
    assert described["status"] == "DELETING"
    assert batch.delete_job_queue(jobQueue="q") == {}
    refusal = batch.refusal("update_job_queue", jobQueue="q", priority=1)
    assert refusal == "Cannot update, resource is being modified"
    batch.update_compute_environment(computeEnvironment="ce", state="DISABLED")
    refusal = batch.refusal("delete_compute_environment", computeEnvironment="ce")
    assert refusal == "Cannot delete, found existing JobQueue relationship"


def test_names_and_pages(batch: Batch) -> None:
    batch.environment()
    for name in ("c", "a", "b"):
        batch.queue(name, "ce")
    found = batch.describe_job_queues(jobQueues=[batch.arn("job-queue", "b"), "nothing"])["jobQueues"]
    assert [each["jobQueueName"] for each in found] == ["b"]
    pages = list(batch.client.get_paginator("describe_job_queues").paginate(maxResults=2))
    assert [[each["jobQueueName"] for each in page["jobQueues"]] for page in pages] == [["a", "b"], ["c"]]
    refusal = batch.refusal("describe_job_queues", jobQueues=["a"], maxResults=1)
    assert refusal == "W: JobQueues and MaxResults cannot both be set"
