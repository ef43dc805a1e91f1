"""The engine port: what runs attempts. Drivers answer questions and never call the core."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from longshore.domain.container import ContainerSettings
from longshore.domain.ids import AttemptId, HostId
from longshore.domain.pods import PodSettings
from longshore.domain.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a driver can do; the scheduler and the service read it and refuse or explain the rest."""

    name: str
    #: whether `image` means anything to it
    uses_images: bool
    #: whether a container may be held to its memory, and an out-of-memory kill be told from others
    enforces_memory: bool
    #: whether native tasks bear the tags of their job
    bears_tags: bool = False
    #: whether we choose the addresses of nodes, on the machine's own network; else it chooses, and tells them
    wants_addresses: bool = False
    #: container settings that it cannot honour, each with the reason in plain words, for `explain`
    ignored_settings: Mapping[str, str] = field(default_factory=dict[str, str])
    #: members of pods and their containers that it honours, of those that not every engine does; by domain names
    pod_members: frozenset[str] = frozenset()
    #: True: output goes to `ContainerLaunch.log_path` without passing through us. False: `read_logs` must be asked.
    writes_log_files: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """How the engine is now."""

    healthy: bool
    #: why not, in plain words; empty when healthy
    problem: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """What opens the registry that an image is in; held in memory only."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFolder:
    """A folder of this machine that we chose, and that the container sees."""

    source: Path
    #: absolute; one may be below another
    target: str
    is_read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLaunch:
    """A container, every value final: parameters substituted, Batch's variables set."""

    name: str
    image: str
    #: in place of the image's own; empty: that
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...]
    #: values of secrets are in it: a driver keeps it in memory, hands it to what runs the container, and no further
    environment: Mapping[str, str] = field(repr=False)
    resources: Resources
    #: names of the GPUs that were placed for it, as many as `resources.gpus`
    gpu_names: tuple[str, ...] = ()
    #: True: vCPU is a ceiling (Fargate); False: a weight (EC2)
    vcpu_is_cap: bool = False
    #: everything else of the job definition: mounts, ulimits, user, Linux parameters, ...
    settings: ContainerSettings
    #: what only a container of a pod is told; an engine honours what `Capabilities.pod_members` names
    pod: PodSettings | None = None
    #: to be mounted whatever the operator lets jobs mount; an engine without images has no mounts, and leaves them out
    folders: tuple[GivenFolder, ...] = ()
    #: by which it, and others of its attempt, find it where containers have names; empty: as the engine names it
    host_name: str = ""
    #: for the pull of the image, where the job names any
    registry: RegistryLogin | None = None
    #: where stdout and stderr go when the driver writes log files; its folder exists, it does not
    log_path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSpec:
    """What to start: one container. Launching the same `attempt_id` twice starts it once.

    Launches with one `whole_id` are parts of one attempt. Those of one node share the volumes of that node that
    have no path of the host, by their names, and reach each other on localhost; nodes reach each other by address. They
    are released together, when all of them have ended.
    """

    attempt_id: AttemptId
    job_id: str
    #: the attempt that this is a part of; None: it is one alone
    whole_id: AttemptId | None = None
    #: number of its node, and how many nodes there are, in the attempt that this is a part of
    node: int = 0
    node_count: int = 1
    #: of its node
    container_count: int = 1
    #: where it was placed
    host_id: HostId
    #: what the native task is to bear, where `Capabilities.bears_tags`
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    container: ContainerLaunch


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """How a driver finds an attempt again. `state` is the driver's own, opaque, stored as it is.

    Each driver must find an attempt by its id alone (`state` empty): the id is known before the launch is answered.
    """

    attempt_id: AttemptId
    version: int = 1
    state: str = ""
    #: as in `LaunchSpec`; of what `discover` found it is None where the engine can't tell
    whole_id: AttemptId | None = None


