"""Output is read whole and in order, whatever the cuts."""

import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.engines.docker import log_stream
from longshore.engines.docker.log_stream import LOST_OUTPUT, LogStream
from longshore.ports.engine import LogChunk

STDOUT, STDERR = 1, 2
NANOS = 1_000_000_000
NOW = 1_700_000_000
PIECE = b"x" * 16_384

#: nanoseconds since the epoch, stream, line
Entry = tuple[int, int, bytes]


def at(seconds: float) -> int:
    return NOW * NANOS + int(seconds * NANOS)


def answer(entries: list[Entry], *, since: int) -> bytes:
    """As the engine would answer: entries from a time on, in the order of the file."""
    frames: list[bytes] = []
    for nanos, stream, line in entries:
        if nanos >= since * NANOS:
            time = datetime.fromtimestamp(nanos // NANOS, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            payload = f"{time}.{nanos % NANOS:09}Z ".encode() + line
            frames.append(struct.pack(">BxxxL", stream, len(payload)) + payload)
    return b"".join(frames)


def read(entries: list[Entry], cursor: str = "", *, cut: int = 1 << 20) -> list[LogChunk]:
    stream = LogStream(cursor)
    data = answer(entries, since=stream.since)
    chunks = [chunk for i in range(0, len(data), cut) for chunk in stream.feed(data[i : i + cut])]
    return chunks + stream.finish()


def text(chunks: list[LogChunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


@pytest.mark.parametrize("cut", [1, 7, 1 << 20])
def test_frames_may_be_cut_anywhere(cut: int) -> None:
    """The bytes are those that were written, without frames and times."""
    entries = [
        (at(0), STDOUT, b"a\xff b\n"),
        (at(0.5), STDERR, b"err\n"),
        (at(0.5), STDOUT, b""),
        (at(9), STDOUT, b"end"),
    ]
    chunks = read(entries, cut=cut)
    assert text(chunks) == b"a\xff b\nerr\nend"
    assert [chunk.at for chunk in chunks] == [datetime.fromtimestamp(NOW + s, UTC) for s in (0, 0.5, 9)]


def test_lines_in_pieces_have_their_newline() -> None:
    """The log driver drops it behind the last piece; where the output ends without one, none is added."""
    first, second = at(0), at(1)
    entries = [
        (first, STDOUT, PIECE),
        (at(0.5), STDERR, b"between\n"),
        (first, STDOUT, PIECE),
        (first, STDOUT, b"rest"),
        (second, STDOUT, PIECE),
        (second, STDOUT, b""),
        (at(2), STDOUT, PIECE),
        (at(2), STDOUT, b"whole\n"),
        (at(3), STDOUT, b"no newline"),
    ]
    expected = PIECE + b"between\n" + PIECE + b"rest\n" + PIECE + b"\n" + PIECE + b"whole\n" + b"no newline"
    assert text(read(entries)) == expected


def test_many_entries_with_one_time() -> None:
    """The cursor knows which of them were read."""
    entries = [(at(0), STDOUT, b"%d\n" % i) for i in range(10)]
    (chunk,) = read(entries[:4])
    assert text(read(entries, chunk.cursor)) == b"4\n5\n6\n7\n8\n9\n"
    assert read(entries, read(entries)[-1].cursor) == []


@given(
    steps=st.lists(
        st.tuples(st.integers(-1500, 4000), st.sampled_from([STDOUT, STDERR]), st.sampled_from([3, 70, 400])),
        min_size=1,
        max_size=25,
    ),
    stops=st.lists(st.integers(0, 25), max_size=5),
)
def test_resuming_at_any_cursor_loses_and_repeats_nothing(steps: list[tuple[int, int, int]], stops: list[int]) -> None:
    """Also when times of neighbours are out of order by up to 1.5 s, and when more was written than is read again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_stream, "_REREAD_BYTES", 1000)
        patch.setattr(log_stream, "_CHUNK_BYTES", 300)
        assert_resumable(steps, stops)


def assert_resumable(steps: list[tuple[int, int, int]], stops: list[int]) -> None:
    entries: list[Entry] = []
    newest = at(0)
    for number, (milliseconds, stream, size) in enumerate(steps):
        nanos = newest + milliseconds * 1_000_000
        newest = max(newest, nanos)
        entries.append((nanos, stream, b"%d" % number * (size // len(str(number))) + b"\n"))
    seen, cursor = b"", ""
    for stop in [*sorted(stops), len(entries)]:
        for chunk in read(entries[:stop], cursor):
            seen, cursor = seen + chunk.data, chunk.cursor
    assert seen == b"".join(line for _, _, line in entries)
    chunks = read(entries)
    assert text(chunks) == seen
    for number, chunk in enumerate(chunks):
        assert text(chunks[: number + 1]) + text(read(entries, chunk.cursor)) == seen


def test_long_output_is_not_read_from_the_start_again() -> None:
    """After a MiB, reading goes on shortly before where it ended, but not behind the start of a line still open."""
    entries = [(at(i), STDOUT, b"y" * 16_000 + b"\n") for i in range(100)]
    since = LogStream(read(entries)[-1].cursor).since
    assert len(answer(entries, since=since)) < 2**20 + 4 * 17_000 < len(answer(entries, since=0))
    held = [(at(50), STDERR, PIECE), *entries]
    cursor = read(held)[-1].cursor
    assert LogStream(cursor).since == NOW + 50
    late = [(at(50), STDERR, PIECE), (at(50), STDERR, b"end")]
    assert text(read(held + late, cursor)) == PIECE + b"end\n"


def test_dropped_output_is_told() -> None:
    """When the engine has dropped what the cursor stood on, the output says that something is missing, once."""
    entries = [(at(i / 10), STDOUT, b"%d\n" % i) for i in range(100)]
    cursor = read(entries[:10])[-1].cursor
    kept = entries[5:20]
    assert text(read(kept, cursor)) == LOST_OUTPUT + b"".join(b"%d\n" % i for i in range(10, 20))
    chunks = read(entries[50:], cursor)
    assert text(chunks) == LOST_OUTPUT + b"".join(b"%d\n" % i for i in range(50, 100))
    assert text(read(entries[50:], chunks[10].cursor)) == text(chunks[11:])


def test_foreign_cursor() -> None:
    """Is no cursor."""
    with pytest.raises(ValueError, match="cursor"):
        LogStream("17")
