"""Runs attempts as plain processes, by asking the runner: the only part of this engine that the server waits on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import structlog

from longshore import __version__
from longshore.domain.ids import AttemptId
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.link import A, Link, LinkLost, connect, start_runner
from longshore.engines.process.parse import parse_refusal, parse_report
from longshore.engines.process.render import IGNORED, NO_MEMORY_LIMIT, SpecRejected, render_item
from longshore.engines.process.shared import make_shared, remove_shared, sharing_parts
from longshore.engines.process.wire import (
    Discover,
    Done,
    Item,
    Known,
    Launch,
    Launched,
    Observe,
    Release,
    Report,
    Reports,
    Request,
    Retire,
    Stop,
    Watch,
)
from longshore.ports.engine import (
    Capabilities,
    EngineUnavailable,
    Fingerprint,
    Handle,
    LaunchFailed,
    LaunchFault,
    LaunchOutcome,
    LaunchSpec,
    LogChunk,
    Observation,
    StopRequest,
    TaskState,
)

T = TypeVar("T")

_log = structlog.stdlib.get_logger(__name__)

#: bounds of one message
_MAX_ITEMS = 256
_MAX_BYTES = 1024 * 1024
_MAX_IDS = 2000
#: observations that a watcher may leave unread; beyond, it is told to observe instead
_MAX_UNREAD = 50_000
#: between two batches of news, since each costs its own; the first after a pause is told at once
_GATHER_SECONDS = 0.004
_FINGERPRINT_SECONDS = 5.0
_RETIRE_SECONDS = 2.0
#: between attempts to have a runner again: the first, and the longest
_RECONNECT_SECONDS = (0.05, 5.0)


class _Watcher:
    """What one `watch` has not read yet."""

    def __init__(self) -> None:
        self.unread: list[Observation] = []
        self.has_news = asyncio.Event()
        self.problem = ""

    def add(self, observations: Sequence[Observation]) -> None:
        if len(self.unread) + len(observations) > _MAX_UNREAD:
            self.end("the watcher fell behind")
            return
        self.unread += observations
        self.has_news.set()

    def end(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.has_news.set()


class ProcessDriver:
    """The engine driver of plain processes. Starts the runner when none answers, and again when it died."""

    def __init__(self, config: ProcessConfig) -> None:
        self._config = config
        self._folder = config.data_dir / "runner"
        self._link: Link | None = None
        self._linking = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._watchers: set[_Watcher] = set()
        self._is_open = False
        #: why jobs cannot be held to their memory; empty when they can
        self._memory_problem = "the runner was not asked yet"

    def capabilities(self) -> Capabilities:
        problem = "it is switched off" if self._config.cgroup == "off" else self._memory_problem
        ignored = {**IGNORED, **self._config.ignored}
        if problem:
            ignored["memory"] = f"{NO_MEMORY_LIMIT}: {problem}"
        return Capabilities(
            name="process",
            uses_images=False,
            enforces_memory=not problem,
            ignored_settings=ignored,
            wants_addresses=True,
            pod_members=frozenset({"host_network"}),
            writes_log_files=True,
        )

    async def open(self) -> None:
        self._is_open = True
        try:
            await self._linked()
        except EngineUnavailable as problem:
            _log.warning("engine.unavailable", engine="process", problem=str(problem))
            self._keep()

    async def close(self) -> None:
        self._is_open = False
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._link is not None:
            self._link.close()
            await self._link.lost

    async def fingerprint(self) -> Fingerprint:
        try:
            async with asyncio.timeout(_FINGERPRINT_SECONDS):
                link = await self._linked()
        except EngineUnavailable as problem:
            return Fingerprint(healthy=False, problem=str(problem))
        except TimeoutError:
            return Fingerprint(healthy=False, problem=f"the runner did not answer within {_FINGERPRINT_SECONDS:g} s")
        assert link.runner is not None
        runner = link.runner.longshore
        version = runner if runner == __version__ else f"{runner} (the server is {__version__})"
        return Fingerprint(healthy=True, version=f"{version}, protocol {link.runner.version}")

    # --- what is asked of attempts --------------------------------------------------------------------------------

    async def launch(self, specs: Sequence[LaunchSpec]) -> Sequence[LaunchOutcome]:
        failed: dict[AttemptId, LaunchFailed] = {}
        items: list[Item] = []
        for spec in specs:
            try:
                items.append(render_item(spec, self._config))
                if spec.whole_id is not None:
                    make_shared(spec, self._config)
            except SpecRejected as refusal:
                failed[spec.attempt_id] = LaunchFailed(
                    attempt_id=spec.attempt_id, fault=LaunchFault.REJECTED, reason=str(refusal)
                )
        batches = _batches(items)
        for at, batch in enumerate(batches):
            try:
                refused = (await self._ask(Launched, lambda seq, batch=batch: Launch(seq, batch))).refused
            except EngineUnavailable as problem:
                if at == 0 and not isinstance(problem, _Uncertain):
                    raise
                for later, unsent in enumerate(batches[at:]):
                    uncertain = later == 0 and isinstance(problem, _Uncertain)
                    fault = LaunchFault.UNCERTAIN if uncertain else LaunchFault.UNAVAILABLE
                    for item in unsent:
                        attempt_id = AttemptId(item.id)
                        failed[attempt_id] = LaunchFailed(attempt_id=attempt_id, fault=fault, reason=str(problem))
                break
            failed.update({AttemptId(refusal.id): parse_refusal(refusal) for refusal in refused})
        return [failed.get(spec.attempt_id) or Handle(attempt_id=spec.attempt_id) for spec in specs]

    async def observe(self, handles: Sequence[Handle]) -> Sequence[Observation]:
        reports: dict[str, Report] = {}
        for ids in _pieces([handle.attempt_id for handle in handles], _MAX_IDS):
            answer = await self._ask(Reports, lambda seq, ids=ids: Observe(seq, list(ids)))
            reports.update({report.id: report for report in answer.reports})
        return [
            parse_report(report)
            if (report := reports.get(handle.attempt_id)) is not None
            else Observation(attempt_id=handle.attempt_id, state=TaskState.GONE)
            for handle in handles
        ]

    async def watch(self) -> AsyncIterator[Sequence[Observation]]:
        await self._linked()
        watcher = _Watcher()
        self._watchers.add(watcher)
        clock = asyncio.get_running_loop().time
        told_at = float("-inf")
        try:
            while True:
                await watcher.has_news.wait()
                if (pause := told_at + _GATHER_SECONDS - clock()) > 0:
                    await asyncio.sleep(pause)
                told_at = clock()
                watcher.has_news.clear()
                unread, watcher.unread = watcher.unread, []
                if unread:
                    yield unread
                if watcher.problem:
                    raise EngineUnavailable(watcher.problem)
        finally:
            self._watchers.discard(watcher)

    async def stop(self, requests: Sequence[StopRequest]) -> None:
        asked = [(request.handle.attempt_id, request.grace_seconds) for request in requests]
        for ids in _pieces(asked, _MAX_IDS):
            await self._ask(Done, lambda seq, ids=ids: Stop(seq, list(ids)))

    async def release(self, handles: Sequence[Handle]) -> None:
        for ids in _pieces([handle.attempt_id for handle in handles], _MAX_IDS):
            await self._ask(Done, lambda seq, ids=ids: Release(seq, list(ids)))
        # The first of an attempt's parts is not released before the last has ended.
        for whole_id in {handle.whole_id for handle in handles if handle.whole_id is not None}:
            await asyncio.to_thread(remove_shared, whole_id, self._config)
            with contextlib.suppress(OSError):  # others still have folders in there
                self._config.shared_dir.rmdir()

    async def discover(self) -> Sequence[Handle]:
        known = await self._ask(Known, Discover)
        wholes = await asyncio.to_thread(sharing_parts, self._config)
        return [Handle(attempt_id=AttemptId(each), whole_id=wholes.get(each)) for each in known.ids]

    async def read_logs(self, handle: Handle, *, cursor: str) -> AsyncIterator[LogChunk]:
        # The processes write the log files themselves.
        for chunk in ():
            yield chunk

    # --- the runner -----------------------------------------------------------------------------------------------

    async def _ask(self, kind: type[A], make: Callable[[int], Request]) -> A:
        """The runner's answer; asked of the next runner when this one dies over it, since all requests bear that.

        Raises EngineUnavailable, and _Uncertain where a runner may have done what was asked.
        """
        first_problem = ""
        for _ in range(2):
            try:
                link = await self._linked()
            except EngineUnavailable as problem:
                if first_problem:
                    raise _Uncertain(f"{first_problem}; {problem}") from problem
                raise
            try:
                return await link.ask(kind, make, self._config.answer_seconds)
            except LinkLost as lost:
                first_problem = str(lost)
        raise _Uncertain(first_problem)

    async def _linked(self) -> Link:
        """The connection to a living runner, which is started if need be. Raises EngineUnavailable."""
        if self._link is not None and not self._link.lost.done():
            return self._link
        async with self._linking:
            if self._link is not None and not self._link.lost.done():
                return self._link
            link = await self._connect_or_start()
            assert link.runner is not None
            if link.runner.longshore != __version__:
                link = await self._renew(link)
            self._link = link
            if link.lost.done():
                self._lost(link)
                raise EngineUnavailable("the runner of plain processes left at once")
            return link

    async def _connect_or_start(self) -> Link:
        try:
            return await self._connect()
        except OSError:
            pass  # nobody there
        data = self._config.data_dir
        await start_runner(data, idle_seconds=self._config.idle_seconds, timeout_seconds=self._config.start_seconds)
        try:
            return await self._connect()
        except OSError as error:
            raise EngineUnavailable(
                f"the runner of plain processes does not answer at {self._folder}: {error}"
            ) from error

    async def _connect(self) -> Link:
        link = await connect(self._folder, lambda: Link(self._tell, self._lost))
        try:
            welcome = await link.greet(self._config.answer_seconds)
            await link.ask(Done, Watch, self._config.answer_seconds)
        except LinkLost as lost:
            link.close()
            raise EngineUnavailable(str(lost)) from lost
        self._memory_problem = welcome.memory_problem
        return link

    async def _renew(self, link: Link) -> Link:
        """Ask a runner of another version to leave, which it does when nothing is alive; then start one of ours."""
        assert link.runner is not None
        _log.info("engine.runner-of-another-version", runner=link.runner.longshore, server=__version__)
        with contextlib.suppress(LinkLost):
            await link.ask(Done, Retire, self._config.answer_seconds)
        try:
            async with asyncio.timeout(_RETIRE_SECONDS):
                await asyncio.shield(link.lost)
        except TimeoutError:
            return link
        return await self._connect_or_start()

    def _tell(self, reports: list[Report]) -> None:
        if self._watchers:
            observations = [parse_report(report) for report in reports]
            for watcher in self._watchers:
                watcher.add(observations)

    def _lost(self, link: Link) -> None:
        if link is not self._link:
            return
        for watcher in self._watchers:
            watcher.end("the connection to the runner was lost")
        if self._is_open:
            _log.warning("engine.connection-lost", engine="process")
            self._keep()

    def _keep(self) -> None:
        """Have a runner again soon, asked or not: it must look after the processes of the one that died."""
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._relink())

    async def _relink(self) -> None:
        delay, longest = _RECONNECT_SECONDS
        while True:
            try:
                await self._linked()
                return
            except EngineUnavailable as problem:
                _log.warning("engine.unavailable", engine="process", problem=str(problem))
            await asyncio.sleep(delay)
            delay = min(2 * delay, longest)


class _Uncertain(EngineUnavailable):
    """The request reached a runner, and no answer came."""


def _pieces(things: Sequence[T], size: int) -> list[Sequence[T]]:
    return [things[at : at + size] for at in range(0, len(things), size)]


def _batches(items: Sequence[Item]) -> list[list[Item]]:
    """The items in order, in batches that make messages of bounded size."""
    batches: list[list[Item]] = []
    size = _MAX_BYTES
    for item in items:
        bytes_at_most = 4 * (
            sum(map(len, item.command)) + sum(len(name) + len(value) for name, value in item.environment.items())
        )
        size += bytes_at_most
        if size > _MAX_BYTES or len(batches[-1]) == _MAX_ITEMS:
            batches.append([])
            size = bytes_at_most
        batches[-1].append(item)
    return batches
