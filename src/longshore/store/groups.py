"""Group commit: works of many callers in one transaction, each undone alone if it fails, all durable by one sync."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, TypeAlias

from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import JobKey
from longshore.domain.job import JobSpec
from longshore.ports.crash_points import crash_point
from longshore.ports.store import Transaction
from longshore.store.batch import Batch, HeldBackFailed
from longshore.store.dialects import SQLITE, is_outage, outage_text
from longshore.store.specs import SpecCache
from longshore.store.transaction import SqlTransaction

#: A group ends after so many works or so much time, so that its first does not wait long for its last.
GROUP_WORKS = 256
GROUP_SECONDS = 0.02
#: So many callers may wait for a commit; further ones wait for their turn before them.
WAITING_WORKS = 1024

Work: TypeAlias = Callable[[Transaction], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a work: its value, or what it raised."""

    value: Any = None
    error: BaseException | None = None


def run_group(connection: sqlite3.Connection, works: Iterable[Work], cache: SpecCache) -> list[Outcome]:
    """Run `works` in one transaction, from the first on until their time is over.

    Each is taken when the one before has been run: what comes meanwhile can still join. Returns an outcome for each
    that was taken: what succeeded is durable, what failed left no trace. When the database could not be written, all
    are taken, nothing of any is left, and the outcome of each is `StoreUnavailable`.
    """
    taken: list[Work] = []
    works = iter(works)
    try:
        try:
            return _commit(connection, _in_time(works, taken), cache, Batch())
        except HeldBackFailed:
            # One of them breaks a rule of the schema, and which one shows when each writes its own rows.
            return _commit(connection, taken, cache, Batch(holds_back=False))
    except sqlite3.Error as problem:
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        text = outage_text(problem, Path(path) if path else None)
        return [Outcome(error=_unavailable(text, problem)) for _ in [*taken, *works]]


def _in_time(works: Iterator[Work], taken: list[Work]) -> Iterator[Work]:
    ends = monotonic() + GROUP_SECONDS
    for work in works:
        taken.append(work)
        yield work
        if monotonic() > ends:
            return


def _commit(connection: sqlite3.Connection, works: Iterable[Work], cache: SpecCache, batch: Batch) -> list[Outcome]:
    outcomes: list[Outcome] = []
    specs: dict[JobKey, JobSpec] = {}
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN IMMEDIATE")
        for work in works:
            transaction = SqlTransaction(cursor, SQLITE, cache, batch)
            outcome = _run(work, transaction)
            if outcome.error is None:
                transaction.keep()
                specs |= transaction.seen_specs
            else:
                transaction.undo()
            outcomes.append(outcome)
        SqlTransaction(cursor, SQLITE, cache, batch).finish()
        crash_point("commit.before")
        cursor.execute("COMMIT")
        crash_point("commit.after")
    finally:
        if connection.in_transaction:
            cursor.execute("ROLLBACK")
    cache.add(specs)
    return outcomes


def _run(work: Work, transaction: SqlTransaction) -> Outcome:
    try:
        value = work(transaction)
        transaction.end()
        return Outcome(value=value)
    except StopIteration as problem:
        # The one exception that a future does not take.
        error = RuntimeError("a work raised StopIteration")
        error.__cause__ = problem
        return Outcome(error=error)
    except BaseException as problem:
        if isinstance(problem, HeldBackFailed) or (isinstance(problem, sqlite3.Error) and is_outage(problem)):
            raise
        return Outcome(error=problem)


def _unavailable(text: str, problem: sqlite3.Error) -> StoreUnavailable:
    error = StoreUnavailable(f"the store cannot be written: {text}")
    error.__cause__ = problem
    return error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    work: Work
    answer: asyncio.Future[Any]


class Writer:
    """The one thread that writes. Made on the event loop whose callers it answers."""

    def __init__(self, connection: sqlite3.Connection, cache: SpecCache) -> None:
        self._connection = connection
        self._cache = cache
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(WAITING_WORKS)
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="longshore-store-writer", daemon=True)
        self._thread.start()

    async def submit(self, work: Work) -> Any:
        """Returns what `work` returned once that is durable, or raises what it raised."""
        async with self._room:
            answer: asyncio.Future[Any] = self._loop.create_future()
            self._requests.put(_Request(work=work, answer=answer))
            return await answer

    async def close(self) -> None:
        """Finish what was submitted before, then end the thread."""
        self._requests.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _serve(self) -> None:
        while (first := self._requests.get()) is not None:
            group = [first]
            try:
                outcomes = run_group(self._connection, self._works(group), self._cache)
            except BaseException as problem:
                outcomes = [Outcome(error=problem) for _ in group]
            self._loop.call_soon_threadsafe(_answer, group, outcomes)

    def _works(self, group: list[_Request]) -> Iterator[Work]:
        """The work of `group`, which has one, and of what joins it: the turn of the leader that a submission wakes."""
        yield group[0].work
        while len(group) < GROUP_WORKS:
            try:
                request = self._requests.get_nowait()
            except Empty:
                return
            if request is None:  # closed: the next to be taken is that again
                self._requests.put(None)
                return
            group.append(request)
            yield request.work


def _answer(group: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
    for request, outcome in zip(group, outcomes, strict=True):
        if request.answer.done():
            continue
        if outcome.error is None:
            request.answer.set_result(outcome.value)
        else:
            request.answer.set_exception(outcome.error)
