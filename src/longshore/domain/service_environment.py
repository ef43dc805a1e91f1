"""Service environments: how many instances service jobs may hold together. Source: AWS Batch API, CapacityLimit."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from longshore.domain.environment import ComputeEnvironment, ResourceStatus, State
from longshore.domain.ids import Scope

#: The unit that counts instances of all types; any other unit is the instance type that it counts.
NUM_INSTANCES = "NUM_INSTANCES"
KIND = "service-environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityLimit:
    """How much of one unit there is."""

    max_capacity: int
    capacity_unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironment:
    """One service environment of a scope."""

    scope: Scope
    name: str
    type: str
    state: State
    status: ResourceStatus
    status_reason: str = ""
    #: `process`, `docker`, ...: resolved when the environment was created and kept
    engine: str
    capacity_limits: tuple[CapacityLimit, ...]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn(KIND, self.name)

    @property
    def is_fargate(self) -> bool:
        """Never: vCPU is a weight."""
        return False

    @property
    def accepts_jobs(self) -> bool:
        """Whether new jobs may be placed on it."""
        return self.state == "ENABLED" and self.status in ("VALID", "UPDATING")

    @property
    def limits(self) -> Mapping[str, int]:
        """How much there is, by unit."""
        return {limit.capacity_unit: limit.max_capacity for limit in self.capacity_limits}


#: What jobs are placed on.
Environment = ComputeEnvironment | ServiceEnvironment


def service_environment_key(name: str) -> str:
    """The name under which queues and attempts know a service environment; no compute environment can have it."""
    return f"{KIND}/{name}"


def service_environment_name(key: str) -> str | None:
    """Inverse of `service_environment_key`; None for the name of a compute environment."""
    kind, slash, name = key.partition("/")
    return name if slash and kind == KIND else None


def demand_on(units: Collection[str], instances: Collection[tuple[str, int]]) -> Mapping[str, int]:
    """What instances, given as types and counts, take of an environment with limits in these units."""
    if NUM_INSTANCES in units:
        return {NUM_INSTANCES: sum(count for _, count in instances)}
    demand: dict[str, int] = {}
    for kind, count in instances:
        demand[kind] = demand.get(kind, 0) + count
    return demand
