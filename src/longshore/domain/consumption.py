"""What jobs take of consumable resources, by name. Forms that are given here were checked when they came in."""

from collections import Counter

from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.ids import Scope, resource_name
from longshore.domain.job import JobSpec

_KIND = "consumable-resource"


def consumables_of(spec: JobSpec) -> tuple[tuple[str, int], ...]:
    """Names and quantities that an attempt holds, in order; of a job of several nodes those of all together."""
    if spec.consumable_resource_properties is None and spec.node_properties is None:
        return ()
    amounts = _amounts(spec.consumable_resource_properties, spec.scope)
    if spec.node_properties is not None:
        for index in range(spec.node_properties.num_nodes):
            amounts += _amounts(spec.node_properties.range_of(index).consumable_resource_properties, spec.scope)
    return tuple(sorted((name, quantity) for name, quantity in amounts.items() if quantity))


def _amounts(properties: ConsumableResourceProperties | None, scope: Scope) -> Counter[str]:
    amounts = Counter[str]()
    for requirement in () if properties is None else properties.consumable_resource_list:
        name = resource_name(requirement.consumable_resource or "", _KIND, scope)
        if name is not None:
            amounts[name] += requirement.quantity or 0
    return amounts
