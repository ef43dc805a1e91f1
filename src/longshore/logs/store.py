"""The log store: the port that control uses, and what the CloudWatch Logs front door asks.

One writer thread does everything that changes files or the index, so that there are no races between polls, appends
and seals, and two reader threads answer readers. The event loop only hands over.
"""

import asyncio
import contextlib
import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog

from longshore.domain.errors import LongshoreError, StoreUnavailable
from longshore.domain.ids import AttemptId, Scope
from longshore.logs.events import FOREVER
from longshore.logs.follow import Follower
from longshore.logs.joined import compile_start
from longshore.logs.layout import Layout
from longshore.logs.lookup import Lookup
from longshore.logs.patterns import parse_pattern
from longshore.logs.reading import Reader
from longshore.logs.records import EventPage, GroupRecord, PutResult, SearchPage, StreamRecord
from longshore.logs.schema import outage_text
from longshore.logs.seal import sweep
from longshore.logs.search import Search
from longshore.logs.settings import LogSettings
from longshore.logs.tokens import parse_key, render_key
from longshore.logs.writer import LogWriter
from longshore.ports.logs import AttemptLog

_SWEEP_SECONDS = 1.0
_EXPIRE_SECONDS = 600.0
#: A file's time may lag the clock by one tick of the kernel.
_FILE_TIME_LAG_SECONDS = 0.01

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class LogStore:
    """Log groups, streams and events of all accounts and regions. `open` comes first, `close` last.

    Methods raise StoreUnavailable when the disk refuses; nothing is half done then, and the same call succeeds later,
    when there is room.
    """

    def __init__(
        self, folder: Path, settings: LogSettings | None = None, *, now_ms: Callable[[], int] = _wall_ms
    ) -> None:
        self._layout = Layout(str(folder))
        self._settings = settings or LogSettings()
        self._now_ms = now_ms
        self._follower = Follower(self._layout, self._settings)
        self._write_thread = ThreadPoolExecutor(1, "logs-writer")
        self._read_threads = ThreadPoolExecutor(2, "logs-reader")
        self._of_thread = threading.local()
        self._lookups: list[Lookup] = []
        #: groups that exist: control asks for each launch
        self._seen_groups: set[tuple[Scope, str]] = set()
        self._wake = asyncio.Event()
        #: a look at growing logs that has not begun: readers share it
        self._next_look: asyncio.Future[None] | None = None
        self._loops: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Raises LogIndexRefused when the index is not for this version."""
        self._writer = await self._write(lambda: LogWriter(self._layout, self._settings, self._follower, self._now_ms))
        self._wake.set()
        self._loops = [
            asyncio.create_task(self._follow(), name="follow logs"),
            asyncio.create_task(self._expire(), name="expire logs"),
        ]

    async def close(self) -> None:
        """Let go of files and threads. Attempts go on writing; what is left to clean up, the next start finds."""
        if self._loops:
            for loop in self._loops:
                loop.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await loop
            self._loops = []
            await self._write(self._writer.close)
        for pool in (self._read_threads, self._write_thread):
            pool.shutdown()
        for lookup in self._lookups:
            lookup.close()

    # What control asks.

    async def has_group(self, scope: Scope, name: str, *, create: bool) -> bool:
        if (scope, name) in self._seen_groups:
            return True
        exists = await self._write(lambda: self._writer.has_group(scope, name, create=create))
        if exists:
            self._seen_groups.add((scope, name))
        return exists

    def refuse_start(self, event_start: str) -> str:
        try:
            compile_start(event_start)
        except ValueError as problem:
            return str(problem)
        return ""

    def path(self, attempt_id: AttemptId) -> Path:
        return self._layout.live_path(attempt_id)

    async def attach(self, logs: Sequence[AttemptLog]) -> None:
        self._follower.attach(logs)
        self._wake.set()

    async def append(self, attempt_id: AttemptId, chunks: Sequence[tuple[datetime, bytes]], cursor: str) -> None:
        """Raises LookupError for an attempt that was never attached; what is sealed stays as it is."""
        parts = [(int(at.timestamp() * 1000), data) for at, data in chunks]
        await self._write(lambda: self._writer.append(attempt_id, parts, cursor))

    async def cursor(self, attempt_id: AttemptId) -> str:
        return await self._write(lambda: self._writer.cursor(attempt_id))

    async def seal(self, attempt_ids: Sequence[AttemptId]) -> None:
        await self._write(lambda: self._writer.seal(attempt_ids))
        self._wake.set()

    # What the front door asks. Times are epoch milliseconds.

    async def create_group(self, scope: Scope, name: str) -> None:
        """Raises AlreadyExists."""
        await self._settle()
        await self._write(lambda: self._writer.create_group(scope, name))

    async def delete_group(self, scope: Scope, name: str) -> None:
        """Gone at once for callers. Running attempts go on writing to theirs; their logs go when they end.

        Raises NotFound.
        """
        await self._settle()
        self._seen_groups.discard((scope, name))
        await self._write(lambda: self._writer.delete_group(scope, name))
        self._seen_groups.discard((scope, name))
        self._wake.set()

    async def set_retention(self, scope: Scope, name: str, days: int | None) -> None:
        """None: that of the settings. Raises NotFound."""
        await self._settle()
        await self._write(lambda: self._writer.set_retention(scope, name, days))

    async def list_groups(
        self, scope: Scope, *, prefix: str = "", pattern: str = "", limit: int = 50, token: str | None = None
    ) -> tuple[list[GroupRecord], str | None]:
        """Groups by name, and the token for more. Raises InvalidRequest for a token of another list."""
        await self._settle()
        purpose = f"groups:{scope.account_id}:{scope.region}:{prefix}:{pattern}"
        after = "" if token is None else str(parse_key(token, purpose, str)[0])
        groups = await self._read(
            lambda reader: reader.lookup.groups(scope, prefix=prefix, pattern=pattern, after=after, limit=limit + 1)
        )
        if len(groups) <= limit:
            return groups, None
        return groups[:limit], render_key(purpose, groups[limit - 1].name)

    async def create_stream(self, scope: Scope, group: str, name: str) -> None:
        """Raises NotFound, AlreadyExists."""
        await self._settle()
        await self._write(lambda: self._writer.create_stream(scope, group, name))

    async def delete_stream(self, scope: Scope, group: str, name: str) -> None:
        """As `delete_group`, for one stream. Raises NotFound."""
        await self._settle()
        await self._write(lambda: self._writer.delete_stream(scope, group, name))

    async def list_streams(
        self,
        scope: Scope,
        group: str,
        *,
        prefix: str = "",
        by_time: bool = False,
        descending: bool = False,
        limit: int = 50,
        token: str | None = None,
    ) -> tuple[list[StreamRecord], str | None]:
        """Streams of a group, and the token for more. Raises NotFound, InvalidRequest."""
        await self._settle()
        return await self._read(
            lambda reader: reader.list_streams(
                scope, group, prefix=prefix, by_time=by_time, descending=descending, limit=limit, token=token
            )
        )

    async def put_events(self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> PutResult:
        """Add (time, message), times ascending, but for those that are too old or too new.

        Raises NotFound, and InvalidRequest for the stream of an attempt.
        """
        await self._settle()
        return await self._write(lambda: self._writer.put_events(scope, group, stream, events))

    async def get_events(
        self,
        scope: Scope,
        group: str,
        stream: str,
        *,
        token: str | None = None,
        from_head: bool = False,
        since: int = 0,
        until: int = FOREVER,
        limit: int = 10_000,
    ) -> EventPage:
        """A page of one stream's events with since <= time < until. Raises NotFound, InvalidRequest."""
        await self._settle()
        return await self._read(
            lambda reader: reader.get_events(
                scope, group, stream, token=token, from_head=from_head, since=since, until=until, limit=limit
            )
        )

    async def search(
        self,
        scope: Scope,
        group: str,
        *,
        names: Sequence[str] | None = None,
        prefix: str = "",
        pattern: str = "",
        since: int = 0,
        until: int = FOREVER,
        limit: int = 10_000,
        token: str | None = None,
    ) -> SearchPage:
        """Events of the streams in `names`, or of all that begin with `prefix`, by time. Raises NotFound,
        InvalidRequest.
        """
        search = Search(matches=parse_pattern(pattern), since=since, until=until, limit=limit)
        settled_at = self._now_ms()
        if self._follower.busy:
            # Then everything that was written up to `settled_at` is indexed, in all streams.
            await asyncio.sleep(_FILE_TIME_LAG_SECONDS)
            await self._settle()
        return await self._read(
            lambda reader: reader.search(
                scope, group, search, names=names, prefix=prefix, settled_at=settled_at, token=token
            )
        )

    # Between the threads.

    async def _follow(self) -> None:
        """Look at growing logs and delete what is spent, for as long as there is any."""
        swept = 0.0
        trouble = ""
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._settings.poll_seconds)
            self._wake.clear()
            try:
                await self._write(self._writer.tick)
                await self._write(self._writer.bury)
                if time.monotonic() - swept > _SWEEP_SECONDS:
                    swept = time.monotonic()
                    await self._sweep()
                trouble = ""
            except Exception as error:
                # Growing logs are looked at again, whatever it was; said once for as long as it stays the same.
                if trouble != repr(error):
                    trouble = repr(error)
                    _log.warning("logs_not_followed", error=trouble, exc_info=not isinstance(error, LongshoreError))
            if not self._writer.idle:
                self._wake.set()

    async def _expire(self) -> None:
        """End what is older than its group's retention, every ten minutes and in small steps."""
        while True:
            await asyncio.sleep(_EXPIRE_SECONDS)
            try:
                while await self._write(self._writer.expire):
                    self._wake.set()
            except Exception as error:
                _log.warning("logs_not_expired", error=repr(error), exc_info=not isinstance(error, LongshoreError))

    async def _sweep(self) -> None:
        spent = await self._write(self._writer.take_spent)
        if spent is None:
            return
        try:
            await _in_daemon_thread(lambda: sweep(spent))
        except (OSError, sqlite3.Error) as error:
            _log.warning("logs_not_swept", error=str(error))
            await self._write(lambda: self._writer.take_back(spent))
        else:
            await self._write(lambda: self._writer.note_swept(spent))

    async def _settle(self) -> None:
        """Afterwards readers see what was written until now, and logs that were just attached."""
        if not self._follower.busy:
            return
        if self._next_look is None or self._next_look.done():
            self._next_look = asyncio.ensure_future(self._write(self._look))
        await asyncio.shield(self._next_look)

    def _look(self) -> None:
        # From here on a reader needs another look: what it wants to see may be written behind our back.
        self._next_look = None
        self._writer.tick()

    async def _write(self, work: Callable[[], Answer]) -> Answer:
        return await self._do(self._write_thread, work)

    async def _read(self, work: Callable[[Reader], Answer]) -> Answer:
        def read() -> Answer:
            reader: Reader | None = getattr(self._of_thread, "reader", None)
            if reader is None:
                lookup = Lookup(self._layout)
                self._lookups.append(lookup)
                reader = self._of_thread.reader = Reader(lookup, self._follower, self._settings)
            return work(reader)

        return await self._do(self._read_threads, read)

    async def _do(self, threads: ThreadPoolExecutor, work: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        except OSError as error:
            reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else str(error)
            raise StoreUnavailable(f"The log store cannot be used now: {reason}") from error
        except sqlite3.OperationalError as error:
            reason = outage_text(error, self._layout.root)
            raise StoreUnavailable(f"The log index cannot be used now: {reason}") from error


async def _in_daemon_thread(work: Callable[[], None]) -> None:
    """Do what may take long and may be cut short: the end of the process does not wait for it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        outcome: BaseException | None = None
        try:
            work()
        except BaseException as error:
            outcome = error
        with contextlib.suppress(RuntimeError):  # the loop may be closed by now
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="logs-sweeper", daemon=True).start()
    await done
