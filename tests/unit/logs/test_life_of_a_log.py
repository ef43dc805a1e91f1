"""From attach to seal, through restarts and kills: all bytes are readable exactly once, in order."""

import errno
import os
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from longshore.domain.errors import NotFound
from longshore.logs.content import Content, InMemory
from longshore.logs.lines import LineReader
from longshore.logs.records import LogEvent
from longshore.logs.settings import LogSettings
from longshore.logs.times import ChunkTimes
from tests.unit.logs.log_house import Death, LogHouse, attempt, identity


def expected(data: bytes, *, final: bool = True) -> list[tuple[int, int, str]]:
    content = Content(storage=InMemory(data), size=len(data), times=ChunkTimes(), final=final)
    return [(line.start, line.end, line.message) for line in LineReader(content, 16).forward(0)]


def seen(events: list[LogEvent]) -> list[tuple[int, int, str]]:
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)
    return [(event.position, event.end, event.message) for event in events]


def check(house: LogHouse, number: int, data: bytes, *, final: bool, limit: int = 3) -> None:
    for forward in (True, False):
        assert seen(house.events(number, limit=limit, forward=forward)) == expected(data, final=final)


def test_a_log_is_read_while_it_grows_and_when_it_is_sealed(house: LogHouse) -> None:
    house.attach(1)
    house.write(1, b"one\ntwo\nunfin")
    house.writer.tick()
    check(house, 1, b"one\ntwo\n", final=False)
    house.write(1, b"ished\nlast")
    house.seal(1)
    check(house, 1, b"one\ntwo\nunfinished\nlast", final=True)
    house.sweep()
    assert house.live_files() == []
    house.seal(1)
    house.attach(1)
    house.writer.tick()
    house.restart()
    check(house, 1, b"one\ntwo\nunfinished\nlast", final=True)


def test_a_log_without_output_leaves_a_stream_and_no_file(house: LogHouse) -> None:
    house.attach(1, 2)
    house.write(2, b"")
    house.seal(1, 2)
    house.sweep()
    assert house.live_files() == []
    assert list((house.folder / "packs").iterdir()) == []
    page = house.page(1)
    assert page.events == () and house.page(1, token=page.forward_token).forward_token == page.forward_token


def test_large_logs_keep_their_files(house: LogHouse) -> None:
    house.attach(1)
    house.write(1, b"line\n" * 1_000)
    house.seal(1)
    assert house.live_files() == []
    assert len(list((house.folder / "sealed" / "01").iterdir())) == 2
    check(house, 1, b"line\n" * 1_000, final=True, limit=333)


def test_times_are_those_of_the_chunks(house: LogHouse) -> None:
    house.attach(1)
    for number in range(3):
        house.now += 1_000
        house.write(1, b"line %d\n" % number)
        house.writer.tick()
    house.seal(1)
    assert [event.timestamp for event in house.events(1)] == [1_700_000_001_000 + n * 1_000 for n in range(3)]
    middle = house.page(1, since=1_700_000_002_000, until=1_700_000_003_000)
    assert [event.message for event in middle.events] == ["line 1"]
    assert [e.message for e in house.page(1, until=1_700_000_002_000, from_head=False).events] == ["line 0"]


def test_what_was_written_while_the_server_was_down_has_the_time_of_the_file(house: LogHouse) -> None:
    house.attach(1)
    house.write(1, b"before\n")
    house.writer.tick()
    house.write(1, b"while down\n")
    os.utime(house.path(1), ns=(0, (house.now + 5_000) * 1_000_000))
    house.now += 60_000
    house.restart()
    house.attach(1)
    house.writer.tick()
    assert [(e.timestamp, e.message) for e in house.events(1)] == [
        (1_700_000_000_000, "before"),
        (1_700_000_005_000, "while down"),
    ]
    os.utime(house.path(1), ns=(0, 0))
    house.write(1, b"old\n")
    os.utime(house.path(1), ns=(0, 0))
    house.writer.tick()
    assert house.events(1)[-1].timestamp == 1_700_000_005_000


def test_a_log_that_its_job_truncates_goes_on(house: LogHouse) -> None:
    house.attach(1)
    house.write(1, b"first\nsecond\n")
    house.writer.tick()
    house.path(1).write_bytes(b"anew\n")
    house.writer.tick()
    house.write(1, b"more\n")
    house.seal(1)
    assert [event.message for event in house.events(1)] == ["anew", "more"]


def test_output_over_the_cap_leaves_head_and_tail(house: LogHouse) -> None:
    block = 4096
    house.settings = LogSettings(stream_cap_bytes=16 * block, event_bytes=block, pack_limit_bytes=64)
    house.restart()
    house.attach(1)
    data = b"".join(b"%07d\n" % number for number in range(100_000))
    used: list[int] = []
    for start in range(0, len(data), 5 * block):
        house.write(1, data[start : start + 5 * block])
        house.writer.tick()
        used.append(house.path(1).stat().st_blocks * 512)
    assert max(used) <= 24 * block
    house.restart()
    house.attach(1)
    house.seal(1)
    events = house.events(1, limit=10_000)
    notes = [number for number, event in enumerate(events) if event.message.startswith("[longshore")]
    assert len(notes) == 1
    note = events[notes[0]]
    assert note.message == f"[longshore: {note.end - note.position} bytes left out]"
    assert note.position == 8 * block and len(data) - 8 * block <= note.end < len(data) - 7 * block
    kept = data[: note.position] + data[note.end :]
    assert b"".join(e.message.encode() + b"\n" for e in events if e is not note) == kept
    assert house.events(1, limit=1_000, forward=False) == events


