"""Uvicorn, set up for the front door and bounded where it is not by itself."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from http import HTTPStatus
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from longshore.api.aws.codec import encode_error
from longshore.api.limits import Limits
from longshore.api.owners import OWNERS

#: Connections beyond the limit that are still told so; more are closed without a word.
_TOLD_OFF = 64


class BoundedConfig(uvicorn.Config):
    """Uvicorn's configuration with our limits."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        super().__init__(
            app,
            http=BoundedProtocol,
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=min(limits.connections, 1024),
            # Uvicorn counts in whole seconds.
            timeout_keep_alive=max(1, round(limits.idle_seconds)),
            timeout_graceful_shutdown=max(1, round(limits.shutdown_seconds)),
        )
        self.limits = limits


class Server(uvicorn.Server):
    """A server that leaves signals to the program it is part of: set `should_exit` to stop it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


def build_server(app: ASGIApp, limits: Limits) -> Server:
    """A server for `await server.serve(sockets=[...])`."""
    return Server(BoundedConfig(app, limits))


class _Refusal:
    """An answer that ends the connection, as an ASGI application and as bytes."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        self._status = status
        self._body = encode_error(code, message)
        self._headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self._body)).encode()),
            (b"x-amzn-errortype", code.encode()),
            (b"connection", b"close"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})

    def write_to(self, transport: asyncio.Transport) -> None:
        """Answer where no request came about that could be answered."""
        if not transport.is_closing():
            head = [f"HTTP/1.1 {self._status} {self._status.phrase}".encode()]
            head += [name + b": " + value for name, value in self._headers]
            transport.write(b"\r\n".join([*head, b"", self._body]))
            transport.close()


_MALFORMED = _Refusal(HTTPStatus.BAD_REQUEST, "ClientException", "This is not an HTTP request that can be understood")
_LARGE_HEAD = _Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "ClientException", "The head of the request is larger than is accepted"
)
_SLOW_HEAD = _Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "RequestTimeoutException", "The head of the request did not arrive in time"
)
_SURPLUS = _Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "ServiceUnavailableException",
    "As many connections are open as the server accepts; try again later",
)


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose request heads are bounded in size and time, and whose connections are bounded in number.

    The parser itself refuses what could be read in two ways: both framing headers, two lengths, wrong chunks.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, BoundedConfig)
        self._limits = config.limits
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._chunk_bytes = 0
        #: Of the present head, without the chunk that it began in.
        self._head_bytes = 0
        self._surplus = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        # What a socket of 0600 lets in is the server's own user.
        self.app_state = {**self.app_state, OWNERS: connection is not None and connection.family == socket.AF_UNIX}
        beyond = len(self.connections) - self._limits.connections
        self._surplus = beyond > 0
        if beyond > _TOLD_OFF:
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse more of a request; refuse a head that grows too large."""
        continued = self._in_head
        self._chunk_bytes = len(data)
        super().data_received(data)
        if continued and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_bytes:
                _LARGE_HEAD.write_to(self.transport)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._await_head()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """A head is complete: the request goes to the application, or to its refusal."""
        self._end_head()
        application = self.app
        if self._surplus:
            self.app = _SURPLUS
        elif self._chunk_bytes + self._head_bytes > self._limits.head_bytes and self._is_head_large():
            self.app = _LARGE_HEAD
        super().on_headers_complete()
        self.app = application

    def shutdown(self) -> None:
        """What was begun is finished; a body that is still to come gets half the time that there is for that."""
        super().shutdown()
        if not self.transport.is_closing():
            self.loop.call_later(self._limits.shutdown_seconds / 2, self._give_up_body)

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser cannot read."""
        _MALFORMED.write_to(self.transport)

    def _is_head_large(self) -> bool:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > self._limits.head_bytes

    def _await_head(self) -> None:
        self._end_head()
        self._head_timer = self.loop.call_later(self._limits.head_seconds, self._give_up_head)

    def _end_head(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up_body(self) -> None:
        if self.cycle.more_body:
            self.transport.close()

    def _give_up_head(self) -> None:
        if self._in_head:
            _SLOW_HEAD.write_to(self.transport)
        self.transport.close()
