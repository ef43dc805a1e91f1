"""What the engine says, read as observations. Pure."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from longshore.domain.ids import AttemptId, is_attempt_id
from longshore.ports.engine import Observation, TaskState, Usage

INSTALLATION_LABEL = "longshore.installation"
ATTEMPT_LABEL = "longshore.attempt"
NODE_LABEL = "longshore.node"
#: of a part: the attempt that it belongs to; also on the networks and volumes that its parts share
WHOLE_LABEL = "longshore.whole"
CONTAINER_LABEL = "longshore.container"
VERSION_LABEL = "longshore.version"
#: in front of each tag of the job
TAG_LABEL_PREFIX = "longshore.tag."
JOB_LABEL = "longshore.job"

#: Longest container-level text of AWS Batch.
REASON_LENGTH = 255
#: What the engine invents for a container whose end nobody saw: its shim died while the engine was away, or the host.
#: Source: moby, daemon/daemon.go, restore.
INVENTED_EXIT_CODE = 255
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


class ContainerState(msgspec.Struct, rename="pascal", frozen=True):
    """`State` of an inspected container."""

    status: str
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    pid: int = 0
    started_at: str = ""
    finished_at: str = ""


class ContainerConfig(msgspec.Struct, rename="pascal", frozen=True):
    """`Config` of an inspected container."""

    labels: dict[str, str] | None = None
    stop_signal: str = ""


class Endpoint(msgspec.Struct, rename="pascal", frozen=True):
    """A container's place in one network."""

    ip_address: str = msgspec.field(name="IPAddress", default="")


class HostConfig(msgspec.Struct, rename="pascal", frozen=True):
    """`HostConfig` of an inspected container."""

    network_mode: str = ""


class NetworkSettings(msgspec.Struct, rename="pascal", frozen=True):
    """`NetworkSettings` of an inspected container."""

    networks: dict[str, Endpoint] | None = None


class Inspected(msgspec.Struct, rename="pascal", frozen=True):
    """One container in full. Source: Docker Engine API, ContainerInspect."""

    id: str
    state: ContainerState
    config: ContainerConfig
    created: str = ""
    host_config: HostConfig = HostConfig()
    network_settings: NetworkSettings = NetworkSettings()

    @property
    def joins(self) -> str:
        """The container whose network it is in; empty where it has its own place in one."""
        kind, _, container = self.host_config.network_mode.partition(":")
        return container if kind == "container" else ""

    @property
    def address(self) -> str:
        """At which others of its attempt reach it while it runs; empty for one alone."""
        networks = self.network_settings.networks if WHOLE_LABEL in self.labels else None
        return next((endpoint.ip_address for endpoint in (networks or {}).values() if endpoint.ip_address), "")

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return self.config.labels or {}


class ImageConfig(msgspec.Struct, rename="pascal", frozen=True):
    """`Config` of an inspected image."""

    user: str = ""


class Image(msgspec.Struct, rename="pascal", frozen=True):
    """One image. Source: Docker Engine API, ImageInspect."""

    config: ImageConfig | None = None


class Listed(msgspec.Struct, rename="pascal", frozen=True):
    """One container in a list. Source: Docker Engine API, ContainerList."""

    id: str
    state: str
    names: list[str] | None = None
    labels: dict[str, str] | None = None


class Actor(msgspec.Struct, frozen=True):
    """Whom an event is about; the labels are among the attributes."""

    id: str = msgspec.field(name="ID", default="")
    attributes: dict[str, str] = msgspec.field(name="Attributes", default_factory=dict[str, str])


class Event(msgspec.Struct, frozen=True):
    """One line of the event stream. Source: Docker Engine API, SystemEvents."""

    action: str = msgspec.field(name="Action", default="")
    actor: Actor = msgspec.field(name="Actor", default_factory=Actor)
    time_nano: int = msgspec.field(name="timeNano", default=0)


class Plugins(msgspec.Struct, rename="pascal", frozen=True):
    """Of `Plugins` of the engine, what we use."""

    log: list[str] | None = None