class LaunchFault(StrEnum):
    """What the caller may do about a launch that failed."""

    REJECTED = "rejected"  #: never again as it is: the attempt fails with the reason
    UNAVAILABLE = "unavailable"  #: later: nothing was started
    UNCERTAIN = "uncertain"  #: observe before trying again: it may have been started


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailed:
    """A launch that did not happen, or may not have."""

    attempt_id: AttemptId
    fault: LaunchFault
    #: container-level text as AWS would show it (`CannotPullContainerError: ...`), or plain words
    reason: str


LaunchOutcome = Handle | LaunchFailed


class TaskState(StrEnum):
    """What a driver knows of an attempt's container."""

    STARTING = "starting"  #: accepted, not yet executing (image pull, ...)
    RUNNING = "running"
    EXITED = "exited"  #: it ended, and its exit code is known
    LOST = "lost"  #: it is surely over, nothing of it is left, and its outcome can't be learned (host or runner died)
    FAILED_TO_START = "failed-to-start"  #: it never ran; `reason` says why
    GONE = "gone"  #: the driver has never heard of it, or has released it
    UNKNOWN = "unknown"  #: cannot tell now; ask again


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Resources that a finished attempt used; None where the engine could not measure."""

    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    #: disk: the largest that was measured
    peak_scratch_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The state of an attempt."""

    attempt_id: AttemptId
    state: TaskState
    #: taken where the process runs, at the moment it happened
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    #: reading of this machine's boot clock at the start; None where only the wall clock was read
    started_boot_seconds: float | None = None
    #: at which other parts of its attempt reach it, where the engine chose one
    address: str = ""
    #: 0-255; 128 + n when signal n ended it
    exit_code: int | None = None
    oom_killed: bool = False
    #: container-level text, at most 255 characters; empty for a plain exit
    reason: str = ""
    usage: Usage = Usage()
    #: set when the driver wants it stored in place of the one it has
    handle: Handle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Ask an attempt to end: SIGTERM, and SIGKILL `grace_seconds` later, to everything that it started."""

    handle: Handle
    grace_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Output, for drivers that do not write log files themselves."""

    at: datetime
    data: bytes
    #: pass to `read_logs` to go on behind this chunk, without loss or repeat
    cursor: str


class EngineUnavailable(Exception):
    """The engine cannot be reached or does not answer now; the text says what was tried. Ask again later."""


class EngineDriver(Protocol):
    """Runs attempts on one kind of machinery. Every method may raise `EngineUnavailable`, and only that.

    Duties: an attempt is live at most once, whatever is launched twice; exit codes, times and signals arrive whole;
    what was not started by this installation is never touched; an attempt outlives the driver and the server.
    """

    def capabilities(self) -> Capabilities: ...

    async def open(self) -> None:
        """Connect, or start what must run; called once, before all others. Does not fail because the engine is down."""
        ...

    async def close(self) -> None:
        """Let go of connections. Attempts go on."""
        ...

    async def fingerprint(self) -> Fingerprint:
        """Health and version; answers within seconds and never raises."""
        ...

    async def launch(self, specs: Sequence[LaunchSpec]) -> Sequence[LaunchOutcome]:
        """One outcome per spec, in order. A handle means accepted, not yet running; `watch` tells the rest."""
        ...

    async def observe(self, handles: Sequence[Handle]) -> Sequence[Observation]:
        """One for each handle: its present state, GONE if it is not known."""
        ...

    def watch(self) -> AsyncIterator[Sequence[Observation]]:
        """Changes as they happen, in batches. May repeat and may miss some: `observe` is the authority.

        Ends with `EngineUnavailable` when the connection is lost; call it again to go on.
        """
        ...

    async def stop(self, requests: Sequence[StopRequest]) -> None:
        """Ask; `observe` tells the outcome. Quiet for what is finished, missing or was never started; repeatable."""
        ...

    async def release(self, handles: Sequence[Handle]) -> None:
        """Forget finished attempts and free what they left (containers, folders, journal entries). Repeatable."""
        ...

    async def discover(self) -> Sequence[Handle]:
        """Every attempt of this installation that is not released, running or finished."""
        ...

    def read_logs(self, handle: Handle, *, cursor: str) -> AsyncIterator[LogChunk]:
        """Output behind `cursor` (empty: from the start) up to now; ends there. Nothing when log files are written."""
        ...
