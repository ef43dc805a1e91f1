"""Logs end with their group's retention; what runs, and what is kept for ever, is left alone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from longshore.domain.errors import NotFound
from longshore.logs.events import FOREVER
from longshore.logs.index import DUE_LOGS, DUE_PUT
from longshore.logs.settings import LogSettings
from tests.unit.logs.log_house import GROUP, SCOPE, SMALL, Death, LogHouse, identity

DAY = 86_400_000


def expire(house: LogHouse) -> int:
    """Everything that is due, step by step; gives the number of steps."""
    steps = 0
    while house.writer.expire():
        steps += 1
    while not house.writer.idle:
        house.writer.bury()
        house.sweep()
    return steps


def finish(house: LogHouse, *numbers: int, size: int = 10) -> None:
    for number in numbers:
        house.attach(number)
        house.write(number, b"x" * (size - 1) + b"\n")
    house.seal(*numbers)
    house.sweep()


def streams(house: LogHouse) -> list[str]:
    group_id = house.lookup.require_group(SCOPE, GROUP)
    found = house.lookup.streams_by_name(group_id, prefix="", after=None, descending=False, limit=10_000)
    return [record.name for record in found]


def stored_bytes(house: LogHouse) -> int:
    (group,) = house.lookup.groups(SCOPE, prefix="", pattern="", after="", limit=2)
    return group.stored_bytes


def put(house: LogHouse, *times: int) -> None:
    for at in times:
        house.writer.put_events(SCOPE, GROUP, "put", [(at, f"at {at}")])


def put_times(house: LogHouse) -> list[int]:
    page = house.reader.get_events(
        SCOPE, GROUP, "put", token=None, from_head=True, since=0, until=FOREVER, limit=10_000
    )
    return [event.timestamp for event in page.events]


def test_finished_logs_go_when_their_last_event_is_too_old(house: LogHouse) -> None:
    finish(house, 1)  # packed
    finish(house, 2, size=1_000)  # a file of its own
    house.writer.set_retention(SCOPE, GROUP, 3)
    begun = house.now
    house.now = begun + 2 * DAY
    finish(house, 3)
    house.now = begun + 3 * DAY
    assert expire(house) == 0
    house.now += 1
    expire(house)
    assert streams(house) == [identity(3).stream]
    assert stored_bytes(house) == 10
    assert [event.message for event in house.events(3)] == ["x" * 9]
    assert not list(house.folder.glob("sealed/*/*"))
    with pytest.raises(NotFound):
        house.events(1)
    house.restart()
    assert streams(house) == [identity(3).stream]


def test_a_log_that_still_grows_stays_whole(house: LogHouse) -> None:
    house.attach(1)
    house.write(1, b"old\n")
    house.writer.tick()
    house.writer.set_retention(SCOPE, GROUP, 1)
    house.now += 30 * DAY
    assert expire_growing(house) == 0
    house.write(1, b"new\n")
    house.writer.tick()
    house.seal(1)
    house.sweep()
    assert expire(house) == 0
    assert [event.message for event in house.events(1)] == ["old", "new"]


def expire_growing(house: LogHouse) -> int:
    """As `expire`, while a log grows: the writer is then never idle."""
    steps = 0
    while house.writer.expire():
        steps += 1
    house.writer.bury()
    return steps


def test_without_a_retention_logs_stay_for_ever(house: LogHouse) -> None:
    finish(house, 1)
    house.now += 4_000 * DAY
    assert expire(house) == 0
    assert len(house.events(1)) == 1


def test_groups_without_one_of_their_own_have_the_default(tmp_path: Path) -> None:
    settings = LogSettings(event_bytes=SMALL.event_bytes, retention_days=2)
    with closing(LogHouse(tmp_path, settings)) as house:
        finish(house, 1)
        house.writer.create_group(SCOPE, "kept")
        house.writer.set_retention(SCOPE, "kept", 30)
        house.writer.create_stream(SCOPE, "kept", "put")
        house.writer.put_events(SCOPE, "kept", "put", [(house.now, "x")])
        house.now += 2 * DAY + 1
        expire(house)
        assert streams(house) == []
        page = house.reader.get_events(
            SCOPE, "kept", "put", token=None, from_head=True, since=0, until=FOREVER, limit=10
        )
        assert len(page.events) == 1
        house.writer.create_stream(SCOPE, GROUP, "put")
        result = house.writer.put_events(SCOPE, GROUP, "put", [(house.now - 3 * DAY, "late")])
        assert result.expired_until == 1


def test_a_retention_that_is_taken_back_ends_nothing(house: LogHouse) -> None:
    finish(house, 1)
    house.writer.set_retention(SCOPE, GROUP, 1)
    house.writer.set_retention(SCOPE, GROUP, None)
    house.now += 4_000 * DAY
    assert expire(house) == 0


def test_of_what_callers_put_the_old_events_go_and_the_stream_stays(house: LogHouse) -> None:
    finish(house, 1)
    house.writer.create_stream(SCOPE, GROUP, "put")
    begun = house.now
    put(house, begun, begun + 1)
    house.now += DAY
    put(house, house.now)
    house.writer.set_retention(SCOPE, GROUP, 3)
    house.now = begun + 3 * DAY + 2
    expire(house)
    assert put_times(house) == [begun + DAY]
    group_id = house.lookup.require_group(SCOPE, GROUP)
    found = house.lookup.find(group_id, "put")
    assert found is not None
    assert (found.record.first_event_at, found.record.last_event_at) == (begun + DAY, begun + DAY)
    assert stored_bytes(house) == found.record.stored_bytes == len(f"at {begun}")
    house.now = begun + 9 * DAY
    expire(house)
    assert put_times(house) == []
    assert stored_bytes(house) == 0
    put(house, house.now)
    assert put_times(house) == [house.now]
    assert streams(house) == ["put"]


def test_much_goes_in_small_steps(house: LogHouse) -> None:
    house.writer.create_group(SCOPE, GROUP)
    house.writer.set_retention(SCOPE, GROUP, 1)
    house.writer.create_stream(SCOPE, GROUP, "put")
    house.writer.put_events(SCOPE, GROUP, "put", [(house.now, "x")] * 2_500)
    finish(house, *range(1, 2_501))
    house.now += 2 * DAY
    assert expire(house) >= 5
    assert streams(house) == ["put"]
    assert put_times(house) == []
    assert stored_bytes(house) == 0


def test_a_kill_at_any_act_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever it comes: afterwards nothing of what was due is left, and what was not is whole."""
    for at in range(1, 100):
        with closing(LogHouse(tmp_path / str(at))) as house:
            finish(house, 1)
            finish(house, 2, size=1_000)
            house.writer.set_retention(SCOPE, GROUP, 1)
            house.writer.create_stream(SCOPE, GROUP, "put")
            put(house, house.now)
            house.now += 2 * DAY
            finish(house, 3)
            death = Death(at)
            with death.hovering(house, monkeypatch):
                expire(house)
            house.restart()
            expire(house)
            assert streams(house) == [identity(3).stream, "put"]
            assert [event.message for event in house.events(3)] == ["x" * 9]
            assert stored_bytes(house) == 10
            assert not list(house.folder.glob("sealed/*/*"))
            if death.acts < at:
                return
    raise AssertionError("it never ran to its end")


@pytest.mark.parametrize("statement", [DUE_LOGS, DUE_PUT])
def test_what_is_due_is_searched_for_also_in_an_index_of_the_first_release(house: LogHouse, statement: str) -> None:
    path = house.folder / "index.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX put_streams")
    house.restart()
    with closing(sqlite3.connect(path)) as connection:
        values = {"now_ms": 0, "default_days": None, "limit": 1}
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    searched = "streams_by_time" if statement is DUE_LOGS else "put_streams"
    assert [step.partition(" USING ")[0] for step in steps] == ["SCAN g", "SEARCH s"]
    assert f"INDEX {searched} (group_id=? AND" in steps[1]
