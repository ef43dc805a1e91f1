"""The store as control uses it: its folder, its index, and what happens when the disk refuses."""

import errno
import os
import sqlite3
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from longshore.domain.errors import NotFound, StoreUnavailable
from longshore.domain.ids import AttemptId
from longshore.logs.lookup import Lookup
from longshore.logs.schema import LogIndexRefused
from longshore.logs.settings import LogSettings
from longshore.logs.store import LogStore
from longshore.logs.writer import LogWriter
from tests.unit.logs.log_house import GROUP, SCOPE, attempt, identity

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LogStore]:
    opened = LogStore(tmp_path / "logs")
    await opened.open()
    yield opened
    await opened.close()


async def messages(store: LogStore, number: int) -> list[str]:
    page = await store.get_events(SCOPE, GROUP, identity(number).stream)
    return [event.message for event in page.events]


async def test_all_that_is_made_is_for_our_user_only(store: LogStore, tmp_path: Path) -> None:
    await store.attach([identity(1)])
    await store.append(attempt(1), [(datetime.now(UTC), b"x" * 100_000)], "c1")
    await store.attach([identity(2)])
    await store.append(attempt(2), [(datetime.now(UTC), b"tiny")], "c1")
    await store.seal([attempt(1), attempt(2)])
    for path in [tmp_path / "logs", *(tmp_path / "logs").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_only_attempt_ids_become_paths(store: LogStore) -> None:
    with pytest.raises(ValueError, match="not an attempt id"):
        store.path(AttemptId("../../etc/passwd"))


async def test_links_are_not_followed(store: LogStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    store.path(attempt(1)).symlink_to(secret)
    await store.attach([identity(1)])
    await store.seal([attempt(1)])
    assert await messages(store, 1) == []
    assert secret.read_text() == "secret\n"


async def test_groups_are_made_when_asked_for(store: LogStore) -> None:
    assert not await store.has_group(SCOPE, "g", create=False)
    assert await store.has_group(SCOPE, "g", create=True)
    assert await store.has_group(SCOPE, "g", create=False)
    await store.delete_group(SCOPE, "g")
    assert not await store.has_group(SCOPE, "g", create=False)


async def test_a_newer_or_foreign_index_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name, statement, reason in (
        ("newer", "PRAGMA user_version = 99", "newer version"),
        ("foreign", "PRAGMA application_id = 7", "not a log index"),
    ):
        store = LogStore(tmp_path / name)
        await store.open()
        await store.close()
        index = tmp_path / name / "index.sqlite3"
        with sqlite3.connect(index) as connection:
            connection.execute(statement)
        connection.close()
        before = index.read_bytes()
        store = LogStore(tmp_path / name)
        with pytest.raises(LogIndexRefused, match=reason):
            await store.open()
        await store.close()
        assert index.read_bytes() == before


async def test_a_full_disk_is_told_and_recovered_from(store: LogStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.attach([identity(1), identity(2)])
    store.path(attempt(1)).write_bytes(b"direct\n")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await store.append(attempt(2), [(datetime.now(UTC), b"handed\n")], "c1")
        with pytest.raises(StoreUnavailable, match="the disk is full"):
            await store.seal([attempt(1)])
        assert await messages(store, 1) == ["direct"]
    await store.append(attempt(2), [(datetime.now(UTC), b"handed\n")], "c1")
    await store.seal([attempt(1), attempt(2)])
    assert await messages(store, 1) == ["direct"]
    assert await messages(store, 2) == ["handed"]


@pytest.mark.parametrize(
    ("free", "told"), [(0, "the disk is full"), (10**6, "disk I/O error"), (None, "database or disk is full")]
)
async def test_what_the_index_cannot_do_is_told_plainly(
    store: LogStore, monkeypatch: pytest.MonkeyPatch, free: int | None, told: str
) -> None:
    """To writers and readers alike; SQLite itself calls it an I/O error where it finds no room for shared memory."""

    def refuse(*_: Any, **__: Any) -> None:
        is_full = free is None
        error = sqlite3.OperationalError("database or disk is full" if is_full else "disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL if is_full else sqlite3.SQLITE_IOERR_SHMSIZE
        raise error

    blocks = SimpleNamespace(f_bavail=free, f_frsize=4096)
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: blocks)
        patch.setattr(LogWriter, "create_group", refuse)
        patch.setattr(Lookup, "groups", refuse)
        for asked in (store.create_group(SCOPE, "group"), store.list_groups(SCOPE)):
            with pytest.raises(StoreUnavailable) as caught:
                await asked
            assert caught.value.message == f"The log index cannot be used now: {told}"
    await store.create_group(SCOPE, "group")
    assert len((await store.list_groups(SCOPE))[0]) == 1


async def test_old_logs_are_looked_for_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("longshore.logs.store._EXPIRE_SECONDS", 0.01)
    now_ms = time.time_ns() // 1_000_000
    store = LogStore(tmp_path, LogSettings(retention_days=1), now_ms=lambda: now_ms)
    await store.open()
    try:
        await store.attach([identity(1), identity(2)])
        store.path(attempt(1)).write_bytes(b"line\n")
        store.path(attempt(2)).write_bytes(b"growing\n")
        await store.seal([attempt(1)])
        assert await messages(store, 1) == ["line"]
        now_ms += 2 * 86_400_000
        for _ in range(200):
            if [stream.name for stream in (await store.list_streams(SCOPE, GROUP))[0]] == [identity(2).stream]:
                break
            await anyio.sleep(0.05)
        with pytest.raises(NotFound):
            await messages(store, 1)
        assert await messages(store, 2) == ["growing"]
    finally:
        await store.close()


async def test_spent_files_go_and_what_was_left_goes_at_the_next_start(tmp_path: Path) -> None:
    first = LogStore(tmp_path)
    await first.open()
    await first.attach([identity(1)])
    first.path(attempt(1)).write_bytes(b"line\n")
    await first.seal([attempt(1)])
    await first.close()
    second = LogStore(tmp_path)
    await second.open()
    try:
        for _ in range(200):
            if not list((tmp_path / "live").iterdir()):
                break
            await anyio.sleep(0.05)
        assert list((tmp_path / "live").iterdir()) == []
        assert await messages(second, 1) == ["line"]
    finally:
        await second.close()
