"""From submission to RUNNING on an idle server."""

import time
from statistics import median

from figures import Figure, percentile
from row import Bench
from service import TRUE, Service


def measure(bench: Bench) -> list[Figure]:
    """Milliseconds from the client's clock before it sends to the job's `startedAt`, and to reading RUNNING."""
    samples = bench.scaled(200, quick=20)
    started, seen = list[float](), list[float]()
    with Service(bench.fresh("latency")) as service:
        service.register("true", TRUE)
        service.register("short", ["/bin/sleep", "0.1"])
        for _ in range(10):
            service.wait_for_end(service.submit("true"))
        for sample in range(samples):
            if sample % 20 == 0:
                bench.say(f"{sample} of {samples} jobs")
            sent = time.time()
            job = service.wait_for_end(service.submit("true"), pause_seconds=0.05)
            # startedAt is in whole milliseconds, rounded down; on average that hides half a one.
            started.append(job["startedAt"] - sent * 1000 + 0.5)
            time.sleep(0.05)
        for _ in range(samples // 2):
            began = time.perf_counter()
            job_id = service.submit("short")
            while "startedAt" not in service.describe(job_id):
                pass
            seen.append((time.perf_counter() - began) * 1000)
            service.wait_for_end(job_id)
    polled = f"read back by DescribeJobs in a tight loop: p50 {median(seen):.1f}, p99 {percentile(seen, 0.99):.1f} ms"
    what = "submit to RUNNING, idle server"
    return [
        Figure(
            row="latency", what=f"{what}, p50", unit="ms", ours=[median(started)], bar=10, is_rate=False, note=polled
        ),
        Figure(row="latency", what=f"{what}, p99", unit="ms", ours=[percentile(started, 0.99)], bar=50, is_rate=False),
    ]
