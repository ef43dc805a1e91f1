"""Three users share eight vCPUs with weights 1, 1 and 2: a real server, real processes, and what its history says.

`python -m tests.integration.process.three_users FILE.svg` lives it through and draws the picture of docs/fair-share.md.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from tests.integration.live import LiveServer, eventually, live_server

VCPUS = 8
#: Of these weights the parts are 3.2, 3.2 and 1.6.
WEIGHTS = {"alpha": 1.0, "beta": 1.0, "gamma": 2.0}
PARTS = {"alpha": 3.2, "beta": 3.2, "gamma": 1.6}
#: How long each user's jobs run, and how many there are: more than can be done. Each takes a quarter of a vCPU, which
#: Fargate offers with 512 MiB: the parts are not whole numbers of vCPUs.
LOADS = {"alpha": (1.0, 1200), "beta": (2.0, 600), "gamma": (3.0, 200)}
QUARTER = 0.25
SETTINGS = {"LONGSHORE_LOCAL_VCPUS": str(VCPUS), "LONGSHORE_LOCAL_MEMORY_MIB": "16384"}
#: Alpha has the machine alone for so long.
ALONE_SECONDS = 2.0


@dataclass(kw_only=True)
class History:
    """When jobs ran, in seconds from the first start, by user."""

    runs: Mapping[str, Sequence[tuple[float, float]]]
    #: what `explain` said of each job that waited when it was asked
    explained: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    def held(self, user: str, begin: float, end: float) -> float:
        """vCPUs that a user's jobs held between two moments, on average."""
        seconds = sum(max(min(to, end) - max(at, begin), 0.0) for at, to in self.runs[user])
        return QUARTER * seconds / (end - begin)

    def parts(self, begin: float, end: float) -> Mapping[str, float]:
        """The same of all, as if all vCPUs had been held: a busy machine leaves gaps between jobs."""
        held = {user: self.held(user, begin, end) for user in self.runs}
        return {user: each * VCPUS / sum(held.values()) for user, each in held.items()}


def live_through(live: LiveServer, *, seconds: float) -> History:
    """Let the users work for so long on a server that has started, ask why jobs wait, and end what is left."""
    batch = live.batch
    shares = [{"shareIdentifier": user, "weightFactor": weight} for user, weight in WEIGHTS.items()]
    policy = batch.create_scheduling_policy(name="by-weight", fairsharePolicy={"shareDistribution": shares})["arn"]
    resources = {"type": "FARGATE", "maxvCpus": VCPUS, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    batch.create_compute_environment(computeEnvironmentName="machine", type="MANAGED", computeResources=resources)
    order = [{"order": 1, "computeEnvironment": "machine"}]
    batch.create_job_queue(jobQueueName="queue", priority=1, schedulingPolicyArn=policy, computeEnvironmentOrder=order)
    jobs: dict[str, str] = {}
    began = time.monotonic()
    for user, (length, count) in LOADS.items():
        definition = live.register(
            user,
            f"exec sleep {length}",
            container={
                "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
                "resourceRequirements": [{"type": "VCPU", "value": str(QUARTER)}, {"type": "MEMORY", "value": "512"}],
            },
            platformCapabilities=["FARGATE"],
        )
        jobs[user] = live.submit(user, definition, shareIdentifier=user, arrayProperties={"size": count})
        if user == "alpha":
            eventually(lambda: _children(live, jobs["alpha"], "RUNNING"), what="jobs of the first user run")
            time.sleep(ALONE_SECONDS)
    waiting = list(chain.from_iterable(_children(live, job_id, "RUNNABLE") for job_id in jobs.values()))
    with ThreadPoolExecutor(2) as asking:
        told = dict(zip(waiting, asking.map(lambda job_id: _why(live, job_id), waiting), strict=True))
    time.sleep(max(began + seconds - time.monotonic(), 0.0))
    runs = {user: list(_runs(live, job_id, LOADS[user][1])) for user, job_id in jobs.items()}
    for job_id in jobs.values():
        batch.terminate_job(jobId=job_id, reason="the day is over")
    live.wait(jobs.values())
    first = min(at for each in runs.values() for at, _ in each)
    return History(
        runs={user: [(at - first, to - first) for at, to in each] for user, each in runs.items()}, explained=told
    )


def _children(live: LiveServer, job_id: str, status: str) -> list[str]:
    pages = live.batch.get_paginator("list_jobs").paginate(arrayJobId=job_id, jobStatus=status)
    return [job["jobId"] for page in pages for job in page["jobSummaryList"]]


def _why(live: LiveServer, job_id: str) -> Sequence[str]:
    """Why a job waits; of one that does not any more, what it has come to."""
    told = live.native(f"/longshore/jobs/{job_id}/explain")
    return [cause["text"] for cause in told["waitsFor"]] or [f"is {told['status']}"]


def _runs(live: LiveServer, job_id: str, count: int) -> Iterator[tuple[float, float]]:
    """When children ran; those that still do have run until now."""
    now = time.time()
    for job in live.describe(f"{job_id}:{index}" for index in range(count)).values():
        if "startedAt" in job:
            yield job["startedAt"] / 1000, job.get("stoppedAt", now * 1000) / 1000


def draw(history: History, path: Path, *, seconds: float) -> None:
    """A picture of what each user held, over the five seconds around each moment."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # in development environments only
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    axes: Any = figure.add_subplot()
    moments = [0.5 * step for step in range(int(2 * seconds) - 4)]
    for user, color in zip(WEIGHTS, ("#2563eb", "#ea580c", "#16a34a"), strict=True):
        values = [history.held(user, max(at - 2.5, 0.0), at + 2.5) for at in moments]
        axes.plot(moments, values, color=color, label=f"{user}, weightFactor {WEIGHTS[user]:g}")
        axes.axhline(PARTS[user], color=color, linewidth=0.8, linestyle=":")
    axes.set(xlabel="seconds", ylabel="vCPUs held", xlim=(0, moments[-1]), ylim=(0, VCPUS))
    axes.legend(loc="upper right")
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Live it through for a minute and draw it."""
    path, seconds = Path(sys.argv[1]), 60.0
    with (
        tempfile.TemporaryDirectory() as folder,
        live_server(Path(folder), settings=SETTINGS) as live,
    ):
        live.start()
        history = live_through(live, seconds=seconds)
    draw(history, path, seconds=seconds)
    print({user: round(part, 2) for user, part in history.parts(seconds / 2, seconds - 2).items()})


if __name__ == "__main__":
    main()
