"""One run: a scenario lived through, with servers that die and come back, and checks after each step."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar, cast

from longshore.control.present import Present
from longshore.domain.environment import State
from longshore.domain.errors import StaleLeader, StoreUnavailable
from longshore.domain.ids import AttemptId
from longshore.ports.engine import LaunchSpec
from longshore.ports.store import Reader, Store, Transaction
from longshore.store.sqlite import InlineStore
from longshore.testing.simulation.broken import Broken, broken
from longshore.testing.simulation.client import Client
from longshore.testing.simulation.drawing import draw_scenario
from longshore.testing.simulation.ending import FOREIGN, check_end
from longshore.testing.simulation.fate import Fate
from longshore.testing.simulation.gates import ServerDied
from longshore.testing.simulation.history import Census
from longshore.testing.simulation.invariants import StoreChecks
from longshore.testing.simulation.logs import KeptLogs
from longshore.testing.simulation.loop import LoopClock, run_virtually
from longshore.testing.simulation.mishaps import Mishaps
from longshore.testing.simulation.presence import check_present, check_reasons, check_reserved
from longshore.testing.simulation.records import Rows
from longshore.testing.simulation.scenario import Scenario
from longshore.testing.simulation.server import Server
from longshore.testing.simulation.site import RecordingSite
from longshore.testing.simulation.trace import SimulationFailed, Trace, log_to

T = TypeVar("T")

#: After the faults are over something must happen at least so often while work is left.
QUIET_SECONDS = 400.0
#: Long enough for a look at everything that hangs from before, and for another.
SETTLING_SECONDS = 130.0
MOST_STEPS = 300_000
#: A running attempt is asked to stop so soon after its time-out, while nothing goes wrong.
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run in which all invariants held."""

    seed: int
    digest: str
    steps: int
    jobs: int
    attempts: int
    #: how often the server died at each point
    deaths: Counter[str]


