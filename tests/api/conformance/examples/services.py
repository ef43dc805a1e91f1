"""Requests on service environments, service jobs and quota shares that are carried out."""

from typing import Any

from tests.api.conformance.examples.resources import first_page
from tests.api.conformance.world import TRAINING, World, example
from tests.integration.live import eventually


@example("CreateServiceEnvironment")
def environment(world: World) -> dict[str, Any]:
    return {
        "serviceEnvironmentName": "new",
        "serviceEnvironmentType": "SAGEMAKER_TRAINING",
        "state": "DISABLED",
        "capacityLimits": [{"maxCapacity": 3, "capacityUnit": "NUM_INSTANCES"}],
        "tags": {"team": "a"},
    }


@example("UpdateServiceEnvironment")
def update_environment(world: World) -> dict[str, Any]:
    return {
        "serviceEnvironment": world.service_environment,
        "state": "ENABLED",
        "capacityLimits": [{"maxCapacity": 9, "capacityUnit": "NUM_INSTANCES"}],
    }


@example("DeleteServiceEnvironment")
def delete_environment(world: World) -> dict[str, Any]:
    return {"serviceEnvironment": world.service_environment}


def three_environments(world: World) -> list[str]:
    for name in ("second", "third"):
        world.make(
            "CreateServiceEnvironment",
            serviceEnvironmentName=name,
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=[{"maxCapacity": 1, "capacityUnit": "NUM_INSTANCES"}],
        )
    return [world.service_environment, "second", "third"]


@example("DescribeServiceEnvironments")
def describe_environments(world: World) -> dict[str, Any]:
    three_environments(world)
    return {"serviceEnvironments": [world.service_environment]}


@example("DescribeServiceEnvironments")
def describe_first_environments(world: World) -> dict[str, Any]:
    return first_page(world, "DescribeServiceEnvironments", three_environments(world))


@example("SubmitServiceJob")
def submit(world: World) -> dict[str, Any]:
    world.submit_service_job("before", clientToken="other")
    return {
        "jobName": "new",
        "jobQueue": world.service_queue,
        "serviceRequestPayload": TRAINING,
        "serviceJobType": "SAGEMAKER_TRAINING",
        "retryStrategy": {"attempts": 3, "evaluateOnExit": [{"action": "RETRY", "onStatusReason": "Received*"}]},
        "timeoutConfig": {"attemptDurationSeconds": 90},
        "tags": {"team": "a"},
        "clientToken": "token",
    }


@example("SubmitServiceJob")
def submit_to_share(world: World) -> dict[str, Any]:
    world.make("UpdateQuotaShare", quotaShareArn=world.quota_share, state="ENABLED")
    return {
        "jobName": "new",
        "jobQueue": world.quota_queue,
        "serviceRequestPayload": TRAINING,
        "serviceJobType": "SAGEMAKER_TRAINING",
        "quotaShareName": "share",
        "schedulingPriority": 11,
        "preemptionConfiguration": {"preemptionRetriesBeforeTermination": 2},
    }


@example("SubmitServiceJob")
def submit_with_identifier(world: World) -> dict[str, Any]:
    world.make(
        "CreateJobQueue",
        jobQueueName="fair",
        priority=1,
        jobQueueType="SAGEMAKER_TRAINING",
        schedulingPolicyArn=world.policy,
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": world.service_environment}],
    )
    return {
        "jobName": "new",
        "jobQueue": "fair",
        "serviceRequestPayload": TRAINING,
        "serviceJobType": "SAGEMAKER_TRAINING",
        "shareIdentifier": "team",
        "schedulingPriority": 12,
    }


@example("DescribeServiceJob")
def describe(world: World) -> dict[str, Any]:
    return {"jobId": world.service_job}


def in_share(world: World) -> str:
    """A job that waits in a quota share."""
    world.make("UpdateQuotaShare", quotaShareArn=world.quota_share, state="ENABLED")
    preemption = {"preemptionRetriesBeforeTermination": 2}
    job = world.submit_service_job(
        "shared", jobQueue=world.quota_queue, quotaShareName="share", preemptionConfiguration=preemption
    )
    world.settle()
    return job


