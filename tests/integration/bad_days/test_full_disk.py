"""The disk fills while the server runs: submissions are refused, jobs go on, and all recovers by itself."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.integration.live import LiveServer, eventually, live_server

pytestmark = pytest.mark.timeout(150)

SIZE_MIB = 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def server(tmp_path: Path, disk: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path) as server:
        server.data = disk / "data"
        yield server


def fill(disk: Path) -> Path:
    """Not a byte is left; returns the file that took them."""
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    os.write(descriptor, b"\1" * size)
            except OSError:
                continue
    finally:
        os.close(descriptor)
    return filler


def submit_until_refused(server: LiveServer, disk: Path, definition: str) -> tuple[list[str], ClientError]:
    """Ids that were acknowledged, and the refusal. What is already reserved for the database may serve for some."""
    taken: list[str] = []
    for number in range(20_000):
        try:
            taken.append(server.submit(f"taken-{number}", definition))
        except ClientError as refusal:
            return taken, refusal
        if number % 50 == 0:
            fill(disk)
    raise AssertionError("a full disk refuses nothing")


def test_full_and_free_again(server: LiveServer, disk: Path, tmp_path: Path) -> None:
    """Nothing that was acknowledged is lost, and no restart is needed."""
    gates = {code: tmp_path / f"gate-{code}" for code in (5, 6)}
    server.start()
    server.set_up()
    quick = server.register(
        "quick", "echo quick; exit 0", container={"environment": [{"name": "PAD", "value": "x" * 2000}]}
    )
    running = {
        server.submit(
            "waits",
            server.register(f"waits-{code}", f"echo begins; while [ ! -e {gate} ]; do sleep 0.05; done; exit {code}"),
        ): code
        for code, gate in gates.items()
    }
    server.wait([server.submit("first", quick)])
    eventually(lambda: all(j["status"] == "RUNNING" for j in server.describe(running).values()), what="they run")
    assert server.process is not None
    pid = server.process.pid

    server.batch.update_compute_environment(computeEnvironment="environment", state="DISABLED")
    filler = fill(disk)
    taken, refusal = submit_until_refused(server, disk, quick)
    assert refusal.response["Error"]["Code"] == "ServerException"
    assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "full" in refusal.response["Error"]["Message"], refusal
    print(f"{len(taken)} taken, then: {refusal}")
    fill(disk)
    with pytest.raises(ClientError, match="full"):  # what is reserved for the index may serve for some
        for number in range(20_000):
            server.logs.create_log_group(logGroupName=f"full-{number}")

    gates[5].touch()  # one ends while nothing can be written
    until = time.monotonic() + 4
    while time.monotonic() < until:
        jobs = server.describe(running)  # reads go on
        assert all(job["status"] in ("RUNNING", "FAILED") for job in jobs.values()), jobs
        assert server.native("/longshore/status")["queues"]
        time.sleep(0.2)
    with pytest.raises(ClientError, match="full"):
        submit_until_refused(server, disk, quick)
        server.submit("refused", quick)

    filler.unlink()
    eventually(
        lambda: server.batch.update_compute_environment(computeEnvironment="environment", state="ENABLED"),
        what="changes are taken again",
    )
    gates[6].touch()
    jobs = server.wait([*running, *taken], seconds=90)
    for job_id, code in running.items():
        (attempt,) = jobs[job_id]["attempts"]
        assert attempt["container"]["exitCode"] == code
        assert server.log_of(attempt) == "begins\n"
    for job_id in taken:
        assert jobs[job_id]["status"] == "SUCCEEDED", jobs[job_id]
    (attempt,) = server.wait([server.submit("later", quick)]).popitem()[1]["attempts"]
    assert server.log_of(attempt) == "quick\n"
    server.logs.create_log_group(logGroupName="free")
    assert server.process.pid == pid
    assert not server.has_ended
    assert server.stop() == 0


def test_jobs_that_start_while_it_fills(server: LiveServer, disk: Path) -> None:
    """Attempts that could not be recorded or launched are only late; no exit code is invented."""
    server.start()
    server.set_up()
    definition = server.register("writes", "head -c 20000 /dev/zero | tr '\\0' 'x'; echo; exit 3")
    ids = [server.submit("array", definition, arrayProperties={"size": 40})]
    filler = fill(disk)
    time.sleep(2)
    filler.unlink()
    (job,) = server.wait(ids, seconds=90).values()
    children = server.wait([f"{ids[0]}:{index}" for index in range(40)])
    assert job["status"] == "FAILED"
    for child in children.values():
        last = child["attempts"][-1]
        # its own output may have failed on the full disk; how it ended is known all the same
        assert last["container"]["exitCode"] == 3, child
    assert not server.has_ended


def test_stop_and_start_on_a_full_disk(server: LiveServer, disk: Path, tmp_path: Path) -> None:
    """It stops in time; it starts or says in one line why not; once there is space nothing is missing."""
    gate = tmp_path / "gate"
    server.start()
    server.set_up()
    waits = server.register("waits", f"echo begins; while [ ! -e {gate} ]; do sleep 0.05; done; exit 5")
    running = server.submit("waits", waits)
    eventually(lambda: server.describe([running])[running]["status"] == "RUNNING", what="it runs")
    filler = fill(disk)
    gate.touch()
    time.sleep(0.5)
    asked_at = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - asked_at < 5
    fill(disk)
    log = server.folder / "server.log"
    said_before = log.stat().st_size
    server.start()
    if server.has_ended:
        assert server.process is not None
        said = log.read_text()[said_before:]
        assert server.process.returncode == 2, said
        assert said.startswith("Error: ")
        assert "full" in said
        assert said.count("\n") == 1, said
        filler.unlink()
        server.start()
    else:
        filler.unlink()
    (attempt,) = server.wait([running])[running]["attempts"]
    assert attempt["container"]["exitCode"] == 5
    assert server.log_of(attempt) == "begins\n"
