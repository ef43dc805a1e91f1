"""Making a database ours: an empty or older one is migrated, that of anybody else is refused."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from longshore import __version__
from longshore.domain.errors import StoreUnavailable

#: Revision of the last script in `migrations/versions`: the schema that `tables` describes.
SCHEMA_VERSION = "0012"

#: Marks a SQLite file as ours ("LNGS"). Source: SQLite documentation, PRAGMA application_id.
APPLICATION_ID = 0x4C4E4753

_SQLITE_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID_AT = slice(68, 72)


def refuse_foreign_file(path: Path) -> None:
    """Judge by the header alone, so that a database of somebody else is not even opened.

    Raises:
        OSError: it cannot be read.
        StoreUnavailable: something that is not ours is there.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    if header and not header.startswith(_SQLITE_MAGIC):
        raise StoreUnavailable(f"{path} is not a database of Longshore")
    if header and int.from_bytes(header[_APPLICATION_ID_AT], "big") != APPLICATION_ID:
        raise StoreUnavailable(f"{path} is a database of another program")


def prepare(connection: sqlite3.Connection, name: str, *, may_migrate: bool = True) -> None:
    """Afterwards the database has the present schema. Migrations share one transaction: a kill leaves it as it was.

    Raises:
        StoreUnavailable: a newer version wrote it, or an older one and it may not be migrated.
    """
    version = _version(connection)
    if version is not None and int(version) > int(SCHEMA_VERSION):
        raise StoreUnavailable(
            f"{name} belongs to a newer version of Longshore (its schema is {version}, ours is {SCHEMA_VERSION})"
        )
    if version != SCHEMA_VERSION:
        if not may_migrate:
            raise StoreUnavailable(f"{name} is in use by an older version of Longshore (its schema is {version})")
        migrate(connection)
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('written_by', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (__version__,),
    )


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


def _version(connection: sqlite3.Connection) -> str | None:
    """The schema's revision; None in an empty database."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        return None
    return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
