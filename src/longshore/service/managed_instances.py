"""Rules on capacity of the type ECS_MANAGED_INSTANCES. Source: AWS Batch API, ManagedInstancesProvider.

Here it is the machine that is there, as for the other types: what is said of instances is checked, stored and shown.
"""

from collections.abc import Mapping
from typing import Any

from longshore.service.refusals import invalid

PROVIDER = "managedInstancesProvider"
#: Members of computeResources that go with this type alone.
OWN_MEMBERS = (PROVIDER, "capacityTags")
_TEMPLATE = "instanceLaunchTemplate"
_LONGEST_IDLE_SECONDS = 3600


def check_managed_instances(resources: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for instances that Amazon ECS would not manage."""
    provider = resources.get(PROVIDER)
    if provider is None:
        raise invalid(f"{PROVIDER} is required for ECS_MANAGED_INSTANCES.")
    template = provider[_TEMPLATE]
    reservations = template.get("capacityReservations", {})
    _check_word(provider, "propagateTags", "CAPACITY_PROVIDER", "NONE")
    _check_word(template, "capacityOptionType", "ON_DEMAND", "SPOT")
    _check_word(template, "monitoring", "BASIC", "DETAILED")
    _check_word(
        *(reservations, "reservationPreference", "RESERVATIONS_ONLY", "RESERVATIONS_FIRST", "RESERVATIONS_EXCLUDED")
    )
    for member in ("subnets", "securityGroups"):
        if not template["networkConfiguration"][member]:
            raise invalid(f"networkConfiguration needs at least one entry in {member}.")
    if template.get("storageConfiguration", {}).get("storageSizeGiB", 1) < 1:
        raise invalid("storageSizeGiB should be at least 1.")
    idle = provider.get("infrastructureOptimization", {}).get("scaleInAfter", 0)
    if not -1 <= idle <= _LONGEST_IDLE_SECONDS:
        raise invalid(f"scaleInAfter should be -1 or between 0 and {_LONGEST_IDLE_SECONDS}, got {idle}")


def merge_provider(provider: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`provider` after an update; members that `changes` does not hold stay, those of the launch template, too."""
    merged = {**provider, **changes}
    if _TEMPLATE in changes:
        merged[_TEMPLATE] = {**provider[_TEMPLATE], **changes[_TEMPLATE]}
    return merged


def _check_word(where: Mapping[str, Any], member: str, *words: str) -> None:
    if where.get(member, words[0]) not in words:
        raise invalid(f"{member} should be one of {', '.join(words)}, got {where[member][:100]}")
