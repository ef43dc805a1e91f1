"""Jobs of several containers, as tasks and as pods, on plain processes and on Docker."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import LiveServer, eventually, live_server

ENGINES = [pytest.param("process"), pytest.param("docker", marks=pytest.mark.docker)]
NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
IMAGE = "longshore-test/busybox:1"
#: Where the shared volume is: a mount, or the folder that stands for it.
VOLUME = "d=${LONGSHORE_VOLUME_SHARED:-/shared}; "

pytestmark = pytest.mark.timeout(150)


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveServer]:
    """A running server on the engine."""
    if request.param == "docker":
        subprocess.run(["tests/parts/docker-image.sh"], check=True, capture_output=True)
    with live_server(tmp_path, engine=request.param) as server:
        server.start()
        server.set_up(engine=request.param)
        yield server


def container(name: str, script: str, **rest: Any) -> dict[str, Any]:
    """A container of a task; it sees the shared volume."""
    mounts = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    command = ["/bin/sh", "-c", VOLUME + script]
    return {
        "name": name,
        "image": IMAGE,
        "command": command,
        "resourceRequirements": NEEDS,
        "mountPoints": mounts,
        **rest,
    }


def run_task(server: LiveServer, *containers: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """The job that runs these containers as one task, once it has ended."""
    task = {"containers": containers, "volumes": [{"name": "shared"}]}
    server.batch.register_job_definition(
        jobDefinitionName="task", type="container", ecsProperties={"taskProperties": [task]}
    )
    job_id = server.submit("task", "task", **rest)
    return dict(server.wait([job_id])[job_id])


def containers_of(job: dict[str, Any]) -> dict[str, Any]:
    """The containers of a task as DescribeJobs shows them, by name."""
    return {each["name"]: each for each in job["ecsProperties"]["taskProperties"][0]["containers"]}


def left_by(server: LiveServer) -> list[str]:
    """What jobs have left at their engine."""
    label = f"label=longshore.installation={server.installation_id}"
    kinds = (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"))
    found = [str(path) for path in (server.data / "shared").glob("*")]
    if "docker" in str(server.batch.describe_compute_environments()["computeEnvironments"][0]["tags"]):
        for kind in kinds:
            found += subprocess.run(
                ["docker", *kind, "--filter", label], check=True, capture_output=True, text=True
            ).stdout.split()
    return found


def test_task_with_dependencies_and_a_shared_volume(server: LiveServer) -> None:
    """Containers start in order, read what others wrote, have logs of their own, and leave nothing."""
    job = run_task(
        server,
        container("first", "echo from first > $d/file; echo one", essential=False),
        container("main", "cat $d/file; exit 0", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}]),
        container(
            "side",
            'trap "exit 7" TERM; sleep 100 & wait',
            essential=False,
            dependsOn=[{"containerName": "first", "condition": "START"}],
        ),
    )
    assert (job["status"], job["statusReason"]) == ("SUCCEEDED", "Essential container in task exited")
    found = containers_of(job)
    assert (found["first"]["exitCode"], found["main"]["exitCode"]) == (0, 0)
    logs = {name: server.log_of({"container": each}) for name, each in found.items() if each.get("logStreamName")}
    assert (logs["first"], logs["main"]) == ("one\n", "from first\n")
    assert found["main"]["logStreamName"].startswith("task/main/")
    eventually(lambda: not left_by(server), what="nothing is left")


def test_failed_dependency_fails_the_task(server: LiveServer) -> None:
    """What needs its success is never started; the job says which container it was."""
    job = run_task(
        server,
        container("first", "exit 3", essential=False),
        container("main", "echo never", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}]),
    )
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert containers_of(job)["first"]["exitCode"] == 3
    reason = containers_of(job)["main"]["reason"]
    assert reason == "container main was not started: container first did not reach SUCCESS, it exited with code 3"


def test_end_of_an_essential_container_stops_the_others(server: LiveServer) -> None:
    """With their own stopTimeout between SIGTERM and SIGKILL."""
    job = run_task(
        server,
        container("main", "sleep 2; exit 4"),
        container("deaf", 'trap "" TERM; while :; do sleep 1; done', essential=False, stopTimeout=2),
    )
    assert job["status"] == "FAILED"
    assert {name: each["exitCode"] for name, each in containers_of(job).items()} == {"main": 4, "deaf": 137}
    assert job["stoppedAt"] - job["startedAt"] < 20_000


def test_dependency_that_takes_too_long(server: LiveServer) -> None:
    """After its startTimeout, containers that wait for its end give up, and the job fails."""
    job = run_task(
        server,
        container("first", "exec sleep 100", essential=False, startTimeout=2, stopTimeout=2),
        container("main", "echo never", dependsOn=[{"containerName": "first", "condition": "COMPLETE"}]),
    )
    assert job["status"] == "FAILED"
    assert "within its startTimeout of 2 s" in containers_of(job)["main"]["reason"]


def test_task_survives_the_death_of_the_server(server: LiveServer) -> None:
    """What was to be started next is, by the next server."""
    task = {
        "containers": [
            container("first", "sleep 4; echo done > $d/file", essential=False),
            container("main", "cat $d/file", dependsOn=[{"containerName": "first", "condition": "SUCCESS"}]),
        ],
        "volumes": [{"name": "shared"}],
    }
    server.batch.register_job_definition(
        jobDefinitionName="task", type="container", ecsProperties={"taskProperties": [task]}
    )
    job_id = server.submit("task", "task")
    eventually(lambda: server.describe([job_id])[job_id]["status"] == "STARTING", what="it is starting")
    server.kill()
    server.start()
    job = server.wait([job_id])[job_id]
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
    assert server.log_of({"container": containers_of(job)["main"]}) == "done\n"


def test_pod_with_init_containers(server: LiveServer) -> None:
    """Init containers run one after another, then all others; a folder of the pod is seen by all of them."""

    def pod_container(name: str, script: str) -> dict[str, Any]:
        return {
            "name": name,
            "image": IMAGE,
            "command": ["/bin/sh", "-c"],
            "args": [VOLUME + script],
            "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
        }

    pod = {
        "initContainers": [pod_container("i1", "echo 1 >> $d/f"), pod_container("i2", "echo 2 >> $d/f")],
        "containers": [pod_container("a", "cat $d/f; [ $(wc -l < $d/f) = 2 ]"), pod_container("b", "sleep 1; exit 6")],
        "volumes": [{"name": "shared", "emptyDir": {}}],
    }
    server.batch.register_job_definition(
        jobDefinitionName="pod", type="container", eksProperties={"podProperties": pod}
    )
    job_id = server.submit("pod", "pod")
    job = server.wait([job_id])[job_id]
    assert job["status"] == "FAILED"
    shown = job["eksProperties"]["podProperties"]
    codes = {each["name"]: each["exitCode"] for each in [*shown["initContainers"], *shown["containers"]]}
    assert codes == {"i1": 0, "i2": 0, "a": 0, "b": 6}
    explained = server.native(f"/longshore/jobs/{job_id}/explain")
    assert [part["container"] for part in explained["attempts"][0]["parts"]] == ["i1", "i2", "a", "b"]
    page = server.native(f"/longshore/jobs/{job_id}/log?container=a")
    assert [line["message"] for line in page["lines"]] == ["1", "2"]