class World:
    """Everything outside the server. Implements `gates.Outside`."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.clock = LoopClock()
        self.trace = Trace()
        self.site = RecordingSite(self.clock, scenario)
        self.logs = KeptLogs()
        self.census = Census(scenario)
        self.checks = StoreChecks(self.census, self.site, self.logs, self.clock)
        self.deaths: Counter[str] = Counter()
        self._client = Client(
            scenario,
            self.census,
            self.clock,
            self._call,
            statuses=self.checks.history.statuses,
            accepted=self.checks.accepted,
        )
        self._store = InlineStore()
        self.fate = Fate(scenario, self.clock.boot_seconds)
        self._attempts = 0
        self._turns = 0
        self._started = 0
        #: the last one is the one that callers reach
        self._servers: list[Server] = []
        self._leading = -1
        self._is_up = asyncio.Event()
        self._changed_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # --- what gates ask --------------------------------------------------------------------------------------------

    def reached(self, point: str) -> None:
        self.note(point)
        if self.trace.step > MOST_STEPS:
            self.fail("work ends", f"{MOST_STEPS} steps")

    def died(self, point: str) -> None:
        self.deaths[point] += 1
        self.note(f"the server dies at {point}")

    def store(self) -> Store:
        return self._store

    def before_launch(self, specs: Sequence[LaunchSpec]) -> None:
        for spec in specs:
            if spec.attempt_id not in self.checks.attempts and spec.attempt_id not in self.checks.parts.rows:
                self.fail("commit, then act", f"attempt {spec.attempt_id} is launched and not stored")
            if spec.whole_id is not None:
                self._checked(lambda spec=spec: self.checks.parts.check_launch(spec))
        self.note(f"launch {len(specs)}")

    def before_stop(self, attempt_ids: Sequence[AttemptId]) -> None:
        for attempt_id in attempt_ids:
            row = self.checks.attempts.get(attempt_id)
            if row is not None and row.stopped_at is None and row.stop_cause is None:
                self.fail("only what is to be stopped is stopped", f"{self.checks.name(row.job_key)}: {row}")
            part = self.checks.parts.rows.get(attempt_id)
            if part is not None and part.stopped_at is None and part.intent != "stop":
                self.fail("only what is to be stopped is stopped", f"{self.checks.name(part.job_key)}: {part}")
        self.note(f"stop {len(attempt_ids)}")

    def before_release(self, attempt_ids: Sequence[AttemptId]) -> None:
        for attempt_id in attempt_ids:
            row = self.checks.attempts.get(attempt_id)
            if row is not None and row.stopped_at is None:
                self.fail("only what has ended is released", f"{self.checks.name(row.job_key)}: {row}")
            self._checked(lambda attempt_id=attempt_id: self.checks.parts.check_release(attempt_id))
        self.note(f"release {len(attempt_ids)}")

    def after_act(self) -> None:
        problem = self.site.problem()
        if problem is not None:
            self.fail(*problem)

    def committed(self, by: str, server: int) -> None:
        if by == "lead":
            self._leading = server
        elif by == "turn" and server != self._leading:
            self.fail("who was replaced writes no more", f"server {server} wrote while server {self._leading} led")
        last_event, last_spec = self.checks.position
        rows = self._read(lambda reader: Rows(reader, last_event=last_event, last_spec=last_spec))
        lines = self._checked(lambda: self.checks.look(rows))
        for line in lines:
            self.note(line)
        if lines:
            self._changed_at = self.clock.boot_seconds()
        if by == "turn":
            self._check_time_outs(late_seconds=0.0)
            self._checked(lambda: self.checks.history.check_late_starts(self.checks.jobs))
        self.after_act()

    # --- the run ---------------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Add to the story."""
        self.trace.note(self.clock.boot_seconds(), text)

    def fail(self, invariant: str, problem: str) -> NoReturn:
        """End the run.

        Raises:
            SimulationFailed: always.
        """
        failure = SimulationFailed(
            seed=self.scenario.seed,
            step=self.trace.step,
            invariant=invariant,
            problem=problem,
            tail=self.trace.tail(),
        )
        if not self._over.done():
            self._over.set_exception(failure)
        raise failure

    def hear(self, event: str, problem: BaseException | None) -> None:
        """The server writes to its log."""
        if not isinstance(problem, SimulationFailed | ServerDied):
            self.note(f"log: {event}")
            if event == "engine_fault":
                self.fail("lanes have no faults", "".join(traceback.format_exception(problem)))

    async def live(self) -> Finished:
        """Go through the whole scenario.

        Raises:
            SimulationFailed: an invariant does not hold.
        """
        await self._store.open()
        await self._store.write(self._set_up)
        self.site.turn_up(-1, FOREIGN)
        self._start_server()
        mishaps = Mishaps(
            self.scenario,
            self.site,
            self.clock,
            note=self.note,
            take_over=self._take_over,
            reboot=self._reboot,
            set_state=self._set_state,
        )
        for work in (self._play(), mishaps.happen(), self._watch_time_outs()):
            self._spawn(work)
        try:
            await self._over
        finally:
            for server in list(self._servers):
                server.die()
                await server.ended()
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
            await self._store.close()
        return Finished(
            seed=self.scenario.seed,
            digest=self.trace.digest(),
            steps=self.trace.step,
            jobs=len(self.checks.jobs),
            attempts=len(self.checks.attempts),
            deaths=self.deaths,
        )

    def _set_up(self, tx: Transaction) -> None:
        for environment in self.scenario.environments:
            tx.put_environment(environment)
        for queue in self.scenario.queues:
            tx.put_queue(queue)
        for policy in self.scenario.policies:
            tx.put_scheduling_policy(policy)
        for resource in self.scenario.consumables:
            tx.put_consumable(resource)
        for definition in {job.definition.name: job.definition for job in self.scenario.jobs}.values():
            tx.put_definition(definition)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(self._ending_with(work)))

    async def _ending_with(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the failure of a task of ours be that of the run."""
        try:
            await work
        except Exception as problem:
            if self._over.done():
                return
            causes = list(_leaves(problem))
            try:
                for cause in causes:
                    if isinstance(cause, Broken):
                        self.fail(cause.invariant, cause.problem)
                self.fail("nothing else is raised", "".join(traceback.format_exception(causes[0])))
            except SimulationFailed:
                return

    async def _play(self) -> None:
        await self._client.run()
        await self.clock.sleep(self.scenario.calm_at - self.clock.boot_seconds())
        await self._client.give_up_the_impossible()
        begun_at = self.clock.boot_seconds()
        while not all(job.is_final for job in self.checks.jobs.values()):
            if self.clock.boot_seconds() > max(self._changed_at, begun_at) + QUIET_SECONDS:
                left = [
                    (self.checks.name(job.key), job.status) for job in self.checks.jobs.values() if not job.is_final
                ]
                broken("all work ends", f"nothing happens any more; left: {left}")
            await self.clock.sleep(5.0)
        await self.clock.sleep(SETTLING_SECONDS)
        self._read(
            lambda reader: check_end(self.scenario, self.checks, self.site, reader, updated=self._client.updated)
        )
        self._over.set_result(None)

    # --- servers ---------------------------------------------------------------------------------------------------

    def _start_server(self) -> None:
        server = Server(
            self,
            self.fate,
            self.scenario,
            self._started,
            site=self.site,
            logs=self.logs,
            clock=self.clock,
            notifier=self,
            new_attempt_id=self._new_attempt_id,
            after_turn=lambda present, more, due: self._after_turn(server, present, more, due),
        )
        self.note(f"server {self._started} starts")
        self._started += 1
        self._servers.append(server)
        self._is_up.set()
        self._spawn(self._see_end_of(server))

    async def _see_end_of(self, server: Server) -> None:
        """Wait for the end of a server, and start the next if it was not replaced before."""
        problem = await server.ended()
        causes = [] if problem is None else list(_leaves(problem))
        for cause in causes:
            if isinstance(cause, SimulationFailed):
                raise cause
            if not isinstance(cause, StoreUnavailable | ServerDied) and not (
                isinstance(cause, StaleLeader) and server.gate.is_replaced
            ):
                raise cause
        server.die()
        self._servers.remove(server)
        if server.gate.is_replaced:
            return
        self._is_up.clear()
        if not self._servers:
            await self._reopen()
        await self.clock.sleep(self.fate.down_time())
        self._start_server()

    async def _reopen(self) -> None:
        """All that is left is what was committed."""
        image = self._store.image()
        await self._store.close()
        self._store = InlineStore(image)
        await self._store.open()

    async def _call(self, work: Callable[[Server], Coroutine[Any, Any, T]]) -> T:
        while True:
            await self._is_up.wait()
            server = self._servers[-1]
            if not server.is_dead:
                return await server.call(work)
            await asyncio.sleep(0.1)

    def notify(self) -> None:
        """Implements `ports.notifier.Notifier`: all servers on one store hear it."""
        for server in self._servers:
            server.inbox.notify()

    def _new_attempt_id(self) -> AttemptId:
        self._attempts += 1
        return AttemptId(f"{self._attempts:032x}")

    # --- checks that need more than the rows ------------------------------------------------------------------------

    async def _after_turn(self, server: Server, present: Present, more: bool, reasons_due: bool) -> None:
        if server.is_dead or server.gate.is_replaced:
            return
        self._turns += 1
        try:
            check_reserved(present, self.checks, self.scenario)
            if not more and not present.checks:
                self.checks.history.check_resolved()
                if not reasons_due:
                    check_reasons(present, self.checks.reasons)
            if self._turns % 4 == 0:
                rebuilt = await self._store.read(lambda reader: Present.rebuild(reader, self.scenario.hosts))
                all_taken_in = all(job.status != "SUBMITTED" for job in self.checks.jobs.values())
                check_present(present, rebuilt, self.scenario, all_taken_in=all_taken_in)
        except Broken as found:
            self.fail(found.invariant, found.problem)

    def _check_time_outs(self, *, late_seconds: float) -> None:
        """Every running attempt whose time is over is asked to stop."""
        now = self.clock.boot_seconds()
        for row in self.checks.attempts.values():
            if row.stopped_at is not None or row.stop_cause is not None or row.started_boot_seconds is None:
                continue
            if row.started_boot_id != self.clock.boot_id():
                continue  # lost with that boot, and not found out yet
            timeout = self.census.planned(row.job_key).timeout_seconds
            if timeout is not None and row.started_boot_seconds + timeout + late_seconds <= now:
                self.fail("no time-out is missed", f"at {now}: {self.checks.name(row.job_key)}: {row}")

    async def _watch_time_outs(self) -> None:
        await self.clock.sleep(self.scenario.calm_at + QUIET_SECONDS / 4 - self.clock.boot_seconds())
        while True:
            self._check_time_outs(late_seconds=STOP_SECONDS)
            await self.clock.sleep(STOP_SECONDS)

    # --- mishaps that concern servers and the store ------------------------------------------------------------------

    def _take_over(self) -> None:
        if self._servers and not (present := self._servers[-1]).is_dead and present.gate.number == self._leading:
            present.be_replaced()
            self._start_server()

    def _reboot(self) -> None:
        for host in self.scenario.hosts:
            self.site.lose_host(host.id)
        self.clock.boots += 1
        for server in self._servers:
            server.die()

    def _set_state(self, name: str, state: State) -> None:
        environment = next(each for each in self.scenario.environments if each.name == name)
        _at_once(self._store.write(lambda tx: tx.put_environment(replace(environment, state=state))))
        self.notify()

    def _read(self, work: Callable[[Reader], T]) -> T:
        return _at_once(self._store.read(work))

    def _checked(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Broken as found:
            self.fail(found.invariant, found.problem)


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def _leaves(problem: BaseException) -> Iterator[BaseException]:
    """What was raised, taken out of its groups."""
    if isinstance(problem, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", problem).exceptions:
            yield from _leaves(each)
    else:
        yield problem


def run_seed(seed: int) -> Finished:
    """Live through the scenario of `seed`.

    Raises:
        SimulationFailed: an invariant does not hold.
    """

    worlds: list[World] = []

    async def live() -> Finished:
        worlds.append(World(draw_scenario(seed)))
        return await worlds[0].live()

    with log_to(lambda event, problem: worlds[0].hear(event, problem)):
        return run_virtually(live)
