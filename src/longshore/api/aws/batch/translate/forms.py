"""The forms of a job on the wire, as definitions and jobs show them."""

from dataclasses import replace
from typing import TypeVar

from longshore.domain.container import ContainerProperties
from longshore.domain.ecs import EcsProperties, TaskContainerProperties
from longshore.domain.nodes import NodeProperties, NodeRangeProperty

Container = TypeVar("Container", ContainerProperties, TaskContainerProperties)


def shown_container(container: Container) -> Container:
    """The container as it is shown: variables with an empty value are left out, as AWS Batch does."""
    if all(variable.value for variable in container.environment):
        return container
    return replace(container, environment=tuple(variable for variable in container.environment if variable.value))


def shown_task(properties: EcsProperties) -> EcsProperties:
    """The task with its containers as they are shown."""
    containers = tuple(map(shown_container, properties.task.containers))
    return EcsProperties(task_properties=(replace(properties.task, containers=containers),))


def shown_nodes(properties: NodeProperties) -> NodeProperties:
    """The nodes with their containers as they are shown."""
    return replace(properties, node_range_properties=tuple(map(_shown_range, properties.node_range_properties)))


def _shown_range(each: NodeRangeProperty) -> NodeRangeProperty:
    if each.container is not None:
        return replace(each, container=shown_container(each.container))
    if each.ecs_properties is not None:
        return replace(each, ecs_properties=shown_task(each.ecs_properties))
    return each
