"""What an attempt at a job, a node or a container came to, by the names that ECS and Kubernetes would give it."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

import msgspec

from longshore.api.aws.batch.translate.forms import shown_container, shown_task
from longshore.api.aws.batch.translate.shapes import Same, milliseconds_given, render
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.container import ContainerProperties
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksContainer, EksProperties
from longshore.domain.environment import cluster_name
from longshore.domain.ids import HostId, task_id
from longshore.domain.job import Attempt, JobSpec, Part
from longshore.domain.lifecycle.reasons import instance_id
from longshore.ports.store import JobView
from longshore.service.log_streams import keeps_output, log_stream

_FARGATE = ("FARGATE",)


def render_container(
    container: ContainerProperties, run: wire.AttemptContainerDetail | None, memory_mib: int | None = None
) -> wire.ContainerDetail:
    """The container's configuration, and what its latest attempt made of it. An array parent has only the first.

    `memory_mib` is in place of what it asked for.
    """
    asked = _render_asked(Same(container))
    if memory_mib is not None:
        asked = _with_memory(asked, memory_mib)
    if run is None:
        return asked
    return msgspec.structs.replace(
        asked,
        exit_code=run.exit_code,
        reason=run.reason,
        container_instance_arn=run.container_instance_arn,
        task_arn=run.task_arn,
        log_stream_name=run.log_stream_name,
        network_interfaces=run.network_interfaces,
    )


def _with_memory(detail: wire.ContainerDetail, memory_mib: int) -> wire.ContainerDetail:
    """The memory stands where the definition has it."""
    given = detail.resource_requirements or ()
    if not any(each.type == "MEMORY" for each in given):
        return msgspec.structs.replace(detail, memory=memory_mib)
    value = str(memory_mib)
    changed = [msgspec.structs.replace(each, value=value) if each.type == "MEMORY" else each for each in given]
    return msgspec.structs.replace(detail, resource_requirements=changed)


@lru_cache(maxsize=1024)
def _render_asked(same: Same[ContainerProperties]) -> wire.ContainerDetail:
    """What is the same for all children of an array job."""
    detail = render(shown_container(same.record), wire.ContainerDetail)
    return msgspec.structs.replace(detail, network_interfaces=())


def render_task(view: JobView, properties: EcsProperties) -> wire.EcsPropertiesDetail:
    """The task's configuration, and what the latest attempt made of it and of each container."""
    task = render(shown_task(properties).task, wire.EcsTaskDetails)
    latest = view.attempts[-1] if view.attempts else None
    parts = _parts(latest)
    containers = [
        msgspec.structs.replace(container, network_interfaces=())
        if latest is None or part is None
        else msgspec.structs.replace(
            container,
            exit_code=part.exit_code,
            reason=part.reason or None,
            log_stream_name=_log_stream(view.job.spec, latest, part),
            network_interfaces=_network_interfaces(part),
        )
        for container in task.containers or ()
        for part in (parts.get(container.name or ""),)
    ]
    task = msgspec.structs.replace(task, containers=containers)
    if latest is not None:
        host, arn = _places(view, latest)
        task = msgspec.structs.replace(task, container_instance_arn=host, task_arn=arn)
    return wire.EcsPropertiesDetail(task_properties=[task])


def render_pod(view: JobView, properties: EksProperties) -> wire.EksPropertiesDetail:
    """The pod's configuration, and what the latest attempt made of it and of each container."""
    given = properties.pod_properties
    latest = view.attempts[-1] if view.attempts else None
    parts = _parts(latest)

    def detail(container: EksContainer) -> wire.EksContainerDetail:
        part = parts.get(container.name)
        shown = render(container, wire.EksContainerDetail)
        if part is None:
            return shown
        return msgspec.structs.replace(shown, exit_code=part.exit_code, reason=part.reason or None)

    pod = msgspec.structs.replace(
        render(given, wire.EksPodPropertiesDetail),
        containers=list(map(detail, given.containers)),
        init_containers=list(map(detail, given.init_containers)),
    )
    if latest is not None:
        pod = msgspec.structs.replace(pod, pod_name=_pod_name(view, latest), node_name=_node_name(view, latest))
    return wire.EksPropertiesDetail(pod_properties=pod)


def render_attempt(attempt: Attempt, run: wire.AttemptContainerDetail) -> wire.AttemptDetail:
    """An attempt at a container that ended."""
    return wire.AttemptDetail(
        container=run,
        started_at=milliseconds_given(attempt.started_at),
        stopped_at=milliseconds_given(attempt.stopped_at),
        status_reason=attempt.status_reason or None,
    )


