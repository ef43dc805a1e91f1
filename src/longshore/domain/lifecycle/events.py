"""What happens to jobs. Past tense; carries every identifier and time that the outcome needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from longshore.domain.ids import AttemptId, HostId
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """The leader saw the job first and gave it its place in the order of submission."""

    intake: int
    must_wait: bool  #: some dependency has not ended yet


@dataclass(frozen=True, slots=True, kw_only=True)
class DependenciesSucceeded:
    """The last open dependency of the job ended in the way that it waits for: well, if nothing else was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyFailed:
    """A job that this one depends on failed."""

    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotNeeded:
    """A job that this one depends on ended otherwise, and not by a failure of its own."""

    job_id: str
    has_succeeded: bool  #: else it was not needed either


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDeadlinePassed:
    """The job should have started by now; it only concerns jobs that have not, and are not being cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedNode:
    """Room for one node of an attempt that has several containers or nodes."""

    host_id: HostId
    resources: Resources
    gpu_names: tuple[str, ...] = ()
    #: that was chosen for it; empty where its engine chooses
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementCommitted:
    """The scheduler found room."""

    attempt_id: AttemptId
    environment_name: str
    host_id: HostId
    #: of all nodes; `host_id` is the main node's
    resources: Resources
    gpu_names: tuple[str, ...] = ()
    #: one for each node of an attempt with parts; empty for a plain one
    nodes: tuple[PlacedNode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchBegun:
    """What the attempt needs is being fetched; only of service jobs, which show it."""

    attempt_id: AttemptId


@dataclass(frozen=True, slots=True, kw_only=True)
class PreemptionCommitted:
    """The scheduler needs what the attempt holds for another job."""

    attempt_id: AttemptId
    #: id of the job that it makes room for
    beneficiary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchConfirmed:
    """The engine accepted the attempt."""

    attempt_id: AttemptId
    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """The attempt's container runs."""

    attempt_id: AttemptId
    started_at: datetime
    boot_id: str
    boot_seconds: float  #: on this machine's boot clock; when it was seen, where the engine can't tell
    address: str = ""  #: at which other nodes reach it, where the engine chose one


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskExited:
    """The attempt's container ended by itself or was stopped, and its exit code is known."""

    attempt_id: AttemptId
    exit_code: int
    reason: str = ""
    #: when the engine knows it; absent for a start that was never seen
    started_at: datetime | None = None
    stopped_at: datetime
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    peak_scratch_bytes: int | None = None
    #: the most that any host could give; only of a kill for lack of memory, of a job that is to have more after it
    host_memory_mib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailedToStart:
    """The attempt's container never ran."""

    attempt_id: AttemptId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLost:
    """The attempt is over, nothing of it is left, and its outcome can't be learned."""

    attempt_id: AttemptId
    #: how many lost hosts a job may have before they are charged to its retry strategy
    free_losses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyTimeoutPassed:
    """A container ran as long as others may have to wait for more than its start; only parts hear of it."""

    attempt_id: AttemptId


@dataclass(frozen=True, slots=True, kw_only=True)
class PartNews:
    """News of one part of an attempt."""

    #: the whole attempt's; `news` names the part
    attempt_id: AttemptId
    news: LaunchConfirmed | TaskStarted | TaskExited | TaskFailedToStart | HostLost | DependencyTimeoutPassed


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutPassed:
    """The attempt ran longer than its time-out allows."""

    attempt_id: AttemptId


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """A caller asked to cancel; it only concerns jobs that have not been placed."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateRequested:
    """A caller asked to terminate, whatever the job is doing."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildrenMoved:
    """Children of an array job changed status; only its parent hears of it."""

    counts: Mapping[JobStatus, int]


#: News of one attempt; it means nothing to a job that holds another.
AttemptNews = (
    LaunchBegun
    | LaunchConfirmed
    | TaskStarted
    | TaskExited
    | TaskFailedToStart
    | HostLost
    | TimeoutPassed
    | PartNews
    | PreemptionCommitted
)
Event = (
    TakenIn
    | DependenciesSucceeded
    | DependencyFailed
    | NotNeeded
    | StartDeadlinePassed
    | PlacementCommitted
    | AttemptNews
    | CancelRequested
    | TerminateRequested
    | ChildrenMoved
)
