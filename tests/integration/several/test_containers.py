"""Jobs of several containers, as tasks and as pods, on plain processes and on Docker."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import MANAGED, LiveServer, eventually, live_server

ENGINES = [pytest.param("process"), pytest.param("docker", marks=pytest.mark.docker)]
NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
IMAGE = "longshore-test/busybox:1"
CLUSTER = {
    "eksClusterArn": "arn:aws:eks:us-east-1:000000000000:cluster/cluster",
    "kubernetesNamespace": "batch-jobs",
}
NOBODY = {"runAsUser": 65534, "runAsGroup": 65534}
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
        eventually(lambda: not server.left_by_parts(), what="nothing is left of what parts shared")


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


def run_pod(server: LiveServer, **pod: Any) -> dict[str, Any]:
    """The job that runs this pod, once it has ended."""
    server.batch.register_job_definition(
        jobDefinitionName="pod", type="container", eksProperties={"podProperties": pod}
    )
    server.batch.create_compute_environment(computeEnvironmentName="eks", eksConfiguration=CLUSTER, **MANAGED)
    order = [{"order": 1, "computeEnvironment": "eks"}]
    server.batch.create_job_queue(jobQueueName="pods", priority=1, computeEnvironmentOrder=order)
    job_id = server.submit("pod", "pod", queue="pods")
    return dict(server.wait([job_id])[job_id])


def pod_container(name: str, script: str, **rest: Any) -> dict[str, Any]:
    """A container of a pod; it sees the shared volume."""
    return {
        "name": name,
        "image": IMAGE,
        "command": ["/bin/sh", "-c"],
        "args": [VOLUME + script],
        "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
        "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
        **rest,
    }


def log_of_pod(server: LiveServer, job: dict[str, Any], container: str) -> list[str]:
    """What a container wrote."""
    page = server.native(f"/longshore/jobs/{job['jobId']}/log?container={container}")
    return [line["message"] for line in page["lines"]]


def test_variables_of_a_pod_are_expanded(server: LiveServer) -> None:
    """$(NAME) in args and later variables, as Kubernetes does it; what names nothing and what is escaped stays."""
    env = [
        {"name": "WHO", "value": "you"},
        {"name": "GREETING", "value": "hello $(WHO) in $(AWS_BATCH_JQ_NAME), $(LATER)"},
        {"name": "LATER", "value": "later"},
    ]
    args = ["printf '%s\\n' '$(GREETING)' '$$(WHO)' '$(NOBODY)' \"$$GREETING\""]
    job = run_pod(
        server,
        containers=[pod_container("a", "", args=args, env=env)],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    greeting = "hello you in pods, $(LATER)"
    assert log_of_pod(server, job, "a") == [greeting, "$(WHO)", "$(NOBODY)", greeting]


@pytest.mark.parametrize("medium", ["", "Memory"])
def test_empty_folder_of_a_pod(server: LiveServer, medium: str) -> None:
    """Every user may write to it, and it keeps what init containers wrote, also in memory."""
    job = run_pod(
        server,
        initContainers=[pod_container("init", "echo kept > $d/file")],
        containers=[pod_container("a", "cat $d/file; echo more > $d/other", securityContext=NOBODY)],
        volumes=[{"name": "shared", "emptyDir": {"medium": medium, "sizeLimit": "1Mi"}}],
    )
    assert (job["status"], log_of_pod(server, job, "a")) == ("SUCCEEDED", ["kept"])


def test_pod_with_init_containers(server: LiveServer) -> None:
    """Init containers run one after another, then all others; a folder of the pod is seen by all of them."""
    job = run_pod(
        server,
        initContainers=[pod_container("i1", "echo 1 >> $d/f"), pod_container("i2", "echo 2 >> $d/f")],
        containers=[pod_container("a", "cat $d/f; [ $(wc -l < $d/f) = 2 ]"), pod_container("b", "sleep 1; exit 6")],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    assert job["status"] == "FAILED"
    shown = job["eksProperties"]["podProperties"]
    codes = {each["name"]: each["exitCode"] for each in [*shown["initContainers"], *shown["containers"]]}
    assert codes == {"i1": 0, "i2": 0, "a": 0, "b": 6}
    explained = server.native(f"/longshore/jobs/{job['jobId']}/explain")
    assert [part["container"] for part in explained["attempts"][0]["parts"]] == ["i1", "i2", "a", "b"]
    assert log_of_pod(server, job, "a") == ["1", "2"]


@pytest.mark.parametrize("server", [pytest.param("docker", marks=pytest.mark.docker)], indirect=True, ids=["docker"])
class TestOnDocker:
    """What only containers can be held to."""

    def test_containers_of_a_task_reach_each_other_on_localhost(self, server: LiveServer) -> None:
        """As in a task of ECS, also when the first of them has ended."""
        ask = "for i in $(seq 100); do nc 127.0.0.1 7000 < /dev/null && exit 0; sleep 0.1; done; exit 1"
        job = run_task(
            server,
            container("first", "exit 0", essential=False),
            container("server", "while :; do echo hello | nc -l -p 7000; done", essential=False, stopTimeout=2),
            container("main", ask, dependsOn=[{"containerName": "first", "condition": "SUCCESS"}]),
        )
        assert job["status"] == "SUCCEEDED"
        assert server.log_of({"container": containers_of(job)["main"]}).endswith("hello\n")

    def test_folder_in_memory_has_a_limit(self, server: LiveServer) -> None:
        """It is a file system of its own, and full when it holds so much."""
        script = "grep -c ' /shared tmpfs ' /proc/mounts; head -c 2000000 /dev/zero > $d/a"
        job = run_pod(
            server,
            containers=[pod_container("a", script)],
            volumes=[{"name": "shared", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
        )
        assert job["status"] == "FAILED"
        assert log_of_pod(server, job, "a") == ["1", "head: standard output: I/O error"]

    def test_security_context(self, server: LiveServer) -> None:
        """No new privileges, fewer capabilities, a group beside the user's own."""
        context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, **NOBODY}
        job = run_pod(
            server,
            containers=[
                pod_container("a", "id -G; grep -E 'NoNewPrivs|CapBnd' /proc/self/status", securityContext=context)
            ],
            volumes=[{"name": "shared", "emptyDir": {}}],
            securityContext={"fsGroup": 1234, "runAsNonRoot": True},
        )
        assert log_of_pod(server, job, "a") == ["65534 1234", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]

    @pytest.mark.parametrize(
        ("member", "reason"),
        [
            (
                {"securityContext": {"runAsNonRoot": True}},
                "CreateContainerConfigError: container has runAsNonRoot and image will run as root",
            ),
            (
                {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}},
                "the job asks for SYS_ADMIN, which the setting docker.privileged = refuse does not allow",
            ),
            (
                {"image": "longshore-test/none:1", "imagePullPolicy": "Never"},
                "ErrImageNeverPull: container image longshore-test/none:1 is not present with pull policy of Never",
            ),
            (
                {"imagePullPolicy": "Always"},
                "CannotPullContainerError: ",
            ),
        ],
    )
    def test_container_that_may_not_start(self, server: LiveServer, member: dict[str, Any], reason: str) -> None:
        """It never runs, and its reason says why."""
        job = run_pod(
            server,
            containers=[pod_container("a", "exit 0", **member)],
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
        assert job["status"] == "FAILED"
        assert job["eksProperties"]["podProperties"]["containers"][0]["reason"].startswith(reason)
