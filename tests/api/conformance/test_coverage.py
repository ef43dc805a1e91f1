"""The coverage page tells the truth: what is declared holds, and the tests that it links are about what they claim."""

from itertools import chain

import pytest

from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.parse import EngineInfo
from longshore.engines.docker.render import ignored_settings
from longshore.engines.process.render import IGNORED
from tests.api.conformance.coverage import DECLARED, covering_tests, declared, is_listed
from tests.api.conformance.gaps import GAPS, NOT_BUILT
from tests.api.conformance.model import OPERATIONS, Member, answer_members, around, fitting, members, operation_model
from tests.api.conformance.test_inputs import nearest, resolved_examples
from tests.api.conformance.wire import Wire

MEMBERS = [member for operation in OPERATIONS for member in members(operation)]
ANSWERED = [member for operation in OPERATIONS for member in answer_members(operation)]
NAMES = {name for member in [*MEMBERS, *ANSWERED] for name in (str(member), f"{member.owner.name}.{member.name}")}
REFUSED = [member for member in MEMBERS if str(member) in DECLARED["refused"] and member.operation not in NOT_BUILT]
#: Honoured in part: awslogs options name group and stream.
PARTLY = frozenset({"logConfiguration"})


def test_every_declaration_is_of_a_member() -> None:
    """No more than one says something of any of them."""
    keys = list(chain.from_iterable(DECLARED.values()))
    assert set(keys) <= NAMES
    assert {*GAPS["effects"], *GAPS["members"], *GAPS["answers"]} <= NAMES
    assert len(set(keys) | set(GAPS["effects"])) == len(keys) + len(GAPS["effects"])


def test_every_mark_is_of_a_member_that_works() -> None:
    works = {str(member) for member in MEMBERS if not any(declared(member, table) for table in DECLARED)}
    assert covering_tests().keys() <= works


def test_what_no_engine_does_is_declared() -> None:
    """A setting of containers that all engines ignore has no effect here."""
    docker = ignored_settings(DockerConfig(installation_id="conformance"), EngineInfo())
    ignored = {_camel(name) for name in docker.keys() & IGNORED.keys()} - PARTLY
    assert ignored
    of_containers = {member.name: member for member in MEMBERS if member.owner.name == "ContainerProperties"}
    for name in ignored:
        assert declared(of_containers[name], "no_effect") or is_listed(of_containers[name], GAPS["effects"]), name


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@pytest.mark.parametrize("member", REFUSED, ids=str)
def test_what_is_refused_is_told(wire: Wire, member: Member) -> None:
    """In a request that is carried out without it."""
    found = nearest(member.path, resolved_examples(wire, member.operation))
    assert found
    world, base = found
    request = around(member.path, fitting(member.shape), operation_model(member.operation).input_shape, base)
    reply = world.ask(member.operation, request)
    assert (reply.status, reply.error) == (400, "ClientException")
    assert member.name in reply.message
    assert "not built" not in reply.message
    assert world.ask(member.operation, base).status == 200
