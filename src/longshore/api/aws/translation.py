"""Between wire structures and domain records whose attributes have the same names."""

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import msgspec

from longshore.api.aws.shape import Shape
from longshore.domain.errors import InvalidRequest

T = TypeVar("T")
S = TypeVar("S", bound=Shape)


def to_domain(shape: Shape, kind: type[T]) -> T:
    """`shape` as a `kind`: what was not sent gets the record's default, what the record has no place for is dropped.

    Raises:
        InvalidRequest: the record asks for more than the wire structure did.
    """
    try:
        return msgspec.convert(_sent(shape), kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(str(error), wrapped=True) from error


def to_wire(record: object, kind: type[S]) -> S:
    """`record` as a `kind`: attributes and properties of the same names are taken."""
    return msgspec.convert(record, kind, from_attributes=True)


def _sent(value: object) -> object:
    """`value` in plain collections, without the members that are None."""
    match value:
        case Shape():
            members = ((name, getattr(value, name)) for name in value.__struct_fields__)
            return {name: _sent(member) for name, member in members if member is not None}
        case str():
            return value
        case Mapping():
            return {key: _sent(item) for key, item in cast("Mapping[str, object]", value).items()}
        case Sequence():
            return [_sent(item) for item in cast("Sequence[object]", value)]
        case _:
            return value
