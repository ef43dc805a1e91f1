"""The engine port on a Docker-compatible engine.

The engine is the authority: it keeps every container, with its labels, state, times and output, until we remove it.
What is kept here can be lost at any time: launches under way, and a memory of what was inspected, so that one listing
answers for hundreds of containers.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import structlog

from longshore.domain.ids import AttemptId
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.connection import CallRefused, Connection
from longshore.engines.docker.launching import LONGEST_DELAY_SECONDS, Launch, Launches
from longshore.engines.docker.leftovers import kill_leftovers
from longshore.engines.docker.log_stream import LogStream
from longshore.engines.docker.news import News, NewsFeed
from longshore.engines.docker.parse import (
    INSTALLATION_LABEL,
    INVENTED_EXIT_CODE,
    REASON_LENGTH,
    EngineInfo,
    Event,
    Inspected,
    Listed,
    attempt_of,
    parse_container,
    parse_die,
    parse_time,
    whole_of,
)
from longshore.engines.docker.render import (
    HANDLE_VERSION,
    POD_MEMBERS,
    SpecRejected,
    container_name,
    ignored_settings,
    render_create,
    shared_of,
)
from longshore.engines.docker.shared import SharedThings
from longshore.engines.docker.start_time import started_boot_seconds
from longshore.engines.docker.usage import UsageSampler
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

_FINGERPRINT_SECONDS = 3.0
_REMEMBERED_RELEASES = 4096
_OVER = {TaskState.EXITED, TaskState.LOST, TaskState.FAILED_TO_START}

logger = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class _Known:
    """What was learnt of one container."""

    container_id: str
    stop_signal: str
    #: set once it runs, and anew when it is over: both are final as far as they go
    seen: Observation | None = None


class DockerDriver:
    """Implements `longshore.ports.engine.EngineDriver`."""

    def __init__(self, config: DockerConfig) -> None:
        self._config = config
        self._label = f"{INSTALLATION_LABEL}={config.installation_id}"
        self._connection = Connection(
            config.socket, call_seconds=config.call_seconds, launch_seconds=config.launch_seconds
        )
        self._feed = NewsFeed(self._connection, self._label)
        self._shared = SharedThings(self._connection, config.installation_id)
        self._launches = Launches(self._connection, config, self._shared, self._launch_failed)
        self._sampler = UsageSampler(self._connection, sample_seconds=config.sample_seconds)
        self._calls = asyncio.Semaphore(config.concurrency)
        self._info: EngineInfo | None = None
        self._known: dict[AttemptId, _Known] = {}
        #: launches that came to nothing
        self._failed: dict[AttemptId, Observation] = {}
        self._released: OrderedDict[AttemptId, None] = OrderedDict()
        self._stops: dict[AttemptId, tuple[float, asyncio.Task[None]]] = {}
        self._sampling: asyncio.Task[None] | None = None

    # --- the engine as a whole -------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="docker",
            uses_images=True,
            bears_tags=True,
            pod_members=POD_MEMBERS | ({"host_network"} if self._config.network == "host" else set[str]()),
            enforces_memory=self._info is None or self._info.memory_limit,
            ignored_settings=ignored_settings(self._config, self._info or EngineInfo()),
            writes_log_files=False,
        )

    async def open(self) -> None:
        await self._connection.open()
        self._sampling = asyncio.create_task(self._sampler.run(), name="docker usage")

    async def close(self) -> None:
        background = [task for _, task in self._stops.values()]
        if self._sampling is not None:
            background.append(self._sampling)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._launches.close()
        await self._connection.close()

    async def fingerprint(self) -> Fingerprint:
        try:
            version = await self._connection.version(seconds=_FINGERPRINT_SECONDS)
            await self._engine()
        except (EngineUnavailable, CallRefused) as problem:
            return Fingerprint(healthy=False, problem=str(problem))
        return Fingerprint(healthy=True, version=f"{version.version} (API {version.api_version})")

    async def _engine(self) -> EngineInfo:
        """What the engine can do; it answers now. Raises EngineUnavailable."""
        try:
            if self._info is None:
                self._info = await self._connection.info()
            else:
                await self._connection.ping()
        except CallRefused as refusal:
            raise EngineUnavailable(f"the engine at {self._config.socket} refuses: {refusal.message}") from refusal
        except EngineUnavailable:
            self._info = None  # what comes back may be another version
            raise
        return self._info

    # --- launching -------------------------------------------------------------------------------------------------

    async def launch(self, specs: Sequence[LaunchSpec]) -> Sequence[LaunchOutcome]:
        info = await self._engine()
        return [self._accept(spec, info) for spec in specs]

    def _accept(self, spec: LaunchSpec, info: EngineInfo) -> LaunchOutcome:
        attempt_id = spec.attempt_id
        if attempt_id not in self._known and attempt_id not in self._failed:
            try:
                body = render_create(spec, self._config, info, os.path.realpath)
            except SpecRejected as rejection:
                reason = str(rejection)[:REASON_LENGTH]
                return LaunchFailed(attempt_id=attempt_id, fault=LaunchFault.REJECTED, reason=reason)
            self._released.pop(attempt_id, None)
            self._launches.begin(
                Launch(
                    attempt_id=attempt_id,
                    image=spec.container.image,
                    registry=spec.container.registry,
                    body=body,
                    pull_policy=spec.container.pod.pull_policy if spec.container.pod is not None else "",
                    must_not_be_root=spec.container.pod is not None and spec.container.pod.must_not_be_root,
                    shared=shared_of(spec, self._config),
                )
            )
        return _handle(attempt_id, spec.whole_id)

    def _launch_failed(self, failure: Observation) -> None:
        if failure.attempt_id in self._released:
            return
        self._failed[failure.attempt_id] = failure
        self._feed.tell(failure)

    # --- observing -------------------------------------------------------------------------------------------------

    async def observe(self, handles: Sequence[Handle]) -> Sequence[Observation]:
        wanted = [handle.attempt_id for handle in handles]
        starting = {attempt_id: self._launches.pending(attempt_id) for attempt_id in wanted}
        listed: dict[AttemptId, Listed] = {}
        if any(self._settled(attempt_id) is None for attempt_id in wanted):
            listed = await self._list()

        async def state_of(attempt_id: AttemptId) -> Observation:
            settled = self._settled(attempt_id)
            if settled is not None:
                return settled
            found, known = listed.get(attempt_id), self._known.get(attempt_id)
            if found is not None and not (found.state == "created" and self._launches.pending(attempt_id)):
                if found.state == "running" and known is not None and known.seen is not None:
                    return known.seen
                return await self._inspect(attempt_id, found.id)
            launch = starting[attempt_id] or self._launches.pending(attempt_id)
            if launch is not None:
                return self._settled(attempt_id) or launch.observation(TaskState.STARTING)
            return _gone(attempt_id)

        return await asyncio.gather(*map(state_of, wanted))

    def _settled(self, attempt_id: AttemptId) -> Observation | None:
        """What will not change any more, as far as we remember it."""
        known = self._known.get(attempt_id)
        if known is not None and known.seen is not None and known.seen.state in _OVER:
            return known.seen
        return self._failed.get(attempt_id)

    async def _list(self) -> dict[AttemptId, Listed]:
        try:
            containers = await self._connection.list(self._label)
        except CallRefused as refusal:
            raise EngineUnavailable(f"the engine refuses to list containers: {refusal.message}") from refusal
        found = ((attempt_of(each.labels, self._config.installation_id), each) for each in containers)
        return {attempt_id: each for attempt_id, each in found if attempt_id is not None}

    async def _inspect(self, attempt_id: AttemptId, container: str, *, end_witnessed: bool = False) -> Observation:
        """The state of the attempt's container, remembered; GONE when it is not there or not ours."""
        try:
            async with self._calls:
                found = await self._connection.inspect(container)
                address = await self._shared.address(found) if found is not None and found.state.pid else ""
        except CallRefused as refusal:
            logger.warning("docker_inspect_refused", attempt_id=attempt_id, problem=refusal.message)
            return Observation(attempt_id=attempt_id, state=TaskState.UNKNOWN)
        if found is None or attempt_of(found.labels, self._config.installation_id) != attempt_id:
            return _gone(attempt_id)
        if found.state.exit_code == INVENTED_EXIT_CODE and not end_witnessed:
            end_witnessed = await self._end_witnessed(found)
        return self._learn(attempt_id, found, address, end_witnessed=end_witnessed)

    def _learn(self, attempt_id: AttemptId, found: Inspected, address: str, *, end_witnessed: bool) -> Observation:
        seen = parse_container(attempt_id, found, end_witnessed=end_witnessed)
        if attempt_id in self._released:
            return seen
        known = self._known.setdefault(attempt_id, _Known(found.id, found.config.stop_signal or "SIGTERM"))
        if known.seen is not None and known.seen.state in _OVER:
            return known.seen  # two looked at once, and one was faster
        if seen.state is TaskState.RUNNING:
            self._sampler.track(attempt_id, found.id, found.state.pid)
            seen = known.seen = replace(seen, started_boot_seconds=started_boot_seconds(found), address=address)
        elif seen.state in _OVER:
            if seen.state is TaskState.LOST:
                kill_leftovers(found.id)
            usage = self._sampler.forget(attempt_id)
            seen = known.seen = parse_container(attempt_id, found, usage=usage, end_witnessed=end_witnessed)
        elif (
            seen.state is TaskState.STARTING
            and self._launches.pending(attempt_id) is None
            and attempt_id not in self._failed
        ):
            # A server that is gone created it; this one goes on from there.
            launch = Launch(attempt_id=attempt_id, container_id=found.id)
            if attempt_id in self._stops:
                launch.stop_asked.set()
            self._launches.begin(launch)
        return seen

    async def _end_witnessed(self, found: Inspected) -> bool:
        """Whether the engine saw the container end, and did not merely find it dead."""
        ended_at = parse_time(found.state.finished_at)
        return ended_at is not None and await self._connection.remembers(found.id, "die", since=ended_at)

    # --- watching --------------------------------------------------------------------------------------------------

    async def watch(self) -> AsyncGenerator[Sequence[Observation]]:
        async with aclosing(self._feed.batches()) as batches:
            async for batch in batches:
                if observations := await self._digest(batch):
                    yield observations

    async def _digest(self, batch: Sequence[News]) -> Sequence[Observation]:
        """What a batch of news means, one observation for each attempt."""
        events: dict[AttemptId, Event] = {}
        told: dict[AttemptId, Observation] = {}
        for news in batch:
            if isinstance(news, Observation):
                told[news.attempt_id] = news
            elif isinstance(news, Event):
                attempt_id = attempt_of(news.actor.attributes, self._config.installation_id)
                if attempt_id is not None:
                    events[attempt_id] = news
        if None in batch:
            # The stream has begun anew: whatever was not told meanwhile is there to be seen.
            told |= {seen.attempt_id: seen for seen in await self.observe(await self.discover())}
        seen = await asyncio.gather(*(self._look_again(attempt_id, event) for attempt_id, event in events.items()))
        told |= {each.attempt_id: each for each in seen}
        return [each for each in told.values() if each.state is not TaskState.GONE]

    async def _look_again(self, attempt_id: AttemptId, event: Event) -> Observation:
        settled = self._settled(attempt_id)
        if settled is not None:
            return settled
        ended = event.action == "die"
        seen = await self._inspect(attempt_id, event.actor.id, end_witnessed=ended)
        known = self._known.get(attempt_id)
        if seen.state is TaskState.GONE and ended and known is not None and known.seen is not None:
            # Somebody removed it: the event has what can still be learnt.
            known.seen = replace(parse_die(known.seen, event), usage=self._sampler.forget(attempt_id))
            return known.seen
        return seen

    # --- stopping and releasing ------------------------------------------------------------------------------------

    async def stop(self, requests: Sequence[StopRequest]) -> None:
        await self._engine()
        for request in requests:
            attempt_id = request.handle.attempt_id
            kill_at = asyncio.get_running_loop().time() + request.grace_seconds
            asked = self._stops.get(attempt_id)
            if asked is not None:
                if asked[0] <= kill_at:
                    continue
                asked[1].cancel()
            task = asyncio.create_task(self._stop(attempt_id, request.grace_seconds), name=f"stop {attempt_id}")
            self._stops[attempt_id] = kill_at, task

    async def _stop(self, attempt_id: AttemptId, grace_seconds: int) -> None:
        """The container has ended, or never was started. Outlasts any outage of the engine."""
        try:
            await self._launches.abandon(attempt_id)
            if await self._signal(attempt_id):
                await asyncio.sleep(grace_seconds)
                await self._signal(attempt_id, "SIGKILL")
        except Exception:
            logger.exception("docker_stop_broke_off", attempt_id=attempt_id)
        finally:
            asked = self._stops.get(attempt_id)
            if asked is not None and asked[1] is asyncio.current_task():
                del self._stops[attempt_id]

    async def _signal(self, attempt_id: AttemptId, signal: str = "") -> bool:
        """Send `signal`, or what the image asks for as its stop signal; False when there is nothing to send it to."""
        delay = 0.1
        while True:
            try:
                known = await self._find(attempt_id)
                # One that a server before this created and did not start is being removed now.
                await self._launches.abandon(attempt_id)
                if known is None or self._settled(attempt_id) is not None:
                    return False
                await self._connection.kill(known.container_id, signal or known.stop_signal)
                return True
            except CallRefused as refusal:
                if refusal.status in {404, 409}:  # not there, not running
                    return False
                logger.warning("docker_signal_refused", attempt_id=attempt_id, problem=refusal.message)
                if not signal:  # an image may ask for a signal that there is not: SIGKILL comes in its time
                    return True
            except EngineUnavailable as outage:
                logger.debug("docker_stop_waits", attempt_id=attempt_id, problem=str(outage))
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)

    async def _find(self, attempt_id: AttemptId) -> _Known | None:
        """The attempt's container, when there is one and it is ours."""
        if attempt_id not in self._known:
            await self._inspect(attempt_id, container_name(self._config.installation_id, attempt_id))
        return self._known.get(attempt_id)

    async def release(self, handles: Sequence[Handle]) -> None:
        await asyncio.gather(*map(self._release, {handle.attempt_id for handle in handles}))
        wholes = {handle.whole_id for handle in handles if handle.whole_id is not None}
        await asyncio.gather(*map(self._remove_shared, wholes))

    async def _remove_shared(self, whole_id: AttemptId) -> None:
        async with self._calls:
            await self._shared.remove(whole_id)

    async def _release(self, attempt_id: AttemptId) -> None:
        asked = self._stops.pop(attempt_id, None)
        if asked is not None:
            asked[1].cancel()
        # From here on nothing that was asked before is remembered when its answer comes.
        self._released[attempt_id] = None
        if len(self._released) > _REMEMBERED_RELEASES:
            self._released.popitem(last=False)
        await self._launches.abandon(attempt_id, seconds=self._config.call_seconds)
        container_id = await self._container_id(attempt_id)
        if container_id is not None:
            await self._remove(container_id)
        self._known.pop(attempt_id, None)
        self._failed.pop(attempt_id, None)
        self._sampler.forget(attempt_id)

    async def _container_id(self, attempt_id: AttemptId) -> str | None:
        known = self._known.get(attempt_id)
        if known is not None:
            return known.container_id
        try:
            async with self._calls:
                found = await self._connection.inspect(container_name(self._config.installation_id, attempt_id))
        except CallRefused as refusal:
            raise EngineUnavailable(f"the engine cannot tell of a container: {refusal.message}") from refusal
        ours = found is not None and attempt_of(found.labels, self._config.installation_id) == attempt_id
        return found.id if found is not None and ours else None

    async def _remove(self, container_id: str) -> None:
        try:
            async with self._calls:
                await self._connection.remove(container_id)
        except CallRefused as refusal:
            if refusal.status == 404:
                return
            # 409: it is being removed already; asked again, that has ended.
            raise EngineUnavailable(f"the engine cannot remove a container now: {refusal.message}") from refusal

    async def discover(self) -> Sequence[Handle]:
        listed = await self._list()
        found = {*listed, *self._failed, *self._launches.all_pending()}
        wholes = {attempt_id: whole_of(each.labels) for attempt_id, each in listed.items()}
        return [_handle(attempt_id, wholes.get(attempt_id)) for attempt_id in found]

    # --- output ----------------------------------------------------------------------------------------------------

    async def read_logs(self, handle: Handle, *, cursor: str) -> AsyncGenerator[LogChunk]:
        known = await self._find(handle.attempt_id)
        if known is None:
            return
        stream = LogStream(cursor)
        try:
            async with aclosing(self._connection.logs(known.container_id, since=stream.since)) as answer:
                async for data in answer:
                    for chunk in stream.feed(data):
                        yield chunk
        except CallRefused as refusal:
            if refusal.status not in (404, 409):  # it is gone, or going: its output was read before
                raise EngineUnavailable(f"the engine cannot read the output: {refusal.message}") from refusal
        for chunk in stream.finish():
            yield chunk


def _handle(attempt_id: AttemptId, whole_id: AttemptId | None) -> Handle:
    return Handle(attempt_id=attempt_id, version=HANDLE_VERSION, whole_id=whole_id)


def _gone(attempt_id: AttemptId) -> Observation:
    return Observation(attempt_id=attempt_id, state=TaskState.GONE)
