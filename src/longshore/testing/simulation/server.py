"""One life of a server: the real leader, lanes and use cases, over gates; what it knows dies with it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.present import Present
from longshore.domain.ids import AttemptId
from longshore.engines.fake import FakeDriver, FakeSite, SeededFaults
from longshore.ports.clock import Clock
from longshore.ports.logs import AttemptLogs
from longshore.ports.notifier import Notifier
from longshore.service.services import build_services
from longshore.testing.simulation.fate import Fate
from longshore.testing.simulation.gates import (
    Gate,
    GatedDriver,
    GatedLogs,
    GatedStore,
    LeaderStore,
    Outside,
    ServerDied,
)
from longshore.testing.simulation.scenario import Scenario

T = TypeVar("T")


def _first_of(engines: Iterable[str]) -> Callable[[], Awaitable[str]]:
    async def choose() -> str:
        return next(iter(engines))

    return choose


class ObservedLeader(Leader):
    """A leader that says when a turn is over."""

    after_turn: "AfterTurn"

    async def turn(self) -> bool:
        more = await super().turn()
        if self._present is not None:
            await self.after_turn(self._present, more, self._reasons_due)
        return more


#: Called with the present, whether more is to be done at once, and whether reasons are still to be told.
AfterTurn = Callable[[Present, bool, bool], Awaitable[None]]


class Server:
    """A process, from its start to its death."""

    def __init__(
        self,
        world: Outside,
        fate: Fate,
        scenario: Scenario,
        number: int,
        *,
        site: FakeSite,
        logs: AttemptLogs,
        clock: Clock,
        notifier: Notifier,
        new_attempt_id: Callable[[], AttemptId],
        after_turn: AfterTurn,
    ) -> None:
        self.gate = Gate(world, fate, number, self.die)
        self.inbox = Inbox()
        drivers = {
            engine: GatedDriver(
                self.gate,
                FakeDriver(
                    site,
                    clock,
                    faults=SeededFaults(
                        Random(f"{scenario.seed} {number} {engine}").getrandbits(64),
                        rate=scenario.fault_rate,
                        outages=scenario.outages,
                        until=scenario.calm_at,
                    ),
                    installation=engine,
                ),
                writes_log_files=writes_log_files,
            )
            for engine, writes_log_files in scenario.engines.items()
        }
        self._leader = ObservedLeader(
            store=LeaderStore(self.gate),
            drivers=drivers,
            logs=GatedLogs(self.gate, logs),
            clock=clock,
            inbox=self.inbox,
            hosts=scenario.hosts,
            settings=ControlSettings(
                oversize=scenario.oversize,
                free_losses=scenario.free_losses,
                stop_grace_seconds=scenario.grace_seconds,
            ),
            new_attempt_id=new_attempt_id,
        )
        self._leader.after_turn = after_turn
        self.services = build_services(
            GatedStore(self.gate, "api"),
            clock,
            notifier,
            engines=list(scenario.engines),
            resolve_engine=_first_of(scenario.engines),
            largest_host=max(host.total for host in scenario.hosts),
        )
        self._calls: set[asyncio.Task[Any]] = set()
        self._run = asyncio.get_running_loop().create_task(self._leader.run())

    @property
    def is_dead(self) -> bool:
        """Whether it was made to die."""
        return self.gate.is_dead

    async def ended(self) -> BaseException | None:
        """Wait for the end of the leader; returns what it raised, or None when the server was made to die."""
        await asyncio.wait([self._run])
        if self.is_dead:
            with suppress(BaseException):
                self._run.result()
            return None
        return self._run.exception()

    def die(self) -> None:
        """Die as by SIGKILL: nothing of it acts any more, and no call is answered."""
        if self.is_dead:
            return
        self.gate.is_dead = True
        for task in (self._run, *self._calls):
            task.cancel()

    def be_replaced(self) -> None:
        """Another leads from now on; this one has not heard of it and goes on as if nothing were."""
        self.gate.is_replaced = True
        self.inbox.notify()

    async def call(self, work: Callable[["Server"], Coroutine[Any, Any, T]]) -> T:
        """Do `work` inside of the server.

        Raises:
            ServerDied: it may or may not have been done.
        """
        self.gate.check()
        task = asyncio.get_running_loop().create_task(work(self))
        self._calls.add(task)
        await asyncio.wait([task])
        self._calls.discard(task)
        if self.is_dead and (task.cancelled() or task.exception()):
            raise ServerDied
        return task.result()
