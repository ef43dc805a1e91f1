"""What a job asks for: amounts as their platform takes them, and the pairs that Fargate offers."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import assert_never

from longshore.domain.container import ContainerProperties
from longshore.domain.definition import Form
from longshore.domain.ecs import EcsProperties, TaskContainerProperties
from longshore.domain.eks import EksContainer, EksContainerResourceRequirements, EksProperties
from longshore.domain.nodes import NodeProperties
from longshore.domain.requirements import pod_container_resources, resources_of
from longshore.domain.resources import Resources
from longshore.service.refusals import invalid

_WHOLE = re.compile(r"[0-9]{1,9}")
_FRACTION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_LEAST_MEMORY_MIB = 4
_CPU, _MEMORY, _GPU = "cpu", "memory", "nvidia.com/gpu"
#: What a container of a pod may ask for.
_POD_AMOUNTS = {
    _CPU: _FRACTION,
    _MEMORY: re.compile("[0-9]{1,9}Mi"),
    _GPU: re.compile("[1-9][0-9]{0,8}"),
}

#: Thousandths of a vCPU to the MiB that go with them. Source: AWS Batch API, ResourceRequirement.
_FARGATE_PAIRS: Mapping[int, Sequence[int]] = {
    250: (512, 1024, 2048),
    500: range(1024, 4096 + 1, 1024),
    1000: range(2048, 8192 + 1, 1024),
    2000: range(4096, 16384 + 1, 1024),
    4000: range(8192, 30720 + 1, 1024),
    8000: range(16384, 61440 + 1, 4096),
    16000: range(32768, 122880 + 1, 8192),
}


def resolve_resources(form: Form, *, fargate: bool) -> Resources:
    """What a job of this form holds.

    Raises:
        InvalidRequest: vCPU or memory is missing or given twice, a value is malformed, or Fargate has no such pair.
    """
    match form:
        case ContainerProperties():
            _check_container(form, fargate=fargate)
        case EcsProperties():
            for container in form.task.containers:
                _check_container(container, fargate=fargate)
        case EksProperties():
            for container in form.pod_properties.containers:
                _check_pod_container(container, needed=True)
            for container in form.pod_properties.init_containers:
                _check_pod_container(container, needed=False)
        case NodeProperties():
            for each in form.node_range_properties:
                resolve_resources(each.form, fargate=False)
        case _:
            assert_never(form)
    resources = resources_of(form)
    if fargate:
        _check_fargate_pair(resources.vcpu_milli, resources.memory_mib)
    return resources


def _check_container(container: ContainerProperties | TaskContainerProperties, *, fargate: bool) -> None:
    values: dict[str, str] = {}
    for requirement in container.resource_requirements:
        if requirement.type in values:
            raise invalid(f"resourceRequirements hold {requirement.type} more than once")
        values[requirement.type] = requirement.value
    vcpus, memory = None, None
    if isinstance(container, ContainerProperties):
        vcpus, memory = container.vcpus, container.memory
    _check_vcpu(values.get("VCPU"), vcpus, fargate=fargate)
    _check_memory(values.get("MEMORY"), memory, fargate=fargate)
    if "GPU" in values:
        _whole(values["GPU"], "GPU")
        if fargate:
            raise invalid("GPU is not applicable for Fargate.")


def _check_vcpu(value: str | None, deprecated: int | None, *, fargate: bool) -> None:
    if deprecated is not None:
        if fargate:
            raise invalid("vcpus is not applicable for Fargate.")
        if value is not None:
            raise invalid("vCPU cannot be specified in both vcpus and resourceRequirements.")
        if deprecated < 1:
            raise invalid("vcpus should be at least 1.")
    elif value is None:
        raise invalid("vCPU is not provided.")
    elif not fargate:
        _whole(value, "VCPU")
    elif not _FRACTION.fullmatch(value):
        raise _malformed(value, "VCPU")


def _check_memory(value: str | None, deprecated: int | None, *, fargate: bool) -> None:
    if deprecated is not None:
        if fargate:
            raise invalid("memory is not applicable for Fargate.")
        if value is not None:
            raise invalid("Memory cannot be specified in both memory and resourceRequirements.")
        memory_mib = deprecated
    elif value is None:
        raise invalid("Memory is not provided.")
    else:
        memory_mib = _whole(value, "MEMORY")
    if memory_mib < _LEAST_MEMORY_MIB:
        raise invalid(f"Memory should be at least {_LEAST_MEMORY_MIB} MiB.")


def _check_pod_container(container: EksContainer, *, needed: bool) -> None:
    """With `needed`, cpu and memory have to be given. Source: AWS Batch API, EksContainerResourceRequirements."""
    resources = container.resources or EksContainerResourceRequirements()
    limits, requests = resources.limits, resources.requests
    for name, value in (*limits.items(), *requests.items()):
        pattern = _POD_AMOUNTS.get(name)
        if pattern is None:
            raise invalid(f"Resources of a container are {', '.join(_POD_AMOUNTS)}, not {name[:100]}")
        if not pattern.fullmatch(value):
            raise invalid(f"Value {value[:100]} for {name} in resources of container {container.name} is not valid.")
    for name in (_MEMORY, _GPU):
        if name in limits and requests.get(name, limits[name]) != limits[name]:
            raise invalid(f"{name} in limits should be equal to {name} in requests.")
    if _CPU in limits and _CPU in requests and Decimal(limits[_CPU]) < Decimal(requests[_CPU]):
        raise invalid("cpu in limits should be at least cpu in requests.")
    amounts = pod_container_resources(container)
    given = {*limits, *requests}
    if needed and _CPU not in given:
        raise invalid("vCPU is not provided.")
    if needed and _MEMORY not in given:
        raise invalid("Memory is not provided.")
    if _CPU in given and (not amounts.vcpu_milli or amounts.vcpu_milli % 250):
        raise invalid("cpu should be a multiple of 0.25.")
    if _MEMORY in given and amounts.memory_mib < _LEAST_MEMORY_MIB:
        raise invalid(f"Memory should be at least {_LEAST_MEMORY_MIB} MiB.")


def _whole(value: str, kind: str) -> int:
    if not _WHOLE.fullmatch(value) or int(value) < 1:
        raise _malformed(value, kind)
    return int(value)


def _malformed(value: str, kind: str) -> Exception:
    return invalid(
        f"Value {value[:100]} for type {kind} in resourceRequirement is not valid. Please provide a numeric value."
    )


def _check_fargate_pair(vcpu_milli: int, memory_mib: int) -> None:
    vcpus = f"{vcpu_milli / 1000:.2f} vCPU"
    if vcpu_milli not in _FARGATE_PAIRS:
        raise invalid(f"Fargate resource requirements ({vcpus}) not valid")
    if memory_mib not in _FARGATE_PAIRS[vcpu_milli]:
        raise invalid(f"Fargate resource requirements ({vcpus}, {memory_mib} MiB) not valid.")
