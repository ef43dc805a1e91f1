"""Draws the scenario of a seed."""

import random
from dataclasses import replace

from longshore.control.ledger import Host
from longshore.domain.dependency import DependencyType
from longshore.domain.ids import HostId
from longshore.domain.job import WishKind
from longshore.domain.resources import Resources
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.engines.fake import CallFate, Outage
from longshore.testing.builders import a_queue, an_environment
from longshore.testing.simulation.forms import draw_forms
from longshore.testing.simulation.loop import BEGINS_AT
from longshore.testing.simulation.points import POINTS
from longshore.testing.simulation.powers import with_powers
from longshore.testing.simulation.scenario import (
    PlannedCrash,
    PlannedDependency,
    PlannedJob,
    PlannedRequest,
    Scenario,
    Window,
)
from longshore.testing.simulation.sharing import with_sharing

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
    return with_powers(with_sharing(_draw_scenario(seed)))


def _draw_scenario(seed: int) -> Scenario:
    rng = random.Random(seed)
    calm_at = round(BEGINS_AT + rng.uniform(60.0, 240.0), 3)
    hosts = tuple(_draw_host(rng, number) for number in range(rng.choice((1, 1, 2, 3))))
    engines = {name: rng.random() < 0.6 for name in ("alpha", "beta")[: rng.choice((1, 1, 2))]}
    environments = tuple(
        # of a kind that jobs of several nodes run on too, with a cap or without
        replace(
            an_environment(
                f"environment-{number}",
                engine=rng.choice(list(engines)),
                max_vcpus=rng.choice((None, None, 2, 3, 6)),
            ),
            resource_type="EC2",
            document={"unmanagedvCpus": 6},  # what reservations are a part of
        )
        for number in range(rng.choice((1, 2, 3)))
    )
    names = [environment.name for environment in environments]
    queues = tuple(
        replace(
            a_queue(
                f"queue-{number}",
                environments=rng.sample(names, rng.randint(1, len(names))),
                priority=rng.choice((1, 1, 5, 10)),
            ),
            # what runs pods runs nothing else
            queue_type=rng.choice(("ECS", "ECS", "ECS", "EKS")),
        )
        for number in range(rng.choice((1, 2, 2, 3)))
    )
    pod_queues = {queue.name for queue in queues if queue.queue_type == "EKS"}
    jobs = draw_forms(seed, _draw_jobs(rng, [queue.name for queue in queues], calm_at), pod_queues=pod_queues)
    requests = _draw_requests(rng, jobs, calm_at)
    trouble = rng.random() > 0.1  # now and then everything works

    def times(most: int) -> list[float]:
        return sorted(
            round(rng.uniform(BEGINS_AT + 1.0, calm_at - 5.0), 3) for _ in range(rng.randint(0, most) * trouble)
        )

    def windows(most: int, longest: float) -> tuple[Window, ...]:
        return tuple(Window(begins_at=at, ends_at=min(at + rng.uniform(0.5, longest), calm_at)) for at in times(most))

    deletions = list(zip(queues[1:], times(rng.choice((0, 0, 1))), strict=False))
    deleted = [queue for queue, _ in deletions]
    kept = {name for queue in queues if queue not in deleted for name in queue.environment_names}
    unused = {name for queue in deleted for name in queue.environment_names} - kept
    disabled = {
        environment.name: (at, at + rng.uniform(1.0, 60.0))
        for environment, at in zip(environments, times(1), strict=False)
    }
    return Scenario(
        seed=seed,
        hosts=hosts,
        engines=engines,
        environments=environments,
        queues=queues,
        jobs=jobs,
        requests=requests,
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
        crashes=tuple(sorted((_draw_crash(rng, at, requests) for at in times(7)), key=lambda crash: crash.at)),
        takeovers=tuple(times(1)),
        reboots=tuple(times(rng.choice((0, 0, 1)))),
        host_losses=tuple((at, rng.choice(hosts).id) for at in times(3)),
        strays=tuple((at, rng.choice(list(engines))) for at in times(1)),
        wall_jumps=tuple((at, rng.choice((3600.0, -3600.0, 90.0))) for at in times(2)),
        deleted_queues={queue.name: (at, at + rng.uniform(0.0, 30.0)) for queue, at in deletions},
        # Managed ones of our builders can't be updated through the API: they have no document.
        deleted_environments=frozenset(
            environment.name
            for environment in environments
            if environment.name in unused - disabled.keys() and environment.type == "UNMANAGED"
        ),
        disabled_environments=disabled,
    )


def _draw_crash(rng: random.Random, at: float, requests: tuple[PlannedRequest, ...]) -> PlannedCrash:
    point, skip = rng.choice(POINTS), rng.choice((0, 0, 1, 3))
    if point.startswith("stop") and requests:  # there is not much to stop at other times
        at, skip = rng.choice(requests).at, 0
    return PlannedCrash(at=at, point=point, skip=skip)


def _draw_host(rng: random.Random, number: int) -> Host:
    gpus = rng.choice((0, 1, 2, 3))
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
    gpu_share = rng.choice((0.0, 0.1, 0.5))
    burst = rng.choice((5.0, 30.0, length))
    at = BEGINS_AT
    for number in range(rng.randint(3, 18)):
        at = round(at + rng.choice((0.0, 0.0, rng.uniform(0.0, burst / 6))), 3)
        size = rng.choice((None, None, None, 2, 3, 5, 10, rng.randint(2, 50)))
        resources = Resources(
            vcpu_milli=rng.choice((1000,) * 8 + (2000, 2000, 3000, 9000)),
            memory_mib=rng.choice((64,) * 6 + (256, 256, 1024, 2048)),
            gpus=int(rng.random() < gpu_share),
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
    for other in rng.sample(before, min(len(before), rng.choice((0, 0, 0, 1, 1, 2)))):
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
    for _ in range(rng.randint(0, max(1, len(jobs) * 2 // 3))):
        job = rng.choice(jobs)
        index = rng.randrange(job.array_size) if job.array_size is not None and rng.random() < 0.7 else None
        soon = job.at + rng.choice((0.0, rng.uniform(0.0, 2.0), rng.uniform(0.0, 20.0), rng.uniform(0.0, 90.0)))
        kind = rng.choice((WishKind.CANCEL, WishKind.TERMINATE, WishKind.TERMINATE))
        requests.append(
            PlannedRequest(
                at=round(min(soon, calm_at), 3),
                number=job.number,
                index=index,
                kind=kind,
                once_placed=rng.random() < 0.4,
            )
        )
    return tuple(sorted(requests, key=lambda request: request.at))
