"""What runs now, by host and by environment, and from when on a host has room for a job that waits.

From when on each host has room for as much as a job asks for is kept between cycles, since from one to the next few
hosts change: only those are looked at again, and those where a job has run longer than was expected of it.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from math import inf
from operator import add, ge
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from longshore.domain.ids import HostId, JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.fleet import Fleet, Integers, Mask
from longshore.scheduling.snapshot import EnvironmentName, RunningView

Instants = NDArray[np.float64]
Amounts: TypeAlias = tuple[int, ...]

#: How many questions have their answers kept, and how many changes are remembered for them.
_MOST_QUESTIONS = 256
_MOST_CHANGES = 100_000


class Roster(Collection[RunningView]):
    """Every job that holds hosts, once; changed by `put` and `remove` only."""

    def __init__(self, views: Iterable[RunningView] = ()) -> None:
        self._jobs: dict[JobKey, RunningView] = {}
        self._by_host: dict[HostId, dict[JobKey, tuple[RunningView, Resources]]] = {}
        self._by_environment: dict[EnvironmentName, dict[JobKey, RunningView]] = {}
        self._answers: dict[tuple[Resources | None, bool], _Answer] = {}
        self._changes: list[HostId] = []
        self._freed: dict[tuple[HostId, bool], Freed] = {}
        for view in views:
            self.put(view)

    @classmethod
    def of(cls, running: Collection[RunningView]) -> "Roster":
        """These jobs."""
        return running if isinstance(running, Roster) else cls(running)

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[RunningView]:
        return iter(self._jobs.values())

    def __contains__(self, view: object) -> bool:
        return isinstance(view, RunningView) and self._jobs.get(view.key) == view

    def find(self, key: JobKey) -> RunningView | None:
        """The job with that key, if it runs."""
        return self._jobs.get(key)

    def put(self, view: RunningView) -> None:
        """A job runs, or more is known of it."""
        self.remove(view.key)
        self._jobs[view.key] = view
        self._by_environment.setdefault(view.environment, {})[view.key] = view
        for host_id, amount in view.held:
            of_host = self._by_host.setdefault(host_id, {})
            before = of_host.get(view.key)
            of_host[view.key] = view, amount if before is None else before[1] + amount
            self._note_change(host_id)
        if len(self._changes) > _MOST_CHANGES:
            self._answers.clear()
            self._changes.clear()

    def remove(self, key: JobKey) -> None:
        """A job runs no more, if it did."""
        view = self._jobs.pop(key, None)
        if view is None:
            return
        del self._by_environment[view.environment][key]
        for host_id, _ in view.held:
            self._by_host[host_id].pop(key, None)
            self._note_change(host_id)

    def _note_change(self, host_id: HostId) -> None:
        self._changes.append(host_id)
        self._freed.pop((host_id, False), None)
        self._freed.pop((host_id, True), None)

    def on(self, host_id: HostId) -> Collection[tuple[RunningView, Resources]]:
        """What runs on a host, and what it holds of that."""
        return self._by_host.get(host_id, {}).values()

    def within(self, environment: EnvironmentName) -> Collection[RunningView]:
        """What runs in an environment."""
        return self._by_environment.get(environment, {}).values()

    def earliest(self, asked: Resources | None, fleet: Fleet, able: Mask, now: float, *, is_sure: bool) -> Instants:
        """From when on each host has room for so much, if nothing more starts there; without an amount: is idle.

        `inf` where that can't be told, or the host is not `able`. `is_sure`: by time-outs only, not by what was
        learned.
        """
        answer = self._answers.pop((asked, is_sure), None)
        if answer is None or answer.free.shape != fleet.free.shape:
            answer = _Answer(fleet.free)
            if len(self._answers) == _MOST_QUESTIONS:
                del self._answers[next(iter(self._answers))]
        self._answers[asked, is_sure] = answer  # the one that was asked last is the last to go
        stale: Mask = (answer.free != fleet.free).any(axis=0) | (answer.until <= now)
        for host_id in set(self._changes[answer.changes :]):
            if host_id in fleet:
                stale[fleet.index(host_id)] = True
        stale |= ~answer.is_known
        looked = np.flatnonzero(stale & able)
        if len(looked):
            self._look(answer, looked, asked, fleet, now, is_sure)
        answer.is_known &= ~(stale & ~able)
        answer.free, answer.changes = fleet.free.copy(), len(self._changes)
        return np.where(able, np.maximum(answer.at, now), inf)

    def _look(
        self,
        answer: "_Answer",
        columns: NDArray[np.intp],
        asked: Resources | None,
        fleet: Fleet,
        now: float,
        is_sure: bool,
    ) -> None:
        answer.is_known[columns], answer.at[columns], answer.until[columns] = True, -inf, inf
        wanted = fleet.total[:, columns] if asked is None else np.array(asked.amounts, dtype=np.int64)[:, None]
        lacking = np.where(wanted > 0, wanted - fleet.free[:, columns], 0)
        short = np.flatnonzero((lacking > 0).any(axis=0))
        indexes: list[int] = columns[short].tolist()
        for index, lacks in zip(indexes, lacking[:, short].T.tolist(), strict=True):
            freed = self.freed_on(fleet.ids[index], now, is_sure=is_sure)
            answer.at[index], answer.until[index] = freed.first(lacks), freed.until

    def freed_on(self, host_id: HostId, now: float, *, is_sure: bool) -> "Freed":
        """What comes free on a host, and when."""
        freed = self._freed.get((host_id, is_sure))
        if freed is None or not freed.since <= now < freed.until:
            freed = self._freed[host_id, is_sure] = Freed(self.on(host_id), now, is_sure=is_sure)
        return freed


class _Answer:
    """From when on hosts have room for one amount."""

    def __init__(self, free: Integers) -> None:
        count = free.shape[1]
        #: as the hosts were then
        self.free = free
        #: changes of the roster up to then
        self.changes = 0
        self.is_known: Mask = np.zeros(count, dtype=np.bool_)
        self.at: Instants = np.full(count, inf)
        #: what is expected to be over then is planned with; later it is known better
        self.until: Instants = np.full(count, inf)


class Freed:
    """What comes free on one host as what runs there ends, as far as that can be told."""

    def __init__(self, running: Iterable[tuple[RunningView, Resources]], now: float, *, is_sure: bool) -> None:
        #: it holds from then
        self.since = now
        #: up to then: a job may run longer than was learned
        self.until = inf
        bounds: list[tuple[float, Amounts]] = []
        for view, amount in running:
            bound = view.ends_by if is_sure else view.bound(now)
            if bound is not None:
                bounds.append((bound, amount.amounts))
                if bound != view.ends_by:
                    self.until = min(self.until, bound)
        bounds.sort()
        #: each end, and all that is free by then beside what is free now
        self.ends: list[tuple[float, Amounts]] = []
        sums: Amounts = Resources().amounts
        for bound, amounts in bounds:
            sums = tuple(map(add, sums, amounts))
            self.ends.append((bound, sums))

    def first(self, lacking: Sequence[int]) -> float:
        """When there is so much more; `inf` if that can't be told."""
        for end, sums in self.ends:
            if all(map(ge, sums, lacking)):
                return end
        return inf

    def by(self, at: float) -> Amounts | None:
        """How much more there is then; None: nothing."""
        found = bisect_right(self.ends, at, key=_end_of)
        return self.ends[found - 1][1] if found else None


def _end_of(end: tuple[float, Amounts]) -> float:
    return end[0]
