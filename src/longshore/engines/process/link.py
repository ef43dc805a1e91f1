"""The driver's end of the socket: one connection to the runner, and how a runner is started when none answers."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from longshore import __version__
from longshore.engines.process.crash import VARIABLE as CRASH_VARIABLE
from longshore.engines.process.wire import (
    SPOKEN,
    Done,
    Frames,
    Hello,
    Known,
    Launched,
    ProtocolError,
    Reply,
    Report,
    Reports,
    Request,
    Welcome,
    frame,
)
from longshore.ports.engine import EngineUnavailable

#: variables of ours that the runner needs to be the same Python; jobs get none of them
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", CRASH_VARIABLE)

A = TypeVar("A", Launched, Reports, Known, Done)


class LinkLost(Exception):
    """The connection ended before the answer came; the text says why."""


class Link(asyncio.Protocol):
    """One connection to a runner. Requests may be asked side by side; answers find theirs by number."""

    def __init__(self, on_reports: Callable[[list[Report]], None], on_lost: Callable[["Link"], None]) -> None:
        self._on_reports = on_reports
        self._on_lost = on_lost
        self._frames = Frames()
        self._decode = msgspec.msgpack.Decoder(Reply).decode
        self._answers: dict[int, asyncio.Future[Reply]] = {}
        self._last_seq = 0
        self._transport: asyncio.Transport | None = None
        self._welcome: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()
        #: done when the connection has ended
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        #: what the runner said of itself
        self.runner: Welcome | None = None

    async def greet(self, timeout_seconds: float) -> Welcome:
        """Agree on a protocol version. Raises LinkLost when the runner does not answer, or speaks none of ours."""
        self._write(frame(Hello(longshore=__version__, speaks=SPOKEN)))
        try:
            self.runner = await asyncio.wait_for(self._welcome, timeout_seconds)
        except TimeoutError:
            raise LinkLost(f"the runner did not greet within {timeout_seconds:g} s") from None
        if self.runner.version not in SPOKEN:
            raise LinkLost(
                f"the runner is of Longshore {self.runner.longshore} and speaks protocol {list(self.runner.speaks)}, "
                f"this is Longshore {__version__} and speaks {list(SPOKEN)}"
            )
        return self.runner

    async def ask(self, kind: type[A], make: Callable[[int], Request], timeout_seconds: float) -> A:
        """The answer to one request. Raises LinkLost when there will be none; what was asked for may have been done."""
        self._last_seq += 1
        seq = self._last_seq
        answer = self._answers[seq] = asyncio.get_running_loop().create_future()
        try:
            self._write(frame(make(seq)))
            reply = await asyncio.wait_for(answer, timeout_seconds)
        except TimeoutError:
            self.close()
            raise LinkLost(f"the runner did not answer within {timeout_seconds:g} s") from None
        finally:
            self._answers.pop(seq, None)
        if not isinstance(reply, kind):
            self.close()
            raise LinkLost(f"the runner answered with {type(reply).__name__} where {kind.__name__} was due")
        return reply

    def _write(self, data: bytes) -> None:
        if self._transport is None or self.lost.done():
            raise LinkLost("there is no connection to the runner")
        self._transport.write(data)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._frames.feed(data):
                if not self._welcome.done():
                    self._welcome.set_result(msgspec.msgpack.decode(payload, type=Welcome))
                    continue
                reply = self._decode(payload)
                if isinstance(reply, Reports) and reply.seq == 0:
                    self._on_reports(reply.reports)
                elif (answer := self._answers.get(reply.seq)) is not None and not answer.done():
                    answer.set_result(reply)
        except (ProtocolError, msgspec.MsgspecError) as error:
            self._end(LinkLost(f"the runner sent what is no message: {error}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(LinkLost(f"the connection to the runner was lost{f': {exc}' if exc else ''}"))

    def _end(self, reason: LinkLost) -> None:
        if self.lost.done():
            return
        self.lost.set_result(None)
        for waiting in (self._welcome, *self._answers.values()):
            if not waiting.done():
                waiting.set_exception(reason)
        if self._welcome.done() and not self._welcome.cancelled():
            self._welcome.exception()  # seen: nobody may be waiting for the greeting any more
        self._on_lost(self)


async def connect(folder: Path, link: Callable[[], Link]) -> Link:
    """A connection to the runner of this folder. Raises OSError when none answers."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.setblocking(False)
        # The path of a socket is short; that of the folder need not be.
        await asyncio.get_running_loop().sock_connect(sock, f"/proc/self/fd/{descriptor}/socket")
        _, protocol = await asyncio.get_running_loop().create_unix_connection(link, sock=sock)
        return protocol
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(descriptor)


async def start_runner(data: Path, *, idle_seconds: float, timeout_seconds: float) -> None:
    """Afterwards a runner answers at the socket. Raises EngineUnavailable with what it said."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT_VARIABLES or name.startswith("PYTHON")}
    command = [sys.executable, "-P", "-m", "longshore.engines.process.runner"]
    command += ["--data", str(data), "--idle-seconds", str(idle_seconds)]
    try:
        # A thread, because under uvloop the runner would inherit an end of the pipe and never let it close.
        starter = await asyncio.to_thread(
            subprocess.run,
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
            env=kept,
            timeout=timeout_seconds,
        )
    except OSError as error:
        raise EngineUnavailable(f"the runner of plain processes cannot be started: {error}") from error
    except subprocess.TimeoutExpired:
        raise EngineUnavailable(f"the runner of plain processes did not start within {timeout_seconds:g} s") from None
    if starter.returncode != 0:
        said = starter.stderr.decode("utf-8", "replace").strip().splitlines()
        last = said[-1] if said else f"exit code {starter.returncode}"
        raise EngineUnavailable(f"the runner of plain processes cannot be started: {last}")
