"""Service jobs of real servers."""

import json
from typing import Any

from tests.integration.live import LiveServer, eventually

BUCKET = "results"
ROLE = "arn:aws:iam::123456789012:role/training"


def set_up_trainings(live: LiveServer, *, engine: str = "process") -> None:
    """One service environment and one queue, `trainings`."""
    live.batch.create_service_environment(
        serviceEnvironmentName="instances",
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=[{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}],
        tags={"longshore:engine": engine},
    )
    live.batch.create_job_queue(
        jobQueueName="trainings",
        jobQueueType="SAGEMAKER_TRAINING",
        priority=1,
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "instances"}],
    )


def a_request(name: str, command: list[str], *, image: str = "trainer:1", **members: Any) -> dict[str, Any]:
    """A CreateTrainingJob request whose model goes to the bucket."""
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File", "ContainerEntrypoint": command},
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **members,
    }


def submit(live: LiveServer, request: dict[str, Any], **more: Any) -> str:
    """The id of a service job."""
    answer = live.batch.submit_service_job(
        jobName=request["TrainingJobName"],
        jobQueue="trainings",
        serviceJobType="SAGEMAKER_TRAINING",
        serviceRequestPayload=json.dumps(request),
        **more,
    )
    return str(answer["jobId"])


def describe(live: LiveServer, job_id: str) -> dict[str, Any]:
    return live.batch.describe_service_job(jobId=job_id)


def ended(live: LiveServer, job_id: str) -> dict[str, Any]:
    """The job, once it is over."""

    def found() -> dict[str, Any] | None:
        job = describe(live, job_id)
        return job if job["status"] in ("SUCCEEDED", "FAILED") else None

    return eventually(found, what="the training ends", seconds=50)


def objects(s3: Any, prefix: str) -> dict[str, bytes]:
    """Content of objects by what follows the prefix of their keys."""
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
    keys = [entry["Key"] for entry in listed]
    return {key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
