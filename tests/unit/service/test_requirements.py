"""What a container asks for, in numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.container import ContainerProperties, ResourceRequirement
from longshore.domain.errors import InvalidRequest
from longshore.domain.resources import Resources
from longshore.service.requirements import resolve_resources


def asking(*, vcpus: int | None = None, memory: int | None = None, **values: str) -> ContainerProperties:
    requirements = tuple(ResourceRequirement(type=kind, value=value) for kind, value in values.items())
    return ContainerProperties(image="busybox", resource_requirements=requirements, vcpus=vcpus, memory=memory)


@given(st.integers(1, 10_000), st.integers(4, 10**9 - 1), st.integers(1, 100))
def test_both_forms_mean_the_same_on_ec2(vcpus: int, memory: int, gpus: int) -> None:
    wanted = Resources(vcpu_milli=vcpus * 1000, memory_mib=memory, gpus=gpus)
    new = asking(VCPU=str(vcpus), MEMORY=str(memory), GPU=str(gpus))
    mixed = asking(vcpus=vcpus, MEMORY=str(memory), GPU=str(gpus))
    old = asking(vcpus=vcpus, memory=memory, GPU=str(gpus))
    assert [resolve_resources(each, fargate=False) for each in (new, mixed, old)] == [wanted] * 3


@pytest.mark.parametrize("value", ["1.0", "0.5", "0", "-1", "", " 1", "1e3", "one", "²", "9" * 10])
@pytest.mark.parametrize("kind", ["VCPU", "MEMORY", "GPU"])
def test_values_are_whole_numbers_on_ec2(kind: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        resolve_resources(asking(**({"VCPU": "1", "MEMORY": "128"} | {kind: value})), fargate=False)
    assert refusal.value.wrapped
    assert refusal.value.message == (
        f"Value {value} for type {kind} in resourceRequirement is not valid. Please provide a numeric value."
    )


@pytest.mark.parametrize(
    ("vcpu", "memory"),
    [("0.25", 512), ("0.25", 2048), ("0.5", 3072), ("1", 2048), ("1.0", 8192), ("2", 16384), ("4.00", 30720)]
    + [("8", 16384), ("8", 20480), ("16", 122880)],
)
def test_pairs_of_fargate(vcpu: str, memory: int) -> None:
    found = resolve_resources(asking(VCPU=vcpu, MEMORY=str(memory)), fargate=True)
    assert found == Resources(vcpu_milli=int(float(vcpu) * 1000), memory_mib=memory)


@pytest.mark.parametrize(
    ("vcpu", "memory", "text"),
    [
        ("0.25", "4096", "Fargate resource requirements (0.25 vCPU, 4096 MiB) not valid."),
        ("2.00", "1024", "Fargate resource requirements (2.00 vCPU, 1024 MiB) not valid."),
        ("8", "17408", "Fargate resource requirements (8.00 vCPU, 17408 MiB) not valid."),
        ("1.25", "2048", "Fargate resource requirements (1.25 vCPU) not valid"),
        ("x", "2048", "Value x for type VCPU in resourceRequirement is not valid. Please provide a numeric value."),
    ],
)
def test_other_pairs_are_refused(vcpu: str, memory: str, text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        resolve_resources(asking(VCPU=vcpu, MEMORY=memory), fargate=True)
    assert refusal.value.message == text


@pytest.mark.parametrize(
    ("container", "text"),
    [
        (asking(VCPU="1", MEMORY="2048", GPU="1"), "GPU is not applicable for Fargate."),
        (asking(vcpus=1, MEMORY="2048"), "vcpus is not applicable for Fargate."),
        (asking(VCPU="1", memory=2048), "memory is not applicable for Fargate."),
    ],
)
def test_fargate_knows_neither_gpus_nor_the_old_form(container: ContainerProperties, text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        resolve_resources(container, fargate=True)
    assert refusal.value.message == text


@pytest.mark.parametrize(
    ("container", "text"),
    [
        (asking(), "vCPU is not provided."),
        (asking(VCPU="1"), "Memory is not provided."),
        (asking(VCPU="1", MEMORY="3"), "Memory should be at least 4 MiB."),
        (asking(VCPU="1", memory=3), "Memory should be at least 4 MiB."),
        (asking(vcpus=0, memory=4), "vcpus should be at least 1."),
        (asking(VCPU="1", vcpus=1), "vCPU cannot be specified in both vcpus and resourceRequirements."),
        (
            asking(VCPU="1", MEMORY="4", memory=4),
            "Memory cannot be specified in both memory and resourceRequirements.",
        ),
    ],
)
def test_each_quantity_is_given_once(container: ContainerProperties, text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        resolve_resources(container, fargate=False)
    assert refusal.value.message == text


def test_a_type_is_given_once() -> None:
    twice = ContainerProperties(resource_requirements=(ResourceRequirement(type="VCPU", value="1"),) * 2)
    with pytest.raises(InvalidRequest, match="VCPU more than once"):
        resolve_resources(twice, fargate=False)
