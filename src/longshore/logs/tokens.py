"""Tokens that callers hand back to go on: opaque to them, checked by us, bound to what they were given for."""

import hashlib
import re

import msgspec

from longshore.domain.errors import InvalidRequest
from longshore.domain.ids import Scope

_BAD = "The specified nextToken is invalid."
_PLACE = re.compile(r"^([fb])/([0-9a-f]{16})([0-9a-f]{24})([0-9a-f]{8})/s$")


def stream_number(scope: Scope, group: str, stream: str) -> int:
    """64 bits that stand for a stream."""
    return int.from_bytes(_digest(f"{scope.account_id}:{scope.region}:{group}:{stream}", 8))


def render_place(number: int, position: int, *, forward: bool) -> str:
    """The token of a place in a stream, for GetLogEvents."""
    body = f"{'f' if forward else 'b'}/{number:016x}{position:024x}"
    return f"{body}{_digest(body, 4).hex()}/s"


def parse_place(token: str, number: int) -> tuple[int, bool]:
    """The position and whether to read forward. Raises InvalidRequest for a token that is not of this stream."""
    match = _PLACE.match(token)
    if match is None or int(match[2], 16) != number or _digest(token[:42], 4).hex() != match[4]:
        raise InvalidRequest(_BAD)
    return int(match[3], 16), match[1] == "f"


def render_key(purpose: str, *key: str | int) -> str:
    """A token of a list or a search: where to go on, and which question it belongs to."""
    body = msgspec.json.encode([purpose, *key])
    return (_digest(body.decode(), 4) + body).hex()


def parse_key(token: str, purpose: str, *kinds: type) -> tuple[str | int, ...]:
    """What `render_key` was given. Raises InvalidRequest for a token of another question, or made by hand."""
    try:
        data = bytes.fromhex(token)
        body = data[4:].decode()
        values = msgspec.json.decode(body, type=list[str | int])
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidRequest(_BAD) from error
    named, key = values[:1], values[1:]
    if data[:4] != _digest(body, 4) or named != [purpose] or [type(value) for value in key] != list(kinds):
        raise InvalidRequest(_BAD)
    return tuple(key)


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=size).digest()
