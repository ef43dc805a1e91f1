"""What a submission makes of its definition's container: overrides merged, parameters substituted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from longshore.domain.container import ContainerOverrides, ContainerProperties, KeyValue, ResourceRequirement
from longshore.domain.errors import InvalidRequest
from longshore.service.container_rules import check_environment
from longshore.service.refusals import invalid

_MARK = "Ref::"
_REFERENCE = re.compile(r"Ref::([A-Za-z0-9_-]*)")


def resolve_container(
    properties: ContainerProperties, overrides: ContainerOverrides | None, parameters: Mapping[str, str]
) -> ContainerProperties:
    """The effective container of a job or of a node range.

    A command replaces the definition's, variables are merged by name, requirements replace those of their type; the
    deprecated `vcpus` and `memory` replace the definition's but never a requirement.
    Source: AWS Batch API, ContainerOverrides.

    Raises:
        InvalidRequest: an override is malformed, or the command refers to a parameter that has no value.
    """
    changes: dict[str, Any] = {}
    command = properties.command
    if overrides is not None:
        command = override_command(command, overrides.command)
        if overrides.instance_type is not None:
            changes["instance_type"] = overrides.instance_type
        if overrides.environment:
            check_environment(overrides.environment)
            changes["environment"] = merge_environment(properties.environment, overrides.environment)
        changes |= _resolve_amounts(properties, overrides)
    command = substitute(command, parameters)
    if command is not properties.command:
        changes["command"] = command
    return replace(properties, **changes) if changes else properties


def merge_environment(given: Sequence[KeyValue], overriding: Sequence[KeyValue]) -> tuple[KeyValue, ...]:
    """`given` with the variables of `overriding` in their places, new ones behind."""
    return tuple({variable.name: variable for variable in (*given, *overriding)}.values())


def override_command(given: tuple[str, ...], overriding: tuple[str, ...]) -> tuple[str, ...]:
    """`overriding` if it holds anything.

    Raises:
        InvalidRequest: an argument of it is empty.
    """
    if "" in overriding:
        raise invalid("Command field cannot have empty strings")
    return overriding or given


def override_requirements(
    given: Sequence[ResourceRequirement], overriding: Sequence[ResourceRequirement]
) -> tuple[ResourceRequirement, ...]:
    """`given` with those of the same type replaced.

    Raises:
        InvalidRequest: a type is overridden twice.
    """
    types = [requirement.type for requirement in overriding]
    if len(set(types)) < len(types):
        raise invalid("resourceRequirements hold a type more than once")
    return merge_requirements(given, overriding)


def merge_requirements(
    given: Sequence[ResourceRequirement], overriding: Sequence[ResourceRequirement]
) -> tuple[ResourceRequirement, ...]:
    """`given` with those of the same type replaced, new types behind."""
    return tuple({requirement.type: requirement for requirement in (*given, *overriding)}.values())


def _resolve_amounts(properties: ContainerProperties, overrides: ContainerOverrides) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    requirements = properties.resource_requirements
    if overrides.resource_requirements:
        requirements = override_requirements(requirements, overrides.resource_requirements)
        changes["resource_requirements"] = requirements
    for kind, member in (("VCPU", "vcpus"), ("MEMORY", "memory")):
        present: int | None = getattr(properties, member)
        overriding: int | None = getattr(overrides, member)
        if any(requirement.type == kind for requirement in requirements):
            overriding = None
        elif overriding is None:
            continue
        if overriding != present:
            changes[member] = overriding
    return changes


def substitute(command: tuple[str, ...], parameters: Mapping[str, str]) -> tuple[str, ...]:
    """`command` with each `Ref::name` replaced, alone or inside an argument; values are not looked into again.

    Raises:
        InvalidRequest: a parameter has no value.
    """
    if not any(_MARK in argument for argument in command):
        return command

    def value_of(reference: re.Match[str]) -> str:
        try:
            return parameters[reference[1]]
        except KeyError:
            raise InvalidRequest(
                f"Unable to substitute value. No parameter found for reference {reference[1]}"
            ) from None

    def resolved(argument: str) -> str:
        # As a whole argument, a name may hold more than letters, digits, hyphens and underscores.
        if argument.startswith(_MARK) and argument[len(_MARK) :] in parameters:
            return parameters[argument[len(_MARK) :]]
        return _REFERENCE.sub(value_of, argument)

    return tuple(map(resolved, command))
