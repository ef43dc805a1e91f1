"""The store port: what must survive. Reads see one committed state; writes go through one door, `Store.write`.

Methods come in batch forms where the caller has batches. Keys, not rows, cross this border; what is returned are domain
records. A transaction is a plain, synchronous thing: nothing in it may wait for anything but the store.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from longshore.domain.access_key import AccessKey
from longshore.domain.array import ArraySummary
from longshore.domain.consumable import ConsumableResource
from longshore.domain.definition import JobDefinition
from longshore.domain.dependency import DependencyType, When
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import JobId, JobKey, Scope
from longshore.domain.job import Attempt, Job, JobSpec, Part, TimelineEntry, Wish
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.policy import SchedulingPolicy
from longshore.domain.queue import JobQueue, QueueFront, ShareUse
from longshore.domain.quota import QuotaShare
from longshore.domain.resources import Resources
from longshore.domain.run_lengths import RunHistory
from longshore.domain.service_environment import ServiceEnvironment

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be stored as SUBMITTED, its children with it."""

    spec: JobSpec
    created_at: datetime
    tags: Mapping[str, str]
    edges: tuple["Edge", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`job_key` waits for `on_key`. Both name submitted jobs or, for `on_key`, also one array child.

    N_TO_N: child i waits for child i of `on_key`. SEQUENTIAL: child i waits for child i - 1; `on_key` is `job_key`.
    """

    job_key: JobKey
    on_key: JobKey
    type: DependencyType | None = None
    when: When = When.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with all that a description shows.

    Of a job with several containers or nodes each attempt has `parts`, one for each (node, container), with that
    container's own times, exit code, reason and address. `task_id(attempt.attempt_id, node)` is the ECS task id of a
    node; the containers of one node share it, in task ARNs and in the names of log streams.
    """

    job: Job
    #: finished ones and the present one, oldest first
    attempts: tuple[Attempt, ...]
    #: of the submission; children have none of their own
    tags: Mapping[str, str]
    #: of array parents
    summary: ArraySummary | None
    #: when its latest attempt was placed
    scheduled_at: datetime | None = None
    #: EKS clusters that its pods ran in, by the name of the environment; of those that are still there
    cluster_arns: Mapping[str, str] = field(default_factory=dict[str, str])
    #: the view is of this node (`job.id.node`, too) of a multi-node job: status, times and outcome of `job` and of its
    #: `attempts` are the node's, whose `parts` are those of the node
    node: int | None = None

    @property
    def counts(self) -> Mapping[JobStatus, int]:
        """The job, or the children of an array job, by status."""
        return self.summary.counts if self.summary else {self.job.status: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a listing holds; conditions that are None do not restrict."""

    statuses: frozenset[JobStatus] | None = None
    #: compared without case; `*` at the end matches any rest
    name: str | None = None
    #: `name` (all revisions), `name*` (prefix) or `name:revision`
    definition: str | None = None
    created_before: datetime | None = None
    created_after: datetime | None = None
    #: or name of the quota share, in queues that have these
    share_identifier: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """Jobs `first` to `last`, both included."""

    first: JobKey
    last: JobKey


class RunOfJobs(NamedTuple):
    """Jobs of one submission with consecutive keys and consecutive intake numbers."""

    keys: KeyRange
    #: of the first
    intake: int
    #: that they all have in place of the submission's
    memory_mib: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """How many jobs of one queue (array children, not parents) stand in one status, for status pages and metrics."""

    scope: Scope
    queue_name: str
    status: JobStatus
    count: int
    #: creation time of the oldest of them
    oldest_created_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptUse:
    """An attempt that has run, and what reports group it by."""

    submission: JobKey
    scope: Scope
    queue_name: str
    #: `name:revision`; empty of a service job
    definition: str
    #: identifier of its share, or name of its quota share
    share: str
    environment_name: str
    #: what it held of hosts
    resources: Resources
    started_at: datetime
    stopped_at: datetime
    exit_code: int | None
    reason: str
    cpu_seconds: float | None
    peak_memory_bytes: int | None


class ResourceReader(Protocol):
    """Definitions, environments, queues, tags. Listings are ordered by name (definitions: newest revision first)."""

    def environment(self, scope: Scope, name: str) -> ComputeEnvironment | None: ...

    def environments(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ComputeEnvironment]:
        """Of `scope` (None: of all), those of `names` if given, names greater than `after` first to last."""
        ...

    def service_environment(self, scope: Scope, name: str) -> ServiceEnvironment | None: ...

    def service_environments(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ServiceEnvironment]: ...

    def queue(self, scope: Scope, name: str) -> JobQueue | None: ...

    def queues(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[JobQueue]: ...

    def queue_front(self, scope: Scope, name: str) -> QueueFront | None:
        """Who comes next in a queue, as the leader last published it."""
        ...

    def quota_share(self, scope: Scope, queue_name: str, share_name: str) -> QuotaShare | None: ...

    def quota_shares(
        self, scope: Scope | None, queue_name: str | None = None, *, after: str = "", limit: int = 100
    ) -> Sequence[QuotaShare]:
        """Of one queue by name of share, those greater than `after` first; without a queue of all."""
        ...

    def consumable(self, scope: Scope, name: str) -> ConsumableResource | None: ...

    def consumables(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ConsumableResource]: ...

    def scheduling_policy(self, scope: Scope, name: str) -> SchedulingPolicy | None: ...

    def scheduling_policies(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[SchedulingPolicy]: ...

    def share_uses(self, scope: Scope | None = None, queue_name: str | None = None) -> Sequence[ShareUse]:
        """What shares have used, of one queue or of all."""
        ...

    def definition(self, scope: Scope, name: str, revision: int) -> JobDefinition | None: ...

    def latest_active_definition(self, scope: Scope, name: str) -> JobDefinition | None:
        """The ACTIVE revision with the highest number."""
        ...

    def definitions(
        self,
        scope: Scope,
        *,
        name: str | None = None,
        status: str | None = None,
        after: tuple[str, int] | None = None,
        limit: int = 100,
    ) -> Sequence[JobDefinition]:
        """Ordered by name, then descending revision; `after` is the (name, revision) of the last one seen."""
        ...


class JobReader(Protocol):
    """Jobs as callers look at them."""

    def find_jobs(self, scope: Scope, ids: Collection[JobId]) -> Mapping[JobId, JobKey]:
        """Keys of those that exist; ids of nodes are not looked for."""
        ...

    def submitted_queues(self) -> Sequence[tuple[Scope, str]]:
        """Every queue that jobs were ever submitted to, also those that are deleted by now."""
        ...

    def describe_jobs(self, keys: Sequence[JobKey]) -> Sequence[JobView]:
        """In the order asked for; unknown keys are left out."""
        ...

    def list_jobs(
        self, scope: Scope, queue_name: str, where: JobFilter, *, before: JobKey | None, limit: int
    ) -> Sequence[JobView]:
        """Submitted jobs and array parents of a queue, newest first, keys below `before`; `attempts` are left empty."""
        ...

    def list_named(
        self, scope: Scope, queue_name: str, prefix: str, *, before: tuple[str, JobKey] | None, limit: int
    ) -> Sequence[JobView]:
        """As `list_jobs`, those whose names begin with `prefix` (compared without case): jobs of one name together,
        newest first. `before`: name and key of the last one seen."""
        ...

    def list_children(
        self, parent: JobKey, statuses: frozenset[JobStatus] | None, *, after: JobKey | None, limit: int
    ) -> Sequence[JobView]:
        """Children by ascending index, keys above `after`; `attempts` are left empty."""
        ...

    def ended_keys(self, *, after: JobKey | None, limit: int) -> Sequence[JobKey]:
        """Jobs and array children that have ended, by ascending keys, those above `after`; no array parents."""
        ...

    def attempt_uses(
        self, *, stopped_after: datetime, account_id: str | None = None, submission: JobKey | None = None, limit: int
    ) -> Sequence[AttemptUse]:
        """Attempts that ran and ended after `stopped_after`: of one submission, of one account, or of all.

        First those of submissions that have not ended, then those of submissions that ended last.
        """
        ...

    def tags_of(self, keys: Collection[JobKey]) -> Mapping[JobKey, Mapping[str, str]]:
        """Tags of submissions."""
        ...

    def timeline(self, key: JobKey) -> Sequence[TimelineEntry]:
        """The job's history, oldest first; for a child also what befell all children of its parent."""
        ...

    def queue_depths(self) -> Sequence[QueueDepth]: ...

    def consumables_in_use(self, scope: Scope) -> Mapping[str, int]:
        """What attempts that have not ended hold of each consumable resource, by name."""
        ...

    def is_consumable_awaited(self, scope: Scope, name: str) -> bool:
        """Whether a job that has not ended takes some of it."""
        ...

    def jobs_with_consumable(
        self, scope: Scope, name: str, where: JobFilter, *, before: JobKey | None, limit: int
    ) -> Sequence[tuple[JobKey, int]]:
        """Submitted jobs and array parents that take some of it, newest first, keys below `before`, and how much each
        job, or child, takes. Of `where`, statuses and name count."""
        ...

    def live_shares(self, scope: Scope, queue_name: str) -> Sequence[str]:
        """Share identifiers of all jobs of the queue that have not ended."""
        ...

    def class_reasons(self, class_ids: Collection[str] | None) -> Mapping[str, str]:
        """Why each of these classes of waiting jobs (None: all) waits, as the leader last published it."""
        ...


class ControlReader(Protocol):
    """What the leader reads."""

    def load_jobs(self, keys: Collection[JobKey]) -> Mapping[JobKey, Job]:
        """With the attempts they hold."""
        ...

    def statuses(self, keys: Collection[JobKey]) -> Mapping[JobKey, JobStatus]: ...

    def submitted_jobs(self, limit: int) -> Sequence[Job]:
        """Jobs and array parents that wait to be taken in, oldest first."""
        ...

    def requested_jobs(self, limit: int) -> Sequence[tuple[Job, Wish]]:
        """Jobs with a request that was not looked at yet, with it."""
        ...

    def jobs_to_hold(self, limit: int) -> Sequence[Job]:
        """Jobs of which was asked to hold or to release them, and that was not looked at yet."""
        ...

    def held_arrays(self) -> Collection[JobKey]:
        """Array jobs that have not ended and are held as a whole."""
        ...

    def prioritized_jobs(self, limit: int) -> Sequence[Job]:
        """Jobs whose requested priority was not looked at yet."""
        ...

    def live_specs(self) -> Sequence[JobSpec]:
        """Specs of all submissions that are not final (array parents included), oldest first; read at start."""
        ...

    def ranges(self, spec: JobSpec, status: JobStatus) -> Sequence[RunOfJobs]:
        """Runs of the submission's jobs (of its children, for an array) in `status`. Jobs that are held by themselves
        are left out."""
        ...

    def live_runs(self, status: JobStatus) -> Sequence[tuple[JobKey, RunOfJobs]]:
        """`ranges` of all live submissions at once, each run with the key of the submission's spec; read at start.

        Held arrays are left out."""
        ...

    def open_attempts(self) -> Sequence[Attempt]:
        """Attempts that have not ended, and ended ones that are not released yet."""
        ...

    def edges_of(self, keys: Collection[JobKey]) -> Sequence[Edge]:
        """What these submitted jobs wait for."""
        ...

    def edges_on(self, keys: Collection[JobKey]) -> Sequence[Edge]:
        """What waits for these jobs; `keys` hold submitted jobs and array children, N_TO_N edges name the parent."""
        ...

    def summary(self, parent: JobKey) -> ArraySummary | None: ...

    def queue_fronts(self) -> Sequence[QueueFront]:
        """Of all queues, as they were last published; read at start."""
        ...

    def run_histories(self) -> Sequence[RunHistory]:
        """How long attempts ran, of all families; read at start."""
        ...

    def epoch(self) -> int:
        """The present leader's epoch; 0 before the first."""
        ...

    def next_intake(self) -> int:
        """One above the highest intake number given."""
        ...


class KeyReader(Protocol):
    """Access keys, those that are disabled included."""

    def access_key(self, key_id: str) -> AccessKey | None: ...

    def access_keys(self) -> Sequence[AccessKey]:
        """All, oldest first."""
        ...


class Reader(ResourceReader, JobReader, ControlReader, KeyReader, Protocol):
    """One committed state of the store."""


class ResourceWriter(Protocol):
    """What the API may write of resources."""

    def put_environment(self, environment: ComputeEnvironment) -> None:
        """Add it, or replace the one of that name."""
        ...

    def delete_environment(self, scope: Scope, name: str) -> None: ...

    def put_service_environment(self, environment: ServiceEnvironment) -> None: ...

    def delete_service_environment(self, scope: Scope, name: str) -> None: ...

    def put_queue(self, queue: JobQueue) -> None: ...

    def delete_queue(self, scope: Scope, name: str) -> None:
        """With its quota shares, its front and what its shares have used."""
        ...

    def put_quota_share(self, share: QuotaShare) -> None: ...

    def delete_quota_share(self, share: QuotaShare) -> None: ...

    def put_consumable(self, resource: ConsumableResource) -> None: ...

    def delete_consumable(self, scope: Scope, name: str) -> None: ...

    def note_call(
        self, scope: Scope, operation: str, token: str, payload: str, *, at: datetime, forget_before: datetime
    ) -> str | None:
        """The payload of an earlier call with this token; None, and it is remembered, for the first one.

        Calls before `forget_before`, which is a day ago at most, do not count.
        """
        ...

    def put_scheduling_policy(self, policy: SchedulingPolicy) -> None: ...

    def delete_scheduling_policy(self, scope: Scope, name: str) -> None: ...

    def next_revision(self, scope: Scope, name: str) -> int:
        """1 for a new name; numbers are never used twice."""
        ...

    def put_definition(self, definition: JobDefinition) -> None: ...


class JobWriter(Protocol):
    """What the API may write of jobs: new ones, requests and tags, never a status."""

    def allocate_keys(self, count: int) -> JobKey:
        """The first of `count` consecutive keys that nobody else gets."""
        ...

    def insert_job(self, new: NewJob) -> None: ...

    def put_request(self, key: JobKey, request: Wish) -> None:
        """Ask the leader. A termination replaces a cancellation not looked at yet, never the other way round."""
        ...

    def put_hold(self, key: JobKey, *, is_held: bool) -> None:
        """Ask the leader to hold a job, or to release it; the last one asked for counts."""

    def put_priority(self, key: JobKey, priority: int) -> None:
        """Ask the leader to give a job this scheduling priority; the last one asked for counts."""
        ...

    def put_job_tags(self, key: JobKey, tags: Mapping[str, str]) -> None: ...


class ControlWriter(Protocol):
    """What only the leader writes."""

    def claim_leadership(self) -> int:
        """Raise the epoch and return it."""
        ...

    def save_jobs(self, jobs: Iterable[Job]) -> None:
        """What may change of existing jobs, but for what callers request: status, times, wish, memory and the like."""
        ...

    def save_children(
        self,
        parent: JobKey,
        *,
        status_from: JobStatus,
        like: Job,
        intake_of_first: int | None,
        with_attempts: bool = True,
    ) -> int:
        """Give every child of `parent` in `status_from` the status, reason, stop time and wish of `like`; with
        `intake_of_first`, child i also the intake number `intake_of_first + i`. Children that have a wish of their own
        are left as they are when `like` has none, those that were attempted without `with_attempts`. Returns how many
        were changed."""
        ...

    def insert_attempts(self, attempts: Iterable[Attempt]) -> None:
        """With their parts."""
        ...

    def save_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Without their parts."""
        ...

    def save_parts(self, parts: Iterable[Part]) -> None: ...

    def save_summary(self, summary: ArraySummary) -> None: ...

    def clear_requests(self, keys: Collection[JobKey]) -> None: ...

    def clear_holds(self, keys: Collection[JobKey]) -> None:
        """What was asked about holding these jobs was looked at."""

    def clear_priorities(self, keys: Collection[JobKey]) -> None:
        """Nothing is requested of the priorities of these jobs any more."""
        ...

    def append_events(self, entries: Iterable[TimelineEntry]) -> None: ...

    def put_queue_front(self, front: QueueFront) -> None: ...

    def save_share_uses(self, uses: Iterable[ShareUse]) -> None:
        """Add them, or replace those of the same shares."""
        ...

    def forget_share_uses(self, uses: Iterable[ShareUse]) -> None:
        """Remove what is kept of these shares."""
        ...

    def save_run_histories(self, histories: Iterable[RunHistory]) -> None:
        """Add them, or replace those of the same families."""
        ...

    def forget_run_histories(self, families: Collection[str]) -> None: ...

    def publish_class_reasons(self, reasons: Mapping[str, str], *, withdraw: Collection[str] = ()) -> None: ...

    def delete_history(self, *, stopped_before: datetime, limit: int) -> int:
        """Remove up to `limit` submissions that ended before, whole; returns how many. Their logs stay."""
        ...


class KeyWriter(Protocol):
    """What people write of access keys, beside a running server or without one."""

    def put_access_key(self, key: AccessKey) -> None:
        """Add it, or replace the one of that id."""
        ...

    def delete_access_key(self, key_id: str) -> None: ...


class Transaction(Reader, ResourceWriter, JobWriter, ControlWriter, KeyWriter, Protocol):
    """One unit of work: all of it happens, or nothing."""


class Store(Protocol):
    """Durable state. An answered `write` survives kill -9 and power loss."""

    async def open(self) -> None:
        """Create or migrate what is stored.

        Raises:
            StoreUnavailable: it belongs to a newer version, to somebody else, or can't be opened; the text says which.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go."""
        ...

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction of its own effect and answer when it is durable; many share one sync to disk.

        `work` may be run again when the group it shared a commit with failed, so it must have no effect of its own.
        What it raises is raised here and undoes only this work.

        Raises:
            StoreUnavailable: it could not be made durable (disk full, read-only); nothing was changed.
        """
        ...

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Run `work` on the latest committed state, beside writes."""
        ...
