"""What jobs ask for, as amounts. Forms that are given here were checked when they came in."""

from collections.abc import Iterable
from typing import assert_never

from longshore.domain.container import ContainerProperties, EphemeralStorage
from longshore.domain.definition import Form
from longshore.domain.ecs import EcsProperties, TaskContainerProperties
from longshore.domain.eks import EksContainer, EksPodProperties, EksProperties
from longshore.domain.nodes import NodeProperties
from longshore.domain.resources import Resources


def resources_of(form: Form) -> Resources:
    """What a job holds while it runs: of several containers the sum, of several nodes all together."""
    match form:
        case ContainerProperties():
            return container_resources(form) + _scratch(form.ephemeral_storage)
        case EcsProperties():
            return _sum(map(container_resources, form.task.containers)) + _scratch(form.task.ephemeral_storage)
        case EksProperties():
            return _pod_resources(form.pod_properties)
        case NodeProperties():
            return _sum(resources_of(form.range_of(index).form) for index in range(form.num_nodes))
        case _:
            assert_never(form)


def _scratch(storage: EphemeralStorage | None) -> Resources:
    return Resources(scratch_mib=0 if storage is None else storage.size_in_gib * 1024)


def container_resources(container: ContainerProperties | TaskContainerProperties) -> Resources:
    """What one container asks for; scratch disk is its task's."""
    amounts = {requirement.type: requirement.value for requirement in container.resource_requirements}
    if isinstance(container, ContainerProperties):
        if container.vcpus is not None:
            amounts.setdefault("VCPU", str(container.vcpus))
        if container.memory is not None:
            amounts.setdefault("MEMORY", str(container.memory))
    return Resources(
        vcpu_milli=_milli(amounts.get("VCPU", "0")),
        memory_mib=int(amounts.get("MEMORY", "0")),
        gpus=int(amounts.get("GPU", "0")),
    )


def pod_container_resources(container: EksContainer) -> Resources:
    """What one container of a pod asks for: its requests, or where there are none its limits."""
    if container.resources is None:
        return Resources()
    amounts = {**container.resources.limits, **container.resources.requests}
    return Resources(
        vcpu_milli=_milli(amounts.get("cpu", "0")),
        memory_mib=int(amounts.get("memory", "0").removesuffix("Mi")),
        gpus=int(amounts.get("nvidia.com/gpu", "0")),
    )


def _pod_resources(pod: EksPodProperties) -> Resources:
    """The containers' sum, or more where an init container, which runs before them, asks for more."""
    amounts = _sum(map(pod_container_resources, pod.containers))
    for each in map(pod_container_resources, pod.init_containers):
        amounts |= each
    return amounts


def _sum(amounts: Iterable[Resources]) -> Resources:
    return sum(amounts, Resources())


def _milli(text: str) -> int:
    """Thousandths of a decimal number, which has at most three places."""
    whole, _, places = text.partition(".")
    return int(whole or "0") * 1000 + int(places.ljust(3, "0"))
