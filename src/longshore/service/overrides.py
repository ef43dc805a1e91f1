"""What a submission makes of its definition's form: which overrides go with it, and what comes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, assert_never

from longshore.domain.container import ContainerOverrides, ContainerProperties
from longshore.domain.definition import Formed
from longshore.domain.ecs import EcsProperties, EcsPropertiesOverride, TaskContainerOverrides, TaskContainerProperties
from longshore.domain.eks import (
    EksContainer,
    EksContainerOverride,
    EksContainerResourceRequirements,
    EksMetadata,
    EksPodPropertiesOverride,
    EksProperties,
    EksPropertiesOverride,
)
from longshore.domain.errors import InvalidRequest
from longshore.domain.nodes import (
    NodeOverrides,
    NodeProperties,
    NodePropertyOverride,
    NodeRangeProperty,
    has_no_end,
    parse_targets,
)
from longshore.service.container_rules import check_environment, check_image
from longshore.service.merging import (
    merge_environment,
    override_command,
    override_requirements,
    resolve_container,
    substitute,
)
from longshore.service.node_rules import check_count, check_instance_types
from longshore.service.pod_rules import check_metadata
from longshore.service.refusals import invalid


class _Named(Protocol):
    @property
    def name(self) -> str | None: ...


Override = TypeVar("Override", bound=_Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a submission or a node range of it changes; absent and empty ones change nothing."""

    container_overrides: ContainerOverrides | None = None
    ecs_properties_override: EcsPropertiesOverride | None = None
    eks_properties_override: EksPropertiesOverride | None = None
    node_overrides: NodeOverrides | None = None


_NO_OVERRIDES = (
    None,
    ContainerOverrides(),
    EcsPropertiesOverride(),
    EksPropertiesOverride(),
    EksPropertiesOverride(pod_properties=EksPodPropertiesOverride()),
    NodeOverrides(),
)


def resolve_form(
    formed: Formed, overrides: Overrides, parameters: Mapping[str, str], *, of_node: bool = False
) -> Formed:
    """The effective form of a job or of a node range: overrides merged, parameters substituted in every command.

    Raises:
        InvalidRequest: an override does not go with the form or is malformed, or a command refers to a parameter
            that has no value.
    """
    form = formed.form
    match form:
        case ContainerProperties():
            _refuse_others(overrides, "container_overrides", "containerProperties")
            changes = overrides.container_overrides
            if changes is not None and changes.instance_type is not None and not of_node:
                raise invalid("instanceType is not applicable for a single-node job.")
            return Formed(container=resolve_container(form, changes, parameters))
        case EcsProperties():
            _refuse_others(overrides, "ecs_properties_override", "ecsProperties")
            return Formed(ecs_properties=_resolve_task(form, overrides.ecs_properties_override, parameters))
        case EksProperties():
            _refuse_others(overrides, "eks_properties_override", "eksProperties")
            return Formed(eks_properties=_resolve_pod(form, overrides.eks_properties_override, parameters))
        case NodeProperties():
            _refuse_others(overrides, "node_overrides", "nodeProperties")
            return Formed(node_properties=_resolve_nodes(form, overrides.node_overrides, parameters))
        case _:
            assert_never(form)


def _refuse_others(overrides: Overrides, allowed: str, form: str) -> None:
    members = {
        "container_overrides": "containerOverrides",
        "ecs_properties_override": "ecsPropertiesOverride",
        "eks_properties_override": "eksPropertiesOverride",
        "node_overrides": "nodeOverrides",
    }
    for attribute, member in members.items():
        if attribute == allowed or getattr(overrides, attribute) in _NO_OVERRIDES:
            continue
        if form == "eksProperties":
            raise InvalidRequest("Container overrides or node overrides should not be set for Batch on EKS jobs.")
        raise invalid(f"{member} should not be set for a job definition with {form}")


def _resolve_task(
    properties: EcsProperties, override: EcsPropertiesOverride | None, parameters: Mapping[str, str]
) -> EcsProperties:
    tasks = () if override is None else override.task_properties
    if len(tasks) > 1:
        raise invalid("taskProperties should have exactly one element")
    task = properties.task
    changes = _by_name(task.containers, tasks[0].containers if tasks else (), unnamed="default")
    containers = tuple(_resolve_member(each, changes.get(each.name), parameters) for each in task.containers)
    return EcsProperties(task_properties=(replace(task, containers=containers),))


def _by_name(containers: Sequence[_Named], overrides: Sequence[Override], *, unnamed: str) -> Mapping[str, Override]:
    """`overrides` by the names of the containers that they change; one without a name changes `unnamed`."""
    found = {each.name or unnamed: each for each in overrides}
    if len(found) < len(overrides):
        raise invalid("A container can be overridden once only")
    if missing := [name[:100] for name in found if name not in {each.name for each in containers}]:
        raise InvalidRequest(
            "Container overrides should match containers of the job definition. Non matching containers - "
            + ", ".join(missing)
        )
    return found


def _resolve_member(
    container: TaskContainerProperties, override: TaskContainerOverrides | None, parameters: Mapping[str, str]
) -> TaskContainerProperties:
    if override is None:
        return replace(container, command=substitute(container.command, parameters))
    check_environment(override.environment)
    return replace(
        container,
        command=substitute(override_command(container.command, override.command), parameters),
        environment=merge_environment(container.environment, override.environment),
        resource_requirements=override_requirements(container.resource_requirements, override.resource_requirements),
    )


