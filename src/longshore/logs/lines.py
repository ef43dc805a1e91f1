"""Cutting the bytes of a log into events, from any place, in both directions, in bounded memory.

An event is a line. So that the cuts in a very long line are the same wherever reading begins, they follow from bytes
that are near: the log is seen in blocks of EVENT_BYTES, and

* every newline ends an event;
* the end of a block without any newline ends one, too;
* what is then still longer than EVENT_BYTES (it is less than two blocks) is cut at EVENT_BYTES from its start.

A cut never parts the bytes of one UTF-8 character. Thus each block but an unfinished last one holds at least one end,
an event is never longer than EVENT_BYTES, and a line of at most that, newline included, is never cut. What was left
out of a log (its hole) is one event between the last before and the first behind. In a log that still grows, an
unfinished line is no event yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from longshore.logs.content import Content

#: Largest event in bytes, newline included. Source: Amazon CloudWatch Logs quotas, event size (256 KiB until 2025).
EVENT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One event: its bytes' offsets in the log, and the bytes, newline included; None for what was left out."""

    start: int
    end: int
    data: bytes | None

    @property
    def message(self) -> str:
        """The text as readers get it: without the line's end, undecodable bytes replaced, all else as it is."""
        if self.data is None:
            return f"[longshore: {self.end - self.start} bytes left out]"
        line = self.data
        if line.endswith(b"\n"):
            line = line[:-2] if line.endswith(b"\r\n") else line[:-1]
        return line.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Block:
    base: int
    data: bytes
    #: offsets at which events end, ascending
    ends: list[int]


class LineReader:
    """Reads the events of one Content. Every method may raise ContentMoved."""

    def __init__(self, content: Content, event_bytes: int = EVENT_BYTES) -> None:
        self._content = content
        self._step = event_bytes
        #: the stretches around the hole
        if content.hole is None:
            self._regions = [(0, content.size)]
        else:
            self._regions = [(0, content.hole[0]), (content.hole[1], content.size)]

    def forward(self, position: int) -> Iterator[Line]:
        """Events behind `position`, which is the end of one, or anywhere: then the rest of its event is the first."""
        for number, (low, high) in enumerate(self._regions):
            if number and position < low:
                yield Line(position, low, None)
                position = low
            if position >= high:
                continue
            block = None
            for index in range((position - low) // self._step, (high - low - 1) // self._step + 1):
                block = self._block(low, high, index, block)
                for end in block.ends:
                    if end > position:
                        yield self._line(block, position, end)
                        position = end

    def backward(self, position: int) -> Iterator[Line]:
        """Events that end at `position` or before it, the last first."""
        for number, (low, high) in reversed(list(enumerate(self._regions))):
            limit = min(position, high)
            if limit > low:
                # A cut that was moved back to a character's begin may lie just below the block that it belongs to.
                last = min((limit - low + 2) // self._step, (high - low - 1) // self._step)
                for index in range(last, -1, -1):
                    block = self._block(low, high, index, None)
                    before = self._last_end(low, index - 1)
                    ends = [end for end in block.ends if end <= limit]
                    for start, end in zip([*reversed(ends[:-1]), before], reversed(ends), strict=False):
                        yield self._line(block, start, end)
            if number:
                before_hole = self._regions[number - 1][1]
                if position > before_hole:
                    yield Line(before_hole, min(position, low), None)
                    position = before_hole

    def align(self, position: int) -> int:
        """The first place between two events at or behind `position`; the end of the last event when there is none."""
        for low, high in self._regions:
            if position <= low:
                return low
            if position < high:
                for index in range((position - low - 1) // self._step, (high - low - 1) // self._step + 1):
                    for end in self._block(low, high, index, None).ends:
                        if end >= position:
                            return end
        return self.end()

    def end(self) -> int:
        """Where the last event ends."""
        last = next(self.backward(self._content.size), None)
        return last.end if last is not None else 0

    def _line(self, block: _Block, start: int, end: int) -> Line:
        if start >= block.base:
            return Line(start, end, block.data[start - block.base : end - block.base])
        return Line(start, end, self._content.read(start, end))

    def _block(self, low: int, high: int, index: int, before: _Block | None) -> _Block:
        base = low + index * self._step
        limit = min(base + self._step, high)
        data = self._content.read(base, limit)
        ends: list[int] = []
        found = data.find(b"\n")
        while found >= 0:
            ends.append(base + found + 1)
            found = data.find(b"\n", found + 1)
        if not ends and len(data) == self._step:
            ends.append(base + _whole_characters(data))
        closed = self._content.final or high != self._content.size
        if limit == high and closed and (not ends or ends[-1] < high):
            ends.append(high)
        if ends:
            start = before.ends[-1] if before is not None else self._last_end(low, index - 1)
            ends[:0] = self._cuts(start, ends[0])
        return _Block(base, data, ends)

    def _cuts(self, start: int, end: int) -> list[int]:
        cuts: list[int] = []
        while end - start > self._step:
            start += _whole_characters(self._content.read(start, start + self._step))
            cuts.append(start)
        return cuts

    def _last_end(self, low: int, index: int) -> int:
        """Where the last event of a full block ends; the region's begin for the block before the first."""
        base = low + index * self._step
        if index < 0:
            return low
        data = self._content.read(base, base + self._step)
        newline = data.rfind(b"\n")
        return base + (newline + 1 if newline >= 0 else _whole_characters(data))


def _whole_characters(data: bytes) -> int:
    """How many bytes of `data` are left when a UTF-8 character that is unfinished at its end is taken off."""
    for back in range(1, min(4, len(data))):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            need = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return len(data) - back if need > back else len(data)
    return len(data)
