"""What a seed stands for: the site, the queues, the work, and everything that will go wrong.

Times are readings of the boot clock. Behaviours are drawn for each task by seed, job, index and attempt, so that what
a task does never depends on when it is launched.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from longshore.control.ledger import Host
from longshore.domain.consumable import ConsumableResource
from longshore.domain.definition import JobDefinition
from longshore.domain.dependency import DependencyType, When
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksProperties
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import HostId
from longshore.domain.job import JobSpec, WishKind
from longshore.domain.nodes import NodeProperties
from longshore.domain.policy import FairsharePolicy, SchedulingPolicy
from longshore.domain.queue import JobQueue
from longshore.domain.resources import Resources
from longshore.domain.retry import RetryStrategy
from longshore.domain.workload import Workload, workload_of
from longshore.engines.fake import Behaviour, Outage
from longshore.ports.engine import LaunchSpec
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.gang import gang_of
from longshore.scheduling.laying import lay_out
from longshore.scheduling.snapshot import HostView, Oversize
from longshore.service.queue_order import BACKFILL
from longshore.testing.builders import a_definition, a_job_spec
from longshore.testing.forms import formed_definition, formed_spec

#: A task that would run for ever; only a stop ends it.
ENDLESS_SECONDS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDependency:
    """What a planned job waits for: another by its number (None: SEQUENTIAL alone), or one child of it."""

    number: int | None
    index: int | None = None
    type: DependencyType | None = None
    #: None: its success, as `dependsOn` asks
    when: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One submission; its job is called `job-<number>`."""

    number: int
    at: float
    queue: str
    resources: Resources
    array_size: int | None
    depends_on: tuple[PlannedDependency, ...]
    retry: RetryStrategy
    timeout_seconds: int | None
    #: of a fair-share queue
    share: str | None = None
    priority: int = 0
    #: names and quantities
    consumables: tuple[tuple[str, int], ...] = ()
    start_deadline_seconds: int | None = None
    #: None: the server's
    host_retries: int | None = None
    #: of more than one container; None: of the plain form
    form: EcsProperties | EksProperties | NodeProperties | None = None

    @property
    def spec(self) -> JobSpec:
        """As it is submitted, but for what only the store knows."""
        spec = a_job_spec(resources=self.resources) if self.form is None else formed_spec(self.form)
        return replace(spec, timeout_seconds=self.timeout_seconds)

    @property
    def workload(self) -> Workload:
        """What each attempt consists of."""
        return workload_of(self.spec)

    @property
    def has_nodes(self) -> bool:
        """Whether all its nodes must find room at once."""
        return isinstance(self.form, NodeProperties)

    @property
    def definition(self) -> JobDefinition:
        """A job of more than one container has a definition of its own."""
        return a_definition() if self.form is None else formed_definition(self.form, self.name)

    @property
    def name(self) -> str:
        """The job's name."""
        return f"job-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRequest:
    """A caller asks to cancel or terminate a job or an array child."""

    at: float
    number: int
    index: int | None
    kind: WishKind
    #: as soon as it has an attempt, if that is later
    once_placed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedUpdate:
    """Somebody adds to a consumable resource or removes from it."""

    at: float
    name: str
    operation: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCrash:
    """From `at` on, the server dies when it next reaches `point`, `skip` times later."""

    at: float
    point: str
    skip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time in which something fails now and then."""

    begins_at: float
    ends_at: float

    def holds(self, at: float) -> bool:
        """Whether `at` is in it."""
        return self.begins_at <= at < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that happens from outside in one run."""

    seed: int
    hosts: tuple[Host, ...]
    #: engine name to whether it writes log files itself
    engines: Mapping[str, bool]
    environments: tuple[ComputeEnvironment, ...]
    queues: tuple[JobQueue, ...]
    jobs: tuple[PlannedJob, ...]
    requests: tuple[PlannedRequest, ...]
    oversize: Oversize
    free_losses: int
    grace_seconds: int
    #: share of tasks that do not end well
    failure_rate: float
    #: after this nothing goes wrong any more
    calm_at: float
    fault_rate: float
    outages: tuple[Outage, ...]
    store_failures: tuple[Window, ...]
    log_failures: tuple[Window, ...]
    crashes: tuple[PlannedCrash, ...]
    #: when another server takes over while the one before still runs
    takeovers: tuple[float, ...]
    #: when the machine boots, and with it all hosts
    reboots: tuple[float, ...]
    host_losses: tuple[tuple[float, HostId], ...]
    #: when a task turns up that carries our mark and that nobody knows, and at which engine
    strays: tuple[tuple[float, str], ...]
    wall_jumps: tuple[tuple[float, float], ...]
    #: (when disabled, when deleted) by queue
    deleted_queues: Mapping[str, tuple[float, float]]
    #: deleted behind the queues that they served
    deleted_environments: frozenset[str]
    #: (when disabled, when enabled again) by environment
    disabled_environments: Mapping[str, tuple[float, float]]
    policies: tuple[SchedulingPolicy, ...] = ()
    consumables: tuple[ConsumableResource, ...] = ()
    updates: tuple[PlannedUpdate, ...] = ()

    def behaviour(self, spec: LaunchSpec) -> Behaviour:
        """The script of the site."""
        container = spec.container
        if container.command[0] != "job":
            return Behaviour(duration_seconds=ENDLESS_SECONDS, ignores_term=True)
        index = container.environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "")
        attempt = container.environment["AWS_BATCH_JOB_ATTEMPT"]
        number = container.command[1]
        job = self.jobs[int(number)]
        part = "" if spec.whole_id is None else f" {spec.node} {container.name}"
        rng = random.Random(f"{self.seed} {number} {index} {attempt}{part}")
        behaviour = _behaviour(rng, job, self.failure_rate)
        if part and behaviour.duration_seconds == ENDLESS_SECONDS:
            return replace(behaviour, duration_seconds=100.0)
        return behaviour

    def can_ever_run(self, job: PlannedJob) -> bool:
        """Whether the job's queue and hosts allow it at all."""
        return any(self.fits_environment(job, name) for name in self.queue(job.queue).environment_names)

    def fits_environment(self, job: PlannedJob, name: str) -> bool:
        """Whether the environment, all else being idle, could run the job."""
        environment = next(each for each in self.environments if each.name == name)
        asked = job.resources
        if environment.max_vcpus is not None and asked.vcpu_milli > environment.max_vcpus * 1000:
            return False
        if job.has_nodes:
            gang = gang_of([node.resources for node in job.workload.nodes])
            fleet = Fleet(HostView(id=host.id, total=host.total, free=host.total, free_gpus=()) for host in self.hosts)
            return lay_out(gang, fleet, fleet.total) is not None
        return any(
            asked.fits(host.total) or (self.oversize == "run-alone" and asked.gpus <= host.total.gpus)
            for host in self.hosts
        )

    def policy(self, queue: str) -> FairsharePolicy | None:
        """The policy of that queue; None: first in, first out."""
        arn = self.queue(queue).scheduling_policy_arn
        return next((policy.fairshare_policy for policy in self.policies if policy.arn == arn), None)

    def lets_none_pass(self, queue: str) -> bool:
        """Whether nobody starts in a queue before the job that comes first in it."""
        return self.queue(queue).tags[BACKFILL] == "none"

    def queue(self, name: str) -> JobQueue:
        """The queue of that name."""
        return next(each for each in self.queues if each.name == name)


