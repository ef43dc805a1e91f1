"""Reading request bodies within bounds, and turning requests away before they are read."""

import asyncio
from collections.abc import Mapping

from starlette.types import Message, Receive

#: How much of a refused body is taken in, so that its sender gets to read the refusal: a connection that is closed
#: over unread data is reset, and the refusal is lost with it.
_DRAINED_BYTES = 16 * 1024 * 1024
_DRAINED_SECONDS = 2.0


class BodyTooLarge(Exception):
    """The body is larger than is accepted."""


class BodyTooSlow(Exception):
    """The body did not arrive in time."""


class CallerGone(Exception):
    """The connection was closed before the request was complete."""


class NoRoom(Exception):
    """So much of other bodies is there already that no more is taken in."""


class Room:
    """What bodies that are not complete may hold together: their senders are not verified yet."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes

    def take(self, size: int) -> None:
        """Raises NoRoom, and nothing is taken."""
        if size > self._left:
            raise NoRoom
        self._left -= size

    def give_back(self, size: int) -> None:
        """What was taken may be taken again."""
        self._left += size


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], *, most: int, seconds: float, room: Room
) -> bytes:
    """The whole body. One that comes at once needs no room.

    Raises:
        BodyTooLarge: it has, or is announced to have, more than `most` bytes.
        NoRoom: there is none for more of it.
        BodyTooSlow: it took longer than `seconds`.
        CallerGone: the caller went away.
    """
    announced = headers.get(b"content-length", b"0")
    if len(announced) > 18 or int(announced) > most:
        raise BodyTooLarge
    parts = bytearray()
    try:
        async with asyncio.timeout(seconds):
            message = await _next(receive)
            body: bytes = message.get("body", b"")
            if not message.get("more_body", False):
                if len(body) > most:
                    raise BodyTooLarge
                return body
            while True:
                room.take(len(body))
                parts += body
                if len(parts) > most:
                    raise BodyTooLarge
                if not message.get("more_body", False):
                    return bytes(parts)
                message = await _next(receive)
                body = message.get("body", b"")
    except TimeoutError:
        raise BodyTooSlow from None
    finally:
        room.give_back(len(parts))


async def drain(receive: Receive) -> None:
    """Take in and forget what is still coming of a refused request, for a short while."""
    taken = 0
    try:
        async with asyncio.timeout(_DRAINED_SECONDS):
            more = True
            while more and taken < _DRAINED_BYTES:
                message = await _next(receive)
                taken += len(message.get("body", b""))
                more = message.get("more_body", False)
    except (TimeoutError, CallerGone):
        return


def replaying(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives `body` as a whole, then what `receive` gives."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


async def _next(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise CallerGone
    return message
