"""Conversion by attribute, where a wire structure and a domain type have members of the same names."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, cast, get_args, get_origin, get_type_hints, overload

import msgspec

from longshore.api.aws.shape import Shape
from longshore.service.refusals import not_built

T = TypeVar("T")
S = TypeVar("S", bound=Shape)

_Convert = Callable[[Any], Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Same(Generic[T]):
    """A record by its identity: stored records are kept decoded, and to compare two costs more than to render one."""

    __slots__ = ("record",)

    def __init__(self, record: T) -> None:
        self.record = record

    def __hash__(self) -> int:
        return id(self.record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.record is cast("Same[T]", other).record


@overload
def read(shape: None, kind: type[T]) -> None: ...
@overload
def read(shape: Shape, kind: type[T]) -> T: ...
def read(shape: Shape | None, kind: type[T]) -> T | None:
    """The domain record of `kind` that `shape` states; members that were not sent have the record's defaults."""
    return None if shape is None else _reader(kind)(shape)


def render(record: object, shape: type[S]) -> S:
    """`record` in wire form. Empty collections stay, since clients index them; what is None is left out."""
    return msgspec.convert(record, shape, from_attributes=True)


def render_given(record: object | None, shape: type[S]) -> S | None:
    """`record` in wire form, if there is one."""
    return None if record is None else render(record, shape)


def to_document(shape: Shape) -> dict[str, Any]:
    """`shape` as plain JSON data by wire names, without what was not sent."""
    return msgspec.to_builtins(shape)


def milliseconds(at: datetime) -> int:
    """An instant as the API tells it: whole milliseconds since the epoch, rounded down."""
    return (at - _EPOCH) // _MILLISECOND


def milliseconds_given(at: datetime | None) -> int | None:
    """`milliseconds`, if there is an instant."""
    return None if at is None else milliseconds(at)


def refuse_unbuilt(request: Shape, members: Mapping[str, str]) -> None:
    """Refuse a request with any of `members` (attribute to wire name) set to more than nothing.

    Raises:
        InvalidRequest: one is; it is named.
    """
    for attribute, name in members.items():
        value = getattr(request, attribute)
        if isinstance(value, Shape) and not msgspec.to_builtins(value):
            continue
        if value:
            raise not_built(name)


@cache
def _reader(kind: type[T]) -> Callable[[Shape], T]:
    """A function that makes a dataclass from the attributes of a structure. Compiled once: submissions pass here."""
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    converters = [(field.name, _converter(hints[field.name])) for field in fields(kind)]

    def convert(shape: Shape) -> T:
        members: dict[str, Any] = {}
        for name, converter in converters:
            value = getattr(shape, name)
            if value is not None:
                members[name] = value if converter is None else converter(value)
        return kind(**members)

    return convert


def _converter(hint: Any) -> _Convert | None:
    """How a member of type `hint` is made from a wire value; None where the value is taken as it is."""
    if isinstance(hint, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) is tuple:
        item = _converter(get_args(hint)[0])
        return tuple if item is None else lambda values: tuple(map(item, values))
    if isinstance(hint, type) and is_dataclass(hint):
        return _reader(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    return None
