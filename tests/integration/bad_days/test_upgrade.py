"""A server of another version takes over the jobs that run, and gives them back."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bad_days.conftest import OTHER_VERSION
from tests.integration.live import LiveServer, eventually

pytestmark = pytest.mark.timeout(120)

SCRIPT = """date +%s%N
i=0; while [ $i -lt {lines} ]; do echo line $i; i=$((i+1)); sleep 0.1; done
while [ ! -e {gate} ]; do sleep 0.05; done
date +%s%N; exit {code}"""


def submit(server: LiveServer, name: str, gate: Path, *, code: int, lines: int = 5) -> str:
    """A job that tells its times, and ends once the gate is there."""
    return server.submit(name, server.register(name, SCRIPT.format(gate=gate, code=code, lines=lines)))


def check(server: LiveServer, jobs: Mapping[str, Any], codes: Mapping[str, int], lines: int = 5) -> None:
    apart: list[float] = []
    for job_id, code in codes.items():
        (attempt,) = jobs[job_id]["attempts"]
        assert attempt["container"].get("exitCode") == code, jobs[job_id]
        began, *told, ended = server.log_of(attempt).splitlines()
        assert told == [f"line {number}" for number in range(lines)]
        apart += [abs(int(began) / 1e6 - attempt["startedAt"]), abs(attempt["stoppedAt"] - int(ended) / 1e6)]
    # A crowded machine may hold up a job between our reading of the clock and its own, but not each time.
    assert min(apart) <= 100, apart
    assert max(apart) <= 1000, apart


def test_up_and_down_again(server: LiveServer, other_version: Path, tmp_path: Path) -> None:
    """Jobs live through both ways: exact codes, logs and times, under the runner that started them."""
    first_gate, second_gate = tmp_path / "first", tmp_path / "second"
    server.start()
    server.set_up()
    before = server.version()
    ends_alone = server.submit("alone", server.register("alone", SCRIPT.format(gate="/", code=4, lines=5)))
    old = {submit(server, f"old-{code}", first_gate, code=code): code for code in (0, 3)}
    running = [*old, ends_alone]
    eventually(lambda: all(j["status"] == "RUNNING" for j in server.describe(running).values()), what="they run")
    (runner,) = server.runner_pids()

    assert server.stop() == 0
    time.sleep(0.7)  # one ends meanwhile
    server.start(PYTHONPATH=str(other_version))
    assert server.version() == OTHER_VERSION != before
    assert runner in server.runner_pids()
    old[submit(server, "meanwhile", first_gate, code=6)] = 6
    first_gate.touch()
    old[ends_alone] = 4
    check(server, server.wait(old), old)
    eventually(lambda: runner not in server.runner_pids(), what="the old runner makes room once its jobs have ended")

    new = {submit(server, f"new-{code}", second_gate, code=code): code for code in (0, 5)}
    eventually(lambda: all(j["status"] == "RUNNING" for j in server.describe(new).values()), what="they run")
    (newer,) = server.runner_pids()
    assert str(other_version) in (Path("/proc") / str(newer) / "environ").read_text()
    server.kill()
    server.start()
    assert server.version() == before
    assert server.runner_pids() == [newer]
    second_gate.touch()
    check(server, server.wait(new), new)
    check(server, server.describe(old), old)
    assert os.path.isdir(server.data)
