"""One life of a server: the real leader, lanes and use cases, over gates; what it knows dies with it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.present import Present
from longshore.engines.fake import FakeDriver, FakeSite, SeededFaults
from longshore.ports.clock import Clock
from longshore.ports.logs import AttemptLogs
from longshore.ports.notifier import Notifier
from longshore.service.services import build_services
from longshore.testing.simulation.gates import Gate, GatedDriver, GatedLogs, GatedStore, LeaderStore, Outside
from longshore.testing.simulation.scenario import Scenario

T = TypeVar("T")


class ObservedLeader(Leader):
    """A leader that says when a turn is over."""

    #: called with the present and whether more is to be done at once
    after_turn: Callable[[Present, bool], Awaitable[None]]

    async def turn(self) -> bool:
        more = await super().turn()
        if self._present is not None:
            await self.after_turn(self._present, more)
        return more


class Server:
    """A process, from its start to its death."""

    def __init__(
        self,
        world: Outside,
        scenario: Scenario,
        number: int,
        *,
        site: FakeSite,
        logs: AttemptLogs,
        clock: Clock,
        notifier: Notifier,
        new_attempt_id: Callable[[], Any],
        after_turn: Callable[[Present, bool], Awaitable[None]],
    ) -> None:
        self.number = number
        self.gate = Gate(world, self._die)
        self.inbox = Inbox()
        begun_at = clock.boot_seconds() - world.now()
        drivers = {
            engine: GatedDriver(
                self.gate,
                FakeDriver(
                    site,
                    clock,
                    faults=SeededFaults(
                        hash_of(scenario.seed, number, engine),
                        rate=scenario.fault_rate,
                        outages=scenario.outages_from(begun_at),
                        until=begun_at + scenario.calm_at,
                    ),
                    installation=engine,
                ),
                writes_log_files=writes_log_files,
            )
            for engine, writes_log_files in scenario.engines.items()
        }
        self.leader = ObservedLeader(
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
        self.leader.after_turn = after_turn
        self.services = build_services(
            GatedStore(self.gate, "api"),
            clock,
            notifier,
            engines=list(scenario.engines),
            resolve_engine=lambda: next(iter(scenario.engines)),
            array_size_max=10_000,
        )
