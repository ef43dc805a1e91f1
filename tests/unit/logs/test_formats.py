"""What is written for a later process to read."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.logs import sidecar, times
from longshore.logs.times import ChunkTimes


def state(*sizes: tuple[int, int]) -> sidecar.SidecarState:
    found = sidecar.SidecarState(created_at=7)
    for size, time_ms in sizes:
        found.times.add(found.size, time_ms)
        found.size = size
    return found


def pairs(chunk_times: ChunkTimes) -> list[tuple[int, int]]:
    return list(zip(chunk_times.offsets, chunk_times.times, strict=True))


def test_a_sidecar_says_what_it_was_told() -> None:
    told = state((10, 100), (25, 200))
    read = sidecar.parse(sidecar.render(told), 25)
    assert (read.created_at, read.size, pairs(read.times)) == (7, 25, [(0, 100), (10, 200)])


@given(st.integers(0, 200))
def test_a_torn_sidecar_holds_what_came_before_the_tear(cut: int) -> None:
    whole = sidecar.render(state((10, 100), (25, 200), (30, 300)))
    read = sidecar.parse(whole[:cut], 30)
    assert pairs(read.times) == [(0, 100), (10, 200), (25, 300)][: len(read.times)]


@given(st.integers(8, 130), st.integers(1, 255))
def test_damage_is_noticed(position: int, flip: int) -> None:
    whole = bytearray(sidecar.render(state((10, 100), (25, 200), (30, 300))))
    if position < len(whole):
        whole[position] ^= flip
    read = sidecar.parse(bytes(whole), 30)
    assert pairs(read.times) == [(0, 100), (10, 200), (25, 300)][: len(read.times)]


def test_the_last_commit_that_the_log_reaches_counts() -> None:
    data = sidecar.HEADER + b"".join(
        [
            sidecar.frame(sidecar.SEEN, 5, 100),
            sidecar.frame(sidecar.COMMIT, 5, 0, b"first"),
            sidecar.frame(sidecar.SEEN, 9, 200),
            sidecar.frame(sidecar.COMMIT, 9, 0, b"second"),
        ]
    )
    assert (sidecar.parse(data, 9).cursor, sidecar.parse(data, 9).size) == ("second", 9)
    assert (sidecar.parse(data, 12).cursor, sidecar.parse(data, 12).size) == ("second", 9)
    short = sidecar.parse(data, 7)
    assert (short.cursor, short.size, short.committed, pairs(short.times)) == ("first", 5, 5, [(0, 100)])


def test_times_never_go_back_and_stay_few() -> None:
    chunk_times = ChunkTimes()
    for number in range(3 * times.MAX_RECORDS):
        chunk_times.add(number * 10, 1_000 + (number if number % 2 else 0))
    assert len(chunk_times) <= times.MAX_RECORDS
    assert list(chunk_times.times) == sorted(chunk_times.times)
    assert chunk_times.offsets[0] == 0 and chunk_times.offsets[-1] == (3 * times.MAX_RECORDS - 1) * 10


def test_times_around_a_hole_are_kept() -> None:
    chunk_times = ChunkTimes()
    for number in range(10):
        chunk_times.add(number * 10, number)
    chunk_times.cut_out(25, 70)
    assert [chunk_times.at(offset) for offset in (0, 24, 69, 70, 85)] == [0, 2, 2, 7, 8]
    assert chunk_times.first_offset(3) == 70
    assert chunk_times.first_offset(99) is None
    assert pairs(ChunkTimes.from_bytes(chunk_times.to_bytes())) == pairs(chunk_times)
