"""Plain HTTP/1.1 on sockets, so that what is measured is the server and not a client library."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import uvloop

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/batch/aws4_request, SignedHeaders=host, Signature=00"
)


class Refused(Exception):
    """An answer that is no success; the text is the answer."""


def render_request(path: str, document: Mapping[str, Any]) -> bytes:
    """A POST of `document`."""
    body = json.dumps(document).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {_AUTHORIZATION}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _split(data: bytes) -> tuple[int, bytes] | None:
    """Status and body, once both are whole."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(data, 0, end)
    size = int(length[1]) if length else 0
    if len(data) < end + 4 + size:
        return None
    return int(data[9:12]), data[end + 4 : end + 4 + size]


class Connection:
    """One connection that asks and waits."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> bytes:
        """The body of the answer.

        Raises:
            Refused: the status is not 200.
        """
        self._socket.sendall(request)
        data = b""
        while (answer := _split(data)) is None:
            more = self._socket.recv(1 << 20)
            if not more:
                raise ConnectionError(f"the server closed the connection after {data[:200]!r}")
            data += more
        status, body = answer
        if status != 200:
            raise Refused(f"{status} {body[:500]!r}")
        return body

    def ask(self, path: str, **document: Any) -> Any:
        """The answer to a POST."""
        return json.loads(self.send(render_request(path, document)))

    def close(self) -> None:
        """Let go."""
        self._socket.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What a flood of requests came to."""

    per_second: float
    #: of each request
    seconds: Sequence[float]


class _Asker(asyncio.Protocol):
    """One connection of a flood: sends the next request when the answer to the last one is there."""

    def __init__(self, requests: Iterator[bytes], seconds: list[float]) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._seconds = seconds
        self._data = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not registered as such
        self._send()

    def _send(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        answer = _split(self._data)
        if answer is None:
            return
        self._seconds.append(time.perf_counter() - self._sent_at)
        self._data = b""
        if answer[0] != 200:
            self.done.set_exception(Refused(f"{answer[0]} {answer[1][:500]!r}"))
            self._transport.close()
            return
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


def flood(port: int, requests: Sequence[bytes], *, connections: int) -> Flood:
    """Send all `requests` over so many connections at once, each waiting for its answer before its next request."""

    async def run() -> Flood:
        loop = asyncio.get_running_loop()
        waiting, seconds = iter(requests), list[float]()
        began = time.perf_counter()
        made = [
            await loop.create_connection(lambda: _Asker(waiting, seconds), "127.0.0.1", port)
            for _ in range(connections)
        ]
        await asyncio.gather(*(asker.done for _, asker in made))
        return Flood(per_second=len(requests) / (time.perf_counter() - began), seconds=seconds)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())
