"""A front door on a real socket, with handlers that note what reached them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import pytest
import uvloop
from botocore.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from longshore.api.aws.batch.wire.operations import OPERATIONS as BATCH
from longshore.api.aws.exchange import Handlers
from longshore.api.aws.fronts import build_fronts
from longshore.api.aws.logs.wire.operations import OPERATIONS as LOGS
from longshore.api.aws.shape import Operation, Shape
from longshore.api.aws.sts.handlers import build_handlers as build_sts_handlers
from longshore.api.http import FrontDoor, Verifier
from longshore.api.limits import DoorSettings, Limits
from longshore.api.server import Server, build_server
from longshore.service.caller import Caller
from longshore.service.credentials import CredentialDesk

PATIENCE_SECONDS = 10


@dataclass(kw_only=True)
class Desk:
    """Handlers for all operations: they note their input and answer what they were told to."""

    seen: list[tuple[str, Caller, Shape]] = field(default_factory=list)
    answers: dict[str, Shape | Exception] = field(default_factory=dict)

    def handlers(self, operations: dict[str, Operation]) -> Handlers:
        return {name: self._handler(operation) for name, operation in operations.items()}

    def _handler(self, operation: Operation) -> Callable[[Caller, Shape], Any]:
        async def handle(caller: Caller, request: Shape) -> Shape | None:
            self.seen.append((operation.name, caller, request))
            answer = self.answers.get(operation.name)
            if isinstance(answer, Exception):
                raise answer
            if answer is None and operation.output is not None:
                return operation.output()
            return answer

        return handle


@dataclass(frozen=True, kw_only=True)
class Door:
    """A running front door."""

    port: int
    desk: Desk

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(
        self,
        service: str,
        *,
        region: str = "eu-west-3",
        key_id: str = "any",
        secret: str = "any",
        token: str | None = None,
    ) -> Any:
        """A real client, which does not try again."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=PATIENCE_SECONDS),
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def exchange(self, *parts: bytes) -> bytes:
        """Send `parts`, then read until the server closes."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end that the server makes; a server that makes none is a failure."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


async def _native(request: Request) -> JSONResponse:
    return JSONResponse({"path": request.url.path, "body": (await request.body()).decode()})


@contextmanager
def open_door(
    settings: DoorSettings,
    desk: Desk,
    *,
    only: frozenset[str] | None = None,
    credentials: CredentialDesk | None = None,
    verifier: Verifier | None = None,
) -> Iterator[Door]:
    """Serve in a thread of its own; with `only`, the other Batch operations have no handler."""
    batch = {name: operation for name, operation in BATCH.items() if only is None or name in only}
    fronts = build_fronts(
        batch=desk.handlers(batch), logs=desk.handlers(dict(LOGS)), sts=build_sts_handlers(credentials)
    )
    methods = ["GET", "POST", "DELETE"]
    native = Starlette(routes=[Route("/longshore/{rest:path}", _native, methods=methods), Route("/metrics", _native)])
    listener = socket.create_server(("127.0.0.1", 0))
    server: Server = build_server(FrontDoor(settings, fronts=fronts, native=native, verifier=verifier), settings.limits)
    thread = threading.Thread(target=lambda: uvloop.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        deadline = threading.Event()
        for _ in range(PATIENCE_SECONDS * 100):
            if server.started or deadline.wait(0.01):
                break
        assert server.started
        yield Door(port=listener.getsockname()[1], desk=desk)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def _shared_door() -> Iterator[Door]:
    with open_door(DoorSettings(account_id="111122223333"), Desk()) as door:
        yield door


@pytest.fixture
def door(_shared_door: Door) -> Door:
    """A door where every operation is built."""
    _shared_door.desk.seen.clear()
    _shared_door.desk.answers.clear()
    return _shared_door


@pytest.fixture
def strict_door() -> Callable[..., AbstractContextManager[Door]]:
    """Opens a door with limits of the test's own."""

    def open_strict(**limits: Any) -> AbstractContextManager[Door]:
        return open_door(DoorSettings(limits=replace(Limits(), **limits)), Desk(), only=frozenset({"ListJobs"}))

    return open_strict


SIGNED = (
    b"Host: localhost\r\nAuthorization: AWS4-HMAC-SHA256 Credential=any/20261123/us-east-1/batch/aws4_request,"
    b" SignedHeaders=host, Signature=0\r\n"
)


@pytest.fixture
def signed() -> bytes:
    """The header lines of a request to AWS Batch that is let in."""
    return SIGNED
