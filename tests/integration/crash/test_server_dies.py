"""A server that is killed at any named point, or at random, loses nothing and runs nothing twice."""

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from longshore.ports.crash_points import SERVER_CRASH_POINTS, VARIABLE
from tests.integration.live import LiveServer, eventually, live_server

#: Jobs tell of themselves in a file that no server writes.
WITNESS = 'echo "$AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT {word} $(date +%s%N)" >> "$WITNESS"; '


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path) as server:
        yield server


class Workload:
    """Jobs of every kind of end, and what must have become of each."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.witness = server.folder / "witness"
        self.expected: dict[str, list[int]] = {}

    def _register(self, name: str, script: str, **rest: Any) -> str:
        whole = WITNESS.format(word="starts") + f"echo from $AWS_BATCH_JOB_ID; {script}"
        environment = [{"name": "WITNESS", "value": str(self.witness)}]
        return self.server.register(name, whole, container={"environment": environment}, **rest)

    def submit(self) -> None:
        """Submit one of each."""
        submit = self.server.submit
        good = self._register("good", "exit 0")
        retried = self._register("retried", '[ "$AWS_BATCH_JOB_ATTEMPT" = 2 ]', retryStrategy={"attempts": 3})
        self.expected[submit("good", good)] = [0]
        self.expected[submit("bad", self._register("bad", "exit 3"))] = [3]
        self.expected[submit("retried", retried)] = [1, 0]
        array = submit("array", good, arrayProperties={"size": 5})
        self.expected.update({f"{array}:{index}": [0] for index in range(5)})
        self.long_id = submit("long", self._register("long", "exec sleep 120"))

    def check(self, jobs: Mapping[str, Any]) -> None:
        """Every job has the attempts it must have, none ran twice, and its log is whole."""
        for job_id, codes in self.expected.items():
            job = jobs[job_id]
            assert [attempt["container"].get("exitCode") for attempt in job["attempts"]] == codes, job
            assert job["status"] == ("SUCCEEDED" if codes[-1] == 0 else "FAILED")
            for attempt in job["attempts"]:
                assert self.server.log_of(attempt) == f"from {job_id}\n"
        long = jobs[self.long_id]
        assert (long["status"], long["statusReason"]) == ("FAILED", "enough")
        assert len(long["attempts"]) <= 1
        starts = Counter(line.rsplit(" ", 1)[0] for line in self.witness.read_text().splitlines())
        assert max(starts.values()) == 1, f"run twice: {starts}"


def _state(server: LiveServer, state: str) -> None:
    server.batch.update_compute_environment(computeEnvironment="environment", state=state)


def _run_until_dead(server: LiveServer, workload: Workload) -> None:
    """Let the jobs run and terminate the long one; a server that dies meanwhile is what is wanted."""
    try:
        _state(server, "ENABLED")
        eventually(
            lambda: server.has_ended or "startedAt" in server.describe([workload.long_id])[workload.long_id],
            what="the long job runs",
        )
        server.batch.terminate_job(jobId=workload.long_id, reason="enough")
    except (BotoCoreError, ClientError, KeyError):
        eventually(lambda: server.has_ended, what="a server that does not answer has died")
    eventually(lambda: server.has_ended, what="the crash point was passed")


@pytest.mark.parametrize("point", SERVER_CRASH_POINTS)
def test_killed_at_a_named_point(server: LiveServer, point: str) -> None:
    """Whatever was acknowledged comes to its right end after a death at this point."""
    server.start()
    server.set_up()
    _state(server, "DISABLED")
    workload = Workload(server)
    workload.submit()
    assert server.stop() == 0
    server.start(**{VARIABLE: f"{point}:2" if point.startswith("turn.") else point})
    _run_until_dead(server, workload)
    assert server.process is not None
    assert server.process.returncode == -signal.SIGKILL
    server.start()
    _state(server, "ENABLED")
    server.batch.terminate_job(jobId=workload.long_id, reason="enough")
    workload.check(server.wait([*workload.expected, workload.long_id]))


@pytest.mark.timeout(240)
def test_killed_twenty_times_at_random(server: LiveServer) -> None:
    """500 mixed jobs come through 20 kills: right codes, whole logs, right times, nothing twice, nothing left."""
    seed = int(os.environ.get("LONGSHORE_TEST_SEED", "0")) or random.randrange(2**32)
    print(f"LONGSHORE_TEST_SEED={seed} repeats this")
    chance = random.Random(seed)
    server.start()
    server.set_up()
    clock = "date +%s%N; sleep 0.{pause}; date +%s%N; exit {code}"
    definitions: list[tuple[int, str]] = [
        (code, server.register(f"exits-{code}-{pause}", clock.format(code=code, pause=pause)))
        for code in (0, 7)
        for pause in (0, 1, 3)
    ]
    expected: dict[str, int] = {}
    waves = [chance.randrange(15, 36) for _ in range(20)]
    for wave in waves:
        for _ in range(wave):
            code, definition = chance.choice(definitions)
            if chance.random() < 0.1:
                array = server.submit("array", definition, arrayProperties={"size": 5})
                expected.update({f"{array}:{index}": code for index in range(5)})
            else:
                expected[server.submit("single", definition)] = code
        time.sleep(chance.random() * 0.6)  # the moment of death is the point; nothing is waited for
        server.kill()
        server.start()
    assert len(expected) >= 500
    jobs = server.wait(expected, seconds=120)
    apart: list[int] = []
    for job_id, code in expected.items():
        (attempt,) = jobs[job_id]["attempts"]
        assert attempt["container"].get("exitCode") == code, jobs[job_id]
        began, ended = (int(line) // 1_000_000 for line in server.log_of(attempt).split())
        apart += [abs(began - attempt["startedAt"]), abs(attempt["stoppedAt"] - ended)]
    # A crowded machine may hold up a job between our reading of the clock and its own.
    assert median(apart) <= 100
    assert max(apart) <= 1000
    scratch = server.data / "scratch"
    eventually(
        lambda: all(path.name.startswith(".") for path in scratch.iterdir()), what="every working folder is gone"
    )


def test_killed_jobs_do_not_overlap_their_attempts(server: LiveServer) -> None:
    """When server and runner both die, an attempt's fate is unknown: it is lost, ended, and only then tried again."""
    server.start()
    server.set_up()
    witness = server.folder / "witness"
    script = WITNESS.format(word="starts") + "sleep 1; " + WITNESS.format(word="ends")
    environment = [{"name": "WITNESS", "value": str(witness)}]
    definition = server.register("witnessed", script, container={"environment": environment})
    ids = [server.submit("witnessed", definition) for _ in range(8)]
    eventually(lambda: witness.exists() and len(witness.read_text().splitlines()) == 8, what="all jobs run")
    for pid in server.runner_pids():
        os.kill(pid, signal.SIGKILL)
    server.kill()
    server.start()
    jobs = server.wait(ids)
    told: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for line in witness.read_text().splitlines():
        job_id, number, word, at = line.split()
        told[job_id].append((int(at), int(number), word))
    for job_id in ids:
        assert jobs[job_id]["status"] == "SUCCEEDED"
        order = [(number, word) for _, number, word in sorted(told[job_id])]
        assert order == sorted(order, key=lambda entry: (entry[0], entry[1] == "ends")), "attempts overlapped"
        for attempt in jobs[job_id]["attempts"][:-1]:
            assert attempt["statusReason"].startswith("Host EC2 (instance i-")
            assert "exitCode" not in attempt["container"]
