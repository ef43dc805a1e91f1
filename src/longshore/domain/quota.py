"""Quota shares: virtual queues within a queue, each with capacity of its own that it may lend and borrow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from longshore.domain.environment import State
from longshore.domain.ids import Scope
from longshore.domain.resources import Resources

#: Source: AWS Batch API, QuotaShareResourceSharingConfiguration.strategy.
SharingStrategy = Literal["RESERVE", "LEND", "LEND_AND_BORROW"]
#: Source: AWS Batch API, QuotaShareStatus.
QuotaShareStatus = Literal["CREATING", "VALID", "INVALID", "UPDATING", "DELETING"]

#: A borrow limit that sets none. Source: AWS Batch API, borrowLimit.
UNLIMITED = -1
_ARN_PART = "/quota-share/"

#: What ordinary jobs are counted in, by the names of resource requirements; memory in MiB.
VCPU, MEMORY, GPU = "VCPU", "MEMORY", "GPU"
RESOURCE_UNITS = frozenset((VCPU, MEMORY, GPU))


def parts_of(unit: str) -> int:
    """How many parts of a unit amounts are counted in where they are compared: vCPU in thousandths."""
    return 1000 if unit == VCPU else 1


def counted(resources: Resources) -> Mapping[str, int]:
    """Resources in parts of the units that quota shares of ordinary jobs have limits in, without what is zero."""
    amounts = {VCPU: resources.vcpu_milli, MEMORY: resources.memory_mib, GPU: resources.gpus}
    return {unit: amount for unit, amount in amounts.items() if amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaLimit:
    """How much of one unit of capacity a share has without borrowing."""

    max_capacity: int
    capacity_unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSharing:
    """What a share does with capacity that is idle, its own and that of others."""

    strategy: SharingStrategy
    #: percent of its own limits; None: not given, which is `UNLIMITED` for those that borrow
    borrow_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaPreemption:
    """Whether jobs of a share make room for others of it with a higher priority."""

    in_share_preemption: Literal["ENABLED", "DISABLED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShare:
    """One quota share of a job queue."""

    scope: Scope
    queue_name: str
    share_name: str
    state: State
    status: QuotaShareStatus
    capacity_limits: tuple[QuotaLimit, ...]
    resource_sharing_configuration: ResourceSharing
    preemption_configuration: QuotaPreemption
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime

    @property
    def name(self) -> str:
        """Under which it is stored: no other share of the scope has the same."""
        return stored_name(self.queue_name, self.share_name)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("job-queue", f"{self.queue_name}{_ARN_PART}{self.share_name}")

    @property
    def queue_arn(self) -> str:
        """The ARN of its queue."""
        return self.scope.arn("job-queue", self.queue_name)

    @property
    def limits(self) -> Mapping[str, int]:
        """What it has of each unit without borrowing."""
        return {limit.capacity_unit: limit.max_capacity for limit in self.capacity_limits}

    @property
    def borrow_percent(self) -> int | None:
        """How much it may borrow, in percent of its limits; None: there is no limit to that."""
        sharing = self.resource_sharing_configuration
        if sharing.strategy != "LEND_AND_BORROW":
            return 0
        return None if sharing.borrow_limit in (None, UNLIMITED) else sharing.borrow_limit


def stored_name(queue_name: str, share_name: str) -> str:
    """`QuotaShare.name`; the shares of one queue come one after another, since no name holds a slash."""
    return f"{queue_name}/{share_name}"


def share_in_arn(resource: str) -> tuple[str, str] | None:
    """The names of queue and share in the resource of a job queue's ARN; None where it names the queue itself."""
    queue_name, mark, share_name = resource.partition(_ARN_PART)
    return (queue_name, share_name) if mark else None
