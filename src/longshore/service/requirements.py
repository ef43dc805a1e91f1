"""What a container asks for: the values of VCPU, MEMORY and GPU, and the pairs that Fargate offers."""

import re
from collections.abc import Mapping, Sequence

from longshore.domain.container import ContainerProperties
from longshore.domain.resources import Resources
from longshore.service.refusals import invalid

_WHOLE = re.compile(r"[0-9]{1,9}")
_FRACTION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?")
_LEAST_MEMORY_MIB = 4

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


def resolve_resources(container: ContainerProperties, *, fargate: bool) -> Resources:
    """What `container` asks for.

    Raises:
        InvalidRequest: vCPU or memory is missing or given twice, a value is malformed, or Fargate has no such pair.
    """
    values: dict[str, str] = {}
    for requirement in container.resource_requirements:
        if requirement.type in values:
            raise invalid(f"resourceRequirements hold {requirement.type} more than once")
        values[requirement.type] = requirement.value
    vcpu_milli = _vcpu_milli(values.get("VCPU"), container.vcpus, fargate=fargate)
    memory_mib = _memory_mib(values.get("MEMORY"), container.memory, fargate=fargate)
    gpus = _whole(values["GPU"], "GPU") if "GPU" in values else 0
    if fargate:
        if gpus:
            raise invalid("GPU is not applicable for Fargate.")
        _check_fargate_pair(vcpu_milli, memory_mib)
    return Resources(vcpu_milli=vcpu_milli, memory_mib=memory_mib, gpus=gpus)


def _vcpu_milli(value: str | None, deprecated: int | None, *, fargate: bool) -> int:
    if deprecated is not None:
        if fargate:
            raise invalid("vcpus is not applicable for Fargate.")
        if value is not None:
            raise invalid("vCPU cannot be specified in both vcpus and resourceRequirements.")
        if deprecated < 1:
            raise invalid("vcpus should be at least 1.")
        return deprecated * 1000
    if value is None:
        raise invalid("vCPU is not provided.")
    if not fargate:
        return _whole(value, "VCPU") * 1000
    if not _FRACTION.fullmatch(value):
        raise _malformed(value, "VCPU")
    whole, _, fraction = value.partition(".")
    return int(whole) * 1000 + int(fraction.ljust(3, "0"))


def _memory_mib(value: str | None, deprecated: int | None, *, fargate: bool) -> int:
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
    return memory_mib


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
