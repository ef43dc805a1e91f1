"""One engine's side of control: acts on intents in order, and brings back what the engine says.

All of it is repeatable: launches, stops and releases are keyed by attempt, and whatever was in flight when a server
died is asked for again from the intents in the store.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from weakref import WeakValueDictionary

import structlog

from longshore.control.deliveries import Deliveries
from longshore.control.inbox import Begun, Inbox, Released
from longshore.control.launching import attempt_log, find_obstacle, render_launch, stop_request
from longshore.control.ledger import OpenAttempt
from longshore.control.provisions import CannotProvide, Provider, Provision, Provisions
from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import AttemptId
from longshore.domain.job import Intent
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.clock import Clock
from longshore.ports.crash_points import crash_point
from longshore.ports.engine import (
    Capabilities,
    EngineDriver,
    EngineUnavailable,
    Handle,
    LaunchFailed,
    LaunchFault,
    Observation,
    StopRequest,
    TaskState,
)
from longshore.ports.logs import AttemptLogs

_log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
HEALTH_SECONDS = 5.0
#: So long a watch lasts after one that failed until it counts as working.
HEARING_SECONDS = 1.0
COLLECT_SECONDS = 1.0
SWEEP_SECONDS = 30.0
#: How many logs are read from an engine at once.
CONCURRENT_LOGS = 8
_OVER = frozenset({TaskState.EXITED, TaskState.LOST, TaskState.FAILED_TO_START})


#: What need not be done any more once something later is asked for.
_OUTDATED: Mapping[Intent, tuple[Intent, ...]] = {
    Intent.NONE: (),
    Intent.LAUNCH: (),
    Intent.STOP: (Intent.LAUNCH,),
    Intent.RELEASE: (Intent.LAUNCH, Intent.STOP),
}


class Lane:
    """The way to one engine and back."""

    def __init__(
        self,
        name: str,
        driver: EngineDriver,
        *,
        logs: AttemptLogs,
        inbox: Inbox,
        clock: Clock,
        open_attempts: Callable[[], Sequence[OpenAttempt] | None],
        stop_grace_seconds: int,
        provider: Provider,
    ) -> None:
        self.name = name
        #: why the engine can't be used now; empty when it can
        self.problem = "not asked yet"
        #: why its news does not come, which is bad enough whatever it says of itself; empty while it comes
        self._unheard = ""
        self._driver = driver
        self._logs = logs
        self._inbox = inbox
        self._clock = clock
        self._open_attempts = open_attempts
        self._grace_seconds = stop_grace_seconds
        self._provisions = Provisions(
            provider, lambda entry: self.act([entry]), pulls_images=driver.capabilities().uses_images
        )
        self._deliveries = Deliveries(provider.trainings, clock)
        self._acts: dict[tuple[AttemptId, Intent], OpenAttempt] = {}
        #: their acts are on the way to the engine: what else is asked for these waits until that has been answered
        self._busy: set[AttemptId] = set()
        #: of those to be launched: they may have been, and are asked after before they are launched again
        self._uncertain: set[AttemptId] = set()
        #: not released yet
        self._launched: set[AttemptId] = set()
        self._wake = asyncio.Event()
        self._reading = asyncio.Semaphore(CONCURRENT_LOGS)
        self._log_locks: WeakValueDictionary[AttemptId, asyncio.Lock] = WeakValueDictionary()
        self._writes_log_files = driver.capabilities().writes_log_files

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do, as far as it is known now."""
        return self._driver.capabilities()

    def act(self, entries: Sequence[OpenAttempt]) -> None:
        """Do what the intents of these attempts ask for, soon and in order."""
        for entry in entries:
            attempt_id, intent = entry.attempt.attempt_id, entry.attempt.intent
            for outdated in _OUTDATED[intent]:
                self._acts.pop((attempt_id, outdated), None)
            if intent is not Intent.LAUNCH:
                self._provisions.drop(attempt_id)
            self._deliveries.follow(entry)
            self._acts[attempt_id, intent] = entry
        self._wake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._driver.open()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._check_health())
                group.create_task(self._follow())
                group.create_task(self._serve_acts())
                group.create_task(self._sweep())
                group.create_task(self._tell_delivered())
                if not self._writes_log_files:
                    group.create_task(self._collect())
        finally:
            await self._provisions.close()
            await self._deliveries.close()
            await self._driver.close()

    async def _serve_acts(self) -> None:
        """What is asked for while the engine has not answered yet goes to it at once, but for the same attempts."""
        async with asyncio.TaskGroup() as batches:
            while True:
                await self._wake.wait()
                self._wake.clear()
                batches.create_task(self._serve_batch())

    async def _serve_batch(self) -> None:
        await self._retrying(self.serve_once)
        if self._ready():
            self._wake.set()

    def _ready(self) -> Sequence[OpenAttempt]:
        return [entry for (attempt_id, _), entry in self._acts.items() if attempt_id not in self._busy]

    async def serve_once(self) -> None:
        """Act on what is asked for now, but for attempts of which an act is on its way.

        Launches come before stops and stops before releases: so for each attempt.

        Raises:
            EngineUnavailable: some of it could not be done; it is still asked for.
        """
        acts = self._ready()
        taken = {entry.attempt.attempt_id for entry in acts}
        self._busy |= taken
        try:
            await self._serve(acts)
        finally:
            self._busy -= taken

    async def _serve(self, acts: Sequence[OpenAttempt]) -> None:
        launches, stops, releases = (
            [entry for entry in acts if entry.attempt.intent is intent]
            for intent in (Intent.LAUNCH, Intent.STOP, Intent.RELEASE)
        )
        postponed = await self._launch(launches) if launches else ""
        if stops:
            requests = [stop_request(entry, self._grace_seconds) for entry in stops]
            await self._driver.stop(requests)
            crash_point("lane.after-stop")
            self._done(stops)
            await self._report(await self._driver.observe([entry.handle for entry in stops]))
        if releases:
            await self._driver.release([entry.handle for entry in releases])
            crash_point("lane.after-release")
            for entry in releases:
                if entry.job.spec.training is not None:
                    await self._deliveries.release(entry.attempt.attempt_id)
            self._done(releases)
            self._launched.difference_update(entry.attempt.attempt_id for entry in releases)
            self._inbox.put([Released(attempt_ids=[entry.attempt.attempt_id for entry in releases])])
        if postponed:
            raise EngineUnavailable(postponed)

    def _done(self, entries: Sequence[OpenAttempt]) -> None:
        for entry in entries:
            self._acts.pop((entry.attempt.attempt_id, entry.attempt.intent), None)

    async def _launch(self, entries: Sequence[OpenAttempt]) -> str:
        """Launch; returns why some must be tried again later, or nothing. Those stay among the acts."""
        postponed = ""
        rejected: list[LaunchFailed] = []
        confirmed: list[Observation] = []
        ready: list[tuple[OpenAttempt, Provision]] = []
        held_up: list[tuple[OpenAttempt, str]] = []
        for entry in entries:
            attempt_id = entry.attempt.attempt_id
            if attempt_id in self._uncertain:
                continue
            if entry.job.status is JobStatus.SCHEDULED:
                self._inbox.put([Begun(attempt_id=attempt_id)])
            try:
                if obstacle := await find_obstacle(entry, self._logs):
                    held_up.append((entry, obstacle))
                elif provision := self._provisions.take(entry):
                    ready.append((entry, provision))
                elif self._acts.pop((attempt_id, Intent.LAUNCH), None) is None:
                    self._provisions.drop(attempt_id)  # a stop has come; else it is asked for again when all is there
            except CannotProvide as problem:
                held_up.append((entry, str(problem)))
        rejected += await self._reject(held_up)
        await self._logs.attach([attempt_log(entry) for entry, _ in ready])
        crash_point("lane.before-launch")
        specs = [render_launch(entry, self._logs, provision) for entry, provision in ready]
        outcomes = await self._driver.launch(specs) if specs else ()
        crash_point("lane.after-launch")
        for outcome in outcomes:
            if isinstance(outcome, Handle):
                self._note_launched(outcome.attempt_id)
                if outcome.state:
                    state = TaskState.STARTING
                    confirmed.append(Observation(attempt_id=outcome.attempt_id, state=state, handle=outcome))
            elif outcome.fault is LaunchFault.UNAVAILABLE:
                postponed = outcome.reason
            elif outcome.fault is LaunchFault.UNCERTAIN:
                self._uncertain.add(outcome.attempt_id)
            else:
                rejected.append(outcome)
        self._inbox.put(confirmed)
        if rejected:
            await self._logs.seal([failed.attempt_id for failed in rejected])
            self._inbox.put(rejected)
            for failed in rejected:
                self._acts.pop((failed.attempt_id, Intent.LAUNCH), None)
        return await self._ask_after_uncertain(entries) or postponed

    async def _reject(self, held_up: Sequence[tuple[OpenAttempt, str]]) -> Sequence[LaunchFailed]:
        """The failures of those that were not launched. Some may have been, before a crash and what is in the way now.

        Raises:
            EngineUnavailable: it can't be told.
        """
        if not held_up:
            return ()
        reasons = {entry.attempt.attempt_id: reason for entry, reason in held_up}
        observations = await self._driver.observe([entry.handle for entry, _ in held_up])
        await self._report([o for o in observations if o.state not in (TaskState.GONE, TaskState.UNKNOWN)])
        for observation in observations:
            if observation.state is TaskState.UNKNOWN:
                raise EngineUnavailable("whether an attempt was launched before is not known now")
            if observation.state is not TaskState.GONE:
                self._note_launched(observation.attempt_id)
        return [
            LaunchFailed(attempt_id=o.attempt_id, fault=LaunchFault.REJECTED, reason=reasons[o.attempt_id])
            for o in observations
            if o.state is TaskState.GONE
        ]

    def _note_launched(self, attempt_id: AttemptId) -> None:
        self._acts.pop((attempt_id, Intent.LAUNCH), None)
        self._launched.add(attempt_id)

    async def _ask_after_uncertain(self, entries: Sequence[OpenAttempt]) -> str:
        """Learn what became of launches without an answer; returns why some are still to be done, or nothing."""
        asked = {entry.attempt.attempt_id for entry in entries} & self._uncertain
        uncertain = [self._acts[key].handle for key in self._acts if key[1] is Intent.LAUNCH and key[0] in asked]
        self._uncertain -= asked - {handle.attempt_id for handle in uncertain}
        if not uncertain:
            return ""
        observations = await self._driver.observe(uncertain)
        known = [o for o in observations if o.state not in (TaskState.GONE, TaskState.UNKNOWN)]
        await self._report(known)
        for observation in known:
            self._note_launched(observation.attempt_id)
        self._uncertain -= {o.attempt_id for o in observations if o.state is not TaskState.UNKNOWN}
        return "" if len(known) == len(observations) else "launches were not answered"

    async def _follow(self) -> None:
        """Bring news as it happens; after each interruption ask for everything that may have been missed."""
        while True:
            await self._retrying(self._follow_until_lost)

    async def _follow_until_lost(self) -> None:
        watching = self._driver.watch()
        first = asyncio.ensure_future(anext(watching))  # from here on nothing that happens is missed
        hearing = asyncio.create_task(self._note_hearing())
        try:
            await self.observe_all()
            # A runner that died in a grace time has forgotten that it was to kill.
            self.act([e for e in self._entries() if e.attempt.intent is Intent.STOP and not e.attempt.has_ended])
            await self._report(await first)
            async for observations in watching:
                await self._report(observations)
        except EngineUnavailable as problem:
            self._unheard = str(problem) or "its news does not come"
            raise
        finally:
            for task in (first, hearing):
                task.cancel()
            await asyncio.gather(first, hearing, return_exceptions=True)

    async def _note_hearing(self) -> None:
        """Engines do not say that a watch has begun: one that has lasted a while works."""
        await self._clock.sleep(HEARING_SECONDS)
        if self._unheard:
            self._unheard = ""
            await self.check_health_once()

    async def _sweep(self) -> None:
        """Ask after everything now and then: `watch` may miss something, and strays may turn up late."""
        while True:
            await self._clock.sleep(SWEEP_SECONDS)
            while not await self._retrying(self.observe_all):
                continue

    async def observe_all(self) -> None:
        """Ask after every open attempt, and have what no open attempt knows of stopped and released.

        Raises:
            EngineUnavailable: it does not answer, or which attempts are open is not known now.
        """
        await self._logs.attach([attempt_log(entry) for entry in self._entries() if not entry.attempt.has_ended])
        found = await self._driver.discover()
        entries = self._entries()  # read after asking: an attempt is stored before it is launched
        for entry in entries:
            self._deliveries.follow(entry)
        known = {entry.attempt.attempt_id for entry in entries}
        strays = [handle for handle in found if handle.attempt_id not in known]
        if strays:
            _log.warning("strays_found", engine=self.name, attempt_ids=[handle.attempt_id for handle in strays])
            await self._driver.stop([StopRequest(handle=handle, grace_seconds=0) for handle in strays])
            await self._driver.release(strays)
        live = [entry for entry in entries if not entry.attempt.has_ended]
        if not live:
            return
        # What was not launched yet is unknown to the engine, and not gone.
        awaited = {entry.attempt.attempt_id for entry in live if entry.attempt.intent is Intent.LAUNCH}
        awaited -= self._launched
        awaited |= self._busy | {attempt_id for attempt_id, _ in self._acts}
        observations = await self._driver.observe([entry.handle for entry in live])
        await self._report([o for o in observations if o.state is not TaskState.GONE or o.attempt_id not in awaited])

    def _entries(self) -> Sequence[OpenAttempt]:
        entries = self._open_attempts()
        if entries is None:
            raise EngineUnavailable("the leader is reading its attempts again")
        return [entry for entry in entries if entry.engine == self.name]

    async def _report(self, observations: Sequence[Observation]) -> None:
        """Pass news on; the log of an attempt that is over is whole before anybody hears of its end."""
        over = [o.attempt_id for o in observations if o.state in _OVER]
        if gone := {o.attempt_id for o in observations if o.state is TaskState.GONE}:
            entries = [entry.attempt for entry in self._entries() if entry.attempt.attempt_id in gone]
            over += [attempt.attempt_id for attempt in entries if attempt.intent is not Intent.LAUNCH]
        if over:
            if not self._writes_log_files:
                await self._read_logs([entry for entry in self._entries() if entry.attempt.attempt_id in over])
            await self._logs.seal(over)
            crash_point("lane.after-seal")
        self._inbox.put([o for o in observations if not self._deliveries.hold(o)])
        crash_point("lane.after-report")

    async def _tell_delivered(self) -> None:
        while True:
            self._inbox.put([await self._deliveries.next()])

    async def _read_logs(self, entries: Sequence[OpenAttempt]) -> None:
        await self._logs.attach([attempt_log(entry) for entry in entries])
        await asyncio.gather(*(self._read_log(entry) for entry in entries))

    async def _read_log(self, entry: OpenAttempt) -> None:
        handle, attempt_id = entry.handle, entry.attempt.attempt_id
        lock = self._log_locks.setdefault(attempt_id, asyncio.Lock())
        async with lock, self._reading:  # two readers at one cursor would both append what is behind it
            cursor = await self._logs.cursor(attempt_id)
            async for chunk in self._driver.read_logs(handle, cursor=cursor):
                await self._logs.append(attempt_id, [(chunk.at, chunk.data)], chunk.cursor)

    async def _collect(self) -> None:
        """Read output of running attempts, for engines that do not write log files themselves."""
        while True:
            await self._clock.sleep(COLLECT_SECONDS)
            await self._retrying(self._read_running)

    async def _read_running(self) -> None:
        await self._read_logs([e for e in self._entries() if e.attempt.started_at and not e.attempt.has_ended])

    async def _check_health(self) -> None:
        while True:
            await self.check_health_once()
            await self._clock.sleep(HEALTH_SECONDS)

    async def check_health_once(self) -> None:
        """Ask the engine how it is, and tell the scheduler when that has changed."""
        fingerprint = await self._driver.fingerprint()
        problem = fingerprint.problem or "it does not say what is wrong"
        self._set_problem(self._unheard if fingerprint.healthy else problem)

    def _set_problem(self, problem: str) -> None:
        if problem != self.problem:
            _log.info("engine_health", engine=self.name, problem=problem)
            self.problem = problem
            self._inbox.has_changed_health = True
            self._inbox.ring()

    async def _retrying(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do `work`, or when the engine or the log store can't, wait a moment; returns whether it is done.

        Whatever else is raised ends the server: no server is better than one that goes on after a fault of ours.
        """
        try:
            await work()
        except EngineUnavailable as unavailable:
            self._set_problem(str(unavailable) or "it does not answer")
        except StoreUnavailable as full:
            _log.error("logs_unavailable", engine=self.name, error=full.message)
        else:
            return True
        await self._clock.sleep(RETRY_SECONDS)
        return False
