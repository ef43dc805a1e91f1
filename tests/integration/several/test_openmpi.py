"""A real OpenMPI program over four nodes, on plain processes and on Docker."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import MANAGED, LiveServer, eventually, live_server

PROGRAM = Path(__file__).with_name("mpi_node.py").read_text()
#: Nodes have no folder in common: each writes the program down for itself.
LAUNCHER = """
import os, sys
path = os.environ.get("TMPDIR", "/tmp") + "/mpi_node.py"
open(path, "w").write(os.environ["MPI_NODE"])
os.execv("/usr/bin/python3", ["/usr/bin/python3", path])
"""
NODES = 4
ENGINES = [pytest.param("process"), pytest.param("docker", marks=pytest.mark.docker)]

pytestmark = [pytest.mark.openmpi, pytest.mark.timeout(150)]


@pytest.fixture(params=ENGINES)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveServer]:
    """A running server on the engine."""
    with live_server(tmp_path, engine=request.param) as server:
        server.start()
        server.set_up(engine=request.param, **MANAGED)
        yield server
        eventually(lambda: not server.left_by_parts(), what="nothing is left of what parts shared")


def image_of(server: LiveServer) -> str:
    """The image with OpenMPI, made when Docker is to run it."""
    environments = server.batch.describe_compute_environments()["computeEnvironments"]
    if environments[0]["tags"]["longshore:engine"] != "docker":
        return "unused"
    made = subprocess.run(["tests/parts/openmpi-image.sh"], check=True, capture_output=True, text=True)
    return made.stdout.strip()


def submit_nodes(server: LiveServer, *command: str, **rest: Any) -> str:
    """A job of four nodes that run `command`; returns its id."""
    container = {
        "image": image_of(server),
        "command": list(command),
        "environment": [{"name": "MPI_NODE", "value": PROGRAM}],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}],
    }
    nodes = {"numNodes": NODES, "mainNode": 1, "nodeRangeProperties": [{"targetNodes": ":", "container": container}]}
    server.batch.register_job_definition(jobDefinitionName="nodes", type="multinode", nodeProperties=nodes)
    return server.submit("nodes", "nodes", **rest)


def nodes_of(server: LiveServer, job_id: str) -> list[dict[str, Any]]:
    """Every node as DescribeJobs shows it."""
    ids = [f"{job_id}#{index}" for index in range(NODES)]
    found = server.describe(ids)
    return [found[node_id] for node_id in ids]


def test_mpi_runs_between_the_nodes(server: LiveServer) -> None:
    """Four ranks on four nodes, each with an index and an address of its own, tell each other so through MPI."""
    job_id = submit_nodes(server, "/usr/bin/python3", "-c", LAUNCHER)
    job = server.wait([job_id], seconds=120)[job_id]
    nodes = nodes_of(server, job_id)
    output = server.log_of(nodes[1]["attempts"][0])
    assert job["status"] == "SUCCEEDED", output
    gathered = dict(re.findall(r"gathered (\d): rank \d (on node \d at [0-9.]+)", output))
    addresses = [node["container"]["networkInterfaces"][0]["privateIpv4Address"] for node in nodes]
    assert len(set(addresses)) == NODES
    assert set(gathered) == {"0", "1", "2", "3"}
    assert set(gathered.values()) == {f"on node {index} at {address}" for index, address in enumerate(addresses)}


def test_main_node_decides(server: LiveServer) -> None:
    """The end of another node means nothing, that of the main one ends the job and stops the rest."""
    script = 'case $AWS_BATCH_JOB_NODE_INDEX in 1) sleep 3;; 2) exit 3;; *) trap "exit 5" TERM; sleep 100 & wait;; esac'
    job_id = submit_nodes(server, "/bin/sh", "-c", script)
    early = eventually(
        lambda: nodes_of(server, job_id)[2]["container"].get("exitCode") == 3 and nodes_of(server, job_id),
        what="a node has ended",
    )
    assert early[1]["status"] == "RUNNING"
    assert server.wait([job_id])[job_id]["status"] == "SUCCEEDED"
    nodes = nodes_of(server, job_id)
    assert [node["container"]["exitCode"] for node in nodes] == [5, 0, 3, 5]
    assert [node["status"] for node in nodes] == ["FAILED", "SUCCEEDED", "FAILED", "FAILED"]
    assert nodes[1]["stoppedAt"] <= min(nodes[0]["stoppedAt"], nodes[3]["stoppedAt"])


def test_loss_of_a_node_that_is_not_the_main_one(server: LiveServer) -> None:
    """A node that is killed takes no other with it, and causes no retry."""
    script = "echo $$; case $AWS_BATCH_JOB_NODE_INDEX in 1) sleep 4;; 3) kill -9 $$;; *) exec sleep 100;; esac"
    if image_of(server) != "unused":  # the first process of a container can't kill itself
        script = script.replace("kill -9 $$", "exit 137")
    job_id = submit_nodes(server, "/bin/sh", "-c", script, retryStrategy={"attempts": 3})
    job = server.wait([job_id])[job_id]
    assert job["status"] == "SUCCEEDED"
    assert len(job["attempts"]) == 1
    assert nodes_of(server, job_id)[3]["container"]["exitCode"] == 137


def test_retry_starts_all_nodes_again(server: LiveServer) -> None:
    """When the main node fails, the next attempt is of all nodes, with other task ids."""
    script = "case $AWS_BATCH_JOB_NODE_INDEX in 1) sleep 1; [ $AWS_BATCH_JOB_ATTEMPT = 2 ];; *) exec sleep 100;; esac"
    script = f"trap 'exit 0' TERM; {script.replace('exec sleep 100', 'sleep 100 & wait')}"
    job_id = submit_nodes(server, "/bin/sh", "-c", script, retryStrategy={"attempts": 2})
    job = server.wait([job_id])[job_id]
    assert job["status"] == "SUCCEEDED"
    for node in nodes_of(server, job_id):
        tasks = [attempt["container"]["taskArn"] for attempt in node["attempts"]]
        assert len(set(tasks)) == 2


def test_nodes_survive_the_death_of_the_server(server: LiveServer) -> None:
    """A job of several nodes goes on while the server is dead, and ends as it would have."""
    script = 'case $AWS_BATCH_JOB_NODE_INDEX in 1) sleep 4; exit 0;; *) trap "exit 5" TERM; sleep 100 & wait;; esac'
    job_id = submit_nodes(server, "/bin/sh", "-c", script)
    eventually(
        lambda: all(node["status"] == "RUNNING" for node in nodes_of(server, job_id)), what="all nodes are running"
    )
    server.kill()
    server.start()
    job = server.wait([job_id])[job_id]
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
    assert [node["container"]["exitCode"] for node in nodes_of(server, job_id)] == [5, 0, 5, 5]
