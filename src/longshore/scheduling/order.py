"""Who comes next in one queue: first in, first out, or by share, priority and then submission."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import islice

from longshore.domain.ids import JobKey
from longshore.scheduling.fairshare import FairShareView, ShareView, Standings
from longshore.scheduling.lines import Line, Lines
from longshore.scheduling.quota_order import QuotaOrder
from longshore.scheduling.snapshot import QueueView, WaitingClass


class FifoOrder:
    """First in, first out, or by priority before that."""

    def __init__(self, waiting: Sequence[WaitingClass], *, by_priority: bool = True) -> None:
        self._lines = Lines(map(Line, waiting), by_priority=by_priority)

    @property
    def first(self) -> Line | None:
        """The line whose head comes next; None when nobody is left."""
        return self._lines.first

    def allows(self, milli: int) -> bool:
        """Whether the queue itself lets a job of so many thousandths of a vCPU start now."""
        return True

    def start(self) -> None:
        """The head has started."""
        self._lines.step()

    def set_aside(self) -> None:
        """No job of the first line can start now, and it keeps nobody else from it."""
        self._lines.drop()

    def rest(self) -> Iterator[Line]:
        """The lines that are left."""
        return self._lines.rest()


class FairOrder:
    """The share with the lowest standing first; within it by priority, then by submission."""

    def __init__(self, waiting: Sequence[WaitingClass], fair: FairShareView, capacity_milli: int) -> None:
        by_share: dict[str, list[Line]] = {}
        for each in waiting:
            by_share.setdefault(each.job_class.share, []).append(Line(each))
        new = {share: ShareView() for share in by_share.keys() - fair.shares.keys()}
        self.standings = Standings(replace(fair, shares={**fair.shares, **new}), capacity_milli)
        self._shares = {share: Lines(lines) for share, lines in by_share.items()}
        self._heap: list[tuple[float, int, str]] = []
        for share in self._shares:
            self._push(share)

    def _push(self, share: str) -> None:
        first = self._shares[share].first
        if first is not None:
            assert first.head is not None
            heappush(self._heap, (self.standings.of(share), first.head[0], share))

    @property
    def first(self) -> Line | None:
        """The line whose head comes next; None when nobody is left."""
        return self._shares[self._heap[0][-1]].first if self._heap else None

    def allows(self, milli: int) -> bool:
        """Whether what is kept for shares to come is left alone by so many thousandths of a vCPU more."""
        return self.standings.allow(milli)

    def start(self) -> None:
        """The head has started."""
        _, _, share = heappop(self._heap)
        first = self._shares[share].first
        assert first is not None
        self.standings.take(share, first.job_class.weight_milli)
        self._shares[share].step()
        self._push(share)

    def set_aside(self) -> None:
        """No job of the first line can start now, and it keeps nobody else from it."""
        _, _, share = heappop(self._heap)
        self._shares[share].drop()
        self._push(share)

    def rest(self) -> Iterator[Line]:
        """The lines that are left."""
        return (line for _, _, share in self._heap for line in self._shares[share].rest())


QueueOrder = FifoOrder | FairOrder | QuotaOrder


def order_of(waiting: Sequence[WaitingClass], queue: QueueView, capacity_milli: int) -> QueueOrder:
    """The order of a queue with these classes of jobs."""
    if queue.quota is not None:
        return QuotaOrder(waiting, queue.quota)
    return FifoOrder(waiting) if queue.fair is None else FairOrder(waiting, queue.fair, capacity_milli)


def first_jobs(order: QueueOrder, count: int) -> list[JobKey]:
    """The first `count` jobs in the order in which they would start if there were room for all."""

    def heads() -> Iterator[JobKey]:
        while (line := order.first) is not None:
            assert line.head is not None
            yield line.head[1]
            order.start()

    return list(islice(heads(), count))
