"""Brings containers up in the background: pull when needed, create, start. An attempt has one launch at a time.

The container's name is the attempt's own, so the engine itself refuses a second one; whatever was interrupted, by a
crash of the server or of the engine, is taken up where it stopped.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from longshore.domain.ids import AttemptId
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.connection import CallRefused, Connection, EngineUnreachable
from longshore.engines.docker.leftovers import kill_leftovers
from longshore.engines.docker.parse import (
    REASON_LENGTH,
    Inspected,
    attempt_of,
    parse_container,
    parse_time,
    reason_text,
)
from longshore.engines.docker.render import Shared, container_name
from longshore.engines.docker.shared import SharedThings
from longshore.ports.engine import EngineUnavailable, Observation, RegistryLogin, TaskState

#: between tries while the engine is away
LONGEST_DELAY_SECONDS = 5.0
#: how long a start that was sent and not answered may stay unread at the engine
_SETTLE_SECONDS = 2.0
_STOPPED_EARLY = "TaskStoppedBeforeStart: the job was stopped before its container started"

logger = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Launch:
    """One attempt on its way."""

    attempt_id: AttemptId
    image: str = ""
    registry: RegistryLogin | None = None
    #: what to create; None when the container is there already
    body: Mapping[str, object] | None = field(default=None, repr=False)
    #: what must be there before
    shared: Shared = Shared()
    container_id: str = ""
    #: False when a start may have been sent before, by us or by a server before this one
    start_is_first: bool = False
    #: as in `PodSettings`
    pull_policy: str = ""
    must_not_be_root: bool = False
    image_missing: bool = False
    image_pulled: bool = False
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def observation(self, state: TaskState, reason: str = "") -> Observation:
        """How it stands."""
        return Observation(attempt_id=self.attempt_id, state=state, reason=reason[:REASON_LENGTH])


class _StartFailed(Exception):
    """The container never ran; the text is the reason."""


class _StartUnknown(Exception):
    """The container may have run, and nobody knows."""


class _ImageMissing(Exception):
    """The engine does not have the image."""


class Launches:
    """The launches that are under way."""

    def __init__(
        self, connection: Connection, config: DockerConfig, shared: SharedThings, failed: Callable[[Observation], None]
    ) -> None:
        """`failed` is called with the observation of each launch that comes to nothing: FAILED_TO_START or LOST."""
        self._connection = connection
        self._config = config
        self._shared = shared
        self._failed = failed
        self._slots = asyncio.Semaphore(config.concurrency)
        self._launches: dict[AttemptId, tuple[Launch, asyncio.Task[None]]] = {}
        self._pulls: dict[tuple[str, RegistryLogin | None], asyncio.Task[None]] = {}

    def pending(self, attempt_id: AttemptId) -> Launch | None:
        """The launch of the attempt, while it is under way."""
        found = self._launches.get(attempt_id)
        return found[0] if found else None

    def all_pending(self) -> list[AttemptId]:
        return list(self._launches)

    def begin(self, launch: Launch) -> None:
        """Bring it up, unless that is being done."""
        if launch.attempt_id not in self._launches:
            task = asyncio.create_task(self._run(launch), name=f"launch {launch.attempt_id}")
            self._launches[launch.attempt_id] = launch, task

    async def abandon(self, attempt_id: AttemptId, *, seconds: float | None = None) -> None:
        """The attempt is not being launched any more: its container has started, or it never will.

        Raises EngineUnavailable when that takes longer than `seconds`.
        """
        found = self._launches.get(attempt_id)
        if found is None:
            return
        found[0].stop_asked.set()
        _, waiting = await asyncio.wait([found[1]], timeout=seconds)
        if waiting:
            raise EngineUnavailable(f"the launch of {attempt_id} cannot be broken off now")

    async def close(self) -> None:
        """Leave everything as it stands."""
        tasks = [task for _, task in self._launches.values()] + list(self._pulls.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, launch: Launch) -> None:
        try:
            await self._bring_up(launch)
        except _StartFailed as failure:
            self._failed(launch.observation(TaskState.FAILED_TO_START, str(failure)))
        except _StartUnknown:
            kill_leftovers(launch.container_id)
            self._failed(launch.observation(TaskState.LOST))
        except Exception:
            # Its fate is with the engine: observe will find it there, or find it gone.
            logger.exception("docker_launch_broke_off", attempt_id=launch.attempt_id)
        finally:
            del self._launches[launch.attempt_id]

    async def _bring_up(self, launch: Launch) -> None:
        """The container has started. Raises _StartFailed or _StartUnknown. Outlasts any outage of the engine."""
        delay = 0.1
        while True:
            try:
                if launch.image_missing or (launch.pull_policy == "Always" and launch.body and not launch.image_pulled):
                    await self._fetch_image(launch)
                async with self._slots:
                    return await self._create_and_start(launch)
            except _ImageMissing as missing:
                if launch.pull_policy == "Never":
                    raise _StartFailed(
                        f"ErrImageNeverPull: container image {launch.image} is not present with pull policy of Never"
                    ) from missing
                launch.image_missing = True
            except EngineUnavailable as outage:
                logger.debug("docker_launch_waits", attempt_id=launch.attempt_id, problem=str(outage))
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_SECONDS)

    async def _create_and_start(self, launch: Launch) -> None:
        if not launch.container_id and not launch.stop_asked.is_set():
            await self._create(launch)
        if launch.stop_asked.is_set():
            await self._remove_unstarted(launch)
            return
        first = launch.start_is_first
        if not first and await self._has_started(launch):
            return
        launch.start_is_first = False
        try:
            await self._connection.start(launch.container_id)
        except EngineUnreachable:
            launch.start_is_first = first
            raise
        except CallRefused as refusal:
            # It may have run all the same: what the engine keeps of it decides.
            found = await self._connection.inspect(launch.container_id)
            if found is None or not _has_run(launch.attempt_id, found):
                raise _StartFailed(reason_text("CannotStartContainerError", refusal.message)) from refusal

    async def _has_started(self, launch: Launch) -> bool:
        """Whether the container runs or ran. Raises _StartFailed when it was tried and could not be started.

        The engine runs a container again when it is told to start one that has ended, so a no must be certain. While it
        starts one it does not answer questions about it; but a start that was sent may still be unread. And when the
        engine itself died in the middle of a start, it has no note of it afterwards: then _StartUnknown is raised.
        """
        for settle_seconds in (_SETTLE_SECONDS, 0):
            found = await self._connection.inspect(launch.container_id)
            if found is None:
                raise _StartFailed("CannotStartContainerError: the container was removed")
            if _has_run(launch.attempt_id, found):
                return True
            created_at = parse_time(found.created)
            if created_at is None or not await self._connection.remembers(found.id, "create", since=created_at):
                raise _StartUnknown
            await asyncio.sleep(settle_seconds)
        return False

    async def _create(self, launch: Launch) -> None:
        """`launch.container_id` is the attempt's one container."""
        name = container_name(self._config.installation_id, launch.attempt_id)
        try:
            await self._shared.provide(launch.shared)
        except CallRefused as refusal:
            raise _StartFailed(reason_text("CannotCreateContainerError", refusal.message)) from refusal
        try:
            if launch.must_not_be_root:
                await self._refuse_root(launch)
            launch.container_id = await self._connection.create(name, launch.body or {})
            launch.start_is_first = True
        except CallRefused as refusal:
            if refusal.status == 409:
                launch.container_id = await self._adopt(launch, name)
            elif refusal.status == 404 and "image" in refusal.message.lower() and not launch.image_pulled:
                raise _ImageMissing from refusal
            else:
                raise _StartFailed(reason_text("CannotCreateContainerError", refusal.message)) from refusal

    async def _refuse_root(self, launch: Launch) -> None:
        """Raises _StartFailed for a container that would run as root, or may."""
        user = str((launch.body or {}).get("User") or await self._connection.image_user(launch.image)).partition(":")[0]
        # Source of the texts: Kubernetes, pkg/kubelet/kuberuntime/security_context.go
        if not user.strip("0"):
            raise _StartFailed("CreateContainerConfigError: container has runAsNonRoot and image will run as root")
        if not user.isdecimal():
            why = f"container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root"
            raise _StartFailed(f"CreateContainerConfigError: {why}")

    async def _adopt(self, launch: Launch, name: str) -> str:
        """The id of the container that has the name, when it is the attempt's."""
        found = await self._connection.inspect(name)
        if found is None:
            raise EngineUnavailable(f"the container {name} is just being removed")
        if attempt_of(found.labels, self._config.installation_id) != launch.attempt_id:
            raise _StartFailed(f"CannotCreateContainerError: a container that is not ours has the name {name}")
        return found.id

    async def _remove_unstarted(self, launch: Launch) -> None:
        """Nothing of the launch is left, unless it has started. Raises _StartFailed when it has not."""
        name = launch.container_id or container_name(self._config.installation_id, launch.attempt_id)
        found = await self._connection.inspect(name)
        if found is not None and attempt_of(found.labels, self._config.installation_id) == launch.attempt_id:
            if _has_run(launch.attempt_id, found):
                return
            await self._connection.remove(found.id)
            kill_leftovers(found.id)
        raise _StartFailed(_STOPPED_EARLY)

    async def _fetch_image(self, launch: Launch) -> None:
        """The engine has the image, or a stop was asked for. Raises _StartFailed.

        One pull serves all who wait for it.
        """
        wanted = launch.image, launch.registry
        pull = self._pulls.get(wanted)
        if pull is None:
            pull = asyncio.create_task(self._connection.pull(*wanted), name=f"pull {launch.image}")
            self._pulls[wanted] = pull
            pull.add_done_callback(lambda _: self._pulls.pop(wanted, None))
            pull.add_done_callback(lambda done: done.cancelled() or done.exception())  # when nobody waits any more
        stop = asyncio.create_task(launch.stop_asked.wait())
        try:
            await asyncio.wait({pull, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
        if not pull.done():
            return
        try:
            pull.result()
        except CallRefused as refusal:
            raise _StartFailed(reason_text("CannotPullContainerError", refusal.message)) from refusal
        launch.image_missing, launch.image_pulled = False, True


def _has_run(attempt_id: AttemptId, found: Inspected) -> bool:
    """Whether it runs, ran, or may have run. Raises _StartFailed when the engine could not start it."""
    seen = parse_container(attempt_id, found, end_witnessed=True)
    if seen.state is TaskState.FAILED_TO_START:
        raise _StartFailed(seen.reason)
    return seen.state in {TaskState.RUNNING, TaskState.EXITED, TaskState.LOST}
