"""Gates between one simulated server and the world: at each it may die, wait or be told that something failed.

Everything that the server does outside of its memory goes through one: the store, the drivers and the logs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn, Protocol, TypeVar

from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import AttemptId, Scope
from longshore.ports.engine import (
    Capabilities,
    EngineDriver,
    EngineUnavailable,
    Fingerprint,
    Handle,
    LaunchOutcome,
    LaunchSpec,
    LogChunk,
    Observation,
    StopRequest,
)
from longshore.ports.logs import AttemptLog, AttemptLogs
from longshore.ports.store import Reader, Store, Transaction
from longshore.testing.simulation.fate import Fate

T = TypeVar("T")


class ServerDied(Exception):
    """The server of this call is dead; nobody hears this."""


class _Undone(Exception):
    """Undoes a transaction."""


class Outside(Protocol):
    """What gates tell the world, and take from it."""

    def reached(self, point: str) -> None:
        """The server came to `point`."""
        ...

    def died(self, point: str) -> None:
        """The server dies at `point`."""
        ...

    def store(self) -> Store:
        """What is stored."""
        ...

    def before_launch(self, specs: Sequence[LaunchSpec]) -> None:
        """Check what is about to be launched."""
        ...

    def before_stop(self, attempt_ids: Sequence[AttemptId]) -> None:
        """Check what is about to be stopped."""
        ...

    def before_release(self, attempt_ids: Sequence[AttemptId]) -> None:
        """Check what is about to be released."""
        ...

    def after_act(self) -> None:
        """Check the site."""
        ...

    def committed(self, by: str, server: int) -> None:
        """Check what is stored now that `server` has written."""
        ...


class Gate:
    """The one way of a server to the world."""

    def __init__(self, world: Outside, fate: Fate, number: int, die: Callable[[], None]) -> None:
        self.world = world
        self.fate = fate
        self.number = number
        self.is_dead = False
        #: another server has taken over: engines take nothing from this one
        self.is_replaced = False
        self._die = die

    async def reach(self, point: str) -> None:
        """Come to `point`; go on, sooner or later, or never."""
        self.check()
        self.world.reached(point)
        if self.fate.must_die(point):
            self.die(point)
        await asyncio.sleep(self.fate.delay())
        self.check()

    def die(self, point: str) -> NoReturn:
        """Make an end of the server; the call that came here ends with it."""
        self.world.died(point)
        self._die()
        raise ServerDied

    def check(self) -> None:
        """Raises ServerDied."""
        if self.is_dead:
            raise ServerDied


class GatedStore:
    """`ports.store.Store` behind a gate. `name` stands in the names of its points."""

    def __init__(self, gate: Gate, name: str) -> None:
        self._gate = gate
        self._name = name

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def write(self, work: Callable[[Transaction], T]) -> T:
        gate, world, fate = self._gate, self._gate.world, self._gate.fate
        await gate.reach(f"{self._name}.before")
        if fate.store_fails():
            if fate.happens(0.5):
                await self._run_and_undo(work)
            raise StoreUnavailable("database or disk is full")
        if fate.happens(0.03):  # the group that it shared a commit with failed
            await self._run_and_undo(work)
        done = await world.store().write(work)
        world.committed(self._name, gate.number)
        await gate.reach(f"{self._name}.after")
        return done

    async def _run_and_undo(self, work: Callable[[Transaction], object]) -> None:
        def undone(tx: Transaction) -> None:
            work(tx)
            raise _Undone

        with suppress(_Undone):
            await self._gate.world.store().write(undone)

    async def read(self, work: Callable[[Reader], T]) -> T:
        self._gate.check()
        return await self._gate.world.store().read(work)


class LeaderStore(GatedStore):
    """The leader's: its first write claims the leadership, then it reads all that is there."""

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate, "lead")

    async def read(self, work: Callable[[Reader], T]) -> T:
        found = await super().read(work)
        self._name = "turn"
        await self._gate.reach("rebuild.after")
        return found


