"""Snapshots for tests of the scheduler: small ones by hand, any by Hypothesis."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import strategies as st

from longshore.domain.ids import HostId, JobKey
from longshore.domain.policy import FairsharePolicy, ShareAttributes
from longshore.domain.powers import Backfill
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fairshare import FairShareView, ShareView
from longshore.scheduling.plan import Placement, Plan
from longshore.scheduling.snapshot import (
    ConsumableView,
    EnvironmentView,
    HostView,
    Oversize,
    QueueView,
    Run,
    Snapshot,
    WaitingClass,
)
from longshore.testing.builders import HERE

NOTHING = Resources()
NOTHING_GIVEN: Mapping[str, float] = {}


def some(vcpus: float, memory_mib: int = 0, gpus: int = 0, **others: int) -> Resources:
    return Resources(vcpu_milli=round(vcpus * 1000), memory_mib=memory_mib, gpus=gpus, **others)


FOUR_VCPUS = some(4, 4096)


def a_host(name: str = "local", total: Resources = FOUR_VCPUS, *, used: Resources = NOTHING) -> HostView:
    gpus = tuple(f"{name}-gpu{number}" for number in range(total.gpus))
    return HostView(id=HostId(name), total=total, free=total - used, free_gpus=gpus[used.gpus :])


def a_view(
    name: str = "environment",
    *,
    hosts: Sequence[str] = ("local",),
    cap: float | None = None,
    used: float = 0,
    problem: str = "",
    runs_gangs: bool = True,
) -> EnvironmentView:
    """An environment with a cap of so many vCPUs, of which so many are used."""
    return EnvironmentView(
        name=(HERE, name),
        problem=problem,
        cap_milli=None if cap is None else round(cap * 1000),
        free_cap_milli=None if cap is None else round((cap - used) * 1000),
        hosts=tuple(map(HostId, hosts)),
        runs_gangs=runs_gangs,
    )


def a_line(
    name: str = "queue",
    *,
    priority: int = 1,
    environments: Sequence[str] = ("environment",),
    fair: FairShareView | None = None,
    backfill: Backfill = "none",
    aged_intake: int = 0,
) -> QueueView:
    return QueueView(
        scope=HERE,
        name=name,
        priority=priority,
        environments=tuple(environments),
        fair=fair,
        backfill=backfill,
        aged_intake=aged_intake,
    )


def waiting(resources: Resources, *intakes: int, queue: str = "queue", **members: Any) -> WaitingClass:
    """Single jobs of one class; the key of a job is its intake number and 1000."""
    runs = [Run(intake=intake, key=JobKey(1000 + intake), count=1) for intake in intakes]
    job_class = JobClass(scope=HERE, queue_name=queue, resources=resources, **members)
    return WaitingClass(job_class=job_class, runs=runs)


def fairly(weights: Mapping[str, float] = NOTHING_GIVEN, *, reservation: int = 0, **shares: ShareView) -> FairShareView:
    """A fair-share policy with these weights, and its active shares."""
    distribution = tuple(
        ShareAttributes(share_identifier=share, weight_factor=weight) for share, weight in weights.items()
    )
    policy = FairsharePolicy(compute_reservation=reservation, share_distribution=distribution)
    return FairShareView(policy=policy, shares=shares)


def a_snapshot(
    *classes: WaitingClass,
    hosts: Sequence[HostView] | None = None,
    environments: Sequence[EnvironmentView] | None = None,
    queues: Sequence[QueueView] | None = None,
    oversize: Oversize = "run-alone",
    consumables: Mapping[str, ConsumableView] | None = None,
) -> Snapshot:
    """One host of 4 vCPUs, one environment without a cap and one queue, unless others are given."""
    return Snapshot(
        queues=queues or [a_line()],
        environments={view.name: view for view in environments or [a_view()]},
        hosts={host.id: host for host in hosts or [a_host()]},
        classes=classes,
        oversize=oversize,
        consumables={(HERE, name): view for name, view in (consumables or {}).items()},
    )


def started(plan: Plan) -> list[int]:
    """Intake numbers of what the plan starts, in its order."""
    return [placement.intake for placement in plan.placements]


def jobs_of(snapshot: Snapshot) -> list[tuple[int, JobKey, JobClass]]:
    """Every waiting job by intake number."""
    return sorted(
        (run.intake + offset, JobKey(run.key + offset), waiting.job_class)
        for waiting in snapshot.classes
        for run in waiting.runs
        for offset in range(run.count)
    )


def without(snapshot: Snapshot, placements: Sequence[Placement]) -> Sequence[WaitingClass]:
    """The classes that are left when these jobs have started, one run for each job."""
    gone = {placement.key for placement in placements}
    left: dict[JobClass, list[Run]] = {}
    for intake, key, job_class in jobs_of(snapshot):
        if key not in gone:
            left.setdefault(job_class, []).append(Run(intake=intake, key=key, count=1))
    return [WaitingClass(job_class=job_class, runs=runs) for job_class, runs in left.items()]


def _any_host(rng: Random, name: str) -> HostView:
    total = Resources(
        vcpu_milli=rng.choice([1000, 2000, 4000, 8000]),
        memory_mib=rng.choice([1024, 4096]),
        gpus=rng.choice([0, 0, 1, 2]),
        scratch_mib=rng.choice([0, 500, 2000]),
    )
    share = rng.choice([0, 0, 0, 0, 0.25, 0.5, 1])
    used = Resources(
        vcpu_milli=int(total.vcpu_milli * share),
        memory_mib=int(total.memory_mib * share),
        gpus=rng.randint(0, total.gpus) if share else 0,
        scratch_mib=int(total.scratch_mib * rng.choice([0, share])),
    )
    return a_host(name, total, used=used)


def _any_view(rng: Random, name: str, hosts: Sequence[HostView]) -> EnvironmentView:
    cap = rng.choice([None, None, 1.0, 2.0, 6.0])
    return a_view(
        name,
        hosts=[host.id for host in hosts if rng.random() < 0.8],
        cap=cap,
        used=0 if cap is None else cap * rng.choice([0, 0, 0.25, 0.5, 1]),
        problem="is DISABLED" if rng.random() < 0.15 else "",
    )


def _any_class(rng: Random, queues: Sequence[QueueView]) -> JobClass:
    resources = Resources(
        vcpu_milli=rng.choice([250, 1000, 1000, 2000, 3000, 5000]),
        memory_mib=rng.choice([0, 512, 1024, 4096]),
        gpus=rng.choice([0, 0, 0, 0, 1, 2, 3]),
        scratch_mib=rng.choice([0, 0, 0, 100, 400, 3000]),
    )
    queue = rng.choice(queues)
    takes = tuple((name, rng.randint(1, 3)) for name in ("x", "y", "z") if rng.random() < 0.15)
    members = {} if queue.fair is None else {"share": rng.choice("abc"), "priority": rng.choice((0, 0, 5))}
    return JobClass(scope=HERE, queue_name=queue.name, resources=resources, consumables=takes, **members)


def _any_sharing(rng: Random) -> FairShareView | None:
    if rng.random() < 0.6:
        return None
    shares = {
        share: ShareView(milli_seconds=rng.choice((0.0, 1e5, 4e5)), held_milli=rng.choice((0, 1000)))
        for share in rng.sample("abc", rng.randint(0, 3))
    }
    weights = rng.choice(({}, {"a": 0.125, "b*": 2.0}))
    return fairly(weights, reservation=rng.choice((0, 0, 25)), **shares)


def any_snapshot(rng: Random) -> Snapshot:
    """Up to three hosts, three environments, four queues and eight classes with some twenty jobs."""
    hosts = [_any_host(rng, f"host{number}") for number in range(rng.randint(1, 3))]
    names = ("a", "b", "c")[: rng.choice([1, 2, 3, 3])]
    queues = [
        a_line(
            name,
            priority=rng.randint(1, 2),
            environments=rng.sample(("a", "b", "c"), rng.randint(1, 3)),
            fair=_any_sharing(rng),
            backfill=rng.choice(("easy", "easy", "greedy", "none")),
            aged_intake=rng.choice((0, 0, 0, 4, 12)),
        )
        for name in ("p", "q", "r", "s")[: rng.randint(1, 4)]
    ]
    classes = list(dict.fromkeys(_any_class(rng, queues) for _ in range(rng.randint(1, 8))))
    runs: dict[JobClass, list[Run]] = {}
    intake, key = 1, 100
    for _ in range(rng.randint(1, 12)):
        count = rng.randint(1, 3)
        runs.setdefault(rng.choice(classes), []).append(Run(intake=intake, key=JobKey(key), count=count))
        intake, key = intake + count + rng.randint(0, 1), key + count + 1
    return a_snapshot(
        *(WaitingClass(job_class=job_class, runs=found) for job_class, found in runs.items()),
        hosts=hosts,
        environments=[_any_view(rng, name, hosts) for name in names],
        queues=queues,
        oversize=rng.choice(["wait", "run-alone"]),
        consumables={name: ConsumableView(total=3, free=rng.randint(0, 3)) for name in ("x", "y")},
    )


#: Numbers shrink badly here, but draws by Hypothesis itself are mostly of one host and one job, where nothing happens.
snapshots = st.integers(0, 2**32).map(lambda seed: any_snapshot(Random(seed)))


def limited(snapshot: Snapshot, max_placements: int) -> Snapshot:
    return replace(snapshot, max_placements=max_placements)
