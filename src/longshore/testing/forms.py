"""Makes jobs of several containers and of several nodes for tests."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from longshore.domain.container import ContainerProperties, ResourceRequirement
from longshore.domain.definition import Form, JobDefinition
from longshore.domain.ecs import EcsProperties, EcsTaskProperties, TaskContainerDependency, TaskContainerProperties
from longshore.domain.eks import EksContainer, EksContainerResourceRequirements, EksPodProperties, EksProperties
from longshore.domain.job import JobSpec
from longshore.domain.nodes import NodeProperties, NodeRangeProperty
from longshore.domain.requirements import resources_of
from longshore.domain.resources import Resources
from longshore.domain.training import InstanceGroup, TrainingRequest
from longshore.testing.builders import A_SMALL_SHARE, a_container, a_definition, a_job_spec

NOTHING: Mapping[str, str] = {}


def a_task_container(
    name: str,
    *command: str,
    essential: bool = True,
    depends_on: Mapping[str, str] = NOTHING,
    resources: Resources = A_SMALL_SHARE,
    **settings: Any,
) -> TaskContainerProperties:
    """A container of a task; `depends_on`: container name to condition."""
    return TaskContainerProperties(
        name=name,
        image="busybox",
        command=command or ("true",),
        essential=essential,
        depends_on=tuple(TaskContainerDependency(container_name=n, condition=c) for n, c in depends_on.items()),
        resource_requirements=_requirements(resources),
        **settings,
    )


def a_training_spec(*, instances: int = 1, max_runtime_seconds: int | None = None, **values: Any) -> JobSpec:
    """A service job on so many small instances."""
    group = InstanceGroup(name="", instance_type="ml.m5.large", instance_count=instances)
    training = TrainingRequest(
        payload="{}",
        training_job_name="training",
        training_image="busybox",
        role_arn="arn:aws:iam::000000000000:role/training",
        output_uri="s3://bucket/prefix",
        instance_groups=(group,),
        max_runtime_seconds=max_runtime_seconds,
    )
    each = A_SMALL_SHARE
    resources = Resources(vcpu_milli=each.vcpu_milli * instances, memory_mib=each.memory_mib * instances)
    spec = a_job_spec(**values)
    return replace(spec, container=None, definition="", training=training, resources=resources)


def _requirements(resources: Resources) -> tuple[ResourceRequirement, ...]:
    return a_container(resources=resources).resource_requirements


def a_task(*containers: TaskContainerProperties, **settings: Any) -> EcsProperties:
    """A task of these."""
    return EcsProperties(task_properties=(EcsTaskProperties(containers=containers, **settings),))


def a_pod_container(
    name: str, *args: str, resources: Resources = A_SMALL_SHARE, entrypoint: tuple[str, ...] = (), **settings: Any
) -> EksContainer:
    """A container of a pod."""
    amounts = {"cpu": f"{resources.vcpu_milli / 1000:g}", "memory": f"{resources.memory_mib}Mi"}
    if resources.gpus:
        amounts["nvidia.com/gpu"] = str(resources.gpus)
    return EksContainer(
        name=name,
        image="busybox",
        command=entrypoint,
        args=args or ("true",),
        resources=EksContainerResourceRequirements(limits=amounts),
        **settings,
    )


def a_pod(*containers: EksContainer, inits: tuple[EksContainer, ...] = (), **settings: Any) -> EksProperties:
    """A pod of these."""
    return EksProperties(pod_properties=EksPodProperties(containers=containers, init_containers=inits, **settings))


def some_nodes(count: int, form: ContainerProperties | EcsProperties | None = None, *, main: int = 0) -> NodeProperties:
    """So many nodes of one form; by default one container each."""
    form = form or a_container()
    of_all = NodeRangeProperty(
        target_nodes=":",
        container=form if isinstance(form, ContainerProperties) else None,
        ecs_properties=form if isinstance(form, EcsProperties) else None,
    )
    return NodeProperties(num_nodes=count, main_node=main, node_range_properties=(of_all,))


_MEMBERS: Mapping[type[Form], str] = {
    ContainerProperties: "container",
    EcsProperties: "ecs_properties",
    EksProperties: "eks_properties",
    NodeProperties: "node_properties",
}


def formed_spec(form: Form, key: int = 1, **spec: Any) -> JobSpec:
    """What was submitted, in this form."""
    formed: dict[str, Any] = {"container": None, _MEMBERS[type(form)]: form}
    return replace(a_job_spec(key, resources=resources_of(form), **spec), **formed)


def formed_definition(form: Form, name: str = "definition") -> JobDefinition:
    """A definition of this form."""
    formed: dict[str, Any] = {"container": None, _MEMBERS[type(form)]: form}
    type_ = "multinode" if isinstance(form, NodeProperties) else "container"
    return replace(a_definition(name), type=type_, **formed)