class GatedDriver:
    """`ports.engine.EngineDriver` behind a gate; half a batch may be done when the server dies."""

    def __init__(self, gate: Gate, driver: EngineDriver, *, writes_log_files: bool) -> None:
        self._gate = gate
        self._driver = driver
        self._writes_log_files = writes_log_files

    def capabilities(self) -> Capabilities:
        return replace(self._driver.capabilities(), writes_log_files=self._writes_log_files)

    async def open(self) -> None:
        await self._driver.open()

    async def close(self) -> None:
        await self._driver.close()

    async def fingerprint(self) -> Fingerprint:
        fingerprint = await self._driver.fingerprint()
        await self._gate.reach("fingerprint.after")
        return fingerprint

    async def launch(self, specs: Sequence[LaunchSpec]) -> Sequence[LaunchOutcome]:
        self._gate.world.before_launch(specs)
        await self._enter("launch")
        if self._dies_amid("launch", specs):
            await self._driver.launch(specs[: len(specs) // 2])
            self._gate.die("launch.middle")
        outcomes = await self._driver.launch(specs)
        await self._leave("launch")
        return outcomes

    async def stop(self, requests: Sequence[StopRequest]) -> None:
        self._gate.world.before_stop([request.handle.attempt_id for request in requests])
        await self._enter("stop")
        if self._dies_amid("stop", requests):
            await self._driver.stop(requests[: len(requests) // 2])
            self._gate.die("stop.middle")
        await self._driver.stop(requests)
        await self._leave("stop")

    async def release(self, handles: Sequence[Handle]) -> None:
        self._gate.world.before_release([handle.attempt_id for handle in handles])
        await self._enter("release")
        if self._dies_amid("release", handles):
            await self._driver.release(handles[: len(handles) // 2])
            self._gate.die("release.middle")
        await self._driver.release(handles)
        await self._leave("release")

    async def observe(self, handles: Sequence[Handle]) -> Sequence[Observation]:
        await self._enter("observe")
        observations = await self._driver.observe(handles)
        await self._leave("observe")
        return observations

    async def watch(self) -> AsyncIterator[Sequence[Observation]]:
        async for batch in self._driver.watch():
            await self._leave("watch")
            yield batch

    async def discover(self) -> Sequence[Handle]:
        await self._enter("discover")
        handles = await self._driver.discover()
        await self._leave("discover")
        return handles

    async def read_logs(self, handle: Handle, *, cursor: str) -> AsyncIterator[LogChunk]:
        await self._enter("read_logs")
        async for chunk in self._driver.read_logs(handle, cursor=cursor):
            yield chunk

    async def _enter(self, call: str) -> None:
        await self._gate.reach(f"{call}.before")
        self._check_reachable()

    async def _leave(self, call: str) -> None:
        self._gate.world.after_act()
        await self._gate.reach(f"{call}.after")
        self._check_reachable()

    def _dies_amid(self, call: str, batch: Sequence[object]) -> bool:
        return len(batch) > 1 and self._gate.fate.must_die(f"{call}.middle")

    def _check_reachable(self) -> None:
        if self._gate.is_replaced:
            raise EngineUnavailable("another server has taken over")


class GatedLogs:
    """`ports.logs.AttemptLogs` behind a gate. Logs that this server did not attach take nothing from it."""

    def __init__(self, gate: Gate, logs: AttemptLogs) -> None:
        self._gate = gate
        self._logs = logs
        self._attached: set[AttemptId] = set()

    async def has_group(self, scope: Scope, name: str, *, create: bool) -> bool:
        return await self._logs.has_group(scope, name, create=create)

    def refuse_start(self, event_start: str) -> str:
        return self._logs.refuse_start(event_start)

    def path(self, attempt_id: AttemptId) -> Path:
        return self._logs.path(attempt_id)

    async def attach(self, logs: Sequence[AttemptLog]) -> None:
        await self._enter("attach")
        await self._logs.attach(logs)
        self._attached.update(log.attempt_id for log in logs)

    async def append(self, attempt_id: AttemptId, chunks: Sequence[tuple[datetime, bytes]], cursor: str) -> None:
        await self._enter("append")
        if attempt_id not in self._attached:
            raise LookupError(attempt_id)
        await self._logs.append(attempt_id, chunks, cursor)
        await self._gate.reach("append.after")

    async def cursor(self, attempt_id: AttemptId) -> str:
        self._gate.check()
        return await self._logs.cursor(attempt_id)

    async def seal(self, attempt_ids: Sequence[AttemptId]) -> None:
        await self._enter("seal")
        await self._logs.seal(attempt_ids)
        await self._gate.reach("seal.after")

    async def _enter(self, call: str) -> None:
        await self._gate.reach(f"{call}.before")
        if self._gate.fate.logs_fail():
            raise StoreUnavailable("no space left on device")
