"""The stores on SQLite keep the store contract; and what a file alone can show: shared commits, kills, full disks."""

import asyncio
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from longshore.domain.errors import StoreUnavailable
from longshore.ports.store import JobFilter, Reader, Store, Transaction
from longshore.store import groups, listing, sqlite
from longshore.store.schema import migrate
from longshore.store.sqlite import InlineStore, SqliteStore
from longshore.testing.job_builders import A_SCOPE, a_job
from longshore.testing.store_contract import Reopen, StoreContract

#: How long a thread is waited for before a test gives up.
PATIENCE_SECONDS = 20


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(tmp_path / "store.db")
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def reopen(self, store: SqliteStore, tmp_path: Path) -> AsyncIterator[Reopen]:
        again = SqliteStore(tmp_path / "store.db")

        async def reopen() -> SqliteStore:
            await store.close()
            await again.open()
            return again

        yield reopen
        await again.close()


class TestInlineStore(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[InlineStore]:
        store = InlineStore()
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def reopen(self, store: InlineStore) -> AsyncIterator[Reopen]:
        async with AsyncExitStack() as opened:

            async def reopen() -> InlineStore:
                await store.close()
                again = InlineStore(store.image())
                await again.open()
                opened.push_async_callback(again.close)
                return again

            yield reopen


class TestInlineStoreWithManyMatches(TestInlineStore):
    """The same where every range has so many matches that the queue is walked from its newest job."""

    @pytest.fixture(autouse=True)
    def few_matches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "FEW_MATCHES", 0)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """The writing connections that are opened during the test."""
    opened: list[sqlite3.Connection] = []
    open_file = sqlite.open_file

    def spy(path: Path, *, may_migrate: bool) -> sqlite3.Connection:
        opened.append(open_file(path, may_migrate=may_migrate))
        return opened[-1]

    monkeypatch.setattr(sqlite, "open_file", spy)
    return opened


@pytest.fixture
async def store(connections: list[sqlite3.Connection], tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    yield store
    await store.close()


def submit(tx: Transaction) -> int:
    return a_job().stored(tx).key


async def count_jobs(store: Store) -> int:
    jobs = await store.read(lambda r: r.list_jobs(A_SCOPE, "queue", JobFilter(), before=None, limit=10**6))
    return len(jobs)


@asynccontextmanager
async def busy_writer(store: Store) -> AsyncIterator[None]:
    """What is submitted inside waits until the block ends, and for another group than that of the block."""
    has_begun, may_end = Event(), Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "GROUP_SECONDS", -1)
        busy = asyncio.create_task(store.write(lambda tx: (has_begun.set(), may_end.wait(PATIENCE_SECONDS))[1]))
        assert await asyncio.to_thread(has_begun.wait, PATIENCE_SECONDS)
    try:
        yield
    finally:
        may_end.set()
        assert await busy


async def together(store: Store, *works: Callable[[Transaction], Any]) -> list[Any]:
    """The answers of works that share one commit: they are queued while the writer is busy."""
    async with busy_writer(store):
        answers = asyncio.gather(*(store.write(work) for work in works), return_exceptions=True)
        await asyncio.sleep(0)
    return await answers


@pytest.mark.anyio
@pytest.mark.parametrize(("group_seconds", "commits"), [(PATIENCE_SECONDS, 2), (0, 201)])
async def test_writes_share_a_commit_for_a_limited_time(
    store: SqliteStore,
    connections: list[sqlite3.Connection],
    monkeypatch: pytest.MonkeyPatch,
    group_seconds: float,
    commits: int,
) -> None:
    """What waits when the writer comes to it needs one sync to the disk, or as many as it takes the time of groups."""
    monkeypatch.setattr(groups, "GROUP_SECONDS", group_seconds)
    statements: list[str] = []
    connections[0].set_trace_callback(statements.append)
    answers = await together(store, *[submit] * 200)
    connections[0].set_trace_callback(None)
    assert answers == sorted(answers, key=int)
    assert statements.count("COMMIT") == commits
    assert await count_jobs(store) == 200


