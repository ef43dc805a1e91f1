"""Revisions of equal content share what is stored of it."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from longshore.domain.errors import StoreUnavailable
from longshore.store.batch import Batch
from longshore.store.codec import encode_document
from longshore.store.dialects import SQLITE
from longshore.store.schema import prepare
from longshore.store.specs import SpecCache
from longshore.store.transaction import SqlTransaction
from longshore.testing.forms import a_task, a_task_container, formed_definition
from longshore.testing.job_builders import A_SCOPE

BIG = formed_definition(
    a_task(replace(a_task_container("main"), command=("run", "x" * 1200)), a_task_container("side"))
)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    prepare(connection, "memory")
    yield connection
    connection.close()


@pytest.fixture
def tx(connection: sqlite3.Connection) -> SqlTransaction:
    return SqlTransaction(connection.cursor(), SQLITE, SpecCache(), Batch())


def bytes_of_definitions(connection: sqlite3.Connection) -> int:
    """All that rows of definitions and of their contents hold."""
    found = connection.execute("SELECT name FROM pragma_table_list WHERE name LIKE '%definition%' AND schema = 'main'")
    total = 0
    for (table,) in found.fetchall():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        lengths = " + ".join(f"length({column})" for column in columns)
        total += connection.execute(f"SELECT coalesce(sum({lengths}), 0) FROM {table}").fetchone()[0]
    return int(total)


def test_a_thousand_equal_revisions_share_one_content(connection: sqlite3.Connection, tx: SqlTransaction) -> None:
    """Of one name or of many: each costs what is its own, 280 bytes at most here, and not the 1,500 of all of it."""
    whole = len(encode_document(BIG))
    assert whole > 1500
    for number in range(1, 501):
        tx.put_definition(replace(BIG, revision=number, tags={"n": str(number)}))
        tx.put_definition(replace(BIG, name=f"other{number}"))
    assert connection.execute("SELECT count(*) FROM definition_contents").fetchone() == (1,)
    assert bytes_of_definitions(connection) < 1000 * 280 + whole
    assert tx.definition(A_SCOPE, BIG.name, 7) == replace(BIG, revision=7, tags={"n": "7"})
    assert tx.definition(A_SCOPE, "other3", BIG.revision) == replace(BIG, name="other3")


def test_a_change_of_status_keeps_the_content(connection: sqlite3.Connection, tx: SqlTransaction) -> None:
    tx.put_definition(BIG)
    tx.put_definition(replace(BIG, status="INACTIVE", deregistered_at=BIG.registered_at))
    assert connection.execute("SELECT count(*) FROM definition_contents").fetchone() == (1,)
    found = tx.definition(A_SCOPE, BIG.name, BIG.revision)
    assert found == replace(BIG, status="INACTIVE", deregistered_at=BIG.registered_at)


def test_contents_that_differ_are_two(connection: sqlite3.Connection, tx: SqlTransaction) -> None:
    tx.put_definition(BIG)
    tx.put_definition(replace(BIG, revision=BIG.revision + 1, scheduling_priority=3))
    assert connection.execute("SELECT count(*) FROM definition_contents").fetchone() == (2,)


def test_rows_of_earlier_versions_are_read(connection: sqlite3.Connection, tx: SqlTransaction) -> None:
    """They hold all of a definition, and stay so until it changes."""
    tx.put_definition(BIG)
    connection.execute("UPDATE job_definitions SET version = 1, body = ?", [encode_document(BIG)])
    connection.execute("DELETE FROM definition_contents")
    assert tx.definition(A_SCOPE, BIG.name, BIG.revision) == BIG


def test_a_content_that_is_missing_is_no_definition(connection: sqlite3.Connection, tx: SqlTransaction) -> None:
    tx.put_definition(BIG)
    connection.execute("DELETE FROM definition_contents")
    with pytest.raises(StoreUnavailable, match="is missing"):
        tx.definition(A_SCOPE, BIG.name, BIG.revision)
