"""The engine port on a Docker-compatible engine.

The engine is the authority: it keeps every container, with its labels, state, times and output, until we remove it. What
is kept here can be lost at any time: launches under way, and a memory of what was inspected, so that one listing answers
for hundreds of containers.
"""

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from longshore.domain.ids import AttemptId
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.connection import CallRefused, Connection
from longshore.engines.docker.launching import STOPPED_EARLY, Launch, Launches
from longshore.engines.docker.log_stream import LogStream
from longshore.engines.docker.parse import (
    ATTEMPT_LABEL,
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
)
from longshore.engines.docker.render import (
    HANDLE_VERSION,
    SpecRejected,
    container_name,
    ignored_settings,
    render_create,
)
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
#: Events that come this close together are told as one batch, so that a short job costs one look at it, not two.
_BATCH_SECONDS = 0.01
#: How far back the event stream is asked for when it is opened, so that nothing falls between it and the listing.
_OVERLAP_SECONDS = 2.0
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
        self._launches = Launches(self._connection, config, self._launch_failed)
        self._sampler = UsageSampler(self._connection, sample_seconds=config.sample_seconds)
        self._calls = asyncio.Semaphore(config.concurrency)
        self._info: EngineInfo | None = None
        self._known: dict[AttemptId, _Known] = {}
        self._failed: dict[AttemptId, Observation] = {}
        self._released: OrderedDict[AttemptId, None] = OrderedDict()
        self._stops: dict[AttemptId, tuple[float, asyncio.Task[None]]] = {}
        self._watchers: set[asyncio.Queue[Event | Observation | EngineUnavailable]] = set()
        self._sampling: asyncio.Task[None] | None = None

    # --- the engine as a whole -------------------------------------------------------------------------------------

    def capabilities(self) -> Capabilities:
        return Capabilities(
            name="docker",
            uses_images=True,
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
            node = spec.nodes[0]
            container = node.containers[0]
            self._launches.begin(
                Launch(
                    attempt_id=attempt_id,
                    node=node.index,
                    container=container.name,
                    image=container.image,
                    body=body,
                )
            )
        return _handle(attempt_id)

    def _launch_failed(self, failure: Observation) -> None:
        self._failed[failure.attempt_id] = failure
        self._tell(failure)

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

    async def _inspect(self, attempt_id: AttemptId, container: str) -> Observation:
        """The state of the attempt's container, remembered; GONE when it is not there or not ours."""
        try:
            async with self._calls:
                found = await self._connection.inspect(container)
        except CallRefused as refusal:
            logger.warning("docker_inspect_refused", attempt_id=attempt_id, problem=refusal.message)
            return Observation(attempt_id=attempt_id, state=TaskState.UNKNOWN)
        if found is None or attempt_of(found.labels, self._config.installation_id) != attempt_id:
            return _gone(attempt_id)
        return await self._learn(attempt_id, found)

    async def _learn(self, attempt_id: AttemptId, found: Inspected) -> Observation:
        witnessed = found.state.exit_code != INVENTED_EXIT_CODE or await self._end_witnessed(found)
        seen = parse_container(attempt_id, found, end_witnessed=witnessed)
        if attempt_id in self._released:
            return seen
        known = self._known.setdefault(attempt_id, _Known(found.id, found.config.stop_signal or "SIGTERM"))
        if known.seen is not None and known.seen.state in _OVER:
            return known.seen  # two looked at once, and one was faster
        if seen.state is TaskState.RUNNING:
            self._sampler.track(attempt_id, found.id, found.state.pid)
            known.seen = seen
        elif seen.state in _OVER:
            usage = self._sampler.forget(attempt_id)
            seen = known.seen = parse_container(attempt_id, found, usage=usage, end_witnessed=witnessed)
        elif seen.state is TaskState.STARTING and self._launches.pending(attempt_id) is None:
            # A server that is gone created it; this one goes on from there.
            self._launches.begin(
                Launch(attempt_id=attempt_id, node=seen.node, container=seen.container, container_id=found.id)
            )
        return seen

    async def _end_witnessed(self, found: Inspected) -> bool:
        """Whether the engine remembers that it saw the container end, and did not merely find it dead.

        Its memory of events is short and ends with it, so a container that was found dead has none.
        """
        ended_at = parse_time(found.state.finished_at)
        if ended_at is None:
            return False
        since, until = f"{ended_at.timestamp() - 1:.6f}", f"{ended_at.timestamp() + _OVERLAP_SECONDS:.6f}"
        events = self._connection.events(label=self._label, since=since, until=until, container=found.id)
        async with aclosing(events):
            async for event in events:
                if event is not None and event.action == "die":
                    return True
        return False

    # --- watching --------------------------------------------------------------------------------------------------

    async def watch(self) -> AsyncIterator[Sequence[Observation]]:
        queue: asyncio.Queue[Event | Observation | EngineUnavailable] = asyncio.Queue()
        listening = asyncio.Event()
        reader = asyncio.create_task(self._read_events(queue, listening), name="docker events")
        self._watchers.add(queue)
        try:
            await asyncio.wait({reader, listening_task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pass
        yield []
