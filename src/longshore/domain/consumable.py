"""Consumable resources: what jobs take while they run beside parts of hosts, like licences, and what there is of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from longshore.domain.ids import Scope

ResourceType = Literal["REPLENISHABLE", "NON_REPLENISHABLE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableResourceRequirement:
    """So many units of one resource, which is named by its name or ARN."""

    consumable_resource: str | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableResourceProperties:
    """All that a job takes. Source: AWS Batch API, ConsumableResourceProperties."""

    consumable_resource_list: tuple[ConsumableResourceRequirement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableResource:
    """One consumable resource of a scope."""

    scope: Scope
    name: str
    resource_type: ResourceType = "REPLENISHABLE"
    #: as it was last set
    quantity: int
    #: of a NON_REPLENISHABLE one: what attempts that ran have used up since then
    used_up: int = 0
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("consumable-resource", self.name)

    @property
    def total(self) -> int:
        """What there is of it, held by jobs or not."""
        return max(self.quantity - self.used_up, 0)
