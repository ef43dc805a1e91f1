"""Jobs and attempts: the records that the lifecycle moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.definition import Formed
from longshore.domain.dependency import Dependency
from longshore.domain.ids import AttemptId, HostId, JobId, JobKey, Scope
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.powers import JobPowers
from longshore.domain.queue import Instant
from longshore.domain.resources import Resources
from longshore.domain.retry import RetryStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec(Formed):
    """What was asked for, resolved at submission; shared by all children of an array job and never changed.

    Its form has every override merged and parameters substituted.
    """

    scope: Scope
    #: key of the job that was submitted; children of an array share their parent's spec
    key: JobKey
    uuid: str
    name: str
    queue_name: str
    #: `name:revision`; empty of a service job
    definition: str = ""
    #: what an attempt holds of hosts, all nodes together
    resources: Resources
    retry: RetryStrategy = RetryStrategy()
    timeout_seconds: int | None = None
    array_size: int | None = None
    depends_on: tuple[Dependency, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    powers: JobPowers = JobPowers()
    #: of a job that has a start deadline, which counts from here
    submitted: Instant | None = None
    propagate_tags: bool = False
    #: what the job's tasks bear: the definition's tags and the job's own, if they are to be propagated
    task_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    #: as the definition states them; empty when it states none
    platform_capabilities: tuple[str, ...] = ()
    share_identifier: str | None = None
    #: of a job in a queue with quota shares
    quota_share_name: str | None = None
    #: how often it goes back to RUNNABLE when it is preempted; None: always
    preemption_retries: int | None = None
    scheduling_priority: int = 0
    consumable_resource_properties: ConsumableResourceProperties | None = None

    @property
    def share(self) -> str | None:
        """The share of its queue that it is in: a queue has share identifiers, or quota shares, or neither."""
        return self.share_identifier or self.quota_share_name

    @property
    def arn_kind(self) -> str:
        """The kind of resource that its jobs are in ARNs."""
        return "job" if self.training is None else "service-job"

    @property
    def instances(self) -> tuple[tuple[str, int], ...]:
        """Types of instances that a service job asks for, and how many of each."""
        groups = () if self.training is None else self.training.instance_groups
        return tuple((group.instance_type, group.instance_count) for group in groups)

    @property
    def attempt_seconds(self) -> int | None:
        """How long an attempt may run: as the submission says, and no longer than the training itself allows."""
        own = None if self.training is None else self.training.max_runtime_seconds
        return min((seconds for seconds in (self.timeout_seconds, own) if seconds is not None), default=None)

    def child_key(self, index: int) -> JobKey:
        """The key of child `index` of this array job."""
        return JobKey(self.key + 1 + index)

    @property
    def last_key(self) -> JobKey:
        """The largest key that this submission owns."""
        return JobKey(self.key + (self.array_size or 0))


class Intent(StrEnum):
    """What is to be done for an attempt, saved with the status that calls for it and acted on after the commit."""

    NONE = "none"
    WAIT = "wait"  #: of a part: it was not to be launched so far
    LAUNCH = "launch"
    STOP = "stop"
    RELEASE = "release"


class StopCause(StrEnum):
    """Why a live attempt is being ended."""

    TERMINATED = "terminated"
    TIMED_OUT = "timed-out"
    PREEMPTED = "preempted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a job. Identified by (job key, number) in the store and by `attempt_id` everywhere else."""

    attempt_id: AttemptId
    job_key: JobKey
    #: from 1; lost hosts count too
    number: int
    environment_name: str
    host_id: HostId
    #: what it holds of the host until it ends
    resources: Resources
    gpu_names: tuple[str, ...] = ()
    intent: Intent = Intent.LAUNCH
    #: the driver's own state, once confirmed
    handle: str = ""
    opened_at: datetime
    started_at: datetime | None = None
    #: boot id and boot clock reading at which it was seen to run: time-outs count from here
    started_boot_id: str = ""
    started_boot_seconds: float | None = None
    stopped_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    status_reason: str = ""
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    peak_scratch_bytes: int | None = None
    stop_cause: StopCause | None = None
    #: of an attempt with several containers or nodes: one for each, by node and then as the definition lists them
    parts: tuple["Part", ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether its outcome is settled; it holds no resources then."""
        return self.stopped_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Attempt):
    """One container of one node of an attempt with several: what engines know as an attempt of its own.

    Its `attempt_id` is `ids.part_id`, its `host_id`, `resources` and GPUs are those of the container, `number` is the
    whole attempt's. One that was never to be launched ends with intent WAIT, and nothing of it has to be released.
    """

    node: int
    #: its name in the definition
    container: str
    #: at which others of the attempt reach it, once that is known; only of jobs with several nodes
    address: str = ""


class WishKind(StrEnum):
    """What a caller may ask of a job that was submitted."""

    CANCEL = "cancel"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A caller's request on a job.

    The API stores it as the job's *request*; the control loop takes it from there, and keeps it as the job's *wish*
    only when it has an effect.
    """

    kind: WishKind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The state of one job, array parent or array child."""

    key: JobKey
    id: JobId
    spec: JobSpec
    status: JobStatus
    status_reason: str = ""
    created_at: datetime
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    #: place in the order of submission; given when the leader takes the job in
    intake: int | None = None
    #: in place of the spec's scheduling priority, once that was changed
    scheduling_priority: int | None = None
    #: what a caller wants it to be; the control loop makes it so while the job waits
    requested_priority: int | None = None
    #: since when it may not start; None: it may. Children of a held array may not, whatever they say
    held_at: datetime | None = None
    #: what a caller wants: to hold it or to release it; the control loop makes it so
    requested_hold: bool | None = None
    #: in MiB, in place of what the spec asks for, once that was too little
    memory_mib: int | None = None
    #: number of the latest attempt; 0 before the first
    attempts_made: int = 0
    #: attempts that ended by the loss of their host and were not charged to the retry strategy
    lost_hosts: int = 0
    #: attempts that were preempted, which are not charged to the retry strategy either
    preemptions: int = 0
    #: the attempt that the job holds while SCHEDULED, STARTING or RUNNING
    attempt: Attempt | None = None
    wish: Wish | None = None
    #: of the latest attempt, as listings show them
    exit_code: int | None = None
    reason: str = ""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.spec.scope.arn(self.spec.arn_kind, str(self.id))

    @property
    def resources(self) -> Resources:
        """What its next attempt asks for."""
        asked = self.spec.resources
        return asked if self.memory_mib is None else replace(asked, memory_mib=self.memory_mib)

    @property
    def is_array_parent(self) -> bool:
        """Whether this job stands for its children."""
        return self.spec.array_size is not None and self.id.index is None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One step of a job's life, or of all children of an array job at once; never changed."""

    job_key: JobKey
    #: True: it happened to every child of this array job that was in `status_from`
    of_children: bool = False
    at: datetime
    status_from: JobStatus | None
    status_to: JobStatus
    #: name of the event that caused it
    cause: str
    #: what a reader needs beside that, in short: reason, attempt id, exit code
    detail: str = ""
