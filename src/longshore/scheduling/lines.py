"""Waiting jobs in lines: those of one class, and lines merged by priority and then submission."""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heapreplace

from longshore.domain.ids import JobKey
from longshore.scheduling.classes import JobClass
from longshore.scheduling.snapshot import Run, WaitingClass


class Line:
    """The waiting jobs of one class, taken one by one."""

    def __init__(self, waiting: WaitingClass) -> None:
        self.job_class: JobClass = waiting.job_class
        self._runs = waiting.runs
        self._position: int = 0
        self._offset: int = 0
        #: intake number and key of the next job; None behind the last
        self.head: tuple[int, JobKey] | None = None
        self._look()

    def step(self) -> None:
        """Leave the head behind."""
        self._offset += 1
        if self._offset == self._runs[self._position].count:
            self._position, self._offset = self._position + 1, 0
        self._look()

    def _look(self) -> None:
        if self._position == len(self._runs):
            self.head = None
            return
        run: Run = self._runs[self._position]
        self.head = run.intake + self._offset, JobKey(run.key + self._offset)


class Lines:
    """Lines merged by priority and intake number, or by intake number alone."""

    def __init__(self, lines: Iterable[Line], *, by_priority: bool = True) -> None:
        self._lines = list(lines)
        self._heap = [
            (-line.job_class.priority if by_priority else 0, *line.head, number)
            for number, line in enumerate(self._lines)
            if line.head is not None
        ]
        heapify(self._heap)

    @property
    def first(self) -> Line | None:
        """The line whose head comes next."""
        return self._lines[self._heap[0][-1]] if self._heap else None

    def step(self) -> None:
        """Leave the head of the first line behind."""
        priority, _, _, number = self._heap[0]
        line = self._lines[number]
        line.step()
        if line.head is None:
            heappop(self._heap)
        else:
            heapreplace(self._heap, (priority, *line.head, number))

    def drop(self) -> None:
        """Leave the first line behind whole."""
        heappop(self._heap)

    def rest(self) -> Iterator[Line]:
        """The lines that are left, in no order."""
        return (self._lines[entry[-1]] for entry in self._heap)
