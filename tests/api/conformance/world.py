"""A region of its own on the server for each question: what requests refer to is made when it is first needed."""

import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from tests.api.conformance.wire import DEADLINE_SECONDS, Reply, Wire

_REGIONS = itertools.count()
SMALL = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
ON_EC2: Mapping[str, Any] = {
    "type": "EC2",
    "minvCpus": 0,
    "maxvCpus": 8,
    "instanceTypes": ["optimal"],
    "instanceRole": "ecsInstanceRole",
    "subnets": ["subnet-1"],
    "securityGroupIds": ["sg-1"],
}
#: Of an environment of an EKS cluster.
FOR_PODS: Mapping[str, Any] = {
    "type": "MANAGED",
    "computeResources": {**ON_EC2, "allocationStrategy": "BEST_FIT_PROGRESSIVE"},
    "eksConfiguration": {
        "eksClusterArn": "arn:aws:eks:us-east-1:000000000000:cluster/cluster",
        "kubernetesNamespace": "batch-jobs",
    },
}
ON_FARGATE: Mapping[str, Any] = {
    "type": "FARGATE",
    "maxvCpus": 4,
    "subnets": ["subnet-1"],
    "securityGroupIds": ["sg-1"],
}
MANAGED_INSTANCES: Mapping[str, Any] = {
    "type": "ECS_MANAGED_INSTANCES",
    "maxvCpus": 8,
    "managedInstancesProvider": {
        "propagateTags": "CAPACITY_PROVIDER",
        "infrastructureRoleArn": "arn:aws:iam::000000000000:role/infrastructure",
        "instanceLaunchTemplate": {
            "ec2InstanceProfileArn": "arn:aws:iam::000000000000:instance-profile/batch",
            "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
            "instanceRequirements": {"allowedInstanceTypes": ["c6i.*"]},
            "capacityOptionType": "SPOT",
            "storageConfiguration": {"storageSizeGiB": 50},
            "monitoring": "DETAILED",
            "fipsEnabled": True,
            "capacityReservations": {
                "reservationGroupArn": "arn:aws:resource-groups:us-east-1:000000000000:group/one",
                "reservationPreference": "RESERVATIONS_FIRST",
            },
            "instanceMetadataTagsPropagation": True,
            "localStorageConfiguration": {"useLocalStorage": True},
        },
        "infrastructureOptimization": {"scaleInAfter": 120},
    },
    "capacityTags": {"capacity": "tag"},
}
#: A folder of the machine that trainings may store to; none of these leaves anything.
OPEN_FOLDER = "/var/tmp"
TRAINING = json.dumps(
    {
        "TrainingJobName": "train",
        "RoleArn": "arn:aws:iam::000000000000:role/train",
        "AlgorithmSpecification": {"TrainingImage": "busybox", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/prefix"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
)


#: What is told to change or go does so later; the listing that shows it, and the member of its answer.
_LISTED = {
    "JobQueue": ("DescribeJobQueues", "jobQueues"),
    "ComputeEnvironment": ("DescribeComputeEnvironments", "computeEnvironments"),
    "ServiceEnvironment": ("DescribeServiceEnvironments", "serviceEnvironments"),
}


class Unmet(AssertionError):
    """What a request refers to could not be made."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.operation}: {reply.status} {reply.message}")
        self.reply = reply


@dataclass(kw_only=True)
class World:
    """Names and ARNs of what is there; no job of it ever runs, so that answers stay what they are."""

    wire: Wire
    region: str = field(default_factory=lambda: f"conformance-{next(_REGIONS)}")
    job_ids: list[str] = field(default_factory=list[str])
    service_job_ids: list[str] = field(default_factory=list[str])
    #: All that was answered.
    replies: list[Reply] = field(default_factory=list[Reply])
    #: Whether jobs that are to end must end; otherwise they are given a second.
    is_patient: bool = True
    #: Whether nothing at all is waited for.
    is_hasty: bool = False

    def ask(self, operation: str, members: Any) -> Reply:
        reply = self.wire.ask(operation, members, region=self.region)
        self.replies.append(reply)
        if reply.status == 200 and operation == "SubmitJob":
            self.job_ids.append(reply.body["jobId"])
        if reply.status == 200 and operation == "SubmitServiceJob":
            self.service_job_ids.append(reply.body["jobId"])
        return reply

    def make(self, operation: str, /, **members: Any) -> Any:
        """The answer of a request that must be carried out. Raises Unmet."""
        reply = self.ask(operation, members)
        if reply.status != 200:
            raise Unmet(reply)
        return reply.body

    def settle(self, operation: str = "") -> None:
        """All jobs have come as far as they will: RUNNABLE or PENDING, or their end after `operation`."""
        if self.is_hasty:
            return
        is_ending = operation.startswith(("Cancel", "Terminate"))
        settled = ("FAILED",) if is_ending else ("PENDING", "RUNNABLE", "FAILED")
        deadline = time.monotonic() + (DEADLINE_SECONDS if self.is_patient or not is_ending else 1)
        while any(job["status"] not in settled for job in self.jobs):
            if time.monotonic() > deadline:
                assert not self.is_patient, self.jobs
                return
            time.sleep(0.02)

    def settle_change(self, operation: str) -> None:
        """What `operation` told to change has changed, or is gone: what later requests meet does not hang on time."""
        kind = operation.removeprefix("Update").removeprefix("Delete")
        if kind == operation or kind not in _LISTED:
            return
        listing, member = _LISTED[kind]
        deadline = time.monotonic() + DEADLINE_SECONDS
        while changing := [each for each in self.make(listing)[member] if each["status"] in ("UPDATING", "DELETING")]:
            assert time.monotonic() < deadline, changing
            time.sleep(0.01)

    def leave(self) -> None:
        """Queues with their jobs, and environments, are gone: the server's work is by what is there."""
        for kind, (listing, member) in _LISTED.items():
            name = kind[0].lower() + kind[1:]
            for each in self.make(listing)[member]:
                for operation, members in ((f"Update{kind}", {"state": "DISABLED"}), (f"Delete{kind}", {})):
                    reply = self.ask(operation, {name: each[f"{name}Name"], **members})
                    assert reply.status == 200, (operation, each, reply.message)
                    self.settle_change(operation)

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """All that were submitted, as they are described."""
        plain = self.make("DescribeJobs", jobs=self.job_ids)["jobs"] if self.job_ids else []
        return plain + [self.make("DescribeServiceJob", jobId=each) for each in self.service_job_ids]

    def arn(self, kind: str, resource: str) -> str:
        return f"arn:aws:batch:{self.region}:000000000000:{kind}/{resource}"

    @cached_property
    def environment(self) -> str:
        self.make("CreateComputeEnvironment", computeEnvironmentName="here", type="UNMANAGED", state="DISABLED")
        return "here"

    @cached_property
    def managed(self) -> str:
        resources = {**ON_EC2, "allocationStrategy": "BEST_FIT_PROGRESSIVE", "minvCpus": 1, "desiredvCpus": 2}
        self.make(
            "CreateComputeEnvironment",
            computeEnvironmentName="managed",
            type="MANAGED",
            serviceRole="role",
            computeResources=resources,
        )
        return "managed"

    @cached_property
    def fargate(self) -> str:
        self.make(
            "CreateComputeEnvironment",
            computeEnvironmentName="fargate",
            type="MANAGED",
            state="DISABLED",
            computeResources=ON_FARGATE,
        )
        return "fargate"

    def order(self, environment: str) -> list[dict[str, Any]]:
        return [{"order": 1, "computeEnvironment": environment}]

    @cached_property
    def queue(self) -> str:
        self.make(
            "CreateJobQueue", jobQueueName="queue", priority=1, computeEnvironmentOrder=self.order(self.environment)
        )
        return "queue"

    @cached_property
    def eks(self) -> str:
        self.make("CreateComputeEnvironment", computeEnvironmentName="eks", state="DISABLED", **FOR_PODS)
        return "eks"

    @cached_property
    def pod_queue(self) -> str:
        self.make("CreateJobQueue", jobQueueName="pods", priority=1, computeEnvironmentOrder=self.order(self.eks))
        return "pods"

    @cached_property
    def managed_instances(self) -> str:
        self.make(
            "CreateComputeEnvironment",
            computeEnvironmentName="managed-instances",
            type="MANAGED",
            computeResources=MANAGED_INSTANCES,
        )
        return "managed-instances"

    @cached_property
    def policy(self) -> str:
        answer = self.make("CreateSchedulingPolicy", name="policy", fairsharePolicy={"shareDecaySeconds": 600})
        return str(answer["arn"])

    @cached_property
    def shared_queue(self) -> str:
        self.make(
            "CreateJobQueue",
            jobQueueName="shared",
            priority=1,
            computeEnvironmentOrder=self.order(self.environment),
            schedulingPolicyArn=self.policy,
        )
        return "shared"

    @cached_property
    def consumable(self) -> str:
        self.make("CreateConsumableResource", consumableResourceName="licence", totalQuantity=5)
        return "licence"

    @cached_property
    def service_environment(self) -> str:
        self.make(
            "CreateServiceEnvironment",
            serviceEnvironmentName="service",
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=[{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}],
            state="DISABLED",
        )
        return "service"

    @cached_property
    def service_queue(self) -> str:
        self.make(
            "CreateJobQueue",
            jobQueueName="training",
            priority=1,
            jobQueueType="SAGEMAKER_TRAINING",
            serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": self.service_environment}],
        )
        return "training"

    @cached_property
    def quota_queue(self) -> str:
        policy = self.make(
            "CreateSchedulingPolicy", name="quota", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
        )
        self.make(
            "CreateServiceEnvironment",
            serviceEnvironmentName="typed",
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=[{"maxCapacity": 4, "capacityUnit": "ml.m5.large"}],
            state="DISABLED",
        )
        self.make(
            "CreateJobQueue",
            jobQueueName="quotas",
            priority=1,
            jobQueueType="SAGEMAKER_TRAINING",
            schedulingPolicyArn=policy["arn"],
            serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "typed"}],
        )
        return "quotas"

    @cached_property
    def quota_share(self) -> str:
        answer = self.make(
            "CreateQuotaShare",
            quotaShareName="share",
            jobQueue=self.quota_queue,
            capacityLimits=[{"maxCapacity": 2, "capacityUnit": "ml.m5.large"}],
            resourceSharingConfiguration={"strategy": "LEND_AND_BORROW"},
            preemptionConfiguration={"inSharePreemption": "DISABLED"},
            state="DISABLED",
        )
        return str(answer["quotaShareArn"])

    def register(self, name: str, **members: Any) -> str:
        """The ARN of a new definition, by default of a plain container."""
        if not members.keys() & {"containerProperties", "ecsProperties", "eksProperties", "nodeProperties"}:
            members["containerProperties"] = {"image": "busybox", "command": ["true"], "resourceRequirements": SMALL}
        members = {"type": "container", **members}
        return str(self.make("RegisterJobDefinition", jobDefinitionName=name, **members)["jobDefinitionArn"])

    @cached_property
    def definition(self) -> str:
        return self.register("definition")

    def submit(self, name: str, **members: Any) -> str:
        members = {"jobQueue": members.pop("jobQueue", None) or self.queue, **members}
        members.setdefault("jobDefinition", self.definition)
        return str(self.make("SubmitJob", jobName=name, **members)["jobId"])

    @cached_property
    def job(self) -> str:
        return self.submit("waiting")

    @cached_property
    def array(self) -> str:
        return self.submit("array", arrayProperties={"size": 2})

    def submit_service_job(self, name: str, **members: Any) -> str:
        members = {"serviceRequestPayload": TRAINING, "serviceJobType": "SAGEMAKER_TRAINING", **members}
        members = {"jobQueue": members.pop("jobQueue", None) or self.service_queue, **members}
        answer = self.make("SubmitServiceJob", jobName=name, **members)
        return str(answer["jobId"])

    @cached_property
    def service_job(self) -> str:
        return self.submit_service_job("service-job")


Build: TypeAlias = Callable[[World], dict[str, Any]]
#: Operation to requests that are carried out; together they hold every member that means something.
EXAMPLES: dict[str, list[Build]] = {}


def example(operation: str) -> Callable[[Build], Build]:
    """The function makes a request of `operation` that is carried out in the world that it is given."""

    def register(build: Build) -> Build:
        EXAMPLES.setdefault(operation, []).append(build)
        return build

    return register
