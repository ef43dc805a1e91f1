"""What a job takes of consumable resources while it runs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableResourceRequirement:
    """So many units of one resource, which is named by its name or ARN."""

    consumable_resource: str | None = None
    quantity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableResourceProperties:
    """All that a job takes. Source: AWS Batch API, ConsumableResourceProperties."""

    consumable_resource_list: tuple[ConsumableResourceRequirement, ...] = ()
