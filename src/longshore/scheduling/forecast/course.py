"""The course of things: from event to event on virtual time.

Between events nothing changes that a cycle decides by, so a cycle takes place when a job has come or one has ended, at
once or at the next full `interval_seconds`. Ends of an instant come before what is submitted then, and that before the
cycle. Time is in seconds, and the present is second 0. What is decided is decided by `plan_cycle`, as in the server;
how long a job runs is for the caller to say, and is not known to the cycle.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from math import ceil, inf

from longshore.domain.ids import JobKey
from longshore.scheduling.backlog import Backlog
from longshore.scheduling.classes import JobClass
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.forecast.world import Running, World
from longshore.scheduling.plan import Placement
from longshore.scheduling.snapshot import Snapshot, WaitingClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Jobs of one class that become RUNNABLE, with consecutive keys."""

    at: float
    key: JobKey
    job_class: JobClass
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A job was placed."""

    at: float
    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job gave back what it held."""

    at: float
    running: Running
    #: it was stopped for another, and waits again in its old place
    was_preempted: bool = False


class Course:
    """What becomes of a present.

    Attempts start at once when they are placed and nothing fails; a preempted job is gone at once and loses what it has
    done.
    """

    def __init__(
        self,
        present: Snapshot,
        *,
        seconds_of: Callable[[JobKey, JobClass], float],
        running: Iterable[Running] = (),
        arrivals: Iterable[Arrival] = (),
        interval_seconds: float = 0.0,
    ) -> None:
        """`seconds_of` says how long a job runs if its time-out does not stop it, `running` who holds what is taken.

        `arrivals` are in the order of time.
        """
        self.now = 0.0
        self._seconds_of = seconds_of
        self._interval_seconds = interval_seconds
        self._backlog = Backlog()
        for waiting in present.classes:
            for run in waiting.runs:
                self._backlog.add(waiting.job_class, intake=run.intake, key=run.key, count=run.count)
        self._next_intake = max((w.runs[-1].intake + w.runs[-1].count for w in present.classes), default=1)
        self._running = {each.placement.key: each for each in running}
        self._world = World(present, self._running.values())
        self._ends = [(each.ends_at, key) for key, each in self._running.items()]
        heapify(self._ends)
        self._arrivals = iter(arrivals)
        self._arrival = next(self._arrivals, None)

    @property
    def waiting(self) -> Sequence[WaitingClass]:
        """What waits now; when the course is over, what never starts."""
        return self._backlog.waiting()

    @property
    def running(self) -> Iterable[Running]:
        """What runs now."""
        return self._running.values()

    def present(self) -> Snapshot:
        """A copy of what a cycle would see now, but for what runs."""
        waiting = [replace(each, runs=tuple(each.runs)) for each in self._backlog.waiting()]
        return self._world.copied(waiting, self.now)

    def admit(self, job_class: JobClass, *, intake: int, key: JobKey, count: int = 1) -> None:
        """More jobs wait from now on, in the place that their intake numbers give them; called at an `Ended`."""
        self._backlog.add(job_class, intake=intake, key=key, count=count)

    def events(self) -> Iterator[Started | Ended]:
        """All starts and ends in the order of time, until nothing runs and nothing comes; to be left at any time."""
        cycle_at = self.now
        while True:
            ends_at = self._ends[0][0] if self._ends else inf
            comes_at = self._arrival.at if self._arrival else inf
            happens_at = min(ends_at, comes_at)
            if cycle_at < happens_at:
                self.now = cycle_at
                yield from self._cycle()
                cycle_at = inf
                continue
            if happens_at == inf:
                return
            self.now = happens_at
            if ends_at <= comes_at:
                ended = self._end(heappop(self._ends))
                if ended is None:
                    continue
                yield ended
            else:
                self._take_in()
            cycle_at = min(cycle_at, self._next_cycle())

    def _next_cycle(self) -> float:
        every = self._interval_seconds
        return ceil(self.now / every) * every if every else self.now

    def _take_in(self) -> None:
        arrival = self._arrival
        assert arrival is not None
        self._backlog.add(arrival.job_class, intake=self._next_intake, key=arrival.key, count=arrival.count)
        self._next_intake += arrival.count
        self._arrival = next(self._arrivals, None)
        assert self._arrival is None or self._arrival.at >= arrival.at, self._arrival

    def _end(self, entry: tuple[float, JobKey]) -> Ended | None:
        """None: it was preempted before."""
        ends_at, key = entry
        running = self._running.get(key)
        if running is None or running.ends_at != ends_at:
            return None
        del self._running[key]
        self._world.give_back(running, self.now)
        return Ended(at=self.now, running=running)

    def _cycle(self) -> Iterator[Started | Ended]:
        while True:
            plan = plan_cycle(self._world.snapshot(self._backlog.waiting(), self.now), explain=False)
            for preemption in plan.preemptions:
                yield self._preempt(preemption.victim)
            for placement in plan.placements:
                yield self._start(placement)
            if not plan.preemptions and len(plan.placements) < self._world.max_placements:
                return

    def _preempt(self, victim: JobKey) -> Ended:
        running = self._running.pop(victim)
        self._world.give_back(running, self.now)
        placement = running.placement
        self._backlog.add(placement.job_class, intake=placement.intake, key=victim)
        return Ended(at=self.now, running=running, was_preempted=True)

    def _start(self, placement: Placement) -> Started:
        key, job_class = placement.key, placement.job_class
        self._backlog.remove(job_class, intake=placement.intake)
        seconds, timeout = self._seconds_of(key, job_class), job_class.timeout_seconds
        held = seconds if timeout is None else min(seconds, timeout)
        running = Running(placement=placement, started_at=self.now, ends_at=self.now + held)
        self._running[key] = running
        self._world.take(running, self.now)
        heappush(self._ends, (running.ends_at, key))
        return Started(at=self.now, placement=placement)
