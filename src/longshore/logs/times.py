"""When the bytes of a log were there: a short, bounded list of (offset, time)."""

from array import array
from bisect import bisect_left, bisect_right

#: Records of one stream that are kept; above it every second one is merged into the one before it. At ten records a
#: second that is 27 minutes of unbroken output at full sharpness, and a day of it to within ten seconds.
MAX_RECORDS = 16_384


class ChunkTimes:
    """Record `i` says: the bytes from `offsets[i]` on, up to the next record's, were seen at `times[i]` (epoch ms).

    Both run upwards: a clock that goes back does not reorder what was written.
    """

    __slots__ = ("offsets", "times")

    def __init__(self) -> None:
        self.offsets = array("q")
        self.times = array("q")

    def __len__(self) -> int:
        return len(self.offsets)

    def copy(self) -> "ChunkTimes":
        other = ChunkTimes()
        other.offsets, other.times = self.offsets[:], self.times[:]
        return other

    def add(self, offset: int, time_ms: int) -> int:
        """Note a chunk behind all others; gives the time that it got, which is never before the last one's."""
        if self.times and time_ms < self.times[-1]:
            time_ms = self.times[-1]
        self.offsets.append(offset)
        self.times.append(time_ms)
        if len(self.offsets) > MAX_RECORDS:
            del self.offsets[1:-1:2]
            del self.times[1:-1:2]
        return time_ms

    def at(self, offset: int) -> int:
        """The time of the byte at `offset`; that of the first chunk when there is none before it."""
        return self.times[max(bisect_right(self.offsets, offset) - 1, 0)]

    def first_offset(self, time_ms: int) -> int | None:
        """The lowest offset whose time is `time_ms` or later; None when all are earlier."""
        position = bisect_left(self.times, time_ms)
        return self.offsets[position] if position < len(self.offsets) else None

    def cut_out(self, start: int, end: int) -> None:
        """Forget the records between two offsets; the times of the bytes at both stay known."""
        low, high = bisect_right(self.offsets, start), bisect_right(self.offsets, end)
        if high <= low:
            return
        resumed = self.times[high - 1]
        self.offsets[low:high] = array("q", [end])
        self.times[low:high] = array("q", [resumed])

    def cut_off(self, size: int) -> None:
        """Forget the records at or behind `size`."""
        keep = bisect_left(self.offsets, size)
        del self.offsets[keep:]
        del self.times[keep:]

    def to_bytes(self) -> bytes:
        """Both lists, one behind the other, in this machine's byte order; `from_bytes` reads them."""
        return self.offsets.tobytes() + self.times.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ChunkTimes":
        chunk_times = cls()
        half = len(data) // 2
        chunk_times.offsets.frombytes(data[:half])
        chunk_times.times.frombytes(data[half:])
        return chunk_times

    @classmethod
    def single(cls, time_ms: int) -> "ChunkTimes":
        """All bytes at one time."""
        chunk_times = cls()
        chunk_times.add(0, time_ms)
        return chunk_times
