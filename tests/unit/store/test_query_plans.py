"""However many jobs there are, no hot statement goes through all of them."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.ids import JobId, JobKey
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import Instant, ShareUse
from longshore.ports.store import JobFilter
from longshore.store import listing
from longshore.store.batch import Batch
from longshore.store.dialects import SQLITE
from longshore.store.schema import prepare
from longshore.store.specs import SpecCache
from longshore.store.tables import metadata
from longshore.store.transaction import SqlTransaction
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, a_job, an_attempt, job_of, moment

Work = Callable[[SqlTransaction], Any]

GROWING_TABLES = (
    "jobs|attempts|events|job_specs|job_dependencies|array_summaries|job_consumables|share_uses|client_tokens"
)
#: Indexes that hold only what is still to be done: those are read from end to end.
OF_WHAT_IS_LEFT = ("ix_jobs_live", "ix_jobs_intake", "ix_jobs_request", "ix_attempts_open")

SINGLE, ARRAY = job_of(a_job().new(1).spec), job_of(a_job().array(3).new(2).spec)
KEYS = [JobKey(1), JobKey(3)]


def listed(**where: Any) -> Work:
    return lambda tx: tx.list_jobs(A_SCOPE, "queue", JobFilter(**where), before=JobKey(9), limit=10)


def consumers(tx: SqlTransaction, **where: Any) -> Any:
    return tx.jobs_with_consumable(A_SCOPE, "r", JobFilter(**where), before=None, limit=10)


USE_AT = Instant(at=A_MOMENT, boot_id="", boot_seconds=0.0)
USES = [ShareUse(scope=A_SCOPE, queue_name="queue", share_identifier="a", milli_seconds=0.0, at=USE_AT)]

WORKS: dict[str, Work] = {
    "load": lambda tx: tx.load_jobs(KEYS),
    "statuses": lambda tx: tx.statuses(KEYS),
    "find": lambda tx: tx.find_jobs(A_SCOPE, [JobId(uuid="a"), JobId(uuid="b", index=1)]),
    "describe": lambda tx: tx.describe_jobs(KEYS),
    "submitted": lambda tx: tx.submitted_jobs(10),
    "requested": lambda tx: tx.requested_jobs(10),
    "live specs": lambda tx: tx.live_specs(),
    "live runs": lambda tx: tx.live_runs(JobStatus.RUNNABLE),
    "runs": lambda tx: tx.ranges(ARRAY.spec, JobStatus.RUNNABLE),
    "open attempts": lambda tx: tx.open_attempts(),
    "edges": lambda tx: (tx.edges_of(KEYS), tx.edges_on(KEYS)),
    "depths": lambda tx: tx.queue_depths(),
    "timeline": lambda tx: (tx.timeline(JobKey(1)), tx.timeline(JobKey(3))),
    "ended": lambda tx: tx.ended_keys(after=JobKey(3), limit=10),
    "children": lambda tx: tx.list_children(ARRAY.key, frozenset({JobStatus.RUNNABLE}), after=JobKey(3), limit=10),
    "save": lambda tx: tx.save_jobs([SINGLE, ARRAY]),
    "save children": lambda tx: tx.save_children(
        ARRAY.key, status_from=JobStatus.SUBMITTED, like=replace(ARRAY, status=JobStatus.RUNNABLE), intake_of_first=1
    ),
    "save attempt": lambda tx: tx.save_attempts([an_attempt(SINGLE)]),
    "save summary": lambda tx: [tx.save_summary(summary) for summary in [tx.summary(ARRAY.key)] if summary],
    "requests": lambda tx: (tx.put_request(KEYS[0], Wish(kind=WishKind.CANCEL, reason="")), tx.clear_requests(KEYS)),
    "tags": lambda tx: tx.put_job_tags(JobKey(1), {}),
    "live shares": lambda tx: tx.live_shares(A_SCOPE, "queue"),
    "share uses": lambda tx: (tx.share_uses(A_SCOPE, "queue"), tx.save_share_uses(USES), tx.forget_share_uses(USES)),
    "consumables in use": lambda tx: tx.consumables_in_use(A_SCOPE),
    "consumable awaited": lambda tx: tx.is_consumable_awaited(A_SCOPE, "r"),
    "jobs by consumable": lambda tx: (consumers(tx), consumers(tx, name="j*", statuses=frozenset({JobStatus.RUNNING}))),
    "calls": lambda tx: tx.note_call(A_SCOPE, "Do", "t", "p", at=A_MOMENT, forget_before=A_MOMENT),
    "delete history": lambda tx: tx.delete_history(stopped_before=A_MOMENT, limit=10),
    "uses": lambda tx: (
        tx.attempt_uses(stopped_after=A_MOMENT, limit=10),
        tx.attempt_uses(stopped_after=A_MOMENT, account_id="a", submission=JobKey(1), limit=10),
    ),
    "list all": listed(),
    "list statuses": listed(statuses=frozenset({JobStatus.SUBMITTED, JobStatus.FAILED})),
    "list name": listed(name="job"),
    "list names": listed(name="jo*"),
    "list by names": lambda tx: tx.list_named(A_SCOPE, "queue", "jo", before=("job", JobKey(9)), limit=10),
    "list definition": listed(definition="definition"),
    "list revision": listed(definition="definition:1"),
    "list definitions": listed(definition="def*"),
    "list created": listed(created_after=moment(-1), created_before=moment(1)),
    "list share": listed(share_identifier="red", statuses=frozenset({JobStatus.SUBMITTED})),
}


@pytest.fixture
def transaction() -> Iterator[SqlTransaction]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    prepare(connection, "memory")
    connection.execute("BEGIN")
    transaction = SqlTransaction(connection.cursor(), SQLITE, SpecCache(), Batch())
    transaction.insert_job(a_job().taking(r=1).sharing_as("a").new(transaction.allocate_keys(1)))
    transaction.insert_job(a_job().array(3).new(transaction.allocate_keys(4)))
    transaction.insert_attempts([an_attempt(SINGLE)])
    yield transaction
    connection.close()


def plans_of(transaction: SqlTransaction, work: Work) -> list[str]:
    """What SQLite does for the statements of `work`, a line for each table."""
    cursor = transaction._cursor
    assert isinstance(cursor, sqlite3.Cursor)
    statements: list[str] = []
    cursor.connection.set_trace_callback(statements.append)
    work(transaction)
    cursor.connection.set_trace_callback(None)
    assert statements
    return [row[3] for text in statements for row in cursor.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()]


@pytest.mark.parametrize("few_matches", [0, 20_000])
@pytest.mark.parametrize("name", WORKS)
def test_statement_goes_by_key_or_index(
    transaction: SqlTransaction, monkeypatch: pytest.MonkeyPatch, name: str, few_matches: int
) -> None:
    """Growing tables are searched; only what is left to be done is gone through."""
    monkeypatch.setattr(listing, "FEW_MATCHES", few_matches)
    plans = plans_of(transaction, WORKS[name])
    scans = [line for line in plans if re.match(rf"SCAN ({GROWING_TABLES})\b", line)]
    assert [line for line in scans if not line.endswith(OF_WHAT_IS_LEFT)] == []
    if name.startswith("list ") and not few_matches:
        assert not any("TEMP B-TREE" in line for line in plans), plans


@pytest.mark.parametrize("name", ["list names", "list definition", "list definitions", "list created", "depths"])
def test_index_answers_alone(transaction: SqlTransaction, name: str) -> None:
    """What may have to look at many rows to find few reads no row of the table for it."""
    many = [line for line in plans_of(transaction, WORKS[name]) if re.search(r" jobs USING .*ix_", line)]
    assert many
    assert all("COVERING" in line for line in many), many


def test_jobs_are_found_by_their_ids(transaction: SqlTransaction) -> None:
    """Not by going through the queues of the account, each with all its jobs."""
    assert any("ix_jobs_uuid" in line for line in plans_of(transaction, WORKS["find"]))


#: What no array child meets; the rules of the table see to that, but for requests.
NEVER_OF_CHILDREN = ("parent_key IS NULL", "queue_id IS NOT NULL", "share_identifier IS NOT NULL")


def test_moving_a_child_touches_no_index() -> None:
    """Every index over jobs is of submitted jobs, or of requests, which no move changes."""
    indexes = metadata.tables["jobs"].indexes
    conditions = {
        index.name: str(index.dialect_options["sqlite"]["where"].compile(dialect=SQLITE)) for index in indexes
    }
    assert conditions.pop("ix_jobs_request").endswith("request_kind IS NOT NULL")
    assert conditions.pop("ix_jobs_priority").endswith("requested_priority IS NOT NULL")
    assert conditions.pop("ix_jobs_hold").endswith("requested_hold IS NOT NULL")
    for name, condition in conditions.items():
        assert condition.replace("jobs.", "").startswith(NEVER_OF_CHILDREN), name
