"""The store on SQLite: `SqliteStore` keeps a file; `InlineStore` keeps memory and waits for nothing, for simulations.

The file is in WAL mode with full synchronisation: readers and the one writer never wait for each other, and a commit
is on the disk when it is answered.
"""

import asyncio
import os
import sqlite3
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from queue import LifoQueue
from typing import TypeVar

from longshore.domain.errors import StoreUnavailable
from longshore.ports.store import Reader, Transaction
from longshore.store.batch import Batch
from longshore.store.dialects import SQLITE, is_outage, outage_text
from longshore.store.groups import Writer, run_group
from longshore.store.schema import migrate, prepare, refuse_foreign_file
from longshore.store.specs import SpecCache
from longshore.store.transaction import SqlTransaction

T = TypeVar("T")

#: The first with RETURNING.
OLDEST_SQLITE = (3, 35)
READERS = 3
#: Pages in the log after which a commit writes them to the database: 16 MiB of the usual pages.
CHECKPOINT_PAGES = 4096
#: To this size the log shrinks again after a burst.
LOG_BYTES = 64 * 1024 * 1024
#: Pages that each connection keeps at most: enough for the upper levels of all trees in a store of millions.
CACHE_KIB = 16 * 1024
#: For how long another process's lock is waited for.
LOCK_SECONDS = 5


class SqliteStore:
    """A store in one file, made when it is not there."""

    def __init__(self, path: Path, *, may_migrate: bool = True) -> None:
        """Without `may_migrate` a file of another schema is refused: a server of that version is at work on it."""
        self._path = path
        self._may_migrate = may_migrate
        self._cache = SpecCache()
        self._connection: sqlite3.Connection | None = None
        self._writer: Writer | None = None
        self._readers = LifoQueue[sqlite3.Connection]()
        self._threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        self._connection = await asyncio.to_thread(open_file, self._path, may_migrate=self._may_migrate)
        for _ in range(READERS):
            self._readers.put(_connect_reader(self._path))
        self._threads = ThreadPoolExecutor(READERS, "longshore-store-reader")
        self._writer = Writer(self._connection, self._cache)

    async def close(self) -> None:
        writer, threads, connection = self._writer, self._threads, self._connection
        self._writer = self._threads = self._connection = None
        if writer is None or threads is None or connection is None:
            return
        await writer.close()
        await asyncio.to_thread(threads.shutdown)
        while not self._readers.empty():
            self._readers.get().close()
        connection.close()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        if self._writer is None:
            raise StoreUnavailable("the store is closed")
        return await self._writer.submit(work)

    async def read(self, work: Callable[[Reader], T]) -> T:
        if self._threads is None:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, work)

    def _read(self, work: Callable[[Reader], T]) -> T:
        connection = self._readers.get()
        try:
            return run_read(connection, work, self._cache)
        finally:
            self._readers.put(connection)


class InlineStore:
    """A store in memory whose work is done where it is asked for: no threads, no time, the same statements.

    A simulated crash makes a new store of the `image` of the old one, which holds what was committed.
    """

    def __init__(self, image: bytes | None = None) -> None:
        self._image = _empty_image() if image is None else image
        self._cache = SpecCache()
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.deserialize(self._image)
        weakref.finalize(self, self._connection.close)  # for stores whose server is killed

    async def close(self) -> None:
        if self._connection is not None:
            self._image = self.image()
            self._connection.close()
            self._connection = None

    def image(self) -> bytes:
        """All that is committed."""
        return self._image if self._connection is None else self._connection.serialize()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        if self._connection is None:
            raise StoreUnavailable("the store is closed")
        (outcome,) = run_group(self._connection, [work], self._cache)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    async def read(self, work: Callable[[Reader], T]) -> T:
        if self._connection is None:
            raise StoreUnavailable("the store is closed")
        return run_read(self._connection, work, self._cache)


def run_read(connection: sqlite3.Connection, work: Callable[[Reader], T], cache: SpecCache) -> T:
    """Run `work` on one committed state."""
    cursor = connection.cursor()
    transaction = SqlTransaction(cursor, SQLITE, cache, Batch())
    try:
        cursor.execute("BEGIN")
        try:
            return work(transaction)
        finally:
            cursor.execute("ROLLBACK")
            cache.add(transaction.seen_specs)
    except sqlite3.Error as problem:
        if is_outage(problem):
            raise StoreUnavailable(f"the store cannot be read: {problem}") from problem
        raise


def open_file(path: Path, *, may_migrate: bool = True) -> sqlite3.Connection:
    """The writing connection to a database of the present schema.

    Raises:
        StoreUnavailable: it is not ours, belongs to another version that may not be migrated, or cannot be opened.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreUnavailable(f"SQLite {sqlite3.sqlite_version} is too old, 3.35 or later is needed")
    try:
        refuse_foreign_file(path)
        # SQLite gives the mode of the database to the files beside it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connect(path)
        try:
            prepare(connection, str(path), may_migrate=may_migrate)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        except BaseException:
            connection.close()
            raise
    except OSError as problem:
        raise StoreUnavailable(f"{path} cannot be opened: {problem.strerror}") from problem
    except sqlite3.Error as problem:
        raise StoreUnavailable(f"{path} cannot be opened: {outage_text(problem, path)}") from problem
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    # What savepoints keep to undo a work, and what is sorted, needs no file of its own.
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


@cache
def _empty_image() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return connection.serialize()
