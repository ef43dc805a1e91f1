"""Migrations: together they make the schema that `tables` describes, and a kill in the middle leaves what was there."""

import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateIndex, CreateTable

import longshore.store
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.run_lengths import RunHistory, family_of
from longshore.store.dialects import SQLITE
from longshore.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate, prepare
from longshore.store.sqlite import SqliteStore
from longshore.store.tables import metadata
from longshore.testing.job_builders import A_SCOPE

MIGRATIONS = Path(longshore.store.__file__).with_name("migrations")
DATA = Path(__file__).parent / "data"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def described(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """The parts of each table (columns first, in order) and of each index."""
    parts: dict[str, list[str]] = {}
    for name, text in connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        lines = [re.sub(r"\s+", " ", line.strip().rstrip(",")) for line in text.splitlines()]
        rules = [line for line in lines if line.startswith("CONSTRAINT")]
        parts[name] = [line for line in lines if line not in rules] + sorted(rules)
    return parts


def test_migrations_make_the_schema_of_the_tables(connection: sqlite3.Connection) -> None:
    """Tables, columns, rules and indexes are the same, down to their text."""
    prepare(connection, "memory")
    migrated = described(connection)
    assert migrated.pop("alembic_version")
    assert migrated.pop("sqlite_sequence")
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    for table in metadata.sorted_tables:
        fresh.execute(str(CreateTable(table).compile(dialect=SQLITE)))
        for index in table.indexes:
            fresh.execute(str(CreateIndex(index).compile(dialect=SQLITE)))
    wanted = described(fresh)
    assert wanted.pop("sqlite_sequence")
    assert migrated == wanted
    fresh.close()


def test_schema_version_is_the_last_script() -> None:
    """Revision ids are numbers that count up, so that a newer one is known without its script."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert revisions[0] == SCHEMA_VERSION
    assert [int(revision) for revision in revisions] == list(range(len(revisions), 0, -1))


def test_preparing_again_changes_nothing(connection: sqlite3.Connection) -> None:
    """The installation keeps its id, the counters their values; the file is marked as ours."""
    prepare(connection, "memory")
    connection.execute("UPDATE counters SET value = 7")
    before = connection.execute("SELECT * FROM meta ORDER BY name").fetchall()
    changes = connection.total_changes
    prepare(connection, "memory")
    assert connection.total_changes == changes
    assert connection.execute("SELECT * FROM meta ORDER BY name").fetchall() == before
    assert connection.execute("SELECT value FROM counters").fetchall() == [(7,), (7,)]
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_failed_migration_leaves_no_trace(connection: sqlite3.Connection) -> None:
    """All scripts share one transaction, their changes of the schema included."""

    def deny_last_step(action: int, table: str | None, *_: object) -> int:
        denied = action == sqlite3.SQLITE_INSERT and table == "leadership"
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK

    connection.set_authorizer(deny_last_step)
    with pytest.raises(Exception, match="not authorized"):
        prepare(connection, "memory")
    connection.set_authorizer(None)
    assert not connection.in_transaction
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    prepare(connection, "memory")


KILLED_MIGRATION = """
import os, signal, sqlite3, sys
from pathlib import Path
from longshore.store import sqlite

def die_at_last_step(action, table, *_):
    if action == sqlite3.SQLITE_INSERT and table == "meta":
        os.kill(os.getpid(), signal.SIGKILL)
    return sqlite3.SQLITE_OK

connect = sqlite._connect
def connect_to_die(path):
    connection = connect(path)
    connection.set_authorizer(die_at_last_step)
    return connection

sqlite._connect = connect_to_die
sqlite.open_file(Path(sys.argv[1]))
"""


def kill_migration(path: Path) -> None:
    """Kill a process that opens a fresh store, when its schema is nearly complete."""
    killed = subprocess.run([sys.executable, "-c", KILLED_MIGRATION, str(path)], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr


@pytest.mark.anyio
async def test_killed_migration_is_done_again(tmp_path: Path) -> None:
    """The next start finds the store as it was before, and opens it."""
    path = tmp_path / "store.db"
    kill_migration(path)
    store = SqliteStore(path)
    await store.open()
    assert await store.write(lambda tx: tx.allocate_keys(1)) == 1
    await store.close()


def restore(path: Path, dump: Path) -> None:
    """A store's file as the release of the dump left it."""
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.executescript(dump.read_text())
    connection.close()


@pytest.mark.anyio
@pytest.mark.parametrize("dump", sorted(DATA.glob("*.sql")), ids=lambda dump: dump.stem)
async def test_data_of_earlier_releases_is_read(dump: Path, tmp_path: Path) -> None:
    """A store that a release wrote, with jobs in every status, opens and says the same."""
    restore(tmp_path / "store.db", dump)
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    specs = await store.read(lambda reader: reader.live_specs())
    assert [(spec.name, spec.scope, spec.array_size) for spec in specs] == [
        ("waiting", A_SCOPE, None),
        ("running", A_SCOPE, None),
        ("array", A_SCOPE, 3),
    ]
    (attempt,) = await store.read(lambda reader: reader.open_attempts())
    assert (attempt.handle, attempt.gpu_names, attempt.started_boot_seconds) == ('{"v":1,"pid":7}', ("GPU-a",), 12.5)
    jobs = await store.read(lambda reader: reader.load_jobs(range(1, 20)))
    assert [str(job.status) for job in jobs.values()] == [
        *("RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"),
        *("PENDING", "PENDING", "PENDING", "PENDING"),
    ]
    ended = next(job for job in jobs.values() if job.status is JobStatus.FAILED)
    assert (ended.exit_code, ended.reason, ended.status_reason) == (
        3,
        "out of luck",
        "Essential container in task exited",
    )
    assert len(await store.read(lambda reader: reader.timeline(ended.key))) == 2
    assert [queue.name for queue in await store.read(lambda reader: reader.queues(A_SCOPE))] == ["queue"]
    assert await store.write(lambda tx: tx.allocate_keys(1)) == 9
    await store.close()


@pytest.mark.anyio
async def test_run_times_are_learned_from_history_once(tmp_path: Path) -> None:
    """Of array children too, by the script that brings them; attempts that did not end by themselves say nothing."""
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, "0007")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    scope = {"account_id": A_SCOPE.account_id, "region": A_SCOPE.region}
    insert(connection, "queue_names", id=1, **scope, name="queue")
    common = {"status": "RUNNABLE", "status_reason": "", "created_at": 0, "reason": ""}
    common |= {"attempts_made": 1, "lost_hosts": 0, "preemptions": 0}
    insert(connection, "jobs", key=1, uuid="u", queue_id=1, definition_name="align", array_size=3, **common)
    for index, (exit_code, cause) in enumerate(((0, None), (7, None), (137, "terminated"))):
        key = 2 + index
        insert(connection, "jobs", key=key, parent_key=1, array_index=index, **common)
        attempt = {"attempt_id": str(index), "environment_name": "e", "host_id": "h", "handle": ""}
        attempt |= {"vcpu_milli": 0, "memory_mib": 0, "gpus": 0, "started_boot_id": "", "reason": ""}
        times = {"opened_at": 0, "started_at": 1000, "stopped_at": 13_000}
        ended = {"exit_code": exit_code, "stop_cause": cause, "status_reason": ""}
        insert(connection, "attempts", job_key=key, number=1, **attempt, **times, **ended)
    connection.close()
    store = SqliteStore(path)
    await store.open()
    (history,) = await store.read(lambda reader: reader.run_histories())
    ended_at = datetime(1970, 1, 1, 0, 0, 13, tzinfo=UTC)
    family = family_of(A_SCOPE, "align")
    assert history == RunHistory(family=family, at=ended_at).learn([12, 12], ended_at)
    await store.close()


def insert(connection: sqlite3.Connection, table: str, **values: object) -> None:
    """A row of a table of whatever schema."""
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
