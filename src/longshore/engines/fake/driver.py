"""The fake engine's driver: the port's words for a site, through the faults that stand between them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

from longshore.engines.fake.faults import CallFate, Faults, LaunchFate, WatchFate
from longshore.engines.fake.site import FakeSite, FakeTask, Listener
from longshore.ports.clock import Clock
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

CAPABILITIES = Capabilities(name="fake", uses_images=True, enforces_memory=True, writes_log_files=False)

#: bytes of output in one chunk
CHUNK_BYTES = 65536
#: batches that a repetition may fetch again
REMEMBERED_BATCHES = 8


class FakeDriver:
    """`ports.engine.EngineDriver` on a site. Drop it at any moment, as a crash does, and make another."""

    def __init__(
        self, site: FakeSite, clock: Clock, *, faults: Faults | None = None, installation: str = "longshore"
    ) -> None:
        """`clock` is the site's."""
        self._site = site
        self._clock = clock
        self._faults = faults or Faults()
        self._installation = installation

    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def fingerprint(self) -> Fingerprint:
        if self._faults.call("fingerprint", self._clock.boot_seconds()) is CallFate.ANSWERED:
            return Fingerprint(healthy=True, version="1")
        return Fingerprint(healthy=False, problem="the site does not answer")

    async def launch(self, specs: Sequence[LaunchSpec]) -> Sequence[LaunchOutcome]:
        fate = await self._called("launch")
        outcomes = [self._launch(spec) for spec in specs]
        _answer(fate)
        return outcomes

    def _launch(self, spec: LaunchSpec) -> LaunchOutcome:
        fate = self._faults.launch(spec, self._clock.boot_seconds())
        match fate:
            case LaunchFate.UNAVAILABLE:
                return _failed(spec, LaunchFault.UNAVAILABLE, "the site took nothing")
            case LaunchFate.REQUEST_LOST:
                return _failed(spec, LaunchFault.UNCERTAIN, "the site did not answer")
            case LaunchFate.ANSWERED | LaunchFate.ANSWER_LOST:
                task = self._site.accept(spec, self._installation)
        if fate is LaunchFate.ANSWER_LOST:
            return _failed(spec, LaunchFault.UNCERTAIN, "the site did not answer")
        if isinstance(task, FakeTask):
            return Handle(attempt_id=spec.attempt_id, state=str(task.identity))
        return _failed(spec, LaunchFault.REJECTED, task)

    async def observe(self, handles: Sequence[Handle]) -> Sequence[Observation]:
        fate = await self._called("observe")
        observations = [self._observe(handle) for handle in handles]
        _answer(fate)
        return observations

    def _observe(self, handle: Handle) -> Observation:
        if self._faults.unknown(handle.attempt_id, self._clock.boot_seconds()):
            return Observation(attempt_id=handle.attempt_id, state=TaskState.UNKNOWN)
        task = self._find(handle)
        return task.observation() if task else Observation(attempt_id=handle.attempt_id, state=TaskState.GONE)

    def _find(self, handle: Handle) -> FakeTask | None:
        return self._site.find(handle.attempt_id, self._installation)

    async def watch(self) -> AsyncIterator[Sequence[Observation]]:
        recent = deque[Sequence[Observation]](maxlen=REMEMBERED_BATCHES)
        late: Sequence[Observation] = ()
        with self._site.listen(self._installation) as listener:
            while True:
                batch = await self._news(listener)
                recent.append(batch)
                oldest = recent[0]
                _answer(await self._called("watch"))
                match self._faults.watch(batch, self._clock.boot_seconds()):
                    case WatchFate.DELIVERED:
                        yield batch
                    case WatchFate.REPEATED:
                        yield batch
                        yield batch
                        yield oldest
                    case WatchFate.LATE:
                        late = batch
                        continue
                    case WatchFate.DROPPED:
                        continue
                    case WatchFate.CUT_OFF:
                        raise EngineUnavailable("the site closed the connection")
                if late:
                    yield late
                    late = ()

    async def _news(self, listener: Listener) -> Sequence[Observation]:
        """The next changes, when there are any."""
        self._site.catch_up()
        while not listener.news:
            listener.changed.clear()
            await self._change(listener)
            self._site.catch_up()
        batch = tuple(listener.news)
        listener.news.clear()
        return batch

    async def _change(self, listener: Listener) -> None:
        """Return when something has changed or is due."""
        due = self._site.next_event_at()
        if due is None:
            await listener.changed.wait()
            return
        waits = [
            asyncio.ensure_future(listener.changed.wait()),
            asyncio.ensure_future(self._clock.sleep(due - self._clock.boot_seconds())),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def stop(self, requests: Sequence[StopRequest]) -> None:
        fate = await self._called("stop")
        for request in requests:
            task = self._find(request.handle)
            if task is not None:
                self._site.terminate(task, grace_seconds=request.grace_seconds)
        _answer(fate)

    async def release(self, handles: Sequence[Handle]) -> None:
        fate = await self._called("release")
        for handle in handles:
            task = self._find(handle)
            if task is not None:
                self._site.forget(task)
        _answer(fate)

    async def discover(self) -> Sequence[Handle]:
        _answer(await self._called("discover"))
        return [
            Handle(attempt_id=task.spec.attempt_id, state=str(task.identity))
            for task in self._site.tasks(self._installation)
        ]

    async def read_logs(self, handle: Handle, *, cursor: str) -> AsyncIterator[LogChunk]:
        _answer(await self._called("read_logs"))
        task = self._find(handle)
        if task is None or task.started_at is None:
            return
        text = task.behaviour.output
        for begin in range(int(cursor or 0), len(text), CHUNK_BYTES):
            end = min(begin + CHUNK_BYTES, len(text))
            yield LogChunk(at=task.started_at, data=text[begin:end], cursor=str(end))

    async def _called(self, method: str) -> CallFate:
        """The fate of a call that reaches the site. Raises EngineUnavailable when it does not."""
        fate = self._faults.call(method, self._clock.boot_seconds())
        if fate is CallFate.HANGS:
            await self._clock.sleep(self._faults.hang_seconds)
        if fate in {CallFate.HANGS, CallFate.REFUSED}:
            raise EngineUnavailable(f"{method}: the site does not answer")
        return fate


def _answer(fate: CallFate) -> None:
    """Raises EngineUnavailable when the answer is lost."""
    if fate is CallFate.CUT_OFF:
        raise EngineUnavailable("the connection broke before the answer")


def _failed(spec: LaunchSpec, fault: LaunchFault, reason: str) -> LaunchFailed:
    return LaunchFailed(attempt_id=spec.attempt_id, fault=fault, reason=reason)
