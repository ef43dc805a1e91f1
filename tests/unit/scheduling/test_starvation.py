"""Cycle after cycle: the job at the head of the first queue starts, however many small jobs keep coming."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import HostId, JobKey
from longshore.domain.powers import Backfill
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.snapshot import EnvironmentName, Run, Snapshot, WaitingClass
from longshore.testing.builders import HERE
from tests.properties import promised
from tests.unit.scheduling.situations import a_host, a_line, a_snapshot, a_view, some, waiting, without

#: Cycles that a job runs at most.
LONGEST = 3
#: The job may have to wait for its share of a cap first and for a host then, each while what is there ends.
BOUND = 2 * LONGEST + 1
SMALL = some(0.25, 16)
QUEUES = ("first", "beside", "below")


@dataclass(frozen=True)
class Running:
    """What a job holds, and the cycle in which it ends."""

    until: int
    host_id: HostId
    environment: EnvironmentName
    resources: Resources
    gpu_names: tuple[str, ...]
    asked_milli: int


class Machine:
    """Runs cycles; what starts runs for some of them."""

    def __init__(self, snapshot: Snapshot, rng: Random) -> None:
        self.snapshot = snapshot
        self.cycles = 0
        self.begun: set[JobKey] = set()
        self._rng = rng
        self._running: list[Running] = []

    def cycle(self) -> None:
        """Let what is over end, then place."""
        self.cycles += 1
        over = [running for running in self._running if running.until == self.cycles]
        self._running = [running for running in self._running if running.until > self.cycles]
        for running in over:
            self._move(running, sign=-1)
        plan = plan_cycle(self.snapshot)
        for placement in plan.placements:
            running = Running(
                until=self.cycles + self._rng.randint(1, LONGEST),
                host_id=placement.host_id,
                environment=(HERE, placement.environment_name),
                resources=placement.resources,
                gpu_names=placement.gpu_names,
                asked_milli=placement.job_class.resources.vcpu_milli,
            )
            self._running.append(running)
            self._move(running, sign=1)
            self.begun.add(placement.key)
        self.snapshot = replace(self.snapshot, classes=without(self.snapshot, plan.placements))

    def _move(self, running: Running, *, sign: int) -> None:
        """Take from, or with a negative sign give back to, host and cap."""
        host = self.snapshot.hosts[running.host_id]
        view = self.snapshot.environments[running.environment]
        if sign > 0:
            free = host.free - running.resources
            gpus = tuple(gpu for gpu in host.free_gpus if gpu not in running.gpu_names)
        else:
            free, gpus = host.free + running.resources, (*host.free_gpus, *running.gpu_names)
        if view.free_cap_milli is not None:
            view = replace(view, free_cap_milli=view.free_cap_milli - sign * running.asked_milli)
        self.snapshot = replace(
            self.snapshot,
            hosts={**self.snapshot.hosts, host.id: replace(host, free=free, free_gpus=gpus)},
            environments={**self.snapshot.environments, view.name: view},
        )

    def add(self, queue: str, resources: Resources, count: int) -> JobKey:
        """More jobs at the end of a queue; returns the first one's key."""
        intake = 1 + max((run.intake + run.count for w in self.snapshot.classes for run in w.runs), default=0)
        intake = max(intake, 1000 * self.cycles + 1)
        run = Run(intake=intake, key=JobKey(1_000_000 + intake), count=count)
        job_class = JobClass(scope=HERE, queue_name=queue, resources=resources)
        runs: Sequence[Run] = [run]
        classes = list(self.snapshot.classes)
        if (known := next((w for w in classes if w.job_class == job_class), None)) is not None:
            classes.remove(known)
            runs = [*known.runs, run]
        self.snapshot = replace(self.snapshot, classes=[*classes, WaitingClass(job_class=job_class, runs=runs)])
        return run.key


@promised(150)
@given(
    seed=st.integers(0, 2**32),
    hosts=st.integers(1, 2),
    cap=st.sampled_from([None, 3.0, 4.0]),
    other_cap=st.sampled_from([None, 2.0]),
    asked=st.sampled_from([some(3), some(2.5, 4096), some(1, 1024, 1), some(3, 8192)]),
    shared=st.booleans(),
    backfill=st.sampled_from(("none", "easy", "greedy")),
    is_aged=st.booleans(),
)
def test_head_starts_in_bounded_time(
    seed: int,
    hosts: int,
    cap: float | None,
    other_cap: float | None,
    asked: Resources,
    shared: bool,
    backfill: Backfill,
    is_aged: bool,
) -> None:
    """Neither small jobs behind it, nor those of a queue beside or below it, keep it waiting for ever.

    They use the same hosts, and the same or another environment. Where all that fits may pass, and in a queue below
    the others, that is so once it is over the age bound. How long anything runs is not known.
    """
    is_aged = is_aged or backfill == "greedy"
    names = [f"host{number}" for number in range(hosts)]
    others = ("capped",) if shared else ("other", "capped")
    machine = Machine(
        a_snapshot(
            hosts=[a_host(name, some(4, 4096, 1)) for name in names],
            environments=[a_view("capped", hosts=names, cap=cap), a_view("other", hosts=names, cap=other_cap)],
            queues=[
                a_line("first", priority=0 if is_aged else 2, environments=["capped"], backfill=backfill),
                a_line("beside", priority=2, environments=others, backfill=backfill),
                a_line("below", priority=1, environments=others, backfill=backfill),
            ],
        ),
        Random(seed),
    )
    for _ in range(LONGEST):
        _add_small_jobs(machine, asked)
        machine.cycle()
    machine.snapshot = replace(machine.snapshot, classes=[])  # all that wait step back, so that the head is next
    head = machine.add("first", asked, 1)
    if is_aged:
        first, *rest = machine.snapshot.queues
        aged = replace(first, aged_intake=head - 1_000_000 + 1)
        machine.snapshot = replace(machine.snapshot, queues=[aged, *rest])
    for _ in range(BOUND):
        _add_small_jobs(machine, asked)
        machine.cycle()
        if head in machine.begun:
            return
    raise AssertionError(f"after {BOUND} cycles: {plan_cycle(machine.snapshot).reasons}")


def _add_small_jobs(machine: Machine, asked: Resources) -> None:
    small = replace(SMALL, gpus=asked.gpus)
    for queue in QUEUES:
        machine.add(queue, small, 40)


def test_big_job_drains_the_host_and_runs_alone() -> None:
    """A job that is larger than the host lets what runs there end, takes the whole host, and then others go on."""
    machine = Machine(a_snapshot(waiting(SMALL, 1, 2)), Random(1))
    machine.cycle()
    head = machine.add("queue", some(9, 9999), 1)
    behind = machine.add("queue", SMALL, 1)
    while head not in machine.begun:
        machine.cycle()
        assert behind not in machine.begun
        assert machine.cycles <= BOUND
    host = machine.snapshot.hosts[HostId("local")]
    assert (host.free.vcpu_milli, host.free.memory_mib) == (0, 0)
    while behind not in machine.begun:
        assert machine.snapshot.hosts[HostId("local")].free == host.free
        machine.cycle()
        assert machine.cycles <= 2 * BOUND
