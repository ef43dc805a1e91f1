"""Jobs on a Docker engine go on while the server, or dockerd, dies; codes, times and logs are exact afterwards."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from longshore.ports.crash_points import SERVER_CRASH_POINTS, VARIABLE
from tests.integration.bad_days.conftest import OTHER_VERSION
from tests.integration.docker.conftest import IMAGE_SCRIPT
from tests.integration.docker.workbench import IMAGE, Engine, OwnEngine
from tests.integration.live import LiveServer, eventually, live_server

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]

#: Prints the wall clock in seconds and microseconds; busybox's date knows no fractions.
CLOCK = """echo $(adjtimex | sed -n 's/.*time.tv_.*: *//p'); """
STOPS_WHEN_ASKED = "trap 'echo asked; exit 9' TERM; echo runs; sleep 120 & wait"


@contextmanager
def docker_server(folder: Path, on: Engine, **settings: str) -> Iterator[LiveServer]:
    """A server whose jobs are containers of this engine."""
    environment = {**os.environ, "DOCKER_HOST": f"unix://{on.socket}"}
    subprocess.run(["sh", str(IMAGE_SCRIPT)], env=environment, check=True, capture_output=True, timeout=60)
    settings = {"LONGSHORE_DOCKER_SOCKET": on.socket, "LONGSHORE_PROCESS_GRACE_SECONDS": "2", **settings}
    with live_server(folder, engine="docker", settings=settings) as server:
        yield server


def containers_left(on: Engine, server: LiveServer, *options: str) -> list[str]:
    """Containers of this installation, also those that have ended unless `options` of `docker ps` say otherwise."""
    label = f"label=longshore.installation={server.installation_id}"
    return on.docker("ps", "--quiet", "--filter", label, *(options or ("--all",))).split()


def microseconds(line: str) -> int:
    seconds, rest = line.split()
    return int(seconds) * 1_000_000 + int(rest)


@pytest.fixture
def server(tmp_path: Path, engine: Engine) -> Iterator[LiveServer]:
    with docker_server(tmp_path, engine) as server:
        yield server


def test_jobs_run_through_kills_of_the_server(server: LiveServer, engine: Engine) -> None:
    """Some end while no server is there; all have their exit code, their times and every byte of their output."""
    server.start()
    server.set_up(engine="docker")
    expected: dict[str, tuple[int, int]] = {}
    for code, seconds in ((0, 1), (3, 2), (0, 4), (7, 6)):
        lines = f"i=0; while [ $i -lt {seconds * 10} ]; do echo line $i; i=$((i+1)); sleep 0.1; done; "
        script = f"{CLOCK}{lines}{CLOCK}exit {code}"
        definition = server.register(f"exits-{code}-{seconds}", script, image=IMAGE)
        expected[server.submit("job", definition)] = (code, seconds * 10)
    eventually(
        lambda: all(job["status"] == "RUNNING" for job in server.describe(expected).values()), what="all of them run"
    )
    for pause in (1.0, 0.2):
        server.kill()
        with pytest.raises(subprocess.TimeoutExpired):  # jobs end in this time, and nobody is there to see it
            subprocess.run(["sleep", "60"], timeout=pause, check=False)
        server.start()
    jobs = server.wait(expected)
    late: list[float] = []
    for job_id, (code, lines) in expected.items():
        (attempt,) = jobs[job_id]["attempts"]
        assert attempt["container"].get("exitCode") == code, jobs[job_id]
        began, *told, ended = server.log_of(attempt).splitlines()
        assert told == [f"line {number}" for number in range(lines)]
        late.append(abs(microseconds(began) / 1000 - attempt["startedAt"]))
        late.append(abs(attempt["stoppedAt"] - microseconds(ended) / 1000))
    # The times are dockerd's. It starts and ends a container through other processes, which a busy machine delays.
    assert median(late) <= 100, late
    assert max(late) <= 1000, late
    eventually(lambda: not containers_left(engine, server), what="no container is left")


def test_up_and_down_again(server: LiveServer, engine: Engine, other_version: Path) -> None:
    """A server of another version takes over the containers that run, and gives them back: codes, logs, times."""
    server.start()
    server.set_up(engine="docker")
    before = server.version()
    told = "i=0; while [ $i -lt 5 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; "
    waits = "while [ ! -e /tmp/gate ]; do sleep 0.05; done; "

    def submit(script: str, *codes: int) -> dict[str, int]:
        jobs: dict[str, int] = {}
        for code in codes:
            definition = server.register(f"exits-{code}", f"{CLOCK}{script}{CLOCK}exit {code}", image=IMAGE)
            jobs[server.submit("job", definition)] = code
        eventually(lambda: all(j["status"] == "RUNNING" for j in server.describe(jobs).values()), what="they run")
        return jobs

    def let_end(jobs: Mapping[str, int]) -> None:
        for job_id in jobs:
            (container,) = engine.docker("ps", "--quiet", "--filter", f"label=longshore.job={job_id}").split()
            engine.docker("exec", container, "touch", "/tmp/gate")

    def check(jobs: Mapping[str, int]) -> None:
        late: list[float] = []
        for job_id, job in server.wait(jobs).items():
            (attempt,) = job["attempts"]
            assert attempt["container"].get("exitCode") == jobs[job_id], job
            began, *lines, ended = server.log_of(attempt).splitlines()
            assert lines == [f"line {number}" for number in range(5)]
            late.append(abs(microseconds(began) / 1000 - attempt["startedAt"]))
            late.append(abs(attempt["stoppedAt"] - microseconds(ended) / 1000))
        assert median(late) <= 100, late

    old = submit(told + waits, 0, 3)
    alone = submit(told + "sleep 1; ", 4)
    assert server.stop() == 0
    running = ("--filter", "status=running")
    eventually(lambda: len(containers_left(engine, server, *running)) == 2, what="one ends while no server is there")
    server.start(PYTHONPATH=str(other_version))
    assert server.version() == OTHER_VERSION != before
    let_end(old)
    check(old | alone)
    new = submit(told + waits, 5, 6)
    server.kill()
    server.start()
    assert server.version() == before
    let_end(new)
    check(old | alone | new)
    eventually(lambda: not containers_left(engine, server), what="no container is left")


def _run_until_dead(server: LiveServer, long_id: str) -> None:
    try:
        server.batch.update_compute_environment(computeEnvironment="environment", state="ENABLED")
        eventually(
            lambda: server.has_ended or "startedAt" in server.describe([long_id])[long_id], what="the long job runs"
        )
        server.batch.terminate_job(jobId=long_id, reason="enough")
    except (BotoCoreError, ClientError, KeyError):
        pass  # it died; the next line makes sure of it
    eventually(lambda: server.has_ended, what="the crash point was passed")


@pytest.mark.parametrize("point", SERVER_CRASH_POINTS)
def test_killed_at_a_named_point(server: LiveServer, engine: Engine, point: str) -> None:
    """Whatever was acknowledged comes to its right end, in one container for each attempt."""
    server.start()
    server.set_up(engine="docker")
    server.batch.update_compute_environment(computeEnvironment="environment", state="DISABLED")
    hello = "echo $AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT; "
    expected = {
        server.submit(name, server.register(name, hello + script, image=IMAGE, retryStrategy={"attempts": 2})): codes
        for name, script, codes in (
            ("good", "exit 0", [0]),
            ("retried", "test $AWS_BATCH_JOB_ATTEMPT = 2", [1, 0]),
        )
    }
    long_id = server.submit("long", server.register("long", STOPS_WHEN_ASKED, image=IMAGE))
    server.kill()
    server.start(**{VARIABLE: f"{point}:2" if point.startswith("turn.") else point})
    _run_until_dead(server, long_id)
    assert server.process is not None
    assert server.process.returncode == -signal.SIGKILL
    server.start()
    server.batch.update_compute_environment(computeEnvironment="environment", state="ENABLED")
    server.batch.terminate_job(jobId=long_id, reason="enough")
    jobs = server.wait([*expected, long_id])
    _check(server, jobs, expected)
    assert (jobs[long_id]["status"], jobs[long_id]["statusReason"]) == ("FAILED", "enough")
    assert len(jobs[long_id]["attempts"]) <= 1
    eventually(lambda: not containers_left(engine, server), what="no container is left")


def _check(server: LiveServer, jobs: Mapping[str, Any], expected: Mapping[str, list[int]]) -> None:
    for job_id, codes in expected.items():
        attempts = jobs[job_id]["attempts"]
        assert [attempt["container"].get("exitCode") for attempt in attempts] == codes, jobs[job_id]
        logs = [server.log_of(attempt) for attempt in attempts]
        assert logs == [f"{job_id} {number}\n" for number in range(1, len(codes) + 1)]


def test_dockerd_stops_and_comes_back(tmp_path: Path, own_engine: OwnEngine) -> None:
    """What ran ends honestly, what waits says why and runs when it is back; the server needs no restart."""
    with docker_server(tmp_path, own_engine, LONGSHORE_DOCKER_NETWORK="host") as server:
        server.start()
        server.set_up(engine="docker")
        asked = server.submit("asked", server.register("asked", STOPS_WHEN_ASKED, image=IMAGE))
        eventually(lambda: server.describe([asked])[asked]["status"] == "RUNNING", what="it runs")
        own_engine.stop()  # SIGTERM: dockerd asks its containers to stop
        later = server.submit("later", server.register("later", "echo later; exit 4", image=IMAGE))
        reason = eventually(
            lambda: "docker" in (told := server.describe([later])[later].get("statusReason", "")) and told,
            what="the job that waits says why",
        )
        assert "not available" in reason
        own_engine.start()
        jobs = server.wait([asked, later])
        assert jobs[later]["container"]["exitCode"] == 4
        assert server.log_of(jobs[later]["attempts"][0]) == "later\n"
        (attempt,) = jobs[asked]["attempts"]
        assert attempt["container"]["exitCode"] == 9
        assert server.log_of(attempt) == "runs\nasked\n"
        assert not server.has_ended


def test_dockerd_dies_under_running_jobs(tmp_path: Path, own_engine: OwnEngine) -> None:
    """A job that ends while dockerd is dead has its exit code; one that nobody saw end is lost, and is tried again."""
    with docker_server(tmp_path, own_engine, LONGSHORE_DOCKER_NETWORK="host") as server:
        server.start()
        server.set_up(engine="docker")
        short = server.submit("short", server.register("short", f"{CLOCK}sleep 2; {CLOCK}exit 7", image=IMAGE))
        eventually(lambda: server.describe([short])[short]["status"] == "RUNNING", what="it runs")
        own_engine.stop(signal.SIGKILL)
        eventually(lambda: "docker" in _problems(server), what="the outage is noticed")
        own_engine.start()
        (attempt,) = server.wait([short])[short]["attempts"]
        assert attempt["container"]["exitCode"] == 7
        began, ended = (microseconds(line) / 1000 for line in server.log_of(attempt).splitlines())
        assert abs(began - attempt["startedAt"]) <= 1000
        assert abs(ended - attempt["stoppedAt"]) <= 1000, (ended, attempt)
        lost = server.submit(
            "lost", server.register("lost", "test $AWS_BATCH_JOB_ATTEMPT = 2 || sleep 100", image=IMAGE)
        )
        eventually(lambda: server.describe([lost])[lost]["status"] == "RUNNING", what="it runs")
        own_engine.kill_everything()
        own_engine.start()
        job = server.wait([lost])[lost]
        assert job["status"] == "SUCCEEDED"
        first, second = job["attempts"]
        assert "exitCode" not in first["container"]
        assert "terminated" in first["statusReason"]
        assert second["container"]["exitCode"] == 0


def test_hung_dockerd_holds_up_nobody(tmp_path: Path, own_engine: OwnEngine) -> None:
    """While it does not answer, jobs of the other engine run, its own wait, and the server stops in time."""
    with docker_server(tmp_path, own_engine, LONGSHORE_DOCKER_NETWORK="host") as server:
        server.start()
        server.set_up(engine="docker")
        server.batch.create_compute_environment(
            computeEnvironmentName="processes", type="UNMANAGED", tags={"longshore:engine": "process"}
        )
        order = [{"order": 1, "computeEnvironment": "processes"}]
        server.batch.create_job_queue(jobQueueName="processes", priority=1, computeEnvironmentOrder=order)
        definition = server.register("hello", "echo hello; exit 3", image=IMAGE)
        server.wait([server.submit("before", definition)])
        own_engine.send(signal.SIGSTOP)
        try:
            waits = server.submit("waits", definition)
            for _ in range(3):
                answer = server.batch.submit_job(jobName="runs", jobQueue="processes", jobDefinition=definition)
                job = server.wait([answer["jobId"]], seconds=10)[answer["jobId"]]
                assert job["container"]["exitCode"] == 3
            eventually(lambda: "docker" in _problems(server), what="the outage is noticed")
            asked_at = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - asked_at < 5
            server.start()
            assert server.describe([waits])[waits]["status"] in ("RUNNABLE", "STARTING")
        finally:
            own_engine.send(signal.SIGCONT)
        (attempt,) = server.wait([waits])[waits]["attempts"]
        assert attempt["container"]["exitCode"] == 3
        assert server.log_of(attempt) == "hello\n"


def _problems(server: LiveServer) -> dict[str, str]:
    engines = server.native("/longshore/status")["engines"]
    return {engine["name"]: engine["problem"] for engine in engines if engine["problem"]}