def _behaviour(rng: random.Random, job: PlannedJob, failure_rate: float) -> Behaviour:
    pace = 1.0 if job.array_size is None or job.array_size < 10 else 0.2
    kind = rng.random() / failure_rate
    if kind < 0.1:
        return Behaviour(rejection="CannotPullContainerError: refused")
    delay = 0.0 if rng.random() < 0.6 else round(rng.uniform(0.01, 6.0), 3)
    if kind < 0.2:
        return Behaviour(start_delay_seconds=delay, start_failure="CannotStartContainerError: no such program")
    length = rng.random()
    if length < 0.25:
        duration = 0.0
    elif length < 0.6:
        duration = round(rng.uniform(0.01, 5.0) * pace, 3)
    elif length < 0.9:
        duration = round(rng.uniform(5.0, 40.0) * pace, 3)
    elif job.timeout_seconds is not None:
        duration = rng.choice((job.timeout_seconds - 1.0, job.timeout_seconds + 1.0, ENDLESS_SECONDS))
    else:
        duration = round(rng.uniform(40.0, 120.0) * pace, 3)
    return Behaviour(
        start_delay_seconds=delay,
        duration_seconds=duration,
        exit_code=rng.choice((1, 2, 3)) if kind < 1.0 else 0,
        oom_killed=rng.random() < 0.03,
        output=b"x" * rng.choice((0, 1, 10, 100)),
        ignores_term=rng.random() < 0.25,
    )