@pytest.mark.anyio
async def test_work_joins_the_group_that_is_being_run(
    store: SqliteStore, connections: list[sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees what the works before it wrote, and all are durable by one sync."""
    monkeypatch.setattr(groups, "GROUP_SECONDS", PATIENCE_SECONDS)
    has_begun, may_end = Event(), Event()

    def first(tx: Transaction) -> bool:
        tx.publish_class_reasons({"a": "x"})
        has_begun.set()
        return may_end.wait(PATIENCE_SECONDS)

    statements: list[str] = []
    connections[0].set_trace_callback(statements.append)
    writing = asyncio.create_task(store.write(first))
    assert await asyncio.to_thread(has_begun.wait, PATIENCE_SECONDS)
    joining = asyncio.create_task(store.write(lambda tx: tx.class_reasons(["a"])))
    await asyncio.sleep(0)
    may_end.set()
    assert await writing
    assert await joining == {"a": "x"}
    connections[0].set_trace_callback(None)
    assert statements.count("COMMIT") == 1


@pytest.mark.anyio
async def test_reader_sees_one_state_beside_writes(store: SqliteStore) -> None:
    """What is committed while it reads does not reach it; writes do not wait for it."""
    has_read, has_written = Event(), Event()

    def read_twice(reader: Reader) -> tuple[int, int]:
        first = reader.epoch()
        has_read.set()
        assert has_written.wait(PATIENCE_SECONDS)
        return first, reader.epoch()

    reading = asyncio.create_task(store.read(read_twice))
    assert await asyncio.to_thread(has_read.wait, PATIENCE_SECONDS)
    assert await store.write(lambda tx: tx.claim_leadership()) == 1
    has_written.set()
    assert await reading == (0, 0)
    assert await store.read(lambda reader: reader.epoch()) == 1


@pytest.mark.anyio
async def test_reader_cannot_write(store: SqliteStore) -> None:
    """Not even if it is handed out as more than a reader."""
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.read(lambda reader: reader.claim_leadership())  # type: ignore[attr-defined]


@pytest.mark.anyio
async def test_caller_that_gives_up_harms_nobody(store: SqliteStore) -> None:
    """Its work may be done or not; the others are answered."""
    async with busy_writer(store):
        impatient, patient = (asyncio.create_task(store.write(submit)) for _ in range(2))
        await asyncio.sleep(0)
        impatient.cancel()
    assert await patient > 0
    with pytest.raises(asyncio.CancelledError):
        await impatient


def fill(tx: Transaction) -> None:
    tx.publish_class_reasons({"filler": "x" * 5_000_000})


@pytest.mark.anyio
async def test_full_disk_refuses_and_recovers(store: SqliteStore, connections: list[sqlite3.Connection]) -> None:
    """All who share the commit are told and nothing of them stays; with space again, writes go on."""
    await store.write(submit)
    pages = connections[0].execute("PRAGMA page_count").fetchone()[0]
    connections[0].execute(f"PRAGMA max_page_count = {pages + 10}")
    for error in await together(store, submit, fill, submit):
        assert isinstance(error, StoreUnavailable)
        assert str(error) == "the store cannot be written: database or disk is full"
    assert await count_jobs(store) == 1
    connections[0].execute(f"PRAGMA max_page_count = {2**30}")
    await together(store, submit, fill, submit)
    assert await count_jobs(store) == 3


@pytest.mark.anyio
async def test_file_that_cannot_grow_refuses_and_recovers(store: SqliteStore, tmp_path: Path) -> None:
    """The operating system itself refuses the bytes of the commit."""
    await store.write(submit)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "store.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, limits[1]))
    try:
        answers = await together(store, submit, fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert await count_jobs(store) == 1
    await store.write(fill)
    assert await store.write(submit) > 0
    assert await count_jobs(store) == 2


@pytest.mark.anyio
async def test_lock_of_another_process_refuses_and_recovers(
    store: SqliteStore, connections: list[sqlite3.Connection], tmp_path: Path
) -> None:
    """Somebody who holds the file for long is named as the cause."""
    connections[0].execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="database is locked"):
        await store.write(submit)
    other.execute("ROLLBACK")
    other.close()
    assert await store.write(submit) > 0


WRITER = """
import asyncio, sys
from pathlib import Path
from longshore.store.sqlite import SqliteStore
from longshore.testing.job_builders import a_job

async def submit(store):
    while True:
        spec = await store.write(lambda tx: a_job().array(3).stored(tx))
        print(spec.uuid, flush=True)

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    await asyncio.gather(*(submit(store) for _ in range(8)))

asyncio.run(main())
"""


def write_until_killed(path: Path, acknowledged: int) -> set[str]:
    """What another process had acknowledged when it was killed; at least so many."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        uuids = {writer.stdout.readline().strip() for _ in range(acknowledged)}
        writer.send_signal(signal.SIGKILL)
        return uuids | {line.strip() for line in writer.stdout if line.endswith("\n")}


@pytest.mark.anyio
@pytest.mark.parametrize("acknowledged", [1, 40, 400])
async def test_acknowledged_writes_survive_a_kill(acknowledged: int, tmp_path: Path) -> None:
    """A writer is killed in full flight; what it had acknowledged is there, whole, and the file is sound."""
    path = tmp_path / "store.db"
    uuids = write_until_killed(path, acknowledged)
    store = SqliteStore(path)
    await store.open()
    jobs = await store.read(lambda r: r.list_jobs(A_SCOPE, "queue", JobFilter(), before=None, limit=10**6))
    assert uuids <= {view.job.id.uuid for view in jobs}
    for view in jobs:
        children = await store.read(lambda r, key=view.job.key: r.list_children(key, None, after=None, limit=10))
        assert len(children) == 3
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def modes_in(folder: Path) -> dict[str, int]:
    """Permissions by file name."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


@pytest.mark.anyio
async def test_only_the_owner_may_read(store: SqliteStore, tmp_path: Path) -> None:
    """The database and what SQLite keeps beside it."""
    await store.write(submit)
    assert modes_in(tmp_path) == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


async def refusal(path: Path) -> str:
    """Why the store does not open; what lies in its folder is untouched."""
    before = {path: path.read_bytes() for path in path.parent.iterdir() if path.is_file()}
    with pytest.raises(StoreUnavailable) as caught:
        await SqliteStore(path).open()
    assert {path: path.read_bytes() for path in path.parent.iterdir() if path.is_file()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.anyio
async def test_foreign_files_are_refused(tmp_path: Path) -> None:
    """Text, and a database of another program."""
    text, database = tmp_path / "text", tmp_path / "database"
    text.write_text("something of somebody, longer than the header of a database " * 3)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE jobs (key)")
    connection.close()
    assert await refusal(text) == f"{text} is not a database of Longshore"
    assert await refusal(database) == f"{database} is a database of another program"


@pytest.mark.anyio
async def test_newer_version_is_refused(tmp_path: Path) -> None:
    """A schema that this version does not know is not touched."""
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    await store.open()
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "belongs to a newer version of Longshore" in await refusal(path)


@pytest.mark.anyio
async def test_older_schema_that_a_server_works_on_is_refused(tmp_path: Path) -> None:
    """Whoever writes beside a server must not migrate under it."""
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, "0001")
    connection.close()
    with pytest.raises(StoreUnavailable, match="is in use by an older version of Longshore"):
        await SqliteStore(path, may_migrate=False).open()
    for may_migrate in (True, False):
        store = SqliteStore(path, may_migrate=may_migrate)
        await store.open()
        await store.close()


@pytest.mark.anyio
async def test_place_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    """A folder, and a folder that is not there."""
    (tmp_path / "folder").mkdir()
    assert await refusal(tmp_path / "folder") == f"{tmp_path / 'folder'} cannot be opened: Is a directory"
    missing = tmp_path / "missing" / "store.db"
    with pytest.raises(StoreUnavailable, match="No such file or directory"):
        await SqliteStore(missing).open()
    assert set(modes_in(tmp_path)) == {"folder"}
