"""From JSON to the structures of an API and back, with failures told in the caller's terms."""

from typing import Any, Generic, TypeVar, cast

import msgspec

from longshore.api.aws.faults import MalformedRequest
from longshore.api.aws.refusals import explain
from longshore.api.aws.shape import Shape
from longshore.domain.errors import InvalidRequest

S = TypeVar("S", bound=Shape)

_ENCODER = msgspec.json.Encoder()
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Decoder(Generic[S]):
    """Reads one structure from request bodies.

    As AWS does, it takes null for absence, ignores members it does not know and takes `2.0` for an integer.
    """

    def __init__(self, shape: type[S], *, refuse_nul: bool = False) -> None:
        """With `refuse_nul`, no text may hold U+0000: no program can be given one as argument or variable."""
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode
        self._refuse_nul = refuse_nul

    def decode(self, body: bytes) -> S:
        """The structure in `body`; an empty body is an empty object.

        Raises:
            MalformedRequest: `body` is not JSON.
            InvalidRequest: it does not fit the structure.
        """
        if not body:
            body = b"{}"
        if b"\\u0000" not in body:
            try:
                if not body.isascii():
                    # msgspec skips over the text of members it does not know.
                    body.decode()
                return self._decode(body)
            except _UNREADABLE:
                pass  # The slow road tells what is wrong, or finds that nothing is.
        return self.convert(parse(body))

    def convert(self, value: object) -> S:
        """The structure in a parsed body.

        Raises:
            InvalidRequest: `value` does not fit the structure.
        """
        try:
            plain = _integral(value)
            if self._refuse_nul:
                _refuse_nul(plain)
            return msgspec.convert(plain, self._shape)
        except msgspec.ValidationError as error:
            raise InvalidRequest(explain(str(error), self._shape), wrapped=True) from None
        except RecursionError:
            raise MalformedRequest from None


def parse(body: bytes) -> object:
    """Any JSON value; an empty body is an empty object.

    Raises:
        MalformedRequest: `body` is not JSON.
    """
    try:
        body.decode()
        return msgspec.json.decode(body or b"{}")
    except _UNREADABLE:
        raise MalformedRequest from None


def encode(answer: Shape) -> bytes:
    """`answer` as JSON, without the members that are None."""
    return _ENCODER.encode(answer)


def encode_error(code: str, message: str) -> bytes:
    """The body of an error as AWS JSON protocols send it."""
    return _ENCODER.encode({"__type": code, "message": message})


def _integral(value: object) -> object:
    """`value` with every float that is a whole number as an integer."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {key: _integral(item) for key, item in cast("dict[str, object]", value).items()}
        case list():
            return [_integral(item) for item in cast("list[object]", value)]
        case _:
            return value


def _refuse_nul(value: Any) -> None:
    match value:
        case str() if "\0" in value:
            raise InvalidRequest("text with the character U+0000 cannot be given to a program", wrapped=True)
        case dict():
            for key, item in cast("dict[str, object]", value).items():
                _refuse_nul(key)
                _refuse_nul(item)
        case list():
            for item in cast("list[object]", value):
                _refuse_nul(item)
        case _:
            pass
