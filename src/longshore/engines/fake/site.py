"""The machines of the fake engine: what runs on them, and a ledger of what ever did. It outlives every driver.

Nothing here happens by itself. Whoever asks first lets the site catch up with its clock: all that was due until then
happens, in order of time, each at its exact time. A task's life is
accepted, (start delay), started, (duration), ended; or cut short by a stop, a failure to start or the loss of its host.
"""

import asyncio
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from longshore.domain.ids import AttemptId, HostId
from longshore.domain.resources import Resources
from longshore.engines.fake.script import Behaviour, Script, succeeds_at_once
from longshore.ports.clock import Clock
from longshore.ports.engine import LaunchSpec, Observation, TaskState, Usage

SIGTERM_CODE = 128 + 15
SIGKILL_CODE = 128 + 9

LIVE = (TaskState.STARTING, TaskState.RUNNING)


@dataclass(slots=True, kw_only=True, eq=False)
class FakeTask:
    """One native task. `identity` counts the tasks of the site; times are readings of the wall clock."""

    identity: int
    installation: str
    spec: LaunchSpec
    behaviour: Behaviour
    state: TaskState = TaskState.STARTING
    started_boot_seconds: float = 0.0
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    reason: str = ""
    cpu_seconds: float | None = None

    @property
    def live(self) -> bool:
        """Whether it holds resources: it may still start, or runs."""
        return self.state in LIVE

    def observation(self) -> Observation:
        """What the driver says of it."""
        return Observation(
            attempt_id=self.spec.attempt_id,
            state=self.state,
            started_at=self.started_at,
            stopped_at=self.stopped_at,
            exit_code=self.exit_code,
            oom_killed=self.oom_killed,
            reason=self.reason,
            usage=Usage(cpu_seconds=self.cpu_seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageChange:
    """From `at`, by the boot clock, live tasks hold `in_use` of the host."""

    at: float
    host_id: HostId
    in_use: Resources


@dataclass(slots=True, kw_only=True)
class Ledger:
    """All that happened at a site, for invariants: it is never forgotten, released or not."""

    #: launches that were accepted, per attempt: above 1, an attempt was live twice
    starts: Counter[AttemptId] = field(default_factory=Counter[AttemptId])
    #: (job, attempt that was live, attempt that was accepted beside it); parts of one attempt may be
    overlaps: list[tuple[str, AttemptId, AttemptId]] = field(default_factory=list[tuple[str, AttemptId, AttemptId]])
    usage: list[UsageChange] = field(default_factory=list[UsageChange])
    #: attempts that were to be released while they were live; the site keeps them
    released_alive: list[AttemptId] = field(default_factory=list[AttemptId])


class FakeSite:
    """Runs tasks by `script` on `clock`, deterministically, for any number of drivers and installations."""

    def __init__(self, clock: Clock, script: Script = succeeds_at_once) -> None:
        self.ledger = Ledger()
        self._clock = clock
        self._script = script
        self._tasks: dict[tuple[str, AttemptId], FakeTask] = {}
        self._live_by_job: defaultdict[str, dict[int, FakeTask]] = defaultdict(dict)
        self._in_use: defaultdict[HostId, Resources] = defaultdict(Resources)
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = count()
        self._identities = count(1)
        self._listeners: list[Listener] = []

    # --- time ------------------------------------------------------------------------------------------------------

    def next_event_at(self) -> float | None:
        """The boot clock's reading at which something is due next; it may turn out to be nothing. None: never."""
        return self._due[0][0] if self._due else None

    def advance_to(self, boot_seconds: float) -> None:
        """Let everything happen that is due until then."""
        while self._due and self._due[0][0] <= boot_seconds:
            at, _, act = heapq.heappop(self._due)
            act(at)

    def catch_up(self) -> None:
        """`advance_to` the present. Call it before the wall clock jumps, so that earlier events bear earlier stamps."""
        self.advance_to(self._clock.boot_seconds())

    def _at(self, boot_seconds: float, act: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (boot_seconds, next(self._numbers), act))
        if self._due[0][2] is act:
            for listener in self._listeners:
                listener.changed.set()

    def _wall(self, boot_seconds: float) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.boot_seconds() - boot_seconds)

    # --- what a driver, or a person at the machine, may do ---------------------------------------------------------

    def accept(self, spec: LaunchSpec, installation: str) -> FakeTask | str:
        """The task of the attempt, started unless it is there already; or the reason for refusing it."""
        self.catch_up()
        known = self._tasks.get((installation, spec.attempt_id))
        if known is not None:
            return known
        behaviour = self._script(spec)
        if behaviour.rejection:
            return behaviour.rejection
        now = self._clock.boot_seconds()
        task = FakeTask(identity=next(self._identities), installation=installation, spec=spec, behaviour=behaviour)
        siblings = self._live_by_job[spec.job_id]
        self.ledger.starts[spec.attempt_id] += 1
        strangers = (
            other for other in siblings.values() if spec.whole_id is None or other.spec.whole_id != spec.whole_id
        )
        self.ledger.overlaps += [(spec.job_id, other.spec.attempt_id, spec.attempt_id) for other in strangers]
        siblings[task.identity] = task
        self._tasks[installation, spec.attempt_id] = task
        self._use(now, spec.host_id, self._in_use[spec.host_id] + spec.container.resources)
        self._tell(task)
        self._at(now + behaviour.start_delay_seconds, lambda at: self._start(task, at))
        self.catch_up()
        return task

    def find(self, attempt_id: AttemptId, installation: str) -> FakeTask | None:
        """The attempt's task as it is now, until it is released."""
        self.catch_up()
        return self._tasks.get((installation, attempt_id))

    def tasks(self, installation: str) -> list[FakeTask]:
        """All tasks of the installation that were not released, oldest first."""
        self.catch_up()
        return [task for (owner, _), task in self._tasks.items() if owner == installation]

    def terminate(self, task: FakeTask, *, grace_seconds: float) -> None:
        """SIGTERM now and SIGKILL `grace_seconds` later, unless it ends before."""
        self.catch_up()
        now = self._clock.boot_seconds()
        if task.state is TaskState.STARTING:
            self._end(task, now, TaskState.FAILED_TO_START, reason="stopped before it started")
        elif task.state is TaskState.RUNNING and not task.behaviour.ignores_term:
            self._end(task, now, TaskState.EXITED, exit_code=SIGTERM_CODE)
        elif task.state is TaskState.RUNNING:
            self._at(now + grace_seconds, lambda at: self._end(task, at, TaskState.EXITED, exit_code=SIGKILL_CODE))
            self.catch_up()

    def forget(self, task: FakeTask) -> None:
        """Remove what is left of a task that is over."""
        self.catch_up()
        if task.live:
            self.ledger.released_alive.append(task.spec.attempt_id)
        else:
            self._tasks.pop((task.installation, task.spec.attempt_id), None)

    def lose_host(self, host_id: HostId) -> None:
        """The host dies now, and with it every task there; it is back at once."""
        self.catch_up()
        now = self._clock.boot_seconds()
        for task in list(self._tasks.values()):
            if task.live and task.spec.host_id == host_id:
                self._end(task, now, TaskState.LOST, reason=f"host {host_id} was lost")

    def in_use(self, host_id: HostId) -> Resources:
        """What live tasks hold of the host now."""
        self.catch_up()
        return self._in_use[host_id]

    @contextmanager
    def listen(self, installation: str) -> Generator["Listener"]:
        """Hear of every change in the installation's tasks from now on."""
        listener = Listener(installation=installation)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    # --- what happens to tasks -------------------------------------------------------------------------------------

    def _start(self, task: FakeTask, at: float) -> None:
        if task.state is not TaskState.STARTING:
            return
        behaviour = task.behaviour
        if behaviour.start_failure:
            self._end(task, at, TaskState.FAILED_TO_START, reason=behaviour.start_failure)
            return
        task.state = TaskState.RUNNING
        task.started_boot_seconds = at
        task.started_at = self._wall(at)
        self._tell(task)
        self._at(at + behaviour.duration_seconds, lambda at: self._finish(task, at))

    def _finish(self, task: FakeTask, at: float) -> None:
        behaviour = task.behaviour
        self._end(task, at, TaskState.EXITED, exit_code=behaviour.exit_code, oom_killed=behaviour.oom_killed)

    def _end(
        self,
        task: FakeTask,
        at: float,
        state: TaskState,
        *,
        exit_code: int | None = None,
        oom_killed: bool = False,
        reason: str = "",
    ) -> None:
        if not task.live:
            return
        if task.state is TaskState.RUNNING:
            task.stopped_at = self._wall(at)
            if state is TaskState.EXITED:
                task.cpu_seconds = at - task.started_boot_seconds
        task.state, task.exit_code, task.oom_killed, task.reason = state, exit_code, oom_killed, reason
        del self._live_by_job[task.spec.job_id][task.identity]
        host_id = task.spec.host_id
        self._use(at, host_id, self._in_use[host_id] - task.spec.container.resources)
        self._tell(task)

    def _use(self, at: float, host_id: HostId, in_use: Resources) -> None:
        self._in_use[host_id] = in_use
        self.ledger.usage.append(UsageChange(at=at, host_id=host_id, in_use=in_use))

    def _tell(self, task: FakeTask) -> None:
        for listener in self._listeners:
            if listener.installation == task.installation:
                listener.news.append(task.observation())
                listener.changed.set()


@dataclass(slots=True, kw_only=True, eq=False)
class Listener:
    """One who hears of changes."""

    installation: str
    #: what it has not taken yet, oldest first
    news: deque[Observation] = field(default_factory=deque[Observation])
    #: set when there is news, and when something is due sooner than it was
    changed: asyncio.Event = field(default_factory=asyncio.Event)
