"""The forms of a job: which node runs what, and what each form asks for."""

import pytest

from longshore.domain.container import ContainerProperties, ResourceRequirement
from longshore.domain.definition import Formed
from longshore.domain.ecs import EcsProperties, EcsTaskProperties, TaskContainerProperties
from longshore.domain.eks import EksContainer, EksContainerResourceRequirements, EksPodProperties, EksProperties
from longshore.domain.nodes import NodeProperties, NodeRangeProperty, has_no_end, parse_targets
from longshore.domain.requirements import resources_of
from longshore.domain.resources import Resources


def requirements(**amounts: str) -> tuple[ResourceRequirement, ...]:
    return tuple(ResourceRequirement(type=kind, value=value) for kind, value in amounts.items())


def a_container(vcpus: str = "1") -> ContainerProperties:
    return ContainerProperties(image="busybox", resource_requirements=requirements(VCPU=vcpus, MEMORY="64"))


def pod_container(**limits: str) -> EksContainer:
    named = {"nvidia.com/gpu" if name == "gpu" else name: value for name, value in limits.items()}
    return EksContainer(image="busybox", resources=EksContainerResourceRequirements(limits=named))


def of_nodes(num_nodes: int, *targets: str) -> NodeProperties:
    ranges = tuple(
        NodeRangeProperty(target_nodes=each, container=a_container(str(place))) for place, each in enumerate(targets, 1)
    )
    return NodeProperties(num_nodes=num_nodes, main_node=0, node_range_properties=ranges)


@pytest.mark.parametrize(
    ("text", "first", "last"), [("0:3", 0, 3), (":3", 0, 3), ("4", 4, 4), ("4:4", 4, 4), ("0", 0, 0), ("3:2", 3, 2)]
)
def test_ranges_hold_both_ends(text: str, first: int, last: int) -> None:
    assert parse_targets(text) == range(first, last + 1)
    assert not has_no_end(parse_targets(text))


@pytest.mark.parametrize(("text", "first"), [(":", 0), ("0:", 0), ("7:", 7)])
def test_a_range_may_have_no_end(text: str, first: int) -> None:
    assert parse_targets(text).start == first
    assert has_no_end(parse_targets(text))


@pytest.mark.parametrize("text", ["", "a", "1-2", "1:2:3", "-1:2", "01:2", "1 :2", "1:\u0663", "1" * 11])
def test_other_texts_are_no_ranges(text: str) -> None:
    with pytest.raises(ValueError):
        parse_targets(text)


def test_the_narrowest_range_decides_over_a_node() -> None:
    properties = of_nodes(11, "0:10", "4:5", ":", "5:5")
    chosen = [properties.range_of(index).target_nodes for index in range(11)]
    assert chosen == ["0:10"] * 4 + ["4:5", "5:5"] + ["0:10"] * 5


def test_exactly_one_form_is_set() -> None:
    container, nodes = a_container(), of_nodes(2, ":")
    assert Formed(container=container).form is Formed(container=container).single_container is container
    assert Formed(node_properties=nodes).form is nodes
    assert nodes.range_of(0).form == a_container("1")
    with pytest.raises(AssertionError):
        _ = Formed(node_properties=nodes).single_container
    with pytest.raises(AssertionError):
        _ = Formed().form


def test_a_container_asks_in_either_way() -> None:
    old = ContainerProperties(image="busybox", vcpus=2, memory=64, resource_requirements=requirements(GPU="1"))
    assert resources_of(old) == Resources(vcpu_milli=2000, memory_mib=64, gpus=1)
    assert resources_of(a_container("0.25")) == Resources(vcpu_milli=250, memory_mib=64)


def test_containers_of_a_task_are_added() -> None:
    task = EcsTaskProperties(
        containers=tuple(
            TaskContainerProperties(
                name=name, image="busybox", resource_requirements=requirements(VCPU="0.5", MEMORY="512")
            )
            for name in "ab"
        )
    )
    assert resources_of(EcsProperties(task_properties=(task,))) == Resources(vcpu_milli=1000, memory_mib=1024)


def test_a_pod_asks_for_its_containers_or_its_largest_init_container() -> None:
    pod = EksPodProperties(
        containers=(pod_container(cpu="0.5", memory="64Mi"), pod_container(cpu="1", memory="64Mi", gpu="1")),
        init_containers=(pod_container(cpu="1", memory="256Mi"), pod_container(cpu="0.25", memory="32Mi")),
    )
    found = resources_of(EksProperties(pod_properties=pod))
    assert found == Resources(vcpu_milli=1500, memory_mib=256, gpus=1)


def test_requests_of_a_pod_count_before_limits() -> None:
    resources = EksContainerResourceRequirements(
        limits={"cpu": "2", "memory": "64Mi"}, requests={"cpu": "0.5", "memory": "64Mi"}
    )
    pod = EksPodProperties(containers=(EksContainer(image="busybox", resources=resources), EksContainer(image="b")))
    assert resources_of(EksProperties(pod_properties=pod)) == Resources(vcpu_milli=500, memory_mib=64)


def test_nodes_are_added() -> None:
    assert resources_of(of_nodes(4, ":", "0:0")) == Resources(vcpu_milli=5000, memory_mib=256)
