"""What runs now, by host and by environment, and from when on a host has room for a job that waits.

From when on each host has room for as much as a job asks for is kept between cycles, since from one to the next few
hosts change: only those are looked at again, and those where a job has run longer than was expected of it.
"""

from collections.abc import Collection, Iterable, Iterator
from math import inf

import numpy as np
from numpy.typing import NDArray

from longshore.domain.ids import HostId, JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.fleet import Fleet, Integers, Mask
from longshore.scheduling.snapshot import EnvironmentName, RunningView

Instants = NDArray[np.float64]

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
            self._changes.append(host_id)
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
            self._changes.append(host_id)

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
        for host_id in self._changes[answer.changes :]:
            if host_id in fleet:
                stale[fleet.index(host_id)] = True
        stale |= ~answer.is_known
        for index in np.flatnonzero(stale & able).tolist():
            self._look(answer, index, asked, fleet, now, is_sure)
        answer.is_known &= ~(stale & ~able)
        answer.free, answer.changes = fleet.free.copy(), len(self._changes)
        return np.where(able, np.maximum(answer.at, now), inf)

    def _look(
        self, answer: "_Answer", index: int, asked: Resources | None, fleet: Fleet, now: float, is_sure: bool
    ) -> None:
        answer.is_known[index], answer.until[index] = True, inf
        left = fleet.free[:, index].tolist()
        wanted = (fleet.total[:, index].tolist()) if asked is None else asked.amounts
        at = -inf
        if not _is_enough(left, wanted):
            at = inf
            for end, is_learned, amount in sorted(_ends(self.on(fleet.ids[index]), now, is_sure), key=_end_of):
                if end == inf:
                    break
                if is_learned:
                    answer.until[index] = min(answer.until[index], end)
                left = [have + more for have, more in zip(left, amount.amounts, strict=True)]
                if _is_enough(left, wanted):
                    at = end
                    break
        answer.at[index] = at


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


_End = tuple[float, bool, Resources]


def _ends(running: Iterable[tuple[RunningView, Resources]], now: float, is_sure: bool) -> Iterator[_End]:
    for view, amount in running:
        bound = view.ends_by if is_sure else view.bound(now)
        yield inf if bound is None else bound, bound is not None and bound != view.ends_by, amount


def _end_of(end: _End) -> float:
    return end[0]


def _is_enough(there: Iterable[int], asked: Iterable[int]) -> bool:
    return all(have >= amount for have, amount in zip(there, asked, strict=True) if amount)