class EngineInfo(msgspec.Struct, frozen=True):
    """What the engine and its host can do. Source: Docker Engine API, SystemInfo."""

    architecture: str = msgspec.field(name="Architecture", default="")
    cpus: int = msgspec.field(name="NCPU", default=0)
    swap_limit: bool = msgspec.field(name="SwapLimit", default=True)
    memory_limit: bool = msgspec.field(name="MemoryLimit", default=True)
    cgroup_version: str = msgspec.field(name="CgroupVersion", default="")
    system_time: str = msgspec.field(name="SystemTime", default="")
    plugins: Plugins = msgspec.field(name="Plugins", default_factory=Plugins)


class EngineVersion(msgspec.Struct, rename="pascal", frozen=True):
    """Source: Docker Engine API, SystemVersion."""

    version: str
    api_version: str


def attempt_of(labels: dict[str, str] | None, installation_id: str) -> AttemptId | None:
    """The attempt that a container of this installation runs; None for a container that is not ours."""
    if labels is None or labels.get(INSTALLATION_LABEL) != installation_id:
        return None
    text = labels.get(ATTEMPT_LABEL, "")
    return AttemptId(text) if is_attempt_id(text) else None


def whole_of(labels: dict[str, str] | None) -> AttemptId | None:
    """The attempt that a container of ours is a part of."""
    text = (labels or {}).get(WHOLE_LABEL, "")
    return AttemptId(text) if is_attempt_id(text) else None


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time in UTC; None for the engine's zero time, which means never."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text).astimezone(UTC)


def time_of_nanos(nanos: int) -> datetime:
    """Nanoseconds since the epoch as an instant."""
    seconds, rest = divmod(nanos, 1_000_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def reason_text(kind: str, message: str) -> str:
    """A container-level reason as AWS words it: `CannotPullContainerError: Error response from daemon: ...`."""
    return f"{kind}: Error response from daemon: {' '.join(message.split())}"[:REASON_LENGTH]


#: The engine was killed while it started the container and has no note of it, but containerd refuses a second start.
_STARTED_UNSEEN = re.compile("task .*: already exists|id already in use")
_CREATED = {"created", "configured", "initialized"}
_RUNNING = {"running", "paused", "restarting", "stopping"}
_OVER = {"exited", "stopped", "dead", "removing"}


def parse_container(
    attempt_id: AttemptId, found: Inspected, *, usage: Usage | None = None, end_witnessed: bool
) -> Observation:
    """The present state of a container; README.md has the table.

    `end_witnessed` says whether the engine itself saw the container end: without that, the exit code that an engine
    invents is not believed, and the attempt is LOST. Created and not yet started is STARTING: the driver knows better.
    """
    state = found.state
    started_at, stopped_at = parse_time(state.started_at), parse_time(state.finished_at)
    reason = ""
    exit_code = None
    if state.status in _RUNNING:
        kind, stopped_at = TaskState.RUNNING, None
    elif started_at is None and (_STARTED_UNSEEN.search(state.error) if state.error else stopped_at is not None):
        kind = TaskState.LOST
    elif started_at is None and state.error and state.status in _CREATED | _OVER:
        kind, reason = TaskState.FAILED_TO_START, reason_text("CannotStartContainerError", state.error)
    elif state.status in _CREATED:
        kind = TaskState.STARTING
    elif state.status not in _OVER or started_at is None:
        kind = TaskState.UNKNOWN
    elif state.exit_code == INVENTED_EXIT_CODE and not end_witnessed:
        kind = TaskState.LOST
    else:
        kind, exit_code = TaskState.EXITED, state.exit_code
        reason = reason_text("DockerStateChangeError", state.error) if state.error else ""
    # The flag is set as soon as anything in the container was killed for memory: the main process may have coped.
    out_of_memory = state.oom_killed and bool(exit_code)
    return Observation(
        attempt_id=attempt_id,
        state=kind,
        started_at=started_at,
        stopped_at=stopped_at,
        exit_code=exit_code,
        oom_killed=out_of_memory,
        reason=OUT_OF_MEMORY if out_of_memory else reason,
        usage=usage or Usage(),
    )


def parse_die(running: Observation, event: Event) -> Observation:
    """The end of a container that was removed before it could be inspected, from its last event."""
    code = event.actor.attributes.get("exitCode", "")
    return replace(
        running,
        state=TaskState.EXITED if code.isdecimal() else TaskState.LOST,
        stopped_at=time_of_nanos(event.time_nano),
        exit_code=int(code) if code.isdecimal() else None,
    )
