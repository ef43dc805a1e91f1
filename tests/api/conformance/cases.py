"""Requests that break one rule of the model each."""

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


def _types(shape: Shape) -> Iterator[Any]:
    yield from _WRONG_TYPES[shape.type_name]
    match shape:
        case ListShape():
            yield from ([wrong] for wrong in _types(shape.member))
        case MapShape():
            yield from ({"key": wrong} for wrong in _types(shape.value))
        case _:
            pass


def _enums(shape: Shape) -> Iterator[Any]:
    match shape:
        case ListShape():
            yield from ([wrong] for wrong in _enums(shape.member))
        case MapShape():
            yield from ({"key": wrong} for wrong in _enums(shape.value))
        case _ if shape.metadata.get("enum"):
            yield "longshore-no-such-value"
            yield ""
            if shape.name not in ANY_CASE:
                yield shape.metadata["enum"][0].swapcase()
        case _:
            pass


def _limits(shape: Shape) -> Iterator[Any]:
    """Just below the least and just above the most."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least and shape.name not in MAY_BE_EMPTY:
        yield _of_size(shape, least - 1)
    if most is not None:
        yield _of_size(shape, most + 1)
    match shape:
        case ListShape():
            yield from ([wrong] for wrong in _limits(shape.member))
        case MapShape():
            yield from ({wrong: "value"} for wrong in _limits(shape.key))
            yield from ({"key": wrong} for wrong in _limits(shape.value))
        case _:
            pass


def _of_size(shape: Shape, size: int) -> Any:
    match shape:
        case ListShape():
            return [fitting(shape.member)] * size
        case MapShape():
            return {f"key{index}": fitting(shape.value) for index in range(size)}
        case _:
            return "a" * size if shape.type_name == "string" else size


def _patterns(shape: Shape) -> Iterator[Any]:
    if pattern := shape.metadata.get("pattern"):
        import re

        odd = [text for text in _ODD_TEXTS if not re.fullmatch(pattern, text)]
        assert odd, f"no text is known that {pattern} does not match"
        yield from odd


RULES: Mapping[str, Callable[[Member], Iterator[Any]]] = {
    "required": _required,
    "types": lambda member: _types(member.shape) if member.in_body else iter(()),
    "enums": lambda member: _enums(member.shape),
    "limits": lambda member: _limits(member.shape),
    "patterns": lambda member: _patterns(member.shape),
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
