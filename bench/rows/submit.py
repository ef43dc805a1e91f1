"""SubmitJob: how many a second, and how long one with 10,000 children takes."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from figures import Figure
from row import Bench
from service import Service, submission
from wire import Connection, flood

CONNECTIONS = 16
_REFERENCE = Path(__file__).parent.parent / "reference_app.py"


def measure_rate(bench: Bench) -> list[Figure]:
    """Requests per second beside the reference application. The jobs wait, behind one that holds every vCPU."""
    count = bench.scaled(4_000, quick=400)
    folder = bench.fresh("submit")
    ours, bare, slowest = list[float](), list[float](), list[float]()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, str(_REFERENCE), str(port), str(folder / "reference.sqlite3")]
    reference = subprocess.Popen(command)
    try:
        with Service(folder) as service:
            hold_every_vcpu(service)
            requests = [submission("waits")] * count
            flood(service.port, requests[:300], connections=CONNECTIONS)
            _wait_for(port)
            flood(port, requests[:300], connections=CONNECTIONS)
            for turn in range(bench.scaled(5, quick=1)):
                service.wait_for_intake()
                bench.say(f"turn {turn + 1}: {count} submissions to Longshore")
                result = flood(service.port, requests, connections=CONNECTIONS)
                ours.append(result.per_second)
                slowest.append(sorted(result.seconds)[-len(result.seconds) // 100] * 1000)
                service.wait_for_intake()
                bench.say(f"turn {turn + 1}: {count} submissions to the reference")
                bare.append(flood(port, requests, connections=CONNECTIONS).per_second)
    finally:
        reference.kill()
        reference.wait()
    return [
        Figure(
            row="submit",
            what=f"SubmitJob, {CONNECTIONS} connections, durable",
            unit="requests/s",
            ours=ours,
            peer_name="bare Starlette, group commit",
            peer=bare,
            bar=0.5,
            is_rate=True,
            note=f"99 of 100 were answered within {median(slowest):.0f} ms",
        )
    ]


def measure_array(bench: Bench) -> list[Figure]:
    """Milliseconds until an array of 10,000 is accepted, durably."""
    took: list[float] = []
    with Service(bench.fresh("array-submit")) as service:
        hold_every_vcpu(service)
        for turn in range(bench.scaled(11, quick=2)):
            bench.say(f"array {turn + 1}")
            began = time.perf_counter()
            service.submit("waits", arrayProperties={"size": 10_000})
            took.append((time.perf_counter() - began) * 1000)
            service.wait_for_intake()
    return [
        Figure(
            row="array-submit",
            what="SubmitJob of an array of 10,000",
            unit="ms",
            ours=took[1:],
            bar=200,
            is_rate=False,
            note=f"the slowest took {max(took):.0f} ms, the first {took[0]:.0f} ms",
        )
    ]


def hold_every_vcpu(service: Service) -> None:
    """Have one job hold the machine, so that what is submitted from `waits` waits."""
    service.register("holds", ["/bin/sleep", "3600"], vcpus=8)
    service.register("waits", ["/bin/true"])
    job_id = service.submit("holds")
    while service.describe(job_id)["status"] != "RUNNING":
        time.sleep(0.05)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            Connection(port).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
