"""A container's output as the engine keeps it: taken out of its frames, and resumed exactly where a reader left off.

The engine keeps output as a file of entries, each with a time and the stream it came from, and is asked for those from
a time on. The times alone are no place to resume at: many entries can have one time, two streams are not quite in
order, and the pieces of a long line all bear the time of the first. The order in the file, however, never changes. So
a cursor is a whole second and the number of entries from then on, in the order of the file, that have been read. That
second moves on only behind everything that may still get an older time, and only when more than `_REREAD_BYTES` would
otherwise be read again; until then everything is read from the start, which no step of the engine's clock can harm.

The engine drops its oldest entries when a container writes more than it keeps. The cursor has the time of the first
entry from its second on: if that is no longer the first, entries were dropped, and the output says so where they are
missing. Pure.
"""

import struct
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from longshore.engines.docker.parse import time_of_nanos
from longshore.ports.engine import LogChunk

#: What stands where output is missing.
LOST_OUTPUT = b"\n[output is missing here: the container wrote faster than it could be read]\n"

_NANOS = 1_000_000_000
_HEADER = struct.Struct(">BxxxL")
#: The longest piece of a line that Docker keeps as one entry. Source: moby, daemon/logger/copier.go, defaultBufSize.
_PIECE_BYTES = 16_384
_REREAD_BYTES = 2**20
_CHUNK_BYTES = 2**16
#: How far, in seconds, the times of neighbouring entries may be out of order.
_DISORDER_SECONDS = 2


@dataclass(slots=True)
class _Second:
    """The entries of one second."""

    order: int
    first_nanos: int
    count: int = 0
    size: int = 0


@dataclass(slots=True, kw_only=True)
class _Cursor:
    since: int = 0
    seen: int = 0
    first_nanos: int = 0
    last_nanos: int = 0

    @classmethod
    def parse(cls, text: str) -> "_Cursor":
        if not text:
            return cls()
        version, *numbers = text.split(":")
        if version != "1" or len(numbers) != 4:
            raise ValueError(f"not a log cursor of the Docker engine: {text!r}")
        since, seen, first_nanos, last_nanos = map(int, numbers)
        return cls(since=since, seen=seen, first_nanos=first_nanos, last_nanos=last_nanos)

    def __str__(self) -> str:
        return f"1:{self.since}:{self.seen}:{self.first_nanos}:{self.last_nanos}"


class LogStream:
    """Reads one answer of the engine's logs call, asked with timestamps and `since`.

    Raises ValueError for a cursor of another engine.
    """

    def __init__(self, cursor: str) -> None:
        self._start = _Cursor.parse(cursor)
        self._now = _Cursor(since=self._start.since, last_nanos=self._start.last_nanos)
        self._seconds: dict[int, _Second] = {}
        self._size = 0
        self._read = 0
        self._dropped = False
        #: by stream, the second of a line whose end has not come yet
        self._open_lines: dict[int, int] = {}
        self._buffer = bytearray()
        self._data = bytearray()
        self._data_nanos = 0
        self._chunks: list[LogChunk] = []

    @property
    def since(self) -> int:
        """What to ask the engine for: seconds since the epoch; 0 for everything."""
        return self._start.since

    def feed(self, data: bytes) -> list[LogChunk]:
        """The chunks that `data`, the next bytes of the answer, completes."""
        buffer = self._buffer
        buffer += data
        offset = 0
        while len(buffer) - offset >= _HEADER.size:
            stream, length = _HEADER.unpack_from(buffer, offset)
            end = offset + _HEADER.size + length
            if len(buffer) < end:
                break
            time, _, line = bytes(buffer[offset + _HEADER.size : end]).partition(b" ")
            self._take(stream, _parse_nanos(time), line)
            offset = end
        del buffer[:offset]
        return self._taken()

    def finish(self) -> list[LogChunk]:
        """The last chunk, when the answer has ended."""
        self._flush()
        return self._taken()

    def _taken(self) -> list[LogChunk]:
        chunks, self._chunks = self._chunks, []
        return chunks

    def _take(self, stream: int, nanos: int, line: bytes) -> None:
        start = self._start
        if self._read == 0:
            self._dropped = start.seen > 0 and nanos != start.first_nanos
        self._read += 1
        known = nanos <= start.last_nanos if self._dropped else self._read <= start.seen
        line = self._mend(stream, nanos, line)
        if self._data and self._data_nanos // 1_000_000 != nanos // 1_000_000:
            self._flush()
        self._count(nanos, len(line))
        if known:
            return
        if not self._data:
            self._data_nanos = nanos
        if self._dropped:
            self._dropped, start.seen = False, 0
            self._data += LOST_OUTPUT
        self._data += line
        if len(self._data) >= _CHUNK_BYTES:
            self._flush()

    def _mend(self, stream: int, nanos: int, line: bytes) -> bytes:
        """`line` with the newline that Docker's `local` log driver drops behind a line that came in pieces."""
        if line.endswith(b"\n"):
            self._open_lines.pop(stream, None)
        elif len(line) >= _PIECE_BYTES:
            self._open_lines.setdefault(stream, nanos // _NANOS)
        elif self._open_lines.pop(stream, None) is not None:
            return line + b"\n"
        return line

    def _count(self, nanos: int, size: int) -> None:
        now = self._now
        now.last_nanos = max(now.last_nanos, nanos)
        second = nanos // _NANOS
        if second < now.since:
            return
        entries = self._seconds.get(second)
        if entries is None:
            entries = self._seconds[second] = _Second(self._read, nanos)
        entries.count += 1
        entries.size += size
        if now.seen == 0:
            now.first_nanos = nanos
        now.seen += 1
        self._size += size

    def _flush(self) -> None:
        if self._data:
            self._move_on()
            chunk = LogChunk(at=time_of_nanos(self._data_nanos), data=bytes(self._data), cursor=str(self._now))
            self._chunks.append(chunk)
            self._data.clear()

    def _move_on(self) -> None:
        """Begin later at the next reading, if that saves enough."""
        now = self._now
        if self._size <= _REREAD_BYTES:
            return
        since = min([now.last_nanos // _NANOS - _DISORDER_SECONDS, *self._open_lines.values()])
        if since <= now.since:
            return
        self._seconds = {second: entries for second, entries in self._seconds.items() if second >= since}
        kept = self._seconds.values()
        self._size = sum(entries.size for entries in kept)
        now.since = since
        now.seen = sum(entries.count for entries in kept)
        now.first_nanos = min(kept, key=lambda entries: entries.order).first_nanos


def _parse_nanos(time: bytes) -> int:
    """Nanoseconds since the epoch of a time such as `2026-01-02T03:04:05.000000006Z`: nine digits behind the point."""
    return _seconds_of(time[:19] + time[29:]) * _NANOS + int(time[20:29])


@lru_cache(maxsize=16)
def _seconds_of(time: bytes) -> int:
    return int(datetime.fromisoformat(time.decode("ascii")).timestamp())
