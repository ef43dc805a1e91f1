"""Every member of every input is held to the service model, and what the model does not know is passed over.

Nothing here is written for one operation: a newer botocore brings its own cases, and fails where it is not met.
"""

import copy
from typing import Any

import pytest

from tests.api.conformance.cases import LEFT_OUT, RULES, Case, cases, structures
from tests.api.conformance.gaps import FILLED, NOT_BUILT, expected
from tests.api.conformance.model import OPERATIONS, around, find, members, operation_model, without
from tests.api.conformance.observation import observe
from tests.api.conformance.wire import Reply, Wire
from tests.api.conformance.world import EXAMPLES, Unmet, World

BROKEN = [
    f"{operation}.{rule}"
    for operation in OPERATIONS
    for rule in RULES
    if any(cases(rule, member) for member in members(operation))
]
CARRIED_OUT = [f"{operation}.{build.__name__}" for operation in OPERATIONS for build in EXAMPLES.get(operation, ())]


def carry_out(world: World, name: str) -> tuple[dict[str, Any], Any]:
    """An example's request, and what is seen after it."""
    operation, _, wanted = name.partition(".")
    (build,) = (build for build in EXAMPLES[operation] if build.__name__ == wanted)
    request = build(world)
    reply = world.ask(operation, request)
    if reply.status != 200:
        raise Unmet(reply)
    assert not reply.faults, reply.faults
    return request, observe(world, reply)


def resolved_examples(wire: Wire, operation: str) -> list[tuple[World, dict[str, Any]]]:
    """The operation's examples, as far as what they refer to can be made, and where it is."""
    resolved: list[tuple[World, dict[str, Any]]] = []
    for build in EXAMPLES.get(operation, ()):
        world = World(wire=wire)
        try:
            resolved.append((world, build(world)))
        except Unmet:
            continue
    return resolved


def nearest(path: tuple[str, ...], examples: list[tuple[World, dict[str, Any]]]) -> tuple[World, dict[str, Any]] | None:
    """The first example that has the member, else that has what is around it."""
    for length in (len(path), len(path) - 1):
        for world, base in examples:
            if find(base, path[:length]):
                return world, base
    return None


def ask(wire: Wire, case: Case, examples: list[tuple[World, dict[str, Any]]]) -> Reply:
    """Put the case into an example that has what is around the member, else into the least request that has."""
    path, shape = case.member.path, operation_model(case.member.operation).input_shape
    world, base = nearest(path, examples) or (World(wire=wire), None)
    if case.value is LEFT_OUT:
        return world.ask(case.member.operation, without(around(path, None, shape, base), path))
    return world.ask(case.member.operation, around(path, case.value, shape, base))


def test_every_operation_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(OPERATIONS)


@pytest.mark.parametrize("name", expected(BROKEN, "rules"))
def test_a_request_that_breaks_a_rule_of_the_model(wire: Wire, name: str) -> None:
    """It is a ClientException that names the member."""
    operation, _, rule = name.partition(".")
    examples = resolved_examples(wire, operation)
    failures: list[str] = []
    for member in members(operation):
        for case in cases(rule, member):
            reply = ask(wire, case, examples)
            is_told = member.name in reply.message and not reply.is_not_built
            if (reply.status, reply.error) != (400, "ClientException") or not is_told:
                failures.append(f"{case}: {reply.status} {reply.error} {reply.message}")
    assert not failures, f"{len(failures)} of them:\n" + "\n".join(failures)


@pytest.mark.parametrize("name", expected(CARRIED_OUT, "examples"))
def test_a_request_that_is_carried_out(wire: Wire, name: str) -> None:
    """Twice the same, its answer as the model says; null and members that are unknown change nothing."""
    request, seen = carry_out(World(wire=wire), name)
    operation = name.partition(".")[0]
    shape = operation_model(operation).input_shape
    changes = {"nothing": None, "unknown members": {"longshoreNoSuchMember": {"a": [1, None]}}, "nulls": {}}
    for what, extra in changes.items():
        world = World(wire=wire)
        changed = copy.deepcopy(build_again(world, name))
        for structure, its_shape in list(structures(changed, shape)):
            if extra:
                structure |= extra
            elif extra is not None:
                structure |= dict.fromkeys(its_shape.members.keys() - structure.keys())
        reply = world.ask(operation, changed)
        assert reply.status == 200, f"with {what}: {reply.message}"
        assert observe(world, reply) == seen, f"with {what} it is another request"


def build_again(world: World, name: str) -> dict[str, Any]:
    operation, _, wanted = name.partition(".")
    (build,) = (build for build in EXAMPLES[operation] if build.__name__ == wanted)
    return build(world)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_not_built_says_so(wire: Wire, operation: str) -> None:
    """A ClientException that names the operation; those that are listed as gaps and no others."""
    reply = wire.ask(operation, {"resourceArn": "arn"}, region="conformance-gaps")
    if operation in NOT_BUILT and not reply.is_not_built:
        FILLED["not_built"].add(operation)
    assert reply.is_not_built == (operation in NOT_BUILT), reply.message
    assert reply.error == "ClientException" or not reply.is_not_built
