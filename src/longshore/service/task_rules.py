"""Rules on jobs of several containers. Source: AWS Batch API, EcsTaskProperties and TaskContainerProperties."""

import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from longshore.domain.ecs import EcsProperties, EcsTaskProperties, TaskContainerProperties
from longshore.service.container_rules import Task, check_task
from longshore.service.refusals import invalid

_MOST_CONTAINERS = 10
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_CONDITIONS = ("START", "COMPLETE", "SUCCESS")
_IPC_MODES = (None, "host", "task", "none")
_PID_MODES = (None, "host", "task")
_LEAST_SECONDS, _MOST_SECONDS_ON_FARGATE = 2, 120


def check_ecs(properties: EcsProperties, *, fargate: bool, managed_instances: bool = False) -> None:
    """Raises InvalidRequest for a task that neither EC2 nor, with `fargate`, Fargate could be given.

    `managed_instances`: it is for ECS Managed Instances alone.
    """
    if len(properties.task_properties) != 1:
        raise invalid("taskProperties should have exactly one element")
    task = properties.task
    if not 1 <= len(task.containers) <= _MOST_CONTAINERS:
        raise invalid(f"A task should have between 1 and {_MOST_CONTAINERS} containers, got {len(task.containers)}")
    containers = _by_name(task.containers)
    if not any(container.essential for container in task.containers):
        raise invalid("A task should have at least one essential container")
    for container in task.containers:
        _check_dependencies(container, containers)
        _check_seconds("startTimeout", container.start_timeout, fargate=fargate)
        _check_seconds("stopTimeout", container.stop_timeout, fargate=fargate)
    _check_order(task.containers)
    _check_modes(task)
    if not managed_instances and task.network_mode is not None:
        raise invalid(f"networkMode is not applicable for {'Fargate' if fargate else 'EC2'}.")
    check_task(_shared(task), fargate=fargate)


def _by_name(containers: Sequence[TaskContainerProperties]) -> Mapping[str, TaskContainerProperties]:
    found: dict[str, TaskContainerProperties] = {}
    for container in containers:
        if not _NAME.fullmatch(container.name):
            raise invalid("Containers need a name of 1 to 255 letters, digits, hyphens and underscores")
        if container.name in found:
            raise invalid(f"Container names should be unique, got {container.name} more than once")
        found[container.name] = container
    return found


def _check_dependencies(container: TaskContainerProperties, containers: Mapping[str, TaskContainerProperties]) -> None:
    for dependency in container.depends_on:
        name = dependency.container_name
        if not name or name not in containers:
            raise invalid(f"Container {container.name} depends on an unknown container {(name or '')[:100]}")
        if dependency.condition not in _CONDITIONS:
            raise invalid(f"The condition of dependsOn should be one of {', '.join(_CONDITIONS)}")
        if dependency.condition != "START" and containers[name].essential:
            raise invalid(f"The condition {dependency.condition} cannot be set on the essential container {name}")


def _check_order(containers: Sequence[TaskContainerProperties]) -> None:
    """Raises InvalidRequest where containers wait for each other in a circle, or for themselves."""
    graph = {each.name: [str(dependency.container_name) for dependency in each.depends_on] for each in containers}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise invalid(f"Containers depend on each other in a circle: {' -> '.join(error.args[1])}") from None


def _check_seconds(member: str, seconds: int | None, *, fargate: bool) -> None:
    if seconds is None:
        return
    if seconds < _LEAST_SECONDS:
        raise invalid(f"{member} should be at least {_LEAST_SECONDS}, got {seconds}")
    if fargate and seconds > _MOST_SECONDS_ON_FARGATE:
        raise invalid(f"{member} should be at most {_MOST_SECONDS_ON_FARGATE} for Fargate, got {seconds}")


def _check_modes(task: EcsTaskProperties) -> None:
    if task.ipc_mode not in _IPC_MODES:
        raise invalid(f"ipcMode should be host, task or none, got {task.ipc_mode[:100]}")
    if task.pid_mode not in _PID_MODES:
        raise invalid(f"pidMode should be host or task, got {task.pid_mode[:100]}")
    if task.network_mode not in (None, "host"):
        raise invalid(f"networkMode should be host, got {task.network_mode[:100]}")


def _shared(task: EcsTaskProperties) -> Task:
    return Task(
        containers=task.containers,
        volumes=task.volumes,
        has_role=task.task_role_arn is not None,
        execution_role_arn=task.execution_role_arn,
        platform_version=task.platform_version,
        network_configuration=task.network_configuration,
        ephemeral_storage=task.ephemeral_storage,
        runtime_platform=task.runtime_platform,
        not_on_ec2=() if task.platform_version is None else ("platformVersion",),
    )
