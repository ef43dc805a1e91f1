"""What each member of each request comes to, by the file beside the handlers, the list of gaps and the tests."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tests.api.conformance.gaps import GAPS, NOT_BUILT
from tests.api.conformance.model import Member, answer_members, members

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "src" / "longshore" / "api" / "aws" / "batch" / "coverage.toml"
DECLARED: Mapping[str, Mapping[str, str]] = tomllib.loads(FILE.read_text())
#: Proves every member that works or is stored; tests with the mark `covers` show what a member does.
ROUND_TRIP = "tests/api/conformance/test_members.py::test_members_reach_the_service"

Status: TypeAlias = Literal["works", "stored with no effect here", "refused", "not accounted for"]
_STATUS: Mapping[str, Status] = {
    "refused": "refused",
    "no_effect": "stored with no effect here",
    "not_kept": "stored with no effect here",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a member comes to."""

    status: Status
    #: why it is not simply honoured
    text: str = ""
    #: node ids of the tests that fail when it is lost
    tests: tuple[str, ...] = ()


def fate(member: Member, covering: Mapping[str, tuple[str, ...]]) -> Fate:
    """`covering`: members to the tests that carry the mark for them."""
    if member.operation in NOT_BUILT:
        return Fate(status="not accounted for", text="the operation is not built yet")
    if is_listed(member, GAPS["members"]):
        return Fate(status="not accounted for", text="not built yet")
    if is_listed(member, GAPS["effects"]):
        return Fate(status="not accounted for", text="stored; it has no effect yet", tests=(ROUND_TRIP,))
    for table, status in _STATUS.items():
        if text := declared(member, table):
            tests = () if table == "refused" else (ROUND_TRIP,)
            return Fate(status=status, text=text, tests=tests)
    return Fate(status="works", tests=covering.get(str(member), (ROUND_TRIP,)))


def declared(member: Member, table: str) -> str:
    """What a table says of the member or of one above it; empty when nothing."""
    return next((DECLARED[table][key] for key in _keys(member) if key in DECLARED[table]), "")


def is_listed(member: Member, keys: list[str]) -> bool:
    return any(key in keys for key in _keys(member))


def _keys(member: Member) -> Iterator[str]:
    """The names under which a member may be listed: of itself, then of those above it."""
    is_asked = member in members(member.operation)
    above = {each.path: each for each in (members if is_asked else answer_members)(member.operation)}
    for length in range(len(member.path), 0, -1):
        each = above[member.path[:length]]
        yield str(each)
        yield f"{each.owner.name}.{each.name}"


def covering_tests() -> dict[str, tuple[str, ...]]:
    """Members to the tests with the mark `covers` for them, as `file::test`."""
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{file.relative_to(ROOT)}::{node.name}"
                for member in _covered_by(node):
                    found[member] = (*found.get(member, ()), name)
    return found


def _covered_by(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.covers":
            yield from (ast.literal_eval(argument) for argument in mark.args)
