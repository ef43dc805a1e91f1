"""Job queues: who comes first, which environments serve, and what is remembered of a queue as it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from longshore.domain.environment import ResourceStatus, State
from longshore.domain.ids import JobKey, Scope

#: The type of queues of service jobs.
SERVICE_QUEUE = "SAGEMAKER_TRAINING"


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
    #: a service environment by its key
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment on both clocks: the boot clock counts within one boot, the wall clock between boots."""

    at: datetime
    boot_id: str
    boot_seconds: float

    def seconds_since(self, earlier: "Instant") -> float:
        """How long ago `earlier` was; never negative, even if the wall clock was set back."""
        if self.boot_id == earlier.boot_id:
            return max(self.boot_seconds - earlier.boot_seconds, 0.0)
        return max((self.at - earlier.at).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareUse:
    """What a share of a queue had used at one moment."""

    scope: Scope
    queue_name: str
    share_identifier: str
    #: thousandths of a vCPU times seconds, older use counted less
    milli_seconds: float
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontJob:
    """A job near the front of its queue."""

    key: JobKey
    #: since when it has this place
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadJob:
    """A job that nothing but what it waits for keeps from starting."""

    key: JobKey
    #: why it is blocked, as AWS Batch calls it
    code: str
    since: Instant
    #: it has waited so long that callers are told the code
    is_blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFront:
    """Who comes next in a queue, and what its jobs hold."""

    scope: Scope
    name: str
    #: in the order in which they would start, the first hundred
    jobs: tuple[FrontJob, ...] = ()
    heads: tuple[HeadJob, ...] = ()
    #: thousandths of a vCPU, or of an instance, that jobs hold, by share; those without one under an empty text
    held_milli: Mapping[str, int] = field(default_factory=dict[str, int])
    active_shares: int = 0
    #: of a queue with quota shares: the first job of each share, and what its jobs hold, by unit
    share_jobs: Mapping[str, FrontJob] = field(default_factory=dict[str, FrontJob])
    share_held: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    updated_at: datetime

    @property
    def is_empty(self) -> bool:
        """Whether it tells of no job."""
        return self == QueueFront(scope=self.scope, name=self.name, updated_at=self.updated_at)
