"""When jobs are given up that have not started in time.

An array job is one entry, however many children wait. The time of submission is stored on both clocks, so whoever leads
knows the same deadlines.
"""

from heapq import heapify, heappop, heappush

from longshore.domain.ids import JobKey
from longshore.domain.job import JobSpec
from longshore.domain.queue import Instant
from longshore.ports.store import Reader

#: What has ended may stand beside as much that has not, and this much more, before it is looked for.
_SPARE = 100


class StartDeadlines:
    """Deadlines of submissions that may not have started yet, on the boot clock."""

    def __init__(self) -> None:
        #: not converted yet: that takes the present time
        self._new: list[tuple[JobKey, Instant, int]] = []
        self._heap: list[tuple[float, JobKey]] = []
        self._most = _SPARE

    def add(self, spec: JobSpec) -> None:
        """Keep that of a submission, if it has one."""
        if spec.submitted is not None and spec.powers.start_deadline_seconds is not None:
            self._new.append((spec.key, spec.submitted, spec.powers.start_deadline_seconds))

    def next_at(self, now: Instant) -> float | None:
        """Boot clock reading at which the next one passes."""
        for key, submitted, seconds in self._new:
            heappush(self._heap, (now.boot_seconds + seconds - now.seconds_since(submitted), key))
        self._new.clear()
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: Instant, limit: int) -> list[JobKey]:
        """Up to `limit` of those that have passed, each once."""
        due: list[JobKey] = []
        while len(due) < limit and (at := self.next_at(now)) is not None and at <= now.boot_seconds:
            due.append(heappop(self._heap)[1])
        return due

    def forget_ended(self, reader: Reader) -> None:
        """What has ended is looked for once it may be as much as the rest."""
        if len(self._heap) > self._most:
            statuses = reader.statuses([key for _, key in self._heap])
            self._heap = [(at, key) for at, key in self._heap if key in statuses and not statuses[key].is_final]
            heapify(self._heap)
            self._most = 2 * len(self._heap) + _SPARE
