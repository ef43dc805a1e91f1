"""Lines that are joined to events: the same events from wherever reading begins, nothing lost, nothing endless."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.logs.joined import JoinedReader
from longshore.logs.lines import Line, LineReader
from longshore.logs.settings import LogSettings
from tests.unit.logs.log_house import LogHouse, identity
from tests.unit.logs.test_lines import content

#: Of lines; blocks are as long.
STEP = 16

PIECES = st.sampled_from([b"!new\n", b"more\n", b"\n", b"!" * 20, b"x" * 40, b"a", "ä€😀".encode() * 3, b"!\r\n"])
LOGS = st.lists(PIECES, max_size=40).map(b"".join)


def reader(
    data: bytes, *, hole: tuple[int, int] | None = None, final: bool = True, is_idle: bool = False
) -> JoinedReader:
    lines = LineReader(content(data, hole=hole, final=final), STEP)
    return JoinedReader(lines, lambda text: text.startswith("!"), block_bytes=STEP, is_closed=final or is_idle)


def events(data: bytes, *, final: bool = True) -> list[Line]:
    return list(reader(data, final=final).forward(0))


def messages(*texts: str) -> list[str]:
    return [line.message for line in events("".join(texts).encode())]


def test_lines_that_follow_belong_to_the_one_before() -> None:
    """What comes before the first that begins an event is one, too."""
    assert messages("a\nb\n", "!c\n", "!d\nat e\n\nf\n", "!g") == ["a\nb", "!c", "!d\nat e\n\nf", "!g"]


@given(LOGS)
def test_every_byte_is_in_one_event_and_none_is_endless(data: bytes) -> None:
    found = events(data)
    assert b"".join(line.data or b"" for line in found) == data
    assert all(line.data == data[line.start : line.end] for line in found)
    assert all(line.end - line.start < 4 * STEP for line in found)


@given(LOGS)
def test_an_event_of_less_than_a_block_is_not_cut(data: bytes) -> None:
    lines = list(LineReader(content(data), STEP).forward(0))
    begins = [line.start for line in lines if line.message.startswith("!")]
    starts = {line.start: line for line in events(data)}
    for begin, end in pairwise([*begins, len(data)]):
        if end - begin < STEP:
            assert starts[begin].end == end


@given(LOGS, st.booleans())
def test_backward_gives_the_same_events_as_forward(data: bytes, final: bool) -> None:
    found = reader(data, final=final)
    assert list(found.backward(len(data))) == list(found.forward(0))[::-1]
    assert found.end() == max((line.end for line in found.forward(0)), default=0)


@given(LOGS)
def test_reading_may_begin_between_any_two_events(data: bytes) -> None:
    found = events(data)
    for number, line in enumerate(found):
        assert list(reader(data).forward(line.start)) == found[number:]
        assert list(reader(data).backward(line.start)) == found[:number][::-1]


@given(LOGS)
def test_align_finds_the_next_place_between_events(data: bytes) -> None:
    cuts = [0, *(line.end for line in events(data))]
    for position in range(len(data) + 1):
        assert reader(data).align(position) == next(cut for cut in cuts if cut >= position)


@given(LOGS, st.lists(st.integers(1, 30), max_size=20))
def test_events_do_not_change_while_a_log_grows(data: bytes, growth: list[int]) -> None:
    final = events(data)
    size = 0
    for step in growth:
        size = min(size + step, len(data))
        growing = events(data[:size], final=False)
        assert growing == final[: len(growing)]


@given(LOGS, st.integers(0, 5), st.integers(1, 5))
def test_what_was_left_out_belongs_to_none(data: bytes, head: int, gone: int) -> None:
    hole = (head * STEP, (head + gone) * STEP)
    data = data + b"y\nyy" * (hole[1] // 4 + 1)
    zeroed = data[: hole[0]] + bytes(hole[1] - hole[0]) + data[hole[1] :]
    found = list(reader(zeroed, hole=hole).forward(0))
    assert [line for line in found if line.data is None] == [Line(*hole, None)]
    assert list(reader(zeroed, hole=hole).backward(len(data))) == found[::-1]


def test_the_last_event_is_open_until_nothing_comes_for_a_while() -> None:
    data = b"!a\nb\n!c\nd\n"
    assert [line.message for line in events(data, final=False)] == ["!a\nb"]
    assert [line.message for line in reader(data, final=False, is_idle=True).forward(0)] == ["!a\nb", "!c\nd"]


def attach(house: LogHouse) -> None:
    house.follower.attach([replace(identity(1), event_start="^!")])
    house.writer.tick()


def told(house: LogHouse) -> list[str]:
    forward = [event.message for event in house.events(1, limit=1)]
    assert [event.message for event in house.events(1, limit=1, forward=False)] == forward
    return forward


@pytest.mark.parametrize("rest", [b"", b"!" + b"z" * 300], ids=["packed", "in a file"])
def test_life_of_a_log_with_joined_lines(tmp_path: Path, rest: bytes) -> None:
    """Its last event is open while it grows; all are the same wherever the log lies, and after a restart."""
    house = LogHouse(tmp_path, settings=LogSettings(pack_limit_bytes=200))
    attach(house)
    house.write(1, b"!a\nb\n!c\n")
    house.writer.tick()
    assert told(house) == ["!a\nb"]
    house.now += 60_000
    house.writer.tick()
    assert told(house) == ["!a\nb", "!c"]
    house.write(1, b"d\n!e\n" + rest)
    house.restart()
    attach(house)
    assert told(house)[:2] == ["!a\nb", "!c\nd"]
    house.seal(1)
    whole = ["!a\nb", "!c\nd", "!e", *([rest.decode()] if rest else [])]
    assert told(house) == whole
    house.restart()
    assert told(house) == whole
    house.close()


def test_index_of_an_older_version(tmp_path: Path) -> None:
    """It knew no patterns: each line of what it kept is an event."""
    house = LogHouse(tmp_path)
    attach(house)
    house.write(1, b"!a\nb\n")
    house.seal(1)
    house.close()
    with closing(sqlite3.connect(tmp_path / "index.sqlite3")) as index:
        index.execute("ALTER TABLE streams DROP COLUMN event_start")
    house = LogHouse(tmp_path)
    assert told(house) == ["!a", "b"]
    house.close()