def render_task_attempt(view: JobView, attempt: Attempt) -> wire.AttemptDetail:
    """An attempt at several containers that ended."""
    host, arn = _places(view, attempt)
    containers = [
        wire.AttemptTaskContainerDetails(
            exit_code=part.exit_code,
            name=part.container,
            reason=part.reason or None,
            log_stream_name=_log_stream(view.job.spec, attempt, part),
            network_interfaces=_network_interfaces(part),
        )
        for part in attempt.parts
    ]
    return wire.AttemptDetail(
        started_at=milliseconds_given(attempt.started_at),
        stopped_at=milliseconds_given(attempt.stopped_at),
        status_reason=attempt.status_reason or None,
        task_properties=[wire.AttemptEcsTaskDetails(container_instance_arn=host, task_arn=arn, containers=containers)],
    )


def render_pod_attempt(view: JobView, attempt: Attempt, properties: EksProperties) -> wire.EksAttemptDetail:
    """An attempt at a pod that ended."""
    pod = properties.pod_properties
    parts = _parts(attempt)

    def details(containers: tuple[EksContainer, ...]) -> list[wire.EksAttemptContainerDetail]:
        found = [parts[container.name] for container in containers if container.name in parts]
        return [
            wire.EksAttemptContainerDetail(
                name=part.container, container_id=part.attempt_id, exit_code=part.exit_code, reason=part.reason or None
            )
            for part in found
        ]

    return wire.EksAttemptDetail(
        containers=details(pod.containers),
        init_containers=details(pod.init_containers),
        pod_name=_pod_name(view, attempt),
        pod_namespace=None if pod.metadata is None else pod.metadata.namespace,
        eks_cluster_arn=view.cluster_arns.get(attempt.environment_name),
        node_name=_node_name(view, attempt),
        started_at=milliseconds_given(attempt.started_at),
        stopped_at=milliseconds_given(attempt.stopped_at),
        status_reason=attempt.status_reason or None,
    )


def render_run(view: JobView, attempt: Attempt) -> wire.AttemptContainerDetail:
    """One run of a container."""
    host, arn = _places(view, attempt)
    part = attempt.parts[0] if attempt.parts else None
    return wire.AttemptContainerDetail(
        container_instance_arn=host,
        task_arn=arn,
        exit_code=attempt.exit_code,
        reason=attempt.reason or None,
        log_stream_name=_log_stream(view.job.spec, attempt, part),
        network_interfaces=() if part is None else _network_interfaces(part),
    )


def _parts(attempt: Attempt | None) -> Mapping[str, Part]:
    """The containers of an attempt, by their names."""
    return {} if attempt is None else {part.container: part for part in attempt.parts}


def _places(view: JobView, attempt: Attempt) -> tuple[str | None, str]:
    """ARNs of the container instance, which Fargate does not show, and of the task."""
    scope = view.job.spec.scope
    cluster = _cluster(scope, attempt.environment_name)
    ecs = f"arn:aws:ecs:{scope.region}:{scope.account_id}"
    task = f"{ecs}:task/{cluster}/{task_id(attempt.attempt_id, view.node or 0)}"
    if view.job.spec.platform_capabilities == _FARGATE:
        return None, task
    return f"{ecs}:container-instance/{cluster}/{_container_instance(cluster, attempt.host_id)}", task


_cluster = lru_cache(maxsize=1024)(cluster_name)


@lru_cache(maxsize=4096)
def _container_instance(cluster: str, host_id: HostId) -> str:
    """Always the same 32 hex digits for one host in one cluster."""
    return blake2b(f"{cluster}/{host_id}".encode(), digest_size=16).hexdigest()


def _log_stream(spec: JobSpec, attempt: Attempt, part: Part | None) -> str | None:
    if (part or attempt).started_at is None or not keeps_output(spec, part):
        return None
    return log_stream(spec, attempt.attempt_id, part)[1]


def _network_interfaces(part: Part) -> list[wire.NetworkInterface]:
    if not part.address:
        return []
    attachment = str(UUID(hex=part.attempt_id))
    return [wire.NetworkInterface(attachment_id=attachment, private_ipv4_address=part.address)]


def _pod_name(view: JobView, attempt: Attempt) -> str:
    return f"aws-batch.{UUID(hex=task_id(attempt.attempt_id, view.node or 0))}"


def _node_name(view: JobView, attempt: Attempt) -> str:
    """As EC2 names hosts by their instance ids."""
    return f"{instance_id(attempt.host_id)}.{view.job.spec.scope.region}.compute.internal"
