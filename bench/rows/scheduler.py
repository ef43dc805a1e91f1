"""One scheduling cycle over many hosts, classes and jobs, in this process."""

import gc
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from figures import Figure
from row import Bench

from longshore.domain.ids import HostId, JobKey, Scope
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.cycle import plan_cycle
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.roster import Roster
from longshore.scheduling.snapshot import (
    EnvironmentView,
    HostView,
    QueueView,
    Run,
    RunningView,
    Snapshot,
    WaitingClass,
)

HERE = Scope(account_id="000000000000", region="us-east-1")
CLASSES = 1000
_SEVERAL = 7


def situation(*, jobs: int, hosts: int, is_full: bool) -> Snapshot:
    """Hosts of three sizes that are three quarters full, or full; jobs of many sizes, each class in runs of ten."""
    environment = HERE, "environment"
    sizes = (
        Resources(vcpu_milli=16_000, memory_mib=65_536),
        Resources(vcpu_milli=64_000, memory_mib=262_144),
        Resources(vcpu_milli=96_000, memory_mib=393_216, gpus=8),
    )
    views, roster = list[HostView](), Roster()
    for at in range(hosts):
        total = sizes[at % len(sizes)]
        part = 1.0 if is_full else 0.6 + at % 31 / 100
        held = Resources(vcpu_milli=int(total.vcpu_milli * part), memory_mib=int(total.memory_mib * part))
        host_id = HostId(f"host-{at}")
        gpus = tuple(f"{host_id}-{number}" for number in range(total.gpus))
        views.append(HostView(id=host_id, total=total, free=total - held, free_gpus=gpus))
        roster.put(
            RunningView(
                key=JobKey(10_000_000 + at),
                job_class=JobClass(scope=HERE, queue_name="queue-0", resources=held),
                environment=environment,
                held=((host_id, held),),
                since=0.0,
                ends_by=60.0 + at * 7919 % 86_400,
            )
        )
    fleet = Fleet(views)
    waiting: list[list[Run]] = [[] for _ in range(CLASSES)]
    for at in range(jobs // 10):
        waiting[at * _SEVERAL % CLASSES].append(Run(intake=10 * at, key=JobKey(20 * at), count=10))
    classes = [
        WaitingClass(
            job_class=JobClass(
                scope=HERE,
                queue_name=f"queue-{number % 4}",
                resources=Resources(
                    vcpu_milli=250 * (1 + number % 13),
                    memory_mib=256 * (1 + number * 31 % 97),
                    gpus=1 if number % 50 == 0 else 0,
                ),
                timeout_seconds=600 + number,
            ),
            runs=runs,
        )
        for number, runs in enumerate(waiting)
        if runs
    ]
    return Snapshot(
        queues=[
            QueueView(scope=HERE, name=f"queue-{at}", priority=at // 2, environments=("environment",))
            for at in range(4)
        ],
        environments={
            environment: EnvironmentView(
                name=environment, problem="", cap_milli=10**9, free_cap_milli=10**9, hosts=fleet.ids
            )
        },
        hosts=fleet,
        classes=classes,
        oversize="wait",
        running=roster,
    )


def timed(snapshot: Snapshot, times: int) -> list[float]:
    """Milliseconds of each cycle."""
    samples = list[float]()
    for _ in range(times):
        gc.collect()
        began = time.perf_counter()
        plan_cycle(snapshot)
        samples.append((time.perf_counter() - began) * 1000)
    return samples


def measure(bench: Bench) -> list[Figure]:
    """Cycles that place as many as a plan may, and such that find no room; in a process of their own."""
    jobs, hosts = bench.scaled(1_000_000, quick=10_000), bench.scaled(10_000, quick=1000)
    times = bench.scaled(15, quick=3)
    bench.say(f"{jobs} jobs, {hosts} hosts")
    command = [sys.executable, "-m", "rows.scheduler", str(jobs), str(hosts), str(times)]
    bench_folder = Path(__file__).parents[1]
    told = subprocess.run(command, cwd=bench_folder, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    placing, full, first, mebibytes = (float(text) for text in told)
    what = "cycle, 1,000,000 jobs in 1,000 classes, 10,000 hosts"
    note = f"with all hosts full: {full:.0f} ms, of which the first {first:.0f} ms; reasons for all classes included"
    return [
        Figure(
            row="scheduler", what=f"{what}, 1,000 placed", unit="ms", ours=[placing], bar=100, is_rate=False, note=note
        ),
        Figure(row="scheduler", what=f"{what}, memory", unit="MiB", ours=[mebibytes], bar=1024, is_rate=False),
    ]


def main() -> None:
    """Print what was measured."""
    jobs, hosts, times = map(int, sys.argv[1:])
    placing = timed(situation(jobs=jobs, hosts=hosts, is_full=False), times)
    full = timed(situation(jobs=jobs, hosts=hosts, is_full=True), times)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(median(placing), median(full[1:]), full[0], most)


if __name__ == "__main__":
    main()
