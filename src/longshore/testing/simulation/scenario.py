"""What a seed stands for: the site, the queues, the work, and everything that will go wrong.

Times are readings of the boot clock. Behaviours are drawn for each task by seed, job, index and attempt, so that what
a task does never depends on when it is launched.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from longshore.control.ledger import Host
from longshore.domain.dependency import DependencyType
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import HostId
from longshore.domain.job import WishKind
from longshore.domain.queue import JobQueue
from longshore.domain.resources import Resources
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.engines.fake import Behaviour, CallFate, Outage
from longshore.ports.engine import LaunchSpec
from longshore.scheduling.snapshot import Oversize
from longshore.testing.builders import a_queue, an_environment
from longshore.testing.simulation.loop import BEGINS_AT
from longshore.testing.simulation.points import POINTS

#: A task that would run for ever; only a stop ends it.
ENDLESS_SECONDS = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDependency:
    """What a planned job waits for: another by its number (None: SEQUENTIAL alone), or one child of it."""

    number: int | None
    index: int | None = None
    type: DependencyType | None = None


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
    host_losses: tuple[tuple[float, HostId], ...]
    #: when a task turns up that carries our mark and that nobody knows, and at which engine
    strays: tuple[tuple[float, str], ...]
    wall_jumps: tuple[tuple[float, float], ...]
    #: (when disabled, when deleted) by queue
    deleted_queues: Mapping[str, tuple[float, float]]
    #: (when disabled, when enabled again) by environment
    disabled_environments: Mapping[str, tuple[float, float]]

    def behaviour(self, spec: LaunchSpec) -> Behaviour:
        """The script of the site."""
        container = spec.nodes[0].containers[0]
        if container.command[0] != "job":
            return Behaviour(duration_seconds=ENDLESS_SECONDS, ignores_term=True)
        index = container.environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "")
        attempt = container.environment["AWS_BATCH_JOB_ATTEMPT"]
        number = container.command[1]
        job = self.jobs[int(number)]
        return _behaviour(random.Random(f"{self.seed} {number} {index} {attempt}"), job, self.failure_rate)

    def can_ever_run(self, job: PlannedJob) -> bool:
        """Whether the job's queue and hosts allow it at all."""
        return any(self.fits_environment(job, name) for name in self.queue(job.queue).environment_names)

    def fits_environment(self, job: PlannedJob, name: str) -> bool:
        """Whether the environment, all else being idle, could run the job."""
        environment = next(each for each in self.environments if each.name == name)
        asked = job.resources
        if environment.max_vcpus is not None and asked.vcpu_milli > environment.max_vcpus * 1000:
            return False
        return any(
            asked.fits(host.total) or (self.oversize == "run-alone" and asked.gpus <= host.total.gpus)
            for host in self.hosts
        )

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


_RETRIES = (
    RetryStrategy(),
    RetryStrategy(attempts=2),
    RetryStrategy(attempts=4),
    RetryStrategy(attempts=3, evaluate_on_exit=(EvaluateOnExit(action="EXIT", on_exit_code="2"),)),
    RetryStrategy(
        attempts=3,
        evaluate_on_exit=(
            EvaluateOnExit(action="RETRY", on_status_reason="Host EC2*"),
            EvaluateOnExit(action="exit", on_reason="*"),
        ),
    ),
    RetryStrategy(attempts=5, evaluate_on_exit=(EvaluateOnExit(action="retry", on_exit_code="1"),)),
)


def draw_scenario(seed: int) -> Scenario:
    """The scenario of `seed`, always the same."""
    rng = random.Random(seed)
    calm_at = round(BEGINS_AT + rng.uniform(60.0, 240.0), 3)
    hosts = tuple(_draw_host(rng, number) for number in range(rng.choice((1, 1, 2, 3))))
    engines = {name: rng.random() < 0.6 for name in ("alpha", "beta")[: rng.choice((1, 1, 2))]}
    environments = tuple(
        an_environment(
            f"environment-{number}",
            engine=rng.choice(list(engines)),
            max_vcpus=rng.choice((None, None, 2, 3, 6)),
        )
        for number in range(rng.choice((1, 2, 3)))
    )
    names = [environment.name for environment in environments]
    queues = tuple(
        a_queue(
            f"queue-{number}",
            environments=rng.sample(names, rng.randint(1, len(names))),
            priority=rng.choice((1, 1, 5, 10)),
        )
        for number in range(rng.choice((1, 2, 2, 3)))
    )
    jobs = _draw_jobs(rng, [queue.name for queue in queues], calm_at)
    trouble = rng.random() > 0.1  # now and then everything works

    def times(most: int) -> list[float]:
        return sorted(
            round(rng.uniform(BEGINS_AT + 1.0, calm_at - 5.0), 3) for _ in range(rng.randint(0, most) * trouble)
        )

    def windows(most: int, longest: float) -> tuple[Window, ...]:
        return tuple(Window(begins_at=at, ends_at=min(at + rng.uniform(0.5, longest), calm_at)) for at in times(most))

    return Scenario(
        seed=seed,
        hosts=hosts,
        engines=engines,
        environments=environments,
        queues=queues,
        jobs=jobs,
        requests=_draw_requests(rng, jobs, calm_at),
        oversize=rng.choice(("run-alone", "wait")),
        free_losses=rng.choice((0, 1, 5)),
        grace_seconds=rng.choice((1, 5, 30)),
        failure_rate=rng.choice((0.03, 0.1, 0.4)),
        calm_at=calm_at,
        fault_rate=rng.choice((0.0, 0.02, 0.1, 0.3)) * trouble,
        outages=tuple(
            Outage(begins_at=w.begins_at, ends_at=w.ends_at, fate=rng.choice((CallFate.REFUSED, CallFate.HANGS)))
            for w in windows(2, 25.0)
        ),
        store_failures=windows(2, 15.0),
        log_failures=windows(1, 10.0),
        crashes=tuple(PlannedCrash(at=at, point=rng.choice(POINTS), skip=rng.choice((0, 0, 1, 3))) for at in times(7)),
        takeovers=tuple(times(1)),
        host_losses=tuple((at, rng.choice(hosts).id) for at in times(3)),
        strays=tuple((at, rng.choice(list(engines))) for at in times(1)),
        wall_jumps=tuple((at, rng.choice((3600.0, -3600.0, 90.0))) for at in times(2)),
        deleted_queues={
            queue.name: (at, at + rng.uniform(0.0, 30.0)) for queue, at in zip(queues[1:], times(1), strict=False)
        },
        disabled_environments={
            environment.name: (at, at + rng.uniform(1.0, 60.0))
            for environment, at in zip(environments, times(1), strict=False)
        },
    )


