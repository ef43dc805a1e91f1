"""Lines that are events together: one that a pattern matches begins an event, those that follow it belong to it.

Where events begin follows from bytes that are near, as it does for lines, so that it is the same wherever reading
begins: besides lines that match, and what was left out of a log, the first line of a block begins one where no line of
the block matches. So an event of less than a block is never cut, and none is longer than three blocks and a line.

In a log that still grows the last event is open: it is shown once another begins, or nothing was added for
`OPEN_MS`; what comes for it later is an event of its own for who has seen it. Source: Docker documentation, awslogs
driver, awslogs-multiline-pattern.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from longshore.logs.lines import Line, LineReader
from longshore.logs.patterns.values import Text, compile_search

#: Docker sends what it has gathered as often.
OPEN_MS = 5_000

compile_start = lru_cache(maxsize=256)(compile_search)


class JoinedReader:
    """Reads the events of one log. Every method may raise ContentMoved."""

    def __init__(self, lines: LineReader, begins: Text, *, block_bytes: int, is_closed: bool) -> None:
        self._lines = lines
        self._begins = begins
        self._block_bytes = block_bytes
        self._is_closed = is_closed

    def forward(self, position: int) -> Iterator[Line]:
        """Events behind `position`, which is the end of one, or anywhere: then the rest of its event is the first."""
        event: list[Line] = []
        for line in self._lines.forward(position):
            if event and self._is_first(line, event[-1]):
                yield _joined(event)
                event = []
            event.append(line)
        if event and self._is_closed:
            yield _joined(event)

    def backward(self, position: int) -> Iterator[Line]:
        """Events that end at `position` or before it, the last first."""
        if not self._is_closed:
            position = min(position, self.end())
        return self._backward(position)

    def _backward(self, position: int) -> Iterator[Line]:
        event: list[Line] = []
        for line in self._lines.backward(position):
            if event and self._is_first(event[-1], line):
                yield _joined(event[::-1])
                event = []
            event.append(line)
        if event:
            yield _joined(event[::-1])

    def align(self, position: int) -> int:
        """The first place between two events at or behind `position`; the end of the last event when there is none."""
        first = self._lines.align(position)
        before = next(self._lines.backward(first), None)
        for line in self._lines.forward(first):
            if before is None or self._is_first(line, before):
                return line.start
            before = line
        return self.end()

    def end(self) -> int:
        """Where the last event ends."""
        end = self._lines.end()
        if self._is_closed:
            return end
        last = next(self._backward(end), None)
        return end if last is None else last.start

    def _is_first(self, line: Line, before: Line) -> bool:
        """Whether the line, which follows `before`, begins an event."""
        if line.data is None or before.data is None or self._begins(line.message):
            return True
        block = line.start // self._block_bytes
        return block != before.start // self._block_bytes and self._is_blank(line.start, block)

    def _is_blank(self, start: int, block: int) -> bool:
        """Whether no line of the block, which begins at `start`, begins an event by itself; False where it may yet."""
        for line in self._lines.forward(start):
            if line.data is None or line.start // self._block_bytes != block:
                return True
            if self._begins(line.message):
                return False
        return False


def _joined(event: Sequence[Line]) -> Line:
    if len(event) == 1:
        return event[0]
    return Line(event[0].start, event[-1].end, b"".join(line.data or b"" for line in event))
