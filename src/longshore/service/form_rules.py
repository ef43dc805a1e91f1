"""Rules on what a job definition may be as a whole: its type, its one form, and the platform that is to run it."""

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from longshore.domain.container import ContainerProperties, FargatePlatformConfiguration
from longshore.domain.definition import Form, Formed
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksProperties
from longshore.domain.errors import InvalidRequest
from longshore.domain.nodes import NodeProperties
from longshore.service.container_rules import check_container
from longshore.service.node_rules import check_nodes
from longshore.service.pod_rules import check_pod
from longshore.service.refusals import invalid
from longshore.service.requirements import resolve_resources
from longshore.service.task_rules import check_ecs


def check_form(
    formed: Formed, kind: Literal["container", "multinode"], *, capabilities: Collection[str], propagates_tags: bool
) -> None:
    """Raises InvalidRequest unless `formed` has the one form that a definition of type `kind` needs, in all its parts.

    `capabilities` are the platforms that the definition names, and `propagates_tags` is whether it says anything of
    the propagation of tags: pods know of neither.
    """
    managed_instances = "MANAGED_INSTANCES" in capabilities
    if managed_instances and kind == "container" and formed.ecs_properties is None:
        raise invalid("Job definitions with the platform capability MANAGED_INSTANCES should have ecsProperties.")
    fargate = "FARGATE" in capabilities
    match _only_form(formed, kind):
        case ContainerProperties() as container:
            check_container(container, fargate=fargate)
        case EcsProperties() as ecs:
            check_ecs(ecs, fargate=fargate, managed_instances=managed_instances and len(capabilities) == 1)
        case EksProperties() as eks:
            check_pod(eks.pod_properties)
        case NodeProperties() as nodes:
            for capability, name in (("FARGATE", "Fargate"), ("MANAGED_INSTANCES", "Managed Instances")):
                if capability in capabilities:
                    raise invalid(f"Multi-node parallel jobs are not applicable for {name}.")
            check_nodes(nodes)
    if formed.runs_pods:
        if capabilities:
            raise invalid("platformCapabilities should not be set for a job definition with eksProperties")
        if propagates_tags:
            raise invalid("propagateTags should not be set for a job definition with eksProperties")
    resolve_resources(formed.form, fargate=fargate)


def _only_form(formed: Formed, kind: Literal["container", "multinode"]) -> Form:
    forms = {
        "containerProperties": formed.container,
        "ecsProperties": formed.ecs_properties,
        "eksProperties": formed.eks_properties,
        "nodeProperties": formed.node_properties,
    }
    given = [name for name, form in forms.items() if form is not None]
    if kind == "multinode" and formed.node_properties is None:
        raise InvalidRequest("Node properties should not be empty")
    if not given or (kind == "container" and given == ["nodeProperties"]):
        raise InvalidRequest("Container properties should not be empty")
    if len(given) > 1:
        raise invalid(f"A job definition can have only one of {', '.join(given)}")
    return formed.form


def completed(formed: Formed, *, fargate: bool) -> Formed:
    """`formed` as it is kept: with Fargate's newest platform where none is named."""
    latest = "LATEST"
    if not fargate:
        return formed
    if formed.container is not None:
        platform = formed.container.fargate_platform_configuration
        if platform is None or platform.platform_version is None:
            named = FargatePlatformConfiguration(platform_version=latest)
            return Formed(container=replace(formed.container, fargate_platform_configuration=named))
    elif formed.ecs_properties is not None and formed.ecs_properties.task.platform_version is None:
        task = replace(formed.ecs_properties.task, platform_version=latest)
        return Formed(ecs_properties=EcsProperties(task_properties=(task,)))
    return formed
