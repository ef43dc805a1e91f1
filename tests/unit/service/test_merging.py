"""What a submission makes of its definition's container."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.container import ContainerOverrides, ContainerProperties, KeyValue, ResourceRequirement
from longshore.domain.errors import InvalidRequest
from longshore.service.merging import merge_environment, merge_requirements, resolve_container, substitute

NAMES = st.text("abcAB_-19", min_size=1, max_size=3)
VARIABLES = st.lists(
    st.builds(lambda name, value: KeyValue(name=name, value=value), NAMES, st.text(max_size=3)),
    unique_by=lambda variable: variable.name,
    max_size=5,
)
REQUIREMENTS = st.lists(
    st.builds(
        lambda kind, value: ResourceRequirement(type=kind, value=value),
        st.sampled_from(["VCPU", "MEMORY", "GPU"]),
        st.sampled_from("123"),
    ),
    unique_by=lambda requirement: requirement.type,
)
PROPERTIES = ContainerProperties(
    image="busybox",
    command=("true",),
    environment=(KeyValue(name="A", value="1"),),
    resource_requirements=(ResourceRequirement(type="VCPU", value="1"), ResourceRequirement(type="MEMORY", value="9")),
)


@given(VARIABLES, VARIABLES)
def test_variables_are_merged_by_name(given_: list[KeyValue], overriding: list[KeyValue]) -> None:
    merged = merge_environment(given_, overriding)
    values = {variable.name: variable.value for variable in merged}
    assert len(values) == len(merged)
    assert values == {each.name: each.value for each in given_} | {each.name: each.value for each in overriding}
    assert [each.name for each in merged][: len(given_)] == [each.name for each in given_]
    assert merge_environment(merged, overriding) == merged


@given(REQUIREMENTS, REQUIREMENTS, REQUIREMENTS)
def test_requirements_are_replaced_per_type(
    one: list[ResourceRequirement], two: list[ResourceRequirement], three: list[ResourceRequirement]
) -> None:
    assert merge_requirements(one, []) == merge_requirements([], one) == tuple(one)
    left = merge_requirements(merge_requirements(one, two), three)
    assert left == merge_requirements(one, merge_requirements(two, three))


@given(st.lists(st.text("abR:ef1 ").filter(lambda text: "Ref::" not in text)), st.dictionaries(NAMES, st.text()))
def test_a_command_without_references_stays(command: list[str], parameters: dict[str, str]) -> None:
    whole = tuple(command)
    assert substitute(whole, parameters) is whole


@given(st.dictionaries(NAMES, st.text(), min_size=1), st.text("/=.,"), st.text("/=.,"))
def test_references_are_replaced_whole_and_inside(parameters: dict[str, str], before: str, after: str) -> None:
    for name, value in parameters.items():
        argument = f"{before}Ref::{name}{after}"
        assert substitute((argument, "x"), parameters) == (f"{before}{value}{after}", "x")


def test_values_are_not_looked_into_again() -> None:
    assert substitute(("Ref::a", "Ref::aRef::b"), {"a": "Ref::b", "b": "2", "aRef": "3"}) == ("Ref::b", "3::b")
    assert substitute(("Ref::a/Ref::b",), {"a": "Ref::b", "b": "2"}) == ("Ref::b/2",)


def test_a_whole_argument_may_name_a_parameter_with_a_dot() -> None:
    assert substitute(("Ref::metaflow.user",), {"metaflow.user": "me"}) == ("me",)


@pytest.mark.parametrize(("argument", "name"), [("Ref::x", "x"), ("--in=Ref::x.y", "x"), ("Ref::", "")])
def test_a_reference_without_a_value_is_named(argument: str, name: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        substitute((argument,), {"other": "1"})
    assert refusal.value.message == f"Unable to substitute value. No parameter found for reference {name}"
    assert not refusal.value.wrapped


@pytest.mark.parametrize("overrides", [None, ContainerOverrides(), ContainerOverrides(command=())])
def test_nothing_to_change_makes_no_copy(overrides: ContainerOverrides | None) -> None:
    assert resolve_container(PROPERTIES, overrides, {}) is PROPERTIES


def test_only_four_members_can_be_overridden() -> None:
    overrides = ContainerOverrides(
        command=("echo", "Ref::word"),
        environment=(KeyValue(name="A", value="2"), KeyValue(name="B", value="3")),
        resource_requirements=(ResourceRequirement(type="GPU", value="1"),),
    )
    assert resolve_container(PROPERTIES, overrides, {"word": "hi"}) == ContainerProperties(
        image="busybox",
        command=("echo", "hi"),
        environment=(KeyValue(name="A", value="2"), KeyValue(name="B", value="3")),
        resource_requirements=(*PROPERTIES.resource_requirements, ResourceRequirement(type="GPU", value="1")),
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ContainerOverrides(command=("a", "")),
        ContainerOverrides(environment=(KeyValue(value="1"),)),
        ContainerOverrides(environment=(KeyValue(name="A=B", value="1"),)),
        ContainerOverrides(resource_requirements=(PROPERTIES.resource_requirements[0],) * 2),
    ],
)
def test_malformed_overrides_are_refused(overrides: ContainerOverrides) -> None:
    with pytest.raises(InvalidRequest):
        resolve_container(PROPERTIES, overrides, {})
