"""The command line beside a real server and real jobs."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import LiveServer, eventually, live_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of one vCPU with an environment and a queue."""
    folder = tmp_path_factory.mktemp("server")
    with live_server(
        folder, settings={"LONGSHORE_LOCAL_VCPUS": "1", "LONGSHORE_SERVER_HOST_NAMES": "Gateway, batch.example"}
    ) as server:
        server.start()
        server.set_up()
        yield server


def ask(server: LiveServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command says."""
    return subprocess.run(
        [sys.executable, "-m", "longshore", *arguments],
        env={"LONGSHORE_URL": server.url, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_job_is_followed_through_its_attempts_to_its_end(server: LiveServer) -> None:
    line = r"printf 'line %s of attempt %s\033[2J\n' $i $AWS_BATCH_JOB_ATTEMPT"
    script = f"for i in 1 2 3; do {line}; sleep 0.2; done; exit 3"
    job = server.submit("failing", server.register("failing", script, retryStrategy={"attempts": 2}))
    told = ask(server, "logs", "-f", job)
    lines = told.stdout.splitlines()
    assert lines[-3:] == [f"line {i} of attempt 2" for i in (1, 2, 3)]
    assert told.returncode == 1
    assert told.stderr.endswith(f"Error: job {job} FAILED: Essential container in task exited\n")
    assert ask(server, "logs", job, "--attempt", "1").stdout == "".join(f"line {i} of attempt 1\n" for i in (1, 2, 3))

    explained = json.loads(ask(server, "explain", job, "--json").stdout)
    assert [attempt["exitCode"] for attempt in explained["attempts"]] == [3, 3]
    assert explained["attempts"][1]["decision"] == "not tried again: 2 of 2 attempts spent"
    assert explained["attempts"][0]["used"]["runSeconds"] > 0.5
    assert "image" in [gap["setting"] for gap in explained["notHonoured"]]


def test_what_waits_is_seen_by_every_command(server: LiveServer) -> None:
    sleeping = server.register("sleeping", "sleep 60")
    running = server.submit("running", sleeping)
    waiting = server.submit("waiting", sleeping)
    try:
        short = "asks 1 vCPU, free 0 vCPU of 1 vCPU"
        eventually(lambda: short in ask(server, "explain", waiting).stdout, what="the reason is told")
        assert short in ask(server, "status").stdout
        row = json.loads(ask(server, "jobs", "--json", "--name", "waiting").stdout)["jobs"][0]
        assert (row["jobId"], row["status"]) == (waiting, "RUNNABLE")
        assert short in row["statusReason"]
        assert ask(server, "jobs", "-q", "--status", "RUNNABLE").stdout == f"{waiting}\n"
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=10) as answer:
            samples = answer.read().decode()
        assert 'longshore_jobs{queue="queue",region="us-east-1",status="RUNNABLE"} 1.0' in samples
        assert 'longshore_engine_up{engine="process"} 1.0' in samples
        moves = 'longshore_job_transitions_total{queue="queue",region="us-east-1",status_from="STARTING"'
        assert f'{moves},status_to="RUNNING"}}' in samples
    finally:
        for job in (waiting, running):
            server.batch.terminate_job(jobId=job, reason="test is over")
        server.wait([running, waiting])


def test_a_second_server_does_not_start(server: LiveServer, tmp_path: Path) -> None:
    busy = ask(server, "server", "--port", str(server.port), "--data", str(tmp_path / "other"))
    assert (busy.returncode, busy.stdout, busy.stderr.count("\n")) == (2, "", 1)
    assert "Address already in use" in busy.stderr
    assert not (tmp_path / "other").exists()
    taken = ask(server, "server", "--port", "0", "--data", str(server.data))
    assert (taken.returncode, taken.stdout, taken.stderr.count("\n")) == (2, "", 1)
    assert "another Longshore server is using this data folder" in taken.stderr


@pytest.mark.parametrize(
    ("host", "status"), [("gateway:80", 200), ("batch.example", 200), ("other.example", 403), ("localhost", 200)]
)
def test_the_names_that_it_has_been_given_are_its_own(server: LiveServer, host: str, status: int) -> None:
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.status == status
    except urllib.error.HTTPError as refusal:
        assert refusal.code == status
        assert "server.host_names" in json.load(refusal)["message"]