def test_handed_output_goes_on_at_its_cursor(house: LogHouse) -> None:
    house.attach(1)
    assert house.writer.cursor(attempt(1)) == ""
    house.append(1, b"one\ntw", "c1")
    house.append(1, b"o\n", "c2")
    house.restart()
    house.attach(1)
    assert house.writer.cursor(attempt(1)) == "c2"
    house.append(1, b"three\n", "c3")
    house.seal(1)
    house.append(1, b"late\n", "c4")
    check(house, 1, b"one\ntwo\nthree\n", final=True)
    with pytest.raises(LookupError):
        house.append(2, b"unknown\n", "c1")


def test_a_disk_that_is_full_undoes_an_append(house: LogHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house.attach(1, 2)
    house.append(1, b"kept\n", "c1")
    house.write(2, b"written\n")
    write, room = os.write, [3]

    def full(descriptor: int, data: Any) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = write(descriptor, data[: room[0]])
        room[0] -= count
        return count

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                house.append(1, b"lost\n", "c2")
        with pytest.raises(OSError, match="No space"):
            house.seal(2)
    assert house.writer.cursor(attempt(1)) == "c1"
    house.append(1, b"again\n", "c2")
    house.seal(1, 2)
    check(house, 1, b"kept\nagain\n", final=True)
    check(house, 2, b"written\n", final=True)


OUTPUT = {1: b"", 2: b"tiny\n", 3: b"x" * 90 + b"\nmiddle\n", 4: b"large\n" * 60, 5: b"handed\nover\n", 6: b"H" * 400}
HANDED = {5, 6}


def live_through(house: LogHouse) -> None:
    """One process: take up the logs, bring all output, seal, clean up."""
    house.attach(*OUTPUT)
    house.writer.tick()
    for number, data in OUTPUT.items():
        if number in HANDED:
            done = int(house.writer.cursor(attempt(number)) or 0)
            for start in range(done, len(data), 150):
                house.now += 10
                house.append(number, data[start : start + 150], str(min(start + 150, len(data))))
        house.writer.tick()
    house.seal(*list(OUTPUT)[:3])
    house.seal(*OUTPUT)
    house.sweep()


def test_a_kill_at_any_act_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write, rename, unlink and commit of a log's life is once the last act of its process."""
    at, survived = 0, False
    while not survived:
        at += 1
        with closing(LogHouse(tmp_path / str(at))) as house:
            for number, data in OUTPUT.items():
                if number not in HANDED and data:
                    house.write(number, data)
            death = Death(at)
            with death.hovering(house, monkeypatch):
                live_through(house)
            survived = death.acts < at
            house.restart()
            live_through(house)
            for number, data in OUTPUT.items():
                check(house, number, data, final=True)
            assert house.live_files() == [], at
    assert at > 20


@hypothesis_settings(max_examples=40)
@given(data=st.data())
def test_any_course_of_events_keeps_all_bytes(data: st.DataObject) -> None:
    pieces = st.one_of(st.binary(max_size=40), st.sampled_from([b"\n", b"line\n", b"ab\r\n", "ä€😀".encode() * 7]))
    steps = st.sampled_from(["write", "write", "tick", "append", "seal", "restart", "sweep", "read"])
    with tempfile.TemporaryDirectory() as folder, closing(LogHouse(Path(folder))) as house:
        logs: dict[int, bytes] = {1: b"", 2: b"", 3: b""}
        sealed: set[int] = set()
        house.attach(*logs)
        for _ in range(data.draw(st.integers(1, 25))):
            house.now += data.draw(st.integers(-50, 500))
            step, number = data.draw(steps), data.draw(st.sampled_from([1, 2, 3]))
            match step:
                case "write" if number != 3 and number not in sealed:
                    piece = data.draw(pieces)
                    house.write(number, piece)
                    logs[number] += piece
                case "append" if 3 not in sealed:
                    piece = data.draw(pieces)
                    logs[3] += piece
                    house.append(3, piece, str(len(logs[3])))
                case "tick":
                    house.writer.tick()
                case "seal":
                    house.seal(number)
                    sealed.add(number)
                case "restart":
                    house.restart()
                    house.attach(*logs)
                case "sweep":
                    house.sweep()
                case "read":
                    house.writer.tick()
                    limit = data.draw(st.integers(1, 20))
                    check(house, number, logs[number], final=number in sealed, limit=limit)
                case _:
                    continue
        house.seal(*logs)
        limit = data.draw(st.integers(1, 20))
        for number, whole in logs.items():
            check(house, number, whole, final=True, limit=limit)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_log_that_is_not_wanted(tmp_path: Path, is_restarted: bool) -> None:
    """Nobody sees it, and it goes with its attempt; its neighbours stay."""
    house = LogHouse(tmp_path)
    unwanted = replace(identity(1), is_kept=False)
    house.follower.attach([unwanted, identity(2)])
    house.writer.tick()
    house.write(1, b"secret\n")
    house.write(2, b"wanted\n")
    if is_restarted:
        house.restart()
        house.follower.attach([unwanted, identity(2)])
    house.writer.tick()
    with pytest.raises(NotFound):
        house.page(1)
    house.seal(1, 2)
    with pytest.raises(NotFound):
        house.page(1)
    house.sweep()
    assert house.live_files() == []
    assert [event.message for event in house.events(2)] == ["wanted"]
    house.close()
