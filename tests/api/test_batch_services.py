"""Service environments and service jobs, as boto3 sees them."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from longshore.domain.ids import AttemptId, JobId
from longshore.domain.job import Job
from longshore.domain.lifecycle.events import LaunchBegun, PlacementCommitted, TakenIn
from longshore.domain.lifecycle.machine import advance
from longshore.domain.service_environment import service_environment_key
from longshore.testing.builders import LOCAL
from longshore.testing.lifecycles import a_start, an_exit
from tests.api.batch_service import NOW_MS, REGION, Batch

KIND = "SAGEMAKER_TRAINING"
ATTEMPT = AttemptId("a" * 32)


def limit(most: int, unit: str = "NUM_INSTANCES") -> dict[str, Any]:
    return {"maxCapacity": most, "capacityUnit": unit}


def environment(batch: Batch, name: str = "se", *limits: dict[str, Any], **members: Any) -> str:
    batch.create_service_environment(
        serviceEnvironmentName=name,
        serviceEnvironmentType=KIND,
        capacityLimits=list(limits or (limit(4),)),
        **members,
    )
    return name


def order(*names: str) -> list[dict[str, Any]]:
    return [{"order": place, "serviceEnvironment": name} for place, name in enumerate(names, 1)]


def service_queue(batch: Batch, name: str = "training", **members: Any) -> str:
    members = {"serviceEnvironmentOrder": order(environment(batch)), "jobQueueType": KIND, "priority": 1, **members}
    batch.create_job_queue(jobQueueName=name, **members)
    return name


def payload(count: int = 1, kind: str = "ml.m5.large", **members: Any) -> str:
    request = {
        "TrainingJobName": "train",
        "RoleArn": "arn:aws:iam::000000000000:role/train",
        "AlgorithmSpecification": {"TrainingImage": "busybox", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/prefix"},
        "ResourceConfig": {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return json.dumps(request | members, indent=1)


def submit(batch: Batch, name: str = "job", *, queue: str = "training", **members: Any) -> str:
    members = {"serviceRequestPayload": payload(), **members}
    answer = batch.submit_service_job(jobName=name, jobQueue=queue, serviceJobType=KIND, **members)
    return answer["jobId"]


def job_of(batch: Batch, job_id: str) -> Job:
    found = batch.read(lambda reader: reader.find_jobs(batch.scope, [JobId(uuid=job_id)]))
    return batch.read(lambda reader: reader.load_jobs(list(found.values())))[next(iter(found.values()))]


def grow(batch: Batch, job_id: str, *events: Any) -> None:
    """Let this happen to the job, a second apart."""
    job = job_of(batch, job_id)
    for seconds, event in enumerate(events, 1):
        step = advance(job, event, now=batch.clock.now() + timedelta(seconds=seconds))
        assert step is not None, event
        job, attempt = step.job, step.attempt
        batch.write(lambda tx, job=job: tx.save_jobs([job]))
        if isinstance(event, PlacementCommitted):
            batch.write(lambda tx, attempt=attempt: tx.insert_attempts([attempt]))
        elif attempt is not None:
            batch.write(lambda tx, attempt=attempt: tx.save_attempts([attempt]))


def placed(job: Job, attempt_id: AttemptId = ATTEMPT) -> PlacementCommitted:
    return PlacementCommitted(
        attempt_id=attempt_id,
        environment_name=service_environment_key("se"),
        host_id=LOCAL,
        resources=job.spec.resources,
    )


TAKEN = TakenIn(intake=1, must_wait=False)


def test_an_environment_is_shown_as_it_was_created(batch: Batch) -> None:
    arn = batch.arn("service-environment", "se")
    answer = batch.create_service_environment(
        serviceEnvironmentName="se", serviceEnvironmentType=KIND, capacityLimits=[limit(3)], tags={"team": "a"}
    )
    assert answer == {"serviceEnvironmentName": "se", "serviceEnvironmentArn": arn}
    shown = {
        "serviceEnvironmentName": "se",
        "serviceEnvironmentArn": arn,
        "serviceEnvironmentType": KIND,
        "state": "ENABLED",
        "status": "VALID",
        "capacityLimits": [limit(3)],
        "tags": {"team": "a"},
    }
    assert batch.describe_service_environments(serviceEnvironments=[arn, "no"]) == {"serviceEnvironments": [shown]}
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"team": "a"}}
    batch.tag_resource(resourceArn=arn, tags={"team": "b"})
    changed = batch.update_service_environment(serviceEnvironment="se", state="DISABLED", capacityLimits=[limit(9)])
    assert changed == answer
    shown |= {"state": "DISABLED", "capacityLimits": [limit(9)], "tags": {"team": "b"}}
    assert batch.describe_service_environments() == {"serviceEnvironments": [shown]}


def test_an_environment_goes_when_it_is_disabled_and_detached(batch: Batch) -> None:
    queue = service_queue(batch)
    assert batch.refusal("delete_service_environment", serviceEnvironment="se").endswith("state must be DISABLED")
    batch.update_service_environment(serviceEnvironment="se", state="DISABLED")
    refusal = batch.refusal("delete_service_environment", serviceEnvironment="se")
    assert refusal == "Cannot delete, found existing JobQueue relationship"
    batch.update_job_queue(jobQueue=queue, serviceEnvironmentOrder=[])
    for _ in range(2):
        batch.delete_service_environment(serviceEnvironment=batch.arn("service-environment", "se"))
    assert batch.describe_service_environments() == {"serviceEnvironments": []}
    refusal = batch.refusal("update_service_environment", serviceEnvironment="se")
    assert refusal == f"{batch.arn('service-environment', 'se')} does not exist"


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ([], "capacityLimits should have 1 to 5 entries, got 0"),
        ([limit(1), limit(2)], "Each capacityUnit of capacityLimits should be there once"),
        ([limit(1), limit(1, "ml.m5.large")], "NUM_INSTANCES counts instances of all types"),
        ([limit(-1)], "maxCapacity should be between 0 and 2147483647, got -1"),
        ([limit(1, "GPUS")], "capacityUnit should be NUM_INSTANCES or an instance type, got GPUS"),
    ],
)
def test_limits_that_could_not_be_kept_are_refused(batch: Batch, limits: list[dict[str, Any]], text: str) -> None:
    members = {"serviceEnvironmentName": "new", "serviceEnvironmentType": KIND, "capacityLimits": limits}
    assert batch.refusal("create_service_environment", **members).startswith(f"W: {text}")
    environment(batch)
    refusal = batch.refusal("update_service_environment", serviceEnvironment="se", capacityLimits=limits)
    assert refusal.startswith(f"W: {text}")
    (kept,) = batch.describe_service_environments()["serviceEnvironments"]
    assert kept["capacityLimits"] == [limit(4)]


def test_names_are_unique_and_there_are_fifty(batch: Batch) -> None:
    """A compute environment may have the same name."""
    batch.environment("se0")
    for number in range(50):
        environment(batch, f"se{number}")
    members = {"serviceEnvironmentType": KIND, "capacityLimits": [limit(1)]}
    refusal = batch.refusal("create_service_environment", serviceEnvironmentName="se0", **members)
    assert refusal == "W: Object already exists"
    refusal = batch.refusal("create_service_environment", serviceEnvironmentName="one-more", **members)
    assert refusal == "An account cannot have more than 50 service environments"


def test_a_service_queue_is_shown_with_its_environment(batch: Batch) -> None:
    service_queue(batch)
    (queue,) = batch.describe_job_queues()["jobQueues"]
    assert (queue["jobQueueType"], queue["computeEnvironmentOrder"]) == (KIND, [])
    arn = batch.arn("service-environment", "se")
    assert queue["serviceEnvironmentOrder"] == [{"order": 1, "serviceEnvironment": arn}]


def test_queues_have_environments_of_one_kind(batch: Batch) -> None:
    compute = [{"order": 1, "computeEnvironment": batch.environment()}]
    new = {"jobQueueName": "new", "priority": 1}
    services = order(environment(batch))
    both = batch.refusal(
        "create_job_queue",
        computeEnvironmentOrder=compute,
        serviceEnvironmentOrder=services,
        jobQueueType=KIND,
        **new,
    )
    assert both == "W: A job queue cannot have both computeEnvironmentOrder and serviceEnvironmentOrder"
    untyped = batch.refusal("create_job_queue", serviceEnvironmentOrder=services, **new)
    assert untyped == f"W: jobQueueType should be {KIND} for a job queue with serviceEnvironmentOrder"
    typed = batch.refusal("create_job_queue", computeEnvironmentOrder=compute, jobQueueType=KIND, **new)
    assert typed == f"W: jobQueueType is {KIND}, but the compute environments are ECS"
    two = order("se", environment(batch, "other"))
    many = batch.refusal("create_job_queue", serviceEnvironmentOrder=two, jobQueueType=KIND, **new)
    assert many == "W: A job queue cannot have more than 1 service environment"
    none = batch.refusal("create_job_queue", serviceEnvironmentOrder=order("no"), jobQueueType=KIND, **new)
    assert none == f"Service Environment {batch.arn('service-environment', 'no')} does not exist"
    assert batch.describe_job_queues() == {"jobQueues": []}
    batch.create_job_queue(computeEnvironmentOrder=compute, **new)
    crossed = batch.refusal("update_job_queue", jobQueue="new", serviceEnvironmentOrder=services)
    assert crossed == f"W: The job queue is ECS and cannot be attached to {KIND} environments"


def test_service_queues_terminate_what_waits_too_long(batch: Batch) -> None:
    action = {
        "reason": "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE",
        "state": "RUNNABLE",
        "maxTimeSeconds": 600,
        "action": "TERMINATE",
    }
    queue = service_queue(batch, jobStateTimeLimitActions=[action])
    wrong = [action | {"action": "CANCEL"}]
    refusal = batch.refusal("update_job_queue", jobQueue=queue, jobStateTimeLimitActions=wrong)
    assert refusal == "W: The action of jobStateTimeLimitActions should be TERMINATE"
    (shown,) = batch.describe_job_queues()["jobQueues"]
    assert shown["jobStateTimeLimitActions"] == [action]


def test_a_service_job_is_described_as_it_was_submitted(batch: Batch) -> None:
    service_queue(batch)
    members = {
        "serviceRequestPayload": payload(2),
        "retryStrategy": {"attempts": 3, "evaluateOnExit": [{"action": "RETRY", "onStatusReason": "Received*"}]},
        "timeoutConfig": {"attemptDurationSeconds": 90},
        "schedulingPriority": 7,
        "tags": {"team": "a"},
    }
    answer = batch.submit_service_job(jobName="job", jobQueue="training", serviceJobType=KIND, **members)
    job_id = answer["jobId"]
    arn = batch.arn("service-job", job_id)
    assert answer == {"jobArn": arn, "jobName": "job", "jobId": job_id}
    assert batch.describe_service_job(jobId=job_id) == {
        **members,
        "attempts": [],
        "capacityUsage": [{"capacityUnit": "ml.m5.large", "quantity": 2.0}],
        "createdAt": NOW_MS,
        "isTerminated": False,
        "jobArn": arn,
        "jobId": job_id,
        "jobName": "job",
        "jobQueue": batch.arn("job-queue", "training"),
        "serviceJobType": KIND,
        "status": "SUBMITTED",
    }
    batch.tag_resource(resourceArn=arn, tags={"more": "b"})
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {"team": "a", "more": "b"}}
    as_job = batch.refusal("list_tags_for_resource", resourceArn=batch.arn("job", job_id))
    assert as_job.endswith("does not exist")


def test_a_service_job_goes_through_its_statuses(batch: Batch) -> None:
    """Placed, fetching, running, and tried again; each attempt is a training job of its own."""
    service_queue(batch)
    job_id = submit(batch, retryStrategy={"attempts": 2})
    job = job_of(batch, job_id)
    second = AttemptId("b" * 32)
    grow(batch, job_id, TAKEN, placed(job))
    shown = batch.describe_service_job(jobId=job_id)
    resource = {
        "name": "TrainingJobArn",
        "value": f"arn:aws:sagemaker:{REGION}:{batch.scope.account_id}:training-job/train-{ATTEMPT}",
    }
    assert (shown["status"], shown["scheduledAt"]) == ("SCHEDULED", NOW_MS + 2000)
    assert shown["latestAttempt"] == {"serviceResourceId": resource}
    grow(batch, job_id, LaunchBegun(attempt_id=ATTEMPT))
    assert batch.describe_service_job(jobId=job_id)["status"] == "STARTING"
    grow(batch, job_id, a_start(ATTEMPT))
    assert batch.describe_service_job(jobId=job_id)["status"] == "RUNNING"
    failed = replace(an_exit(ATTEMPT, 3, "no such channel"), started_at=batch.clock.now())
    grow(batch, job_id, failed)
    shown = batch.describe_service_job(jobId=job_id)
    (first,) = shown["attempts"]
    reason = "Received status from SageMaker: AlgorithmError: no such channel, exit code: 3"
    assert (shown["status"], first["statusReason"], first["serviceResourceId"]) == ("RUNNABLE", reason, resource)
    grow(batch, job_id, placed(job, second), a_start(second), an_exit(second, 0))
    shown = batch.describe_service_job(jobId=job_id)
    assert shown["status"] == "SUCCEEDED"
    assert "statusReason" not in shown
    assert [attempt["serviceResourceId"]["value"][-1] for attempt in shown["attempts"]] == ["a", "b"]
    (listed,) = batch.list_service_jobs(jobQueue="training", jobStatus="SUCCEEDED")["jobSummaryList"]
    same = ("capacityUsage", "createdAt", "jobArn", "jobId", "jobName", "latestAttempt", "scheduledAt")
    assert listed == {key: shown[key] for key in (*same, "serviceJobType", "startedAt", "status", "stoppedAt")}


def test_kinds_of_jobs_do_not_see_each_other(batch: Batch) -> None:
    service_queue(batch)
    batch.queue()
    batch.definition()
    service, plain = submit(batch), batch.submit()
    assert batch.describe_jobs(jobs=[service]) == {"jobs": []}
    assert batch.refusal("describe_service_job", jobId=plain) == f"Service job {plain} does not exist"
    assert batch.list_jobs(jobQueue="training", jobStatus="SUBMITTED")["jobSummaryList"] == []
    assert batch.list_service_jobs(jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"] == []
    for operation in ("cancel_job", "terminate_job"):
        getattr(batch, operation)(jobId=service, reason="no")
    batch.terminate_service_job(jobId=plain, reason="no")
    assert batch.read(lambda reader: reader.requested_jobs(10)) == []
    outcome = batch.terminate_service_jobs(jobs=[service, plain, "nonsense"], reason="enough")
    assert outcome["successful"] == [service, plain]
    assert [error["code"] for error in outcome["errors"]] == ["ValidationException"]
    ((job, wish),) = batch.read(lambda reader: reader.requested_jobs(10))
    assert (str(job.id), wish.reason) == (service, "enough")
    refusal = batch.refusal("submit_job", jobName="j", jobQueue="training", jobDefinition="definition")
    assert refusal == "JobQueue training is for service jobs only; SubmitServiceJob takes them"


def test_service_jobs_are_listed_newest_first_by_filter_and_page(batch: Batch) -> None:
    service_queue(batch)
    ids: list[str] = []
    for name in ("Alpha", "beta", "alps"):
        ids.append(submit(batch, name))
        batch.clock.jump_wall(1)

    def listed(**members: Any) -> list[str]:
        return [each["jobName"] for each in batch.list_service_jobs(jobQueue="training", **members)["jobSummaryList"]]

    def by(name: str, value: str) -> list[str]:
        return listed(filters=[{"name": name, "values": [value]}])

    assert listed() == []
    assert listed(jobStatus="SUBMITTED") == ["alps", "beta", "Alpha"]
    assert by("JOB_NAME", "AL*") == ["alps", "Alpha"]
    assert by("BEFORE_CREATED_AT", str(NOW_MS + 500)) == ["Alpha"]
    assert by("AFTER_CREATED_AT", str(NOW_MS + 500)) == ["alps", "beta"]
    first = batch.list_service_jobs(jobQueue="training", jobStatus="SUBMITTED", maxResults=2)
    assert [each["jobId"] for each in first["jobSummaryList"]] == ids[:0:-1]
    assert listed(jobStatus="SUBMITTED", maxResults=2, nextToken=first["nextToken"]) == ["Alpha"]
    unknown = batch.refusal(
        "list_service_jobs", jobQueue="training", filters=[{"name": "JOB_DEFINITION", "values": ["x"]}]
    )
    assert unknown.startswith(
        "W: Filters are JOB_NAME, BEFORE_CREATED_AT, AFTER_CREATED_AT, SHARE_IDENTIFIER and QUOTA_SHARE_NAME"
    )
    assert batch.refusal("list_service_jobs") == "W: jobQueue should be given"
    assert batch.refusal("list_service_jobs", jobQueue="no") == "JobQueue no not found."
    assert batch.refusal("list_service_jobs", jobQueue="training", maxResults=101).startswith("W: MaxResults should")


def test_a_client_token_counts_once(batch: Batch) -> None:
    service_queue(batch)
    first = submit(batch, clientToken="once")
    members = {"jobName": "job", "jobQueue": "training", "serviceJobType": KIND, "serviceRequestPayload": payload()}
    refusal = batch.refusal("submit_service_job", clientToken="once", **members)
    assert refusal == f"The clientToken once was used already, to submit service job {first}"
    assert len(batch.list_service_jobs(jobQueue="training", jobStatus="SUBMITTED")["jobSummaryList"]) == 1


def test_the_priority_of_a_waiting_job_can_change(batch: Batch) -> None:
    """It is shown at once; the control loop makes it count."""
    arn = batch.create_scheduling_policy(name="fair", fairsharePolicy={})["arn"]
    service_queue(batch, schedulingPolicyArn=arn)
    job_id = submit(batch, shareIdentifier="team", schedulingPriority=3)
    answer = batch.update_service_job(jobId=job_id, schedulingPriority=77)
    assert answer == {"jobArn": batch.arn("service-job", job_id), "jobName": "job", "jobId": job_id}
    assert batch.describe_service_job(jobId=job_id)["schedulingPriority"] == 77
    (job,) = batch.read(lambda reader: reader.prioritized_jobs(10))
    assert job.requested_priority == 77
    refusal = batch.refusal("update_service_job", jobId=job_id, schedulingPriority=10_000)
    assert refusal == "W: schedulingPriority should be between 0 and 9999, got 10000"
    grow(batch, job_id, TAKEN, placed(job))
    refusal = batch.refusal("update_service_job", jobId=job_id, schedulingPriority=1)
    assert refusal == f"Service job {job_id} is SCHEDULED; its priority does not count any more"
    assert batch.refusal("update_service_job", jobId="no", schedulingPriority=1) == "Service job no does not exist"


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"jobName": "a b"}, "W: Job name should match valid pattern"),
        ({"jobQueue": "no"}, "JobQueue no not found."),
        ({"jobQueue": "queue"}, "JobQueue queue is ECS and takes no service jobs"),
        ({"serviceRequestPayload": "no"}, "serviceRequestPayload: it must be a JSON object"),
        ({"serviceRequestPayload": "{}"}, "serviceRequestPayload: TrainingJobName is missing"),
        (
            {"serviceRequestPayload": payload(kind="ml.no.large")},
            "serviceRequestPayload: ml.no.large is no instance type that is known here",
        ),
        (
            {"serviceRequestPayload": payload(HyperParameters={"x": "y" * 11_000})},
            "W: serviceRequestPayload size must be less than 10 KiB, got 1",
        ),
        ({"retryStrategy": {"attempts": 11}}, "W: Retry attempts should be between 1 and 10, got 11"),
        (
            {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onStatusReason": "x" * 513}]}},
            "W: Evaluate on exit conditions cannot be longer than 512 characters",
        ),
        ({"timeoutConfig": {"attemptDurationSeconds": 59}}, "W: attemptDurationSeconds should be at least 60, got 59"),
        ({"schedulingPriority": -1}, "W: schedulingPriority should be between 0 and 9999, got -1"),
        ({"shareIdentifier": "x"}, "Job with shareIdentifier or schedulingPriority can onlybe submitted"),
        ({"tags": {"aws:x": "y"}}, "W: Tag keys cannot start with aws:"),
    ],
)
def test_wrong_submissions_change_nothing(batch: Batch, members: dict[str, Any], text: str) -> None:
    service_queue(batch)
    batch.queue()
    whole = {"jobName": "job", "jobQueue": "training", "serviceRequestPayload": payload(), "clientToken": "once"}
    refusal = batch.refusal("submit_service_job", serviceJobType=KIND, **(whole | members))
    assert refusal.startswith(text)
    assert batch.read(lambda reader: reader.submitted_jobs(10)) == []
    assert submit(batch, clientToken="once"), "the token was not used"
