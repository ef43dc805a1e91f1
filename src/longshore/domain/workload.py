"""The one form of a job that execution knows, whatever form its definition has: nodes, each of them with containers."""

from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import assert_never

from longshore.domain.container import ContainerProperties, KeyValue, OwnSettings
from longshore.domain.ecs import EcsProperties, EcsTaskProperties, TaskContainerProperties
from longshore.domain.eks import EksContainer, EksPodProperties, EksProperties
from longshore.domain.job import JobSpec
from longshore.domain.pods import PodSettings, pod_container_properties, pod_settings
from longshore.domain.requirements import container_resources, pod_container_resources, resources_of
from longshore.domain.resources import Resources
from longshore.domain.training import TrainingRequest

#: Source: SageMaker API, StopTrainingJob
_TRAINING_GRACE_SECONDS = 120
#: Workloads that are kept, since each step of an attempt asks for its job's.
_MOST_KEPT = 256


class Condition(StrEnum):
    """What a container waits for another to have done. Source: AWS Batch API, TaskContainerDependency."""

    START = "START"
    COMPLETE = "COMPLETE"
    SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkContainer:
    """One container of a node."""

    name: str
    #: with the volumes of its task or pod
    properties: ContainerProperties
    resources: Resources
    #: what only Kubernetes has; None: it is of no pod
    pod: PodSettings | None = None
    #: run in place of the image's entry point, before `properties.command`; empty: the image's own
    entrypoint: tuple[str, ...] = ()
    #: names of containers listed with it, each with what it must have done before this one is launched
    depends_on: tuple[tuple[str, Condition], ...] = ()
    #: its end, however it comes, ends all other containers of the node
    ends_all: bool = True
    #: the node succeeds only if this one exits with 0
    must_succeed: bool = True
    #: between SIGTERM and SIGKILL; None: the server's setting
    stop_timeout_seconds: int | None = None
    #: from its start; others that still wait then for it to complete or succeed give up. None: they wait on
    start_timeout_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkNode:
    """One node: its containers share a host and their volumes."""

    index: int
    containers: tuple[WorkContainer, ...]
    #: what the node takes of its host
    resources: Resources

    def container(self, name: str) -> WorkContainer:
        """The container of that name."""
        return next(container for container in self.containers if container.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """All of an attempt."""

    #: by index, from 0
    nodes: tuple[WorkNode, ...]
    main_node: int = 0
    #: every node counts: the failure of one ends all, and the end of the main one does not
    needs_all_nodes: bool = False


_kept: OrderedDict[str, tuple[JobSpec, Workload]] = OrderedDict()


def workload_of(spec: JobSpec) -> Workload:
    """What each attempt of this job consists of."""
    found = _kept.get(spec.uuid)
    if found is not None and found[0] is spec:
        return found[1]
    workload = _workload(spec)
    _kept[spec.uuid] = spec, workload
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)
    return workload


def _workload(spec: JobSpec) -> Workload:
    if spec.training is not None:
        return _training(spec.training, spec.resources)
    nodes = spec.node_properties
    if nodes is None:
        form = spec.form
        assert isinstance(form, ContainerProperties | EcsProperties | EksProperties), form
        return Workload(nodes=(WorkNode(index=0, containers=_containers(form), resources=spec.resources),))
    ranges = [nodes.range_of(index) for index in range(nodes.num_nodes)]
    made = {id(each): (_containers(each.form), resources_of(each.form)) for each in ranges}
    work_nodes = (
        WorkNode(index=index, containers=made[id(each)][0], resources=made[id(each)][1])
        for index, each in enumerate(ranges)
    )
    return Workload(nodes=tuple(work_nodes), main_node=nodes.main_node)


def _training(training: TrainingRequest, resources: Resources) -> Workload:
    """A node for each instance, all alike; the first is the main one. Source: SageMaker, status of training jobs."""
    count = training.instance_count
    each = Resources(
        vcpu_milli=resources.vcpu_milli // count,
        memory_mib=resources.memory_mib // count,
        gpus=resources.gpus // count,
    )
    container = WorkContainer(
        name="algo",
        properties=ContainerProperties(
            image=training.training_image,
            command=training.command,
            environment=tuple(KeyValue(name=name, value=value) for name, value in training.environment.items()),
            job_role_arn=training.role_arn,
        ),
        resources=each,
        entrypoint=training.entrypoint,
        stop_timeout_seconds=_TRAINING_GRACE_SECONDS,
    )
    return Workload(
        nodes=tuple(WorkNode(index=index, containers=(container,), resources=each) for index in range(count)),
        needs_all_nodes=True,
    )


def _containers(form: ContainerProperties | EcsProperties | EksProperties) -> tuple[WorkContainer, ...]:
    match form:
        case ContainerProperties():
            return (WorkContainer(name="default", properties=form, resources=container_resources(form)),)
        case EcsProperties():
            return tuple(_task_container(each, form.task) for each in form.task.containers)
        case EksProperties():
            return tuple(_pod_containers(form.pod_properties))
        case _:
            assert_never(form)


def _task_container(container: TaskContainerProperties, task: EcsTaskProperties) -> WorkContainer:
    own = {field.name: getattr(container, field.name) for field in fields(OwnSettings)}
    properties = ContainerProperties(
        **own,
        image=container.image,
        command=container.command,
        environment=container.environment,
        resource_requirements=container.resource_requirements,
        volumes=task.volumes,
        job_role_arn=task.task_role_arn,
        execution_role_arn=task.execution_role_arn,
        network_configuration=task.network_configuration,
        ephemeral_storage=task.ephemeral_storage,
        runtime_platform=task.runtime_platform,
        enable_execute_command=task.enable_execute_command,
    )
    return WorkContainer(
        name=container.name or "default",
        properties=properties,
        resources=container_resources(container),
        depends_on=tuple(
            (each.container_name or "", Condition(each.condition or Condition.START)) for each in container.depends_on
        ),
        ends_all=container.essential,
        must_succeed=container.essential,
        stop_timeout_seconds=container.stop_timeout,
        start_timeout_seconds=container.start_timeout,
    )


def _pod_containers(pod: EksPodProperties) -> list[WorkContainer]:
    """Init containers run one after another, the others together when the last of them has succeeded.

    Source: Kubernetes documentation, init containers.
    """
    made: list[WorkContainer] = []
    before: tuple[tuple[str, Condition], ...] = ()
    for each in pod.init_containers:
        made.append(replace(_pod_container(each, pod), depends_on=before))
        before = ((each.name, Condition.SUCCESS),)
    made += (replace(_pod_container(each, pod), depends_on=before) for each in pod.containers)
    return made


def _pod_container(container: EksContainer, pod: EksPodProperties) -> WorkContainer:
    return WorkContainer(
        name=container.name,
        properties=pod_container_properties(container, pod),
        pod=pod_settings(container, pod),
        resources=pod_container_resources(container),
        entrypoint=container.command,
        ends_all=False,
    )
