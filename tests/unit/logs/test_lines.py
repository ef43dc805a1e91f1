"""Cutting bytes into events: the same cuts from wherever reading begins, nothing lost, nothing too long."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.logs.content import Content, InMemory
from longshore.logs.lines import Line, LineReader
from longshore.logs.times import ChunkTimes

STEP = 16

#: Short lines, lines of several blocks, ends of both kinds, characters of one to four bytes, and plain rubbish.
PIECES = st.one_of(
    st.sampled_from([b"\n", b"\r\n", b"a", b"word ", b"\x00\x1b[31m", b"x" * 40, "ä€😀".encode() * 9, b"\xff\xfe\x80"]),
    st.binary(max_size=20),
)
LOGS = st.lists(PIECES, max_size=40).map(b"".join)


def content(data: bytes, *, hole: tuple[int, int] | None = None, final: bool = True) -> Content:
    times = ChunkTimes.single(1_000) if data else ChunkTimes()
    return Content(storage=InMemory(data), size=len(data), hole=hole, times=times, final=final)


def lines(data: bytes, *, final: bool = True) -> list[Line]:
    return list(LineReader(content(data, final=final), STEP).forward(0))


@given(LOGS)
def test_every_byte_is_in_one_event_and_no_event_is_too_long(data: bytes) -> None:
    found = lines(data)
    assert b"".join(line.data or b"" for line in found) == data
    assert all(0 < line.end - line.start <= STEP for line in found)
    assert all(line.data == data[line.start : line.end] for line in found)


@given(LOGS)
def test_a_line_that_fits_is_one_event(data: bytes) -> None:
    starts = {line.start: line for line in lines(data)}
    position = 0
    for part in data.split(b"\n")[:-1]:
        if len(part) < STEP:
            assert starts[position].data == part + b"\n"
        position += len(part) + 1


@given(LOGS, st.booleans())
def test_backward_gives_the_same_events_as_forward(data: bytes, final: bool) -> None:
    reader = LineReader(content(data, final=final), STEP)
    assert list(reader.backward(len(data))) == list(reader.forward(0))[::-1]
    assert reader.end() == max((line.end for line in reader.forward(0)), default=0)


@given(LOGS)
def test_reading_may_begin_between_any_two_events(data: bytes) -> None:
    found = lines(data)
    reader = LineReader(content(data), STEP)
    for number, line in enumerate(found):
        assert list(reader.forward(line.start)) == found[number:]
        assert list(reader.backward(line.start)) == found[:number][::-1]


@given(LOGS)
def test_align_finds_the_next_cut(data: bytes) -> None:
    found = lines(data)
    reader = LineReader(content(data), STEP)
    cuts = [0, *(line.end for line in found)]
    for position in range(len(data) + 1):
        assert reader.align(position) == next(cut for cut in cuts if cut >= position)


@given(LOGS, st.lists(st.integers(1, 30), max_size=20))
def test_cuts_do_not_change_while_a_log_grows(data: bytes, growth: list[int]) -> None:
    final = lines(data)
    size = 0
    for step in growth:
        size = min(size + step, len(data))
        growing = lines(data[:size], final=False)
        assert growing == final[: len(growing)]
        rest = data[growing[-1].end if growing else 0 : size]
        assert b"\n" not in rest and len(rest) < 2 * STEP


@given(LOGS, st.integers(0, 5), st.integers(1, 5), st.booleans())
def test_what_was_left_out_is_one_event(data: bytes, head: int, gone: int, final: bool) -> None:
    hole = (head * STEP, (head + gone) * STEP)
    data = data + b"y\nyy" * (hole[1] // 4 + 1)
    zeroed = data[: hole[0]] + bytes(hole[1] - hole[0]) + data[hole[1] :]
    reader = LineReader(content(zeroed, hole=hole, final=final), STEP)
    found = list(reader.forward(0))
    notes = [line for line in found if line.data is None]
    assert notes == [Line(*hole, None)]
    assert notes[0].message == f"[longshore: {hole[1] - hole[0]} bytes left out]"
    before = b"".join(line.data or b"" for line in found[: found.index(notes[0])])
    behind = b"".join(line.data or b"" for line in found[found.index(notes[0]) + 1 :])
    assert before == data[: hole[0]]
    assert behind == data[hole[1] :][: len(behind)]
    assert list(reader.backward(len(data))) == found[::-1]
    inside = hole[0] + 7
    assert next(reader.forward(inside)) == Line(inside, hole[1], None)


def test_messages_are_text_without_their_line_ends() -> None:
    found = lines(b"plain\nwindows\r\n\nbad \xff\n\x00\x1b[1m\rx\nlast")
    assert [line.message for line in found] == ["plain", "windows", "", "bad \ufffd", "\x00\x1b[1m\rx", "last"]


def test_cuts_respect_characters() -> None:
    text = "😀" * 50
    found = lines(b"-" + text.encode())
    assert "".join(line.message for line in found) == "-" + text