def _resolve_pod(
    properties: EksProperties, override: EksPropertiesOverride | None, parameters: Mapping[str, str]
) -> EksProperties:
    pod = properties.pod_properties
    changes = (None if override is None else override.pod_properties) or EksPodPropertiesOverride()
    changed = _by_name(pod.containers, changes.containers, unnamed="Default")
    initial = _by_name(pod.init_containers, changes.init_containers, unnamed="Default")
    return EksProperties(
        pod_properties=replace(
            pod,
            containers=tuple(
                _resolve_pod_container(each, changed.get(each.name), parameters) for each in pod.containers
            ),
            init_containers=tuple(
                _resolve_pod_container(each, initial.get(each.name), parameters) for each in pod.init_containers
            ),
            metadata=_merge_metadata(pod.metadata, changes.metadata),
        )
    )


def _resolve_pod_container(
    container: EksContainer, override: EksContainerOverride | None, parameters: Mapping[str, str]
) -> EksContainer:
    override = override or EksContainerOverride()
    if override.image is not None:
        check_image(override.image)
    check_environment(override.env)
    return replace(
        container,
        image=override.image or container.image,
        command=substitute(override.command or container.command, parameters),
        args=substitute(override.args or container.args, parameters),
        env=merge_environment(container.env, override.env),
        resources=_merge_amounts(container.resources, override.resources),
    )


def _merge_amounts(
    given: EksContainerResourceRequirements | None, overriding: EksContainerResourceRequirements | None
) -> EksContainerResourceRequirements | None:
    """`given`, but for each kind of resource that `overriding` names what that says of it."""
    if given is None or overriding is None:
        return overriding or given
    named = {*overriding.limits, *overriding.requests}

    def merged(amounts: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
        return {**{name: value for name, value in amounts.items() if name not in named}, **changes}

    return EksContainerResourceRequirements(
        limits=merged(given.limits, overriding.limits), requests=merged(given.requests, overriding.requests)
    )


def _merge_metadata(given: EksMetadata | None, overriding: EksMetadata | None) -> EksMetadata | None:
    if overriding is None:
        return given
    check_metadata(overriding)
    given = given or EksMetadata()
    return EksMetadata(
        labels={**given.labels, **overriding.labels},
        annotations={**given.annotations, **overriding.annotations},
        namespace=overriding.namespace or given.namespace,
    )


def _resolve_nodes(
    properties: NodeProperties, overrides: NodeOverrides | None, parameters: Mapping[str, str]
) -> NodeProperties:
    overrides = overrides or NodeOverrides()
    changes = _by_targets(properties, overrides.node_property_overrides)
    ranges = properties.node_range_properties
    resolved = NodeProperties(
        num_nodes=properties.num_nodes if overrides.num_nodes is None else overrides.num_nodes,
        main_node=properties.main_node,
        node_range_properties=tuple(
            _resolve_range(each, changes.get(parse_targets(each.target_nodes)), parameters) for each in ranges
        ),
    )
    if overrides.num_nodes is not None:
        _check_number(resolved)
    check_instance_types(resolved)
    return resolved


def _by_targets(
    properties: NodeProperties, overrides: Sequence[NodePropertyOverride]
) -> Mapping[range, NodePropertyOverride]:
    known = {parse_targets(each.target_nodes) for each in properties.node_range_properties}
    found: dict[range, NodePropertyOverride] = {}
    unknown: list[str] = []
    for override in overrides:
        try:
            targets = parse_targets(override.target_nodes)
        except ValueError:
            targets = None
        if targets is None or targets not in known:
            unknown.append(override.target_nodes[:100])
        elif targets in found:
            raise invalid(f"Nodes {override.target_nodes} can be overridden once only")
        else:
            found[targets] = override
    if unknown:
        raise InvalidRequest(
            f"NodeOverride targets should match job definition. Non matching targets - {', '.join(unknown)}"
        )
    return found


def _resolve_range(
    each: NodeRangeProperty, override: NodePropertyOverride | None, parameters: Mapping[str, str]
) -> NodeRangeProperty:
    override = override or NodePropertyOverride(target_nodes=each.target_nodes)
    overrides = Overrides(
        container_overrides=override.container_overrides,
        ecs_properties_override=override.ecs_properties_override,
        eks_properties_override=override.eks_properties_override,
    )
    given = Formed(container=each.container, ecs_properties=each.ecs_properties, eks_properties=each.eks_properties)
    resolved = resolve_form(given, overrides, parameters, of_node=True)
    return replace(
        each,
        container=resolved.container,
        ecs_properties=resolved.ecs_properties,
        eks_properties=resolved.eks_properties,
        instance_types=override.instance_types or each.instance_types,
        consumable_resource_properties=override.consumable_resource_properties_override
        or each.consumable_resource_properties,
    )


def _check_number(properties: NodeProperties) -> None:
    """Raises InvalidRequest for a number of nodes that the ranges of the definition cannot be stretched to."""
    check_count(properties.num_nodes)
    ranges = [parse_targets(each.target_nodes) for each in properties.node_range_properties]
    if not any(map(has_no_end, ranges)):
        raise invalid("numNodes can be overridden only where a node range has an open upper boundary")
    if max(each.start for each in ranges) >= properties.num_nodes:
        raise invalid("The lower boundaries of the node ranges should be fewer than the overriding numNodes")
    if properties.main_node >= properties.num_nodes:
        raise invalid("mainNode should be fewer than the overriding numNodes")
