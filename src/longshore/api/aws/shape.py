"""What the generated wire modules are made of."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

#: The model's `integer` and `long`: bounds keep what callers send inside what the store can hold.
Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """A structure of an AWS API.

    Attributes are the members' names in snake case. A member that was not sent, or was sent as null, is None, and None
    is left out when encoded; an empty collection stays. Structures form trees: the garbage collector need not see them.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a service, as its model declares it."""

    name: str
    method: str
    #: The request path; a `{member}` stands for the rest of the path, percent-encoded.
    path: str
    input: type[Shape]
    #: None when the operation answers with an empty body.
    output: type[Shape] | None = None
    #: Wire names of the list members that come as repeated query parameters.
    query: tuple[str, ...] = ()
    #: Names of the errors that clients know to parse.
    errors: tuple[str, ...] = ()
