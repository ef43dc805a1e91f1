"""Jobs that wait for others, on virtual time: each becomes RUNNABLE as the last of those that it awaits has ended.

Jobs are taken to succeed, so that nothing fails for want of a dependency.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from longshore.domain.ids import JobKey
from longshore.scheduling.classes import JobClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """Jobs that must all have ended: one, or the children of an array job. Those of two arrays never overlap."""

    first: JobKey
    last: JobKey
    #: how many of them have not
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Jobs of one class, with consecutive keys and intake numbers, that wait for the same."""

    key: JobKey
    intake: int
    job_class: JobClass
    count: int = 1
    awaits: tuple[Awaited, ...]


class Dependents:
    """Which of them are freed by which end."""

    def __init__(self, followers: Iterable[Follower]) -> None:
        self._left: dict[Awaited, int] = {}
        self._waiting: dict[Awaited, list[Follower]] = defaultdict(list)
        self._missing: dict[JobKey, int] = {}
        for follower in followers:
            awaits = set(follower.awaits)
            self._missing[follower.key] = len(awaits)
            for awaited in awaits:
                self._left[awaited] = awaited.left
                self._waiting[awaited].append(follower)
        self._single = {awaited.first: awaited for awaited in self._left if awaited.first == awaited.last}
        arrays = (awaited for awaited in self._left if awaited.first < awaited.last)
        self._arrays = sorted(arrays, key=lambda awaited: awaited.first)
        self._firsts = [awaited.first for awaited in self._arrays]

    def ended(self, key: JobKey) -> Sequence[Follower]:
        """Those that become RUNNABLE as the job ends."""
        found = [self._single[key]] if key in self._single else []
        place = bisect_right(self._firsts, key) - 1
        if place >= 0 and key <= (array := self._arrays[place]).last:
            found.append(array)
        return [follower for awaited in found for follower in self._end_one(awaited)]

    def _end_one(self, awaited: Awaited) -> Iterable[Follower]:
        self._left[awaited] -= 1
        if self._left[awaited]:
            return
        for follower in self._waiting[awaited]:
            self._missing[follower.key] -= 1
            if not self._missing[follower.key]:
                yield follower
