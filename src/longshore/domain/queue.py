"""Job queues: who comes first, and which environments serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from longshore.domain.environment import ResourceStatus, State
from longshore.domain.ids import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTimeLimitAction:
    """What happens to a job that waits at the head for one reason too long."""

    reason: str
    state: str
    max_time_seconds: int
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentOrder:
    """One environment of a queue; lower order is tried first."""

    order: int
    environment_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQueue:
    """One job queue of a scope."""

    scope: Scope
    name: str
    state: State
    status: ResourceStatus
    status_reason: str = ""
    #: higher runs first
    priority: int
    environments: tuple[EnvironmentOrder, ...]
    queue_type: str = "ECS"
    scheduling_policy_arn: str | None = None
    time_limit_actions: tuple[StateTimeLimitAction, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("job-queue", self.name)

    @property
    def environment_names(self) -> tuple[str, ...]:
        """Names of its environments in the order they are tried."""
        return tuple(entry.environment_name for entry in sorted(self.environments, key=lambda e: e.order))