@example("DescribeServiceJob")
def describe_in_share(world: World) -> dict[str, Any]:
    return {"jobId": in_share(world)}


@example("ListServiceJobs")
def list_in_share(world: World) -> dict[str, Any]:
    in_share(world)
    filters = [{"name": "QUOTA_SHARE_NAME", "values": ["share"]}]
    return {"jobQueue": world.quota_queue, "jobStatus": "RUNNABLE", "filters": filters}


@example("GetJobQueueSnapshot")
def snapshot_of_shares(world: World) -> dict[str, Any]:
    in_share(world)
    request = {"jobQueue": world.quota_queue}

    def is_published() -> bool:
        return bool(world.make("GetJobQueueSnapshot", **request)["frontOfQuotaShares"]["quotaShares"])

    eventually(is_published, what="the front of the share is published")
    return request


@example("UpdateServiceJob")
def update(world: World) -> dict[str, Any]:
    return {"jobId": world.service_job, "schedulingPriority": 77}


@example("TerminateServiceJob")
def terminate(world: World) -> dict[str, Any]:
    return {"jobId": world.service_job, "reason": "not wanted any more"}


@example("TerminateServiceJobs")
def terminate_many(world: World) -> dict[str, Any]:
    return {"jobs": [world.service_job], "reason": "not wanted any more"}


def three_jobs(world: World) -> list[str]:
    jobs = [world.service_job, world.submit_service_job("second"), world.submit_service_job("third")]
    world.settle()
    return jobs


@example("ListServiceJobs")
def list_filtered(world: World) -> dict[str, Any]:
    three_jobs(world)
    return {"jobQueue": world.service_queue, "filters": [{"name": "JOB_NAME", "values": ["service*"]}]}


@example("ListServiceJobs")
def list_first(world: World) -> dict[str, Any]:
    members = {"jobQueue": world.service_queue, "jobStatus": "RUNNABLE"}
    return first_page(world, "ListServiceJobs", three_jobs(world), **members)


@example("CreateQuotaShare")
def share(world: World) -> dict[str, Any]:
    return {
        "quotaShareName": "new",
        "jobQueue": world.quota_queue,
        "capacityLimits": [{"maxCapacity": 1, "capacityUnit": "ml.m5.large"}],
        "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": 150},
        "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
        "state": "DISABLED",
        "tags": {"team": "a"},
    }


@example("UpdateQuotaShare")
def update_share(world: World) -> dict[str, Any]:
    return {
        "quotaShareArn": world.quota_share,
        "capacityLimits": [{"maxCapacity": 1, "capacityUnit": "ml.m5.large"}],
        "resourceSharingConfiguration": {"strategy": "LEND_AND_BORROW", "borrowLimit": 50},
        "preemptionConfiguration": {"inSharePreemption": "ENABLED"},
        "state": "ENABLED",
    }


@example("DescribeQuotaShare")
def describe_share(world: World) -> dict[str, Any]:
    return {"quotaShareArn": world.quota_share}


@example("DeleteQuotaShare")
def delete_share(world: World) -> dict[str, Any]:
    return {"quotaShareArn": world.quota_share}


@example("ListQuotaShares")
def list_shares(world: World) -> dict[str, Any]:
    for name in ("second", "third"):
        world.make(
            "CreateQuotaShare",
            quotaShareName=name,
            jobQueue=world.quota_queue,
            capacityLimits=[{"maxCapacity": 1, "capacityUnit": "ml.m5.large"}],
            resourceSharingConfiguration={"strategy": "RESERVE"},
            preemptionConfiguration={"inSharePreemption": "DISABLED"},
        )
    made = [world.quota_share, "second", "third"]
    return first_page(world, "ListQuotaShares", made, jobQueue=world.quota_queue)
