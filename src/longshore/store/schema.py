"""Making a database ours: a fresh one gets the present schema, an older one is migrated, any other is refused."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from longshore import __version__
from longshore.domain.errors import StoreUnavailable
from longshore.store.dialects import SQLITE
from longshore.store.tables import counters, leadership, meta, metadata, schema_version

#: Revision of the last script in `migrations/versions`: what `tables` describes.
SCHEMA_VERSION = "0001"

#: Marks a SQLite file as ours ("LNGS"). Source: SQLite documentation, PRAGMA application_id.
APPLICATION_ID = 0x4C4E4753

_SQLITE_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = slice(68, 72)


def refuse_foreign_file(path: Path) -> None:
    """Judge by the header alone, so that a database of somebody else is not even opened.

    Raises:
        StoreUnavailable: something that is not ours is there.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise StoreUnavailable(f"{path} cannot be read: {problem.strerror}") from problem
    if not header:
        return
    if not header.startswith(_SQLITE_MAGIC):
        raise StoreUnavailable(f"{path} is not a database of Longshore")
    if int.from_bytes(header[_APPLICATION_ID_AT], "big") != APPLICATION_ID:
        raise StoreUnavailable(f"{path} is a database of another program")


def prepare(connection: sqlite3.Connection, name: str) -> None:
    """Afterwards the database has the present schema; one transaction, so that a kill leaves it as it was.

    Raises:
        StoreUnavailable: a newer version wrote it.
    """
    connection.execute("BEGIN IMMEDIATE")
    with _undone_on_error(connection):
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            create(connection)
        version = str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        if int(version) > int(SCHEMA_VERSION):
            raise StoreUnavailable(
                f"{name} belongs to a newer version of Longshore (its schema is {version}, ours {SCHEMA_VERSION})"
            )
        connection.execute("COMMIT")
    if version != SCHEMA_VERSION:
        migrate(connection)


def create(connection: sqlite3.Connection) -> None:
    """The present schema in an empty database, inside the caller's transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for table in metadata.sorted_tables:
        connection.execute(str(CreateTable(table).compile(dialect=SQLITE)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(str(CreateIndex(index).compile(dialect=SQLITE)))
    first_rows = (
        (schema_version.insert(), [(SCHEMA_VERSION,)]),
        (meta.insert(), [("installation_id", uuid4().hex), ("written_by", __version__)]),
        (counters.insert(), [("job_key", 0), ("intake", 0)]),
        (leadership.insert(), [(0,)]),
    )
    for statement, rows in first_rows:
        connection.executemany(str(statement.compile(dialect=SQLITE)), rows)


def migrate(connection: sqlite3.Connection, revision: str = "head") -> None:
    """Run the scripts up to `revision`, all in one transaction."""
    # Few starts need Alembic, and importing it takes a good part of a start.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    with as_sqlalchemy(connection) as shared:
        config.attributes["connection"] = shared
        command.upgrade(config, revision)


@contextmanager
def as_sqlalchemy(connection: sqlite3.Connection) -> Generator[Connection]:
    """The same connection as SQLAlchemy's, in one transaction that ends with the block."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    event.listen(engine, "begin", _begin)
    with engine.connect() as shared, shared.begin():
        yield shared


def _begin(shared: Connection) -> None:
    shared.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _undone_on_error(connection: sqlite3.Connection) -> Generator[None]:
    try:
        yield
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
