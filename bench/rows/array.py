"""Throughput of an array job on plain processes, beside the same tasks run by others."""

import subprocess
import sys
import time
from pathlib import Path

from figures import Figure
from peers import posix_spawn
from row import Bench
from service import TRUE, Service

from rows.docker import IMAGE, docker_answers, make_image

WIDTH = 8
_PEERS = Path(__file__).parent.parent / "peers"


def measure(bench: Bench) -> list[Figure]:
    """Tasks per second: ours, raw `posix_spawn`, HyperQueue, GNU parallel; then moto with what it can do.

    Ours is timed by a caller: from sending SubmitJob to reading that the array job has SUCCEEDED.
    """
    size = bench.scaled(10_000, quick=500)
    # The slower ones run fewer of the same tasks; HyperQueue's client looks once a second, so it needs some time.
    queued = bench.scaled(4_000, quick=400)
    fewer = bench.scaled(2_000, quick=200)
    rates: dict[str, list[float]] = {"ours": [], "raw": [], "hyperqueue": [], "parallel": []}
    with Service(bench.fresh("array"), vcpus=WIDTH) as service:
        service.register("true", TRUE)
        _run_ours(service, 200)
        for turn in range(bench.scaled(3, quick=1)):
            bench.say(f"turn {turn + 1}: {size} children on Longshore")
            rates["ours"].append(size / _run_ours(service, size))
            bench.say(f"turn {turn + 1}: {size} raw posix_spawn")
            rates["raw"].append(size / posix_spawn.run(TRUE, size, width=WIDTH, folder=bench.fresh("raw")))
            bench.say(f"turn {turn + 1}: {queued} HyperQueue tasks")
            rates["hyperqueue"].append(queued / _run_hyperqueue(queued, bench.fresh("hyperqueue")))
            bench.say(f"turn {turn + 1}: {fewer} tasks on GNU parallel")
            rates["parallel"].append(fewer / _run_parallel(fewer, bench.fresh("parallel")))
    peers = [("raw", "posix_spawn, 8 wide", 0.5), ("hyperqueue", "HyperQueue", 2), ("parallel", "GNU parallel -j8", 3)]
    figures = [
        Figure(
            row="array",
            what=f"array of {size:,} `true`, process engine",
            unit="tasks/s",
            ours=rates["ours"],
            peer_name=title,
            peer=rates[name],
            bar=bar,
            is_rate=True,
        )
        for name, title, bar in peers
    ]
    return [*figures, *_measure_moto(bench, rates["ours"])]


def _measure_moto(bench: Bench, ours: list[float]) -> list[Figure]:
    if not docker_answers():
        return []
    make_image()
    count = bench.scaled(100, quick=5)
    bench.say(f"{count} jobs on moto")
    rate = count / _seconds_of([sys.executable, str(_PEERS / "moto_jobs.py"), str(count), IMAGE, *TRUE])
    return [
        Figure(
            row="array",
            what=f"the same beside {count} jobs on moto",
            unit="tasks/s",
            ours=ours[-1:],
            peer_name="moto server, Docker",
            peer=[rate],
            is_rate=True,
            note="moto knows no processes: it runs each job in a thread and a container, all at once",
        )
    ]


def _run_ours(service: Service, size: int) -> float:
    began = time.perf_counter()
    service.wait_for_end(service.submit("true", arrayProperties={"size": size}))
    return time.perf_counter() - began


def _run_hyperqueue(count: int, folder: Path) -> float:
    program = str(_PEERS / "hyperqueue_tasks.py")
    return _seconds_of([sys.executable, program, str(count), str(WIDTH), str(folder), *TRUE])


def _seconds_of(command: list[str]) -> float:
    """What a peer's program prints last."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"{command} failed: {ended.stderr[-2000:]}")
    return float(ended.stdout.split()[-1])


def _run_parallel(count: int, folder: Path) -> float:
    numbers = "".join(f"{number}\n" for number in range(count))
    command = ["parallel", "--will-cite", f"-j{WIDTH}", "--files", "--tmpdir", str(folder), *TRUE]
    began = time.perf_counter()
    subprocess.run(command, input=numbers, stdout=subprocess.DEVNULL, text=True, check=True)
    return time.perf_counter() - began