def _draw_host(rng: random.Random, number: int) -> Host:
    gpus = rng.choice((0, 0, 1, 2))
    return Host(
        id=HostId(f"host-{number}"),
        total=Resources(
            vcpu_milli=rng.choice((2000, 4000, 8000)), memory_mib=rng.choice((1024, 4096, 16384)), gpus=gpus
        ),
        gpu_names=tuple(str(index) for index in range(gpus)),
    )


def _draw_jobs(rng: random.Random, queues: list[str], calm_at: float) -> tuple[PlannedJob, ...]:
    jobs: list[PlannedJob] = []
    length = calm_at - BEGINS_AT
    burst = rng.choice((5.0, 30.0, length))
    at = BEGINS_AT
    for number in range(rng.randint(3, 18)):
        at = round(at + rng.choice((0.0, 0.0, rng.uniform(0.0, burst / 6))), 3)
        size = rng.choice((None, None, None, 2, 3, 5, 10, rng.randint(2, 50)))
        resources = Resources(
            vcpu_milli=rng.choice((1000, 1000, 1000, 1000, 2000, 3000, 9000)),
            memory_mib=rng.choice((64, 64, 256, 1024, 2048)),
            gpus=rng.choice((0, 0, 0, 0, 0, 0, 1)),
        )
        jobs.append(
            PlannedJob(
                number=number,
                at=min(at, calm_at - length * 0.1),
                queue=rng.choice(queues),
                resources=resources,
                array_size=size,
                depends_on=_draw_dependencies(rng, jobs, size),
                retry=rng.choice(_RETRIES),
                timeout_seconds=rng.choice((None, None, 60, 61)),
            )
        )
    return tuple(jobs)


def _draw_dependencies(rng: random.Random, before: list[PlannedJob], size: int | None) -> tuple[PlannedDependency, ...]:
    found: list[PlannedDependency] = []
    for other in rng.sample(before, min(len(before), rng.choice((0, 0, 1, 1, 2)))):
        kind = rng.random()
        if size is not None and kind < 0.5:
            twins = [job for job in before if job.array_size == size]
            if twins:
                found.append(PlannedDependency(number=rng.choice(twins).number, type=DependencyType.N_TO_N))
                continue
        if other.array_size is not None and kind < 0.8:
            found.append(PlannedDependency(number=other.number, index=rng.randrange(other.array_size)))
        elif size is not None and kind < 0.9:
            found.append(PlannedDependency(number=other.number, type=DependencyType.SEQUENTIAL))
        else:
            found.append(PlannedDependency(number=other.number))
    if size is not None and rng.random() < 0.15:
        found.append(PlannedDependency(number=None, type=DependencyType.SEQUENTIAL))
    return tuple(found)


def _draw_requests(rng: random.Random, jobs: tuple[PlannedJob, ...], calm_at: float) -> tuple[PlannedRequest, ...]:
    requests: list[PlannedRequest] = []
    for _ in range(rng.randint(0, max(1, len(jobs) // 2))):
        job = rng.choice(jobs)
        index = rng.randrange(job.array_size) if job.array_size is not None and rng.random() < 0.5 else None
        soon = job.at + rng.choice((0.0, rng.uniform(0.0, 2.0), rng.uniform(0.0, 60.0)))
        kind = rng.choice((WishKind.CANCEL, WishKind.TERMINATE))
        requests.append(PlannedRequest(at=round(min(soon, calm_at), 3), number=job.number, index=index, kind=kind))
    return tuple(sorted(requests, key=lambda request: request.at))
