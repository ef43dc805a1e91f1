"""A server with nothing to do does nothing."""

import os
import time
from pathlib import Path

import pytest

from tests.integration.live import LiveServer, eventually

pytestmark = pytest.mark.timeout(60)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far. Source: proc_pid_stat(5)."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_no_busy_loop(server: LiveServer) -> None:
    """Neither in the server nor in the runner, with a job that runs and one that waits."""
    server.start()
    server.set_up()
    quick = server.wait([server.submit("quick", server.register("quick", "echo hello"))])
    assert quick
    sleeping = server.register("sleeping", "exec sleep 100")
    running = server.submit("runs", sleeping)
    waiting = server.submit("waits", sleeping, dependsOn=[{"jobId": running}])
    eventually(lambda: server.describe([running])[running]["status"] == "RUNNING", what="it runs")
    eventually(lambda: server.describe([waiting])[waiting]["status"] == "PENDING", what="it waits")
    time.sleep(1.5)
    assert server.process is not None
    pids = [server.process.pid, *server.runner_pids()]
    before = [cpu_seconds(pid) for pid in pids]
    time.sleep(5)
    used = [after - earlier for after, earlier in zip(map(cpu_seconds, pids), before, strict=True)]
    print(f"CPU seconds of server and runner in 5 s: {used}")
    assert max(used) < 0.25
    server.batch.terminate_job(jobId=running, reason="seen")
    server.wait([running, waiting])
