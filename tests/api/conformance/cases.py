"""Requests that break one rule of the model each."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from tests.api.conformance.model import ANY_CASE, MAY_BE_EMPTY, Member, fitting

LEFT_OUT = object()
_WRONG_TYPES: Mapping[str, tuple[Any, ...]] = {
    "string": (5, True, ["a"], {"a": "b"}),
    "boolean": ("true", 1, []),
    "integer": ("1", 1.5, True, [1], 2**31, -(2**31) - 1),
    "long": ("1", 1.5, True, [1], 2**63),
    "float": ("1.5", True, []),
    "double": ("1.5", True, []),
    "structure": ("a", 1, ["a"]),
    "list": ("a", 1, {"a": "b"}),
    "map": ("a", 1, ["a"]),
}
#: Texts of which at least one fits no pattern that is worth having.
_ODD_TEXTS = ("", " ", "\n", "-", "a/b", "é", "a" * 3000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A wrong value for one member."""

    member: Member
    value: Any

    def __str__(self) -> str:
        value = "left out" if self.value is LEFT_OUT else repr(self.value)[:60]
        return f"{self.member} {value}"


def _required(member: Member) -> Iterator[Any]:
    if member.is_required:
        yield LEFT_OUT
        if member.in_body:
            yield None


def _deep(wrong_for: Callable[[Shape], Iterator[Any]]) -> Callable[[Member], Iterator[Any]]:
    """Wrong values for a member, and right lists and maps with a wrong item, key or value in them."""

    def walk(shape: Shape) -> Iterator[Any]:
        yield from wrong_for(shape)
        match shape:
            case ListShape():
                yield from ([wrong] for wrong in walk(shape.member))
            case MapShape():
                yield from ({wrong: fitting(shape.value)} for wrong in walk(shape.key) if isinstance(wrong, str))
                yield from ({"key": wrong} for wrong in walk(shape.value))
            case _:
                pass

    return lambda member: walk(member.shape)


@_deep
def _types(shape: Shape) -> Iterator[Any]:
    yield from _WRONG_TYPES[shape.type_name]


@_deep
def _enums(shape: Shape) -> Iterator[Any]:
    if enum := shape.metadata.get("enum"):
        yield from ("longshore-no-such-value", "")
        if shape.name not in ANY_CASE:
            yield enum[0].swapcase()


@_deep
def _limits(shape: Shape) -> Iterator[Any]:
    """Just below the least and just above the most."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least and shape.name not in MAY_BE_EMPTY:
        yield _of_size(shape, least - 1)
    if most is not None:
        yield _of_size(shape, most + 1)


def _of_size(shape: Shape, size: int) -> Any:
    match shape:
        case ListShape():
            return [fitting(shape.member)] * size
        case MapShape():
            return {f"key{index}": fitting(shape.value) for index in range(size)}
        case _:
            return "a" * size if shape.type_name == "string" else size


@_deep
def _patterns(shape: Shape) -> Iterator[Any]:
    if pattern := shape.metadata.get("pattern"):
        odd = [text for text in _ODD_TEXTS if not re.fullmatch(pattern, text)]
        assert odd, f"no text is known that {pattern} does not match"
        yield from odd


RULES: Mapping[str, Callable[[Member], Iterator[Any]]] = {
    "required": _required,
    "types": lambda member: _types(member) if member.in_body else iter(()),
    "enums": _enums,
    "limits": _limits,
    "patterns": _patterns,
}


def cases(rule: str, member: Member) -> list[Case]:
    """Requests with this member against the rule; none where the model has no such rule for it."""
    if member.shape.serialization.get("location") == "uri":
        return []  # Without its last part the path is another one, and no text in it is of a wrong type.
    return [Case(member=member, value=value) for value in RULES[rule](member)]


def structures(value: Any, shape: Shape) -> Iterator[tuple[dict[str, Any], StructureShape]]:
    """Every structure in a request, outermost first."""
    match shape:
        case StructureShape():
            yield value, shape
            for name, inner in shape.members.items():
                if name in value:
                    yield from structures(value[name], inner)
        case ListShape():
            for item in value:
                yield from structures(item, shape.member)
        case MapShape():
            for item in value.values():
                yield from structures(item, shape.value)
        case _:
            pass
