"""Compute environments: where jobs may run, and how much of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from longshore.domain.ids import Scope

State = Literal["ENABLED", "DISABLED"]
#: Of compute environments and job queues. Source: AWS Batch API, CEStatus and JQStatus.
ResourceStatus = Literal["CREATING", "UPDATING", "DELETING", "DELETED", "VALID", "INVALID"]

FARGATE_TYPES = frozenset({"FARGATE", "FARGATE_SPOT"})
MANAGED_INSTANCES = "ECS_MANAGED_INSTANCES"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeEnvironment:
    """One compute environment of a scope."""

    scope: Scope
    name: str
    uuid: str
    type: Literal["MANAGED", "UNMANAGED"]
    state: State
    status: ResourceStatus
    status_reason: str = ""
    #: `process`, `docker`, ...: resolved when the environment was created and kept
    engine: str
    #: EC2, SPOT, FARGATE, FARGATE_SPOT, ECS_MANAGED_INSTANCES; None when unmanaged
    resource_type: str | None = None
    #: None: no cap but the hosts'
    max_vcpus: int | None = None
    #: members that are stored and shown as they were given (`computeResources`, `serviceRole`, ...), by wire name
    document: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("compute-environment", self.name)

    @property
    def is_fargate(self) -> bool:
        """Whether vCPU is a cap and the Fargate rules hold."""
        return self.resource_type in FARGATE_TYPES

    @property
    def reservable_vcpus(self) -> int:
        """What fair-share reservations are a part of. Source: AWS Batch API, maxvCpus and unmanagedvCpus."""
        return int(self.document.get("unmanagedvCpus", 0)) if self.max_vcpus is None else self.max_vcpus

    @property
    def runs_pods(self) -> bool:
        """Whether it belongs to an EKS cluster, and takes pods alone."""
        return "eksConfiguration" in self.document

    @property
    def eks_cluster_arn(self) -> str | None:
        """Of the EKS cluster that it belongs to, if it does."""
        configuration = self.document.get("eksConfiguration")
        return None if configuration is None else configuration["eksClusterArn"]

    @property
    def queue_type(self) -> str:
        """The type of the job queues that it can serve. Source: AWS Batch API, JobQueueType."""
        if self.runs_pods:
            return "EKS"
        if self.resource_type == MANAGED_INSTANCES:
            return MANAGED_INSTANCES
        return "ECS_FARGATE" if self.is_fargate else "ECS"

    @property
    def runs_gangs(self) -> bool:
        """Whether jobs of several nodes may be placed on it. Source: AWS Batch user guide, MNP environments."""
        return self.resource_type == "EC2"

    @property
    def accepts_jobs(self) -> bool:
        """Whether new jobs may be placed on it."""
        return self.state == "ENABLED" and self.status in ("VALID", "UPDATING")


def cluster_name(scope: Scope, environment_name: str) -> str:
    """Name of the ECS-style cluster in ARNs of tasks and hosts; derived, so that history outlives environments."""
    return f"AWSBatch-{environment_name}-{uuid5(NAMESPACE_URL, scope.arn('compute-environment', environment_name))}"
