"""A client of AWS Batch for tests, and what stands behind the service that it asks."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from longshore.domain.ids import Scope
from longshore.ports.store import Reader, Transaction
from longshore.store.sqlite import InlineStore
from longshore.testing.clock import VirtualClock

T = TypeVar("T")

ACCOUNT, REGION = "111122223333", "eu-west-3"
#: what the clock of a fresh service shows, in milliseconds
NOW_MS = 1_767_225_600_000
SMALL = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}]


async def choose_process() -> str:
    """The engine of environments that name none."""
    return "process"


@dataclass(kw_only=True)
class CountingNotifier:
    """Notes how often the control loop would have been woken."""

    count: int = 0

    def notify(self) -> None:
        self.count += 1


@dataclass(kw_only=True)
class Batch:
    """A client of a fresh service, and what stands behind that service."""

    client: Any
    store: InlineStore
    #: stands still at 2026-01-01, so that `createdAt` is `NOW_MS` until a test moves it
    clock: VirtualClock
    notifier: CountingNotifier = field(default_factory=CountingNotifier)

    scope = Scope(account_id=ACCOUNT, region=REGION)

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        """`batch.submit_job(...)` is the client's answer without what is only transport."""
        call = getattr(self.client, operation)

        def answer(**members: Any) -> dict[str, Any]:
            received = call(**members)
            del received["ResponseMetadata"]
            return received

        return answer

    def refusal(self, operation: str, /, **members: Any) -> str:
        """The text of the ClientException that the call ends with; wrapped texts as `W: <text>`."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**members)
        response = caught.value.response
        assert response["Error"]["Code"] == "ClientException"
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
        request_id = re.escape(response["ResponseMetadata"]["RequestId"])
        wrapped = f"Error executing request, Exception : (.*), RequestId: {request_id}"
        return re.sub(wrapped, r"W: \1", response["message"], flags=re.DOTALL)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do to the store what the control loop would do."""
        return asyncio.run(self.store.write(work))

    def read(self, work: Callable[[Reader], T]) -> T:
        return asyncio.run(self.store.read(work))

    def arn(self, kind: str, resource: str) -> str:
        return f"arn:aws:batch:{REGION}:{ACCOUNT}:{kind}/{resource}"

    def environment(self, name: str = "ce", **members: Any) -> str:
        self.create_compute_environment(computeEnvironmentName=name, type="UNMANAGED", **members)
        return name

    def fargate_environment(self, name: str = "fargate") -> str:
        resources = {"type": "FARGATE", "maxvCpus": 16, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}
        self.create_compute_environment(computeEnvironmentName=name, type="MANAGED", computeResources=resources)
        return name

    def eks_environment(self, name: str = "eks", **members: Any) -> str:
        """One of an EKS cluster, for pods."""
        resources = {
            "type": "EC2",
            "allocationStrategy": "BEST_FIT_PROGRESSIVE",
            "minvCpus": 0,
            "maxvCpus": 16,
            "instanceTypes": ["m5"],
            "instanceRole": "role",
            "subnets": ["subnet-1"],
            "securityGroupIds": ["sg-1"],
        }
        cluster = {
            "eksClusterArn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/one",
            "kubernetesNamespace": "batch-jobs",
        }
        given = {"computeResources": resources, "eksConfiguration": cluster, **members}
        self.create_compute_environment(computeEnvironmentName=name, type="MANAGED", **given)
        return name

    def queue(self, name: str = "queue", *environments: str, **members: Any) -> str:
        """A queue on `environments`, by default a new one named `ce`."""
        order = [
            {"order": order, "computeEnvironment": each}
            for order, each in enumerate(environments or (self.environment(),), 1)
        ]
        self.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order, **members)
        return name

    def definition(self, name: str = "definition", *, container: dict[str, Any] | None = None, **members: Any) -> str:
        properties = {"image": "busybox", "command": ["true"], "resourceRequirements": SMALL, **(container or {})}
        answer = self.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=properties, **members
        )
        return answer["jobDefinitionArn"]

    def submit(self, name: str = "job", *, queue: str = "queue", definition: str = "definition", **members: Any) -> str:
        return self.submit_job(jobName=name, jobQueue=queue, jobDefinition=definition, **members)["jobId"]

    def as_submitted(self, job_id: str, definition: str, **form: Any) -> dict[str, Any]:
        """What is told of `job` in `queue` that nothing has happened to, when only its form was asked for."""
        return {
            "jobArn": self.arn("job", job_id),
            "jobName": "job",
            "jobId": job_id,
            "jobQueue": self.arn("job-queue", "queue"),
            "status": "SUBMITTED",
            "attempts": [],
            "createdAt": NOW_MS,
            "retryStrategy": {"attempts": 1, "evaluateOnExit": []},
            "dependsOn": [],
            "jobDefinition": self.arn("job-definition", definition),
            "parameters": {},
            "tags": {},
            "propagateTags": False,
            "platformCapabilities": [],
            "eksAttempts": [],
            "isCancelled": False,
            "isTerminated": False,
            **form,
        }

    def job(self, job_id: str) -> dict[str, Any]:
        (described,) = self.describe_jobs(jobs=[job_id])["jobs"]
        return described
