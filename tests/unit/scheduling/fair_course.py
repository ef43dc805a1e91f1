"""A fair-share queue over time: who starts is decided by the order of the scheduler, as in each of its cycles.

There is one number, vCPU, in which all must fit. Each share has so many jobs at once that wait or run, or any number;
when one ends, the next is there. That is all that differs from the server's cycles, which is what makes ten thousand
of these lives affordable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count

from longshore.domain.ids import JobKey
from longshore.domain.policy import FairsharePolicy
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fairshare import FairShareView, ShareView, use_after
from longshore.scheduling.order import FairOrder
from longshore.scheduling.snapshot import Run, WaitingClass
from longshore.testing.builders import HERE

#: More than ever start at one moment.
_MANY = 10_000


@dataclass(frozen=True, kw_only=True)
class User:
    """Who submits under one share identifier."""

    share: str
    seconds: float
    milli: int = 1000
    #: how many of its jobs wait or run; None: there are always more
    at_once: int | None = None


class FairCourse:
    """A queue from second 0 on; what is held is summed up by share from second `measured_from` on."""

    def __init__(
        self,
        policy: FairsharePolicy,
        capacity_milli: int,
        users: Sequence[User],
        *,
        used: Mapping[str, float],
        holding: Sequence[str] = (),
        measured_from: float = 0.0,
    ) -> None:
        """`used` is what shares had used at the start; a job of each of `holding` is running then."""
        self._policy, self._free = policy, capacity_milli
        self._users = {user.share: user for user in users}
        self._used = {user.share: used.get(user.share, 0.0) for user in users}
        self._held = dict.fromkeys(self._users, 0)
        self._ends: list[tuple[float, int, str]] = []
        self._numbers = count(1)
        self.now = 0.0
        self._measured_from = measured_from
        #: by share, thousandths of a vCPU times seconds
        self.measured = dict.fromkeys(self._users, 0.0)
        #: by share, jobs that began and ended since then
        self.done = dict.fromkeys(self._users, 0)
        for share in holding:
            if self._users[share].milli <= self._free:
                self._start(share)
        heapify(self._ends)

    def run(self, until: float) -> None:
        """Live on until then."""
        while True:
            self._fill()
            at = min(self._ends[0][0], until) if self._ends else until
            self._pass(at)
            while self._ends and self._ends[0][0] <= at:
                share = heappop(self._ends)[-1]
                self._held[share] -= self._users[share].milli
                self._free += self._users[share].milli
                if at - self._users[share].seconds >= self._measured_from:
                    self.done[share] += 1
            if at >= until:
                return

    def _pass(self, at: float) -> None:
        seconds, measured = at - self.now, max(at - max(self.now, self._measured_from), 0.0)
        for share, held in self._held.items():
            self._used[share] = use_after(self._used[share], held, seconds, self._policy)
            self.measured[share] += held * measured
        self.now = at

    def _fill(self) -> None:
        waiting = [self._waiting(number, user) for number, user in enumerate(self._users.values())]
        views = {
            share: ShareView(milli_seconds=self._used[share], held_milli=self._held[share]) for share in self._used
        }
        fair = FairShareView(policy=self._policy, shares=views)
        order = FairOrder([each for each in waiting if each is not None], fair, 0)
        while (line := order.first) is not None and line.job_class.resources.vcpu_milli <= self._free:
            self._start(line.job_class.share)
            order.start()

    def _waiting(self, number: int, user: User) -> WaitingClass | None:
        running = self._held[user.share] // user.milli
        left = _MANY if user.at_once is None else user.at_once - running
        if left <= 0:
            return None
        job_class = JobClass(
            scope=HERE, queue_name="queue", resources=Resources(vcpu_milli=user.milli), share=user.share
        )
        first = 1 + number * _MANY
        return WaitingClass(job_class=job_class, runs=[Run(intake=first, key=JobKey(first), count=left)])

    def _start(self, share: str) -> None:
        user = self._users[share]
        self._free -= user.milli
        self._held[share] += user.milli
        heappush(self._ends, (self.now + user.seconds, next(self._numbers), share))


def parts_by_weight(
    capacity_milli: float, weights: Mapping[str, float], wanted: Mapping[str, float]
) -> Mapping[str, float]:
    """What each gets when all is divided by 1/weight, and what one does not want is divided among the others so."""
    parts: dict[str, float] = {}
    left = dict(weights)
    while left:
        each = (capacity_milli - sum(parts.values())) / sum(1 / weight for weight in left.values())
        content = [share for share, weight in left.items() if wanted[share] <= each / weight]
        if not content:
            return parts | {share: each / weight for share, weight in left.items()}
        for share in content:
            parts[share] = wanted[share]
            del left[share]
    return parts
