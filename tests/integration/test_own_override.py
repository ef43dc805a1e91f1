"""`longshore:override` on real engines: what it says is what runs, and what an operator forbids stays forbidden."""

import getpass
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import LiveServer, live_server

IMAGE = "longshore-test/busybox:1"
SCRIPT = "echo uid $(id -u); df -m /dev/shm | tail -n 1"


@contextmanager
def running(folder: Path, engine: str, **settings: str) -> Iterator[LiveServer]:
    """A server with the definition `fixed`, whose image cannot be had."""
    with live_server(folder, engine=engine, settings=settings) as server:
        server.start()
        server.set_up(engine=engine)
        server.register("fixed", SCRIPT, image="longshore-test/no-such-image:1")
        yield server


def run(server: LiveServer, override: dict[str, Any]) -> dict[str, Any]:
    job_id = server.submit("job", "fixed", parameters={"longshore:override": json.dumps(override)})
    return dict(server.wait([job_id])[job_id])


@pytest.mark.docker
def test_image_user_and_shared_memory_on_docker(tmp_path: Path) -> None:
    subprocess.run(["tests/parts/docker-image.sh"], check=True, capture_output=True)
    with running(tmp_path, "docker") as server:
        job = run(server, {"image": IMAGE, "user": "1234:1234", "sharedMemorySize": 96})
        assert (job["status"], job["container"]["image"], job["container"]["user"]) == (
            *("SUCCEEDED", IMAGE),
            "1234:1234",
        )
        user, shared = server.log_of(job["attempts"][0]).splitlines()
        assert user == "uid 1234"
        assert shared.split()[1] == "96"


def test_plain_processes_say_what_they_do_not_do(tmp_path: Path) -> None:
    """Image and shared memory mean nothing to them; whom jobs run as is the operator's to say."""
    with running(tmp_path, "process", LONGSHORE_PROCESS_USER=getpass.getuser()) as server:
        job = run(server, {"image": "other", "sharedMemorySize": 96})
        assert job["status"] == "SUCCEEDED"
        explained = server.native(f"/longshore/jobs/{job['jobId']}/explain")
        told = {each["setting"]: each["text"] for each in explained["notHonoured"]}
        assert "the image is not used" in told["image"]
        assert "shared memory" in told["linuxParameters"]
        job = run(server, {"user": "longshore-nobody"})
        assert job["status"] == "FAILED"
        assert "it asks for user 'longshore-nobody', and all jobs here run as" in json.dumps(job["attempts"])
