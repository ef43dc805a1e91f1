"""How long jobs have waited: when which intake numbers were given, so that no time is kept for each job.

A job is as old as its submission. Now and then it is noted how far the intake had come; whoever was taken in before an
entry that is older than the age bound is over it. After a restart the entries are those of some of the jobs that wait,
evenly chosen. So a job counts as over the bound a little late, never early.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from longshore.domain.queue import Instant

T = TypeVar("T")

DEFAULT_BOUND_SECONDS = 7 * 24 * 3600
#: Of the bound, between two entries.
_PART = 256
_LEAST_SECONDS = 1.0
#: With more entries every second one of the older half is forgotten.
_MOST_ENTRIES = 4096
#: How many jobs are asked for their times after a restart.
SAMPLES = 256


class Ages:
    """Entries in the order of their intake numbers."""

    def __init__(self) -> None:
        #: of queues that have none of their own
        self.bound_seconds = DEFAULT_BOUND_SECONDS
        self._shortest_seconds = float(DEFAULT_BOUND_SECONDS)
        #: when jobs with smaller intake numbers had been submitted
        self._entries: list[tuple[int, Instant]] = []

    def recall(self, jobs: Iterable[tuple[int, datetime]]) -> None:
        """Jobs with these intake numbers were submitted then."""
        for intake, at in jobs:
            insort(self._entries, (intake + 1, Instant(at=at, boot_id="", boot_seconds=0.0)), key=_intake_of)

    def note(self, next_intake: int, now: Instant) -> None:
        """All jobs with smaller intake numbers are there."""
        if self._entries:
            intake, at = self._entries[-1]
            spacing = max(self._shortest_seconds / _PART, _LEAST_SECONDS)
            if intake >= next_intake or now.seconds_since(at) < spacing:
                return
        self._entries.append((next_intake, now))
        if len(self._entries) > _MOST_ENTRIES:
            half = _MOST_ENTRIES // 2
            self._entries[:half] = self._entries[1:half:2]

    def aged_intake(self, own_bound_seconds: int | None, now: Instant) -> int:
        """Jobs with smaller intake numbers are over the bound of a queue; 0: none is."""
        bound = self.bound_seconds if own_bound_seconds is None else own_bound_seconds
        self._shortest_seconds = min(self._shortest_seconds, bound)
        count = bisect_right(self._entries, -bound, key=lambda entry: -now.seconds_since(entry[1]))
        return self._entries[count - 1][0] if count else 0


def _intake_of(entry: tuple[int, Instant]) -> int:
    return entry[0]


def chosen(entries: Sequence[T]) -> Sequence[T]:
    """At most `SAMPLES` of these, evenly, the first and the last among them."""
    if len(entries) <= SAMPLES:
        return entries
    return [entries[at * (len(entries) - 1) // (SAMPLES - 1)] for at in range(SAMPLES)]
