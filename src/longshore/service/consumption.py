"""Rules on what jobs take of consumable resources. Source: AWS Batch API, ConsumableResourceProperties."""

from collections.abc import Iterator

from longshore.domain.consumable import ConsumableResourceProperties, ConsumableResourceRequirement
from longshore.domain.ids import Scope, resource_name
from longshore.domain.job import JobSpec
from longshore.ports.store import ResourceReader
from longshore.service.consumables import MOST_QUANTITY, find_consumable
from longshore.service.refusals import invalid

_MOST = 5


def check_consumption(properties: ConsumableResourceProperties | None) -> None:
    """Raises InvalidRequest for requirements that are malformed or too many."""
    requirements = () if properties is None else properties.consumable_resource_list
    if len(requirements) > _MOST:
        raise invalid(f"consumableResourceList cannot have more than {_MOST} entries, got {len(requirements)}")
    for each in requirements:
        if not each.consumable_resource:
            raise invalid("Each entry of consumableResourceList needs a consumableResource")
        if each.quantity is None or not 0 <= each.quantity <= MOST_QUANTITY:
            name = each.consumable_resource[:300]
            raise invalid(f"The quantity of consumable resource {name} should be between 0 and {MOST_QUANTITY}")
    names = [each.consumable_resource for each in requirements]
    if len(set(names)) < len(names):
        raise invalid("A consumable resource can be in consumableResourceList once only")


def resolve_consumption(
    given: ConsumableResourceProperties | None, override: ConsumableResourceProperties | None, scope: Scope
) -> ConsumableResourceProperties | None:
    """What a job takes: quantities of `override` in the places of those of the definition, further ones behind.

    Raises:
        InvalidRequest: an override is malformed, or there would be too many.
    """
    if override is None or not override.consumable_resource_list:
        return given
    check_consumption(override)
    merged: dict[str | None, ConsumableResourceRequirement] = {}
    for each in _requirements(given, override):
        name = resource_name(each.consumable_resource or "", "consumable-resource", scope)
        merged[name if name is not None else each.consumable_resource] = each
    resolved = ConsumableResourceProperties(consumable_resource_list=tuple(merged.values()))
    check_consumption(resolved)
    return resolved


def check_known(reader: ResourceReader, spec: JobSpec) -> None:
    """Look at all that a job takes, its nodes included.

    Raises:
        InvalidRequest: a requirement is malformed.
        NotFound: a consumable resource does not exist.
    """
    nodes = () if spec.node_properties is None else spec.node_properties.node_range_properties
    groups = (spec.consumable_resource_properties, *(node.consumable_resource_properties for node in nodes))
    for group in groups:
        check_consumption(group)
    for each in _requirements(*groups):
        find_consumable(reader, spec.scope, each.consumable_resource or "")


def _requirements(*groups: ConsumableResourceProperties | None) -> Iterator[ConsumableResourceRequirement]:
    for group in groups:
        yield from () if group is None else group.consumable_resource_list
