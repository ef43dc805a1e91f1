"""The index database of the logs: its tables, and opening it.

It is a file of its own beside the log files, so that a busy day of logs neither slows nor fills the store of jobs. It
is small, only SQLite, and written by one thread on the path of every attempt that ends, so it uses `sqlite3` without
a layer between: a batch of rows costs a few microseconds each. Commits of finished attempts are not synced one by
one: `seal` keeps their sources until a sync has happened.
"""

import os
import sqlite3

from longshore.domain.errors import LongshoreError

_VERSION = 1
#: "LSLI": tells our database from others.
_APPLICATION = 0x4C534C49

#: SQLite enlarges its shared memory by this much.
_ROOM_BYTES = 64 * 1024

_TABLES = f"""
BEGIN;
CREATE TABLE groups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: rows of a deleted group may outlive it for a while
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retention_days INTEGER,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account_id, region, name)
);
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    attempt_id BLOB,                       -- NULL: made by a caller
    created_at INTEGER NOT NULL,
    first_event_at INTEGER,
    last_event_at INTEGER,
    ingested_at INTEGER,
    ordered_at INTEGER NOT NULL,           -- last_event_at, else created_at
    stored_bytes INTEGER NOT NULL,
    place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 3),
    segment INTEGER,                       -- of a packed log: the file, where its bytes begin, and how many bytes of
    offset INTEGER,                        -- times follow them; 0: all of it was there at first_event_at
    times_bytes INTEGER,
    put_count INTEGER NOT NULL DEFAULT 0,  -- events that callers have put
    UNIQUE (group_id, name),
    CHECK (place != 2 OR segment + offset + times_bytes IS NOT NULL)
);
CREATE INDEX streams_by_time ON streams (group_id, ordered_at, name, first_event_at);
CREATE TABLE events (
    stream_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    ingested_at INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (stream_id, timestamp, sequence)
) WITHOUT ROWID;
-- Groups that are gone for callers and whose streams are being removed. The number of a group that is there, with a
-- minus before it, is for those of its streams that are too old.
CREATE TABLE graves (group_id INTEGER PRIMARY KEY);
-- Sealed attempts whose sources may still be under `live/`. It is small, where an index of all attempts would not be.
CREATE TABLE unswept (attempt_id BLOB PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
-- Running attempts whose streams were deleted: their logs go when they end.
CREATE TABLE doomed (attempt_id BLOB PRIMARY KEY) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
#: What came after the first release: one that does not know it keeps it as it should be all the same.
_ADDED_INDEX = "CREATE INDEX IF NOT EXISTS put_streams ON streams (group_id, first_event_at) WHERE place = 0"
#: Of an attempt's stream: what a line that begins an event matches; NULL: each line is an event.
_ADDED_COLUMN = "ALTER TABLE streams ADD COLUMN event_start TEXT"


class LogIndexRefused(LongshoreError):
    """The index of the logs cannot be used by this version of Longshore."""


def open_index(path: str) -> sqlite3.Connection:
    """The connection of the writer thread, tables in place.

    Raises LogIndexRefused for a database that is not ours, and sqlite3.OperationalError when the disk refuses.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    connection = _connect(path)
    try:
        _prepare(connection, path)
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise LogIndexRefused(f"{path} is not a log index of Longshore: {error}") from error
    except LogIndexRefused:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if tables and application != _APPLICATION:
        raise LogIndexRefused(f"{path} is not a log index of Longshore")
    if version > _VERSION:
        raise LogIndexRefused(f"{path} was written by a newer version of Longshore (index {version}, here {_VERSION})")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -16384")
    # Checkpoints wait for the disk: `checkpoint` makes them on another thread, and this is for when it falls behind.
    connection.execute("PRAGMA wal_autocheckpoint = 10000")
    if not tables:
        connection.executescript(_TABLES)
    connection.execute(_ADDED_INDEX)
    if "event_start" not in {name for _, name, *_ in connection.execute("PRAGMA table_info(streams)")}:
        connection.execute(_ADDED_COLUMN)


def open_for_reading(path: str) -> sqlite3.Connection:
    """A connection of a reader thread: each statement sees what is committed when it begins."""
    connection = _connect(path)
    connection.execute("PRAGMA query_only = 1")
    return connection


def checkpoint(path: str) -> None:
    """Afterwards all that was committed outlives a power failure. For a thread that may wait. Raises OSError."""
    _sync_file(f"{path}-wal")
    connection = _connect(path)
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        connection.close()


def outage_text(error: sqlite3.OperationalError, folder: str) -> str:
    """What `error` says. SQLite calls a full disk an I/O error where it finds no room for shared memory."""
    if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF == sqlite3.SQLITE_IOERR:
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < _ROOM_BYTES:
            return "the disk is full"
    return str(error)


def _sync_file(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return  # all of it is in the database itself, and synced
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=64)
