"""`longshore explain JOB` names what a waiting job waits for, with numbers."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import LiveServer, eventually, live_server

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """4 vCPUs, 2,048 MiB and no GPU."""
    settings = {"LONGSHORE_LOCAL_VCPUS": "4", "LONGSHORE_LOCAL_MEMORY_MIB": "2048", "LONGSHORE_OVERSIZE": "wait"}
    with live_server(tmp_path_factory.mktemp("explain"), settings=settings) as server:
        server.start()
        server.set_up()
        yield server


def explain(server: LiveServer, job_id: str) -> str:
    """What the command prints, in one line."""
    command = [str(Path(sys.executable).parent / "longshore"), "explain", job_id, "--url", server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env={"COLUMNS": "1000"})
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def needing(server: LiveServer, name: str, **amounts: int) -> str:
    """A sleeping job's definition."""
    wanted = [{"type": kind, "value": str(value)} for kind, value in amounts.items()]
    return server.register(name, "exec sleep 100", container={"resourceRequirements": wanted})


def explained(server: LiveServer, job_id: str, *parts: str) -> str:
    """The explanation once it has all these parts."""

    def told() -> str | None:
        text = explain(server, job_id)
        return text if all(part in text for part in parts) else None

    try:
        return eventually(told, seconds=5, what=f"{parts} are told")
    except AssertionError as missing:
        raise AssertionError(f"{parts} are not all in: {explain(server, job_id)}") from missing


@pytest.fixture
def clean(server: LiveServer) -> Iterator[None]:
    yield
    ids = [
        job["jobId"]
        for status in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
        for job in server.batch.list_jobs(jobQueue="queue", jobStatus=status)["jobSummaryList"]
    ]
    for job_id in ids:
        server.batch.terminate_job(jobId=job_id, reason="seen")
    server.wait(ids)


def run_one(server: LiveServer, definition: str) -> str:
    job_id = server.submit("runs", definition)
    eventually(lambda: server.describe([job_id])[job_id]["status"] == "RUNNING", what="it runs")
    return job_id


@pytest.mark.usefixtures("clean")
def test_full_machine(server: LiveServer) -> None:
    """A resource, how much of it is asked for, and how much is there."""
    run_one(server, needing(server, "three", VCPU=3, MEMORY=1000))
    vcpu = server.submit("vcpu", needing(server, "two-vcpus", VCPU=2, MEMORY=100))
    explained(server, vcpu, "compute environment environment: host local: asks 2 vCPU, free 1 vCPU of 4 vCPU")
    behind = server.submit("behind", needing(server, "small", VCPU=1, MEMORY=100))
    explained(
        server, behind, f"ahead of it in job queue queue: 1 RUNNABLE job, array children counted; the first is {vcpu}"
    )
    explained(server, behind, "host local is kept free for a job ahead", f"room is kept for job {vcpu}")


@pytest.mark.usefixtures("clean")
def test_full_memory(server: LiveServer) -> None:
    run_one(server, needing(server, "much-memory", VCPU=1, MEMORY=1500))
    waits = server.submit("waits", needing(server, "more-memory", VCPU=1, MEMORY=1000))
    explained(server, waits, "host local: asks 1000 MiB, free 548 of 2048 MiB")


@pytest.mark.usefixtures("clean")
def test_gpu_that_is_not_there(server: LiveServer) -> None:
    waits = server.submit("gpu", needing(server, "gpu", VCPU=1, MEMORY=100, GPU=1))
    explained(server, waits, "asks 1 vCPU, 100 MiB, 1 GPU; its largest host offers 4 vCPU, 2048 MiB")


@pytest.mark.usefixtures("clean")
def test_more_than_the_machine(server: LiveServer) -> None:
    waits = server.submit("large", needing(server, "large", VCPU=40, MEMORY=100))
    explained(server, waits, "asks 40 vCPU, 100 MiB; its largest host offers 4 vCPU, 2048 MiB")


@pytest.mark.usefixtures("clean")
def test_dependency(server: LiveServer) -> None:
    first = run_one(server, needing(server, "first", VCPU=1, MEMORY=100))
    waits = server.submit("waits", needing(server, "second", VCPU=1, MEMORY=100), dependsOn=[{"jobId": first}])
    explained(server, waits, f"depends on job {first} (runs), which is RUNNING")


def _queue(server: LiveServer, name: str, **environment: object) -> None:
    server.batch.create_compute_environment(
        computeEnvironmentName=name, tags={"longshore:engine": "process"}, **environment
    )
    server.batch.create_job_queue(
        jobQueueName=name, priority=1, computeEnvironmentOrder=[{"order": 1, "computeEnvironment": name}]
    )


def test_limit_of_an_environment(server: LiveServer) -> None:
    """maxvCpus is named, with what is left of it."""
    resources = {"type": "EC2", "minvCpus": 0, "maxvCpus": 2}
    resources |= {"instanceTypes": ["optimal"], "subnets": ["subnet-1"], "instanceRole": "role"}
    _queue(server, "limited", type="MANAGED", computeResources=resources)
    one = needing(server, "one-and-a-half", VCPU=2, MEMORY=100)
    ids = [server.batch.submit_job(jobName="limited", jobQueue="limited", jobDefinition=one)["jobId"] for _ in range(2)]
    eventually(lambda: server.describe(ids)[ids[0]]["status"] == "RUNNING", what="the first runs")
    explained(server, ids[1], "compute environment limited: asks 2 vCPU, free 0 vCPU of its maxvCpus 2 vCPU")
    for job_id in ids:
        server.batch.terminate_job(jobId=job_id, reason="seen")
    server.wait(ids)
    three = needing(server, "three-of-two", VCPU=3, MEMORY=100)
    never = server.batch.submit_job(jobName="never", jobQueue="limited", jobDefinition=three)["jobId"]
    explained(server, never, "compute environment limited: asks 3 vCPU, its maxvCpus is 2 vCPU")


def test_disabled_environment(server: LiveServer) -> None:
    _queue(server, "closed", type="UNMANAGED", state="DISABLED")
    definition = needing(server, "any", VCPU=1, MEMORY=100)
    job_id = server.batch.submit_job(jobName="any", jobQueue="closed", jobDefinition=definition)["jobId"]
    explained(server, job_id, "compute environment closed: is DISABLED")
