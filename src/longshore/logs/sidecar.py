"""The file beside a log file: when which byte was there, what was left out, and how far an engine's output was taken.

A header (magic, version), then frames that are only ever added: kind, length of text, CRC-32, two numbers, text.

    CREATED  when the stream began, 0
    SEEN     size, time: the bytes up to `size` and behind the last frame's were there at `time`
    HOLE     start, end of the bytes that were left out; a later one replaces an earlier one
    COMMIT   length of the log, 0, cursor: the engine's output is here up to the cursor, and the log is that long

The version goes with that of the index's schema: what a newer Longshore wrote is refused there, before any sidecar is
read. All times are epoch milliseconds. Reading ends at the first frame that is torn or damaged. An append writes the
log first, then its frames with the COMMIT last, in one write: bytes of the log behind the last COMMIT were given by
an append that did not return, and go. So nothing is lost or doubled, whenever the server is killed; after a power
failure the last COMMIT that the log still reaches counts.
"""

import struct
import zlib
from dataclasses import dataclass, field

from longshore.logs.times import ChunkTimes

_VERSION = 1
_HEADER = struct.Struct("<4sHH")
_FRAME = struct.Struct("<HHIqq")
_CHECKED = struct.Struct("<Hqq")
_MAGIC = b"LSLI"
HEADER = _HEADER.pack(_MAGIC, _VERSION, 0)

CREATED, SEEN, HOLE, COMMIT = 1, 2, 3, 4
#: Bytes of a cursor at most.
MAX_CURSOR = 0xFFFF


@dataclass(slots=True)
class SidecarState:
    """What a sidecar says."""

    created_at: int = 0
    #: bytes of the log that are indexed
    size: int = 0
    times: ChunkTimes = field(default_factory=ChunkTimes)
    hole: tuple[int, int] | None = None
    #: None: no append, the attempt writes the file itself
    committed: int | None = None
    cursor: str = ""


def frame(kind: int, first: int, second: int, text: bytes = b"") -> bytes:
    """One frame; `text` is at most MAX_CURSOR bytes."""
    return _FRAME.pack(kind, len(text), _check(kind, first, second, text), first, second) + text


def _check(kind: int, first: int, second: int, text: bytes) -> int:
    return zlib.crc32(text, zlib.crc32(_CHECKED.pack(kind, first, second)))


def render(state: SidecarState) -> bytes:
    """A whole sidecar, without what later frames made void."""
    parts = [HEADER, frame(CREATED, state.created_at, 0)]
    sizes = [*state.times.offsets[1:], state.size]
    parts += (frame(SEEN, *seen) for seen in zip(sizes, state.times.times, strict=False))
    if state.hole is not None:
        parts.append(frame(HOLE, *state.hole))
    if state.committed is not None:
        parts.append(frame(COMMIT, state.committed, 0, state.cursor.encode()))
    return b"".join(parts)


def parse(data: bytes, log_size: int) -> SidecarState:
    """Read a sidecar, for a log that is now `log_size` bytes long."""
    state = SidecarState()
    if len(data) < _HEADER.size:
        return state
    magic, version, _ = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        return state
    position = _HEADER.size
    while position + _FRAME.size <= len(data):
        kind, length, check, first, second = _FRAME.unpack_from(data, position)
        position += _FRAME.size
        text = data[position : position + length]
        position += length
        if len(text) < length or _check(kind, first, second, text) != check:
            break
        if kind == CREATED:
            state.created_at = first
        elif kind == SEEN and state.size < min(first, log_size):
            state.times.add(state.size, second)
            state.size = min(first, log_size)
        elif kind == HOLE and second <= log_size:
            state.hole = (first, second)
            state.times.cut_out(first, second)
        elif kind == COMMIT:
            if first > log_size:
                break
            state.committed, state.cursor = first, text.decode(errors="replace")
    if state.committed is not None:
        state.times.cut_off(state.committed)
        state.size = state.committed
    return state
