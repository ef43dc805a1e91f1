"""Group commit: works of many callers in one transaction, each undone alone if it fails, all durable by one sync."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
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


def run_group(connection: sqlite3.Connection, works: Sequence[Work], cache: SpecCache) -> list[Outcome]:
    """Run `works` in one transaction, from the first on until their time is over.

    Returns an outcome for each that was run: what succeeded is durable, what failed left no trace. When the database
    could not be written, nothing of any work is left, and the outcome of each is `StoreUnavailable`.
    """
    outcomes: list[Outcome] = []
    specs: dict[JobKey, JobSpec] = {}
    cursor = connection.cursor()
    ends = monotonic() + GROUP_SECONDS
    try:
        cursor.execute("BEGIN IMMEDIATE")
        for work in works:
            cursor.execute("SAVEPOINT work")
            transaction = SqlTransaction(cursor, SQLITE, cache)
            outcome = _run(work, transaction)
            if outcome.error is None:
                specs |= transaction.seen_specs
            else:
                cursor.execute("ROLLBACK TO work")
            cursor.execute("RELEASE work")
            outcomes.append(outcome)
            if monotonic() > ends:
                break
        crash_point("commit.before")
        cursor.execute("COMMIT")
        crash_point("commit.after")
    except sqlite3.Error as problem:
        if connection.in_transaction:
            cursor.execute("ROLLBACK")
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        text = outage_text(problem, Path(path) if path else None)
        return [Outcome(error=_unavailable(text, problem)) for _ in works]
    cache.add(specs)
    return outcomes


def _run(work: Work, transaction: Transaction) -> Outcome:
    try:
        return Outcome(value=work(transaction))
    except StopIteration as problem:
        # The one exception that a future does not take.
        error = RuntimeError("a work raised StopIteration")
        error.__cause__ = problem
        return Outcome(error=error)
    except BaseException as problem:
        if isinstance(problem, sqlite3.Error) and is_outage(problem):
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
        waiting: deque[_Request] = deque()
        is_open = True
        while is_open or waiting:
            is_open = self._collect(waiting) and is_open
            group = [waiting.popleft() for _ in range(min(len(waiting), GROUP_WORKS))]
            if not group:
                continue
            try:
                outcomes = run_group(self._connection, [request.work for request in group], self._cache)
            except BaseException as problem:
                outcomes = [Outcome(error=problem) for _ in group]
            waiting.extendleft(reversed(group[len(outcomes) :]))
            self._loop.call_soon_threadsafe(_answer, group[: len(outcomes)], outcomes)

    def _collect(self, waiting: deque[_Request]) -> bool:
        """Move what was submitted to `waiting`, waiting for a first if there is none; False once closed."""
        try:
            request = self._requests.get(block=not waiting)
            while request is not None:
                waiting.append(request)
                request = self._requests.get_nowait()
        except Empty:
            return True
        return False


def _answer(group: Sequence[_Request], outcomes: Sequence[Outcome]) -> None:
    for request, outcome in zip(group, outcomes, strict=True):
        if request.answer.done():
            continue
        if outcome.error is None:
            request.answer.set_result(outcome.value)
        else:
            request.answer.set_exception(outcome.error)
