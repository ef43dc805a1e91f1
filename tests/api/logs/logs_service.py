"""CloudWatch Logs over a real log store, behind a real front door, for a real client."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from longshore.domain.ids import AttemptId, Scope
from longshore.logs.store import LogStore
from longshore.ports.logs import AttemptLog

T = TypeVar("T")

ACCOUNT, REGION = "111122223333", "eu-west-3"
SCOPE = Scope(account_id=ACCOUNT, region=REGION)
GROUP = "/aws/batch/job"
PATIENCE_SECONDS = 10


@dataclass(kw_only=True)
class Logs:
    """A client of a fresh log store, and that store."""

    client: Any
    url: str
    store: LogStore
    loop: asyncio.AbstractEventLoop

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """What control does, on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_SECONDS)

    def start(self, name: str = "def", group: str = GROUP) -> "Attempt":
        """An attempt that has begun, with its log attached and its file open as an engine opens it."""
        attempt_id = AttemptId(os.urandom(16).hex())
        stream = f"{name}/default/{attempt_id}"
        self.call(self.store.attach([AttemptLog(scope=SCOPE, group=group, stream=stream, attempt_id=attempt_id)]))
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        return Attempt(self, attempt_id, group, stream, os.open(self.store.path(attempt_id), flags, 0o600))

    def refusal(self, operation: str, **members: Any) -> tuple[str, str]:
        """Code and message of the error that the call ends with."""
        with pytest.raises(ClientError) as caught:
            getattr(self.client, operation)(**members)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]


@dataclass
class Attempt:
    """A running attempt."""

    logs: Logs
    attempt_id: AttemptId
    group: str
    stream: str
    descriptor: int

    def write(self, data: bytes) -> None:
        os.write(self.descriptor, data)

    def end(self) -> None:
        os.close(self.descriptor)
        self.logs.call(self.logs.store.seal([self.attempt_id]))

    @property
    def named(self) -> dict[str, str]:
        """How a reader names it."""
        return {"logGroupName": self.group, "logStreamName": self.stream}


def poll(holds: Any) -> None:
    """Ask until it holds, in bounded time."""
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 50):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come about in time")
