"""A real server in a process of its own, to be killed and started again, and what tests ask of it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.docker.workbench import DOCKER_SOCKET, Engine
from tests.leftovers import processes_naming
from tests.runners import runner_pids

T = TypeVar("T")

FINAL = ("SUCCEEDED", "FAILED")
REGION = "us-east-1"
#: An environment that jobs of several nodes run on.
MANAGED: Mapping[str, Any] = {
    "type": "MANAGED",
    "computeResources": {
        "type": "EC2",
        "allocationStrategy": "BEST_FIT_PROGRESSIVE",
        "minvCpus": 0,
        "maxvCpus": 1000,
        "instanceTypes": ["optimal"],
        "instanceRole": "ecsInstanceRole",
        "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
    },
}


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(check: Callable[[], T], *, seconds: float = 30.0, what: str) -> T:
    """What `check` returns once it is true; asked again until then, however the server fares."""
    deadline = time.monotonic() + seconds
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if value := check():
                return value
        except (BotoCoreError, ClientError, OSError) as error:
            problem = error
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}; last problem: {problem}")


class LiveServer:
    """One data folder and the server on it, through any number of lives."""

    def __init__(self, folder: Path, *, engine: str = "process", settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._engine = engine
        self._settings = {"LONGSHORE_LOCAL_VCPUS": "8", "LONGSHORE_LOCAL_MEMORY_MIB": "8192", **(settings or {})}
        socket_path = self._settings.get("LONGSHORE_DOCKER_SOCKET", DOCKER_SOCKET)
        self._docker = Engine(socket_path) if engine == "docker" else None
        self.batch = self.client("batch")
        self.logs = self.client("logs")

    def client(self, service: str) -> Any:
        """A plain boto3 client that does not hide failures behind retries."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20),
        )

    def start(self, **variables: str) -> None:
        """Start it and wait until it answers, or has ended."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "TMPDIR") if name in os.environ}
        command = [sys.executable, "-m", "longshore", "server", "--port", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--data", str(self.data), "--engine", self._engine],
                env={**kept, **self._settings, **variables},
                stdout=log,
                stderr=log,
            )
        eventually(lambda: self.has_ended or self._answers(), what=f"the server answers; see {self.folder}/server.log")

    def _answers(self) -> bool:
        return "jobQueues" in self.batch.describe_job_queues()

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    @property
    def installation_id(self) -> str:
        """What marks everything of this installation."""
        return str(json.loads((self.data / "longshore.json").read_text())["installation_id"])

    def native(self, path: str) -> Any:
        """What our own API answers at `path`."""
        request = urllib.request.Request(self.url + path, headers={"x-longshore-client": "tests"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def version(self) -> str:
        return str(self.native("/longshore/status")["version"])

    @property
    def _shared_beside(self) -> Path:
        """Where parts of one attempt share folders when the server runs as root."""
        of_us = blake2b(os.fsencode(os.path.realpath(self.data)), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"longshore-shared-{of_us}"

    def left_by_parts(self) -> Sequence[object]:
        """Shared folders, and at Docker containers, networks and volumes, of this installation."""
        folders = [path for place in (self.data / "shared", self._shared_beside) for path in place.glob("*")]
        return [*folders, *(self._docker.all_of(self.installation_id) if self._docker else ())]

    def runner_pids(self) -> list[int]:
        """The runner of this data folder, if there is one."""
        return runner_pids(self.data)

    def remove(self) -> None:
        """Its data folder and all that works on it are gone; at Docker, all of its installation."""
        if self._docker and (self.data / "longshore.json").exists():
            self._docker.remove_all(self.installation_id)
        deadline = time.monotonic() + 30
        asked: set[int] = set()
        while True:
            # A runner that sees its folder gone kills its jobs and leaves; one that just starts makes it anew.
            shutil.rmtree(self.data, ignore_errors=True)
            left = processes_naming(str(self.data))
            if not left and not self.data.exists():
                shutil.rmtree(self._shared_beside, ignore_errors=True)
                return
            assert time.monotonic() < deadline, f"left of the server: {left or self.data}"
            for pid in left.keys() - asked:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            asked |= left.keys()
            time.sleep(0.02)

    def set_up(self, *, engine: str = "process", **environment: Any) -> None:
        """One environment, unmanaged unless told otherwise, and one queue, `queue`."""
        self.batch.create_compute_environment(
            computeEnvironmentName="environment",
            tags={"longshore:engine": engine},
            **(environment or {"type": "UNMANAGED"}),
        )
        order = [{"order": 1, "computeEnvironment": "environment"}]
        self.batch.create_job_queue(jobQueueName="queue", priority=1, computeEnvironmentOrder=order)

    def register(self, name: str, script: str, *, image: str = "unused", **rest: Any) -> str:
        """A definition that runs a shell script; returns its ARN."""
        container = {
            "image": image,
            "command": ["/bin/sh", "-c", script],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
            **rest.pop("container", {}),
        }
        answer = self.batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=container, **rest
        )
        return str(answer["jobDefinitionArn"])

    def submit(self, name: str, definition: str, *, queue: str = "queue", **rest: Any) -> str:
        """Submit a job; returns its id."""
        return str(self.batch.submit_job(jobName=name, jobQueue=queue, jobDefinition=definition, **rest)["jobId"])

    def describe(self, job_ids: Iterable[str]) -> dict[str, Any]:
        """Jobs by id."""
        ids = list(job_ids)
        pages = (self.batch.describe_jobs(jobs=ids[at : at + 100])["jobs"] for at in range(0, len(ids), 100))
        return {job["jobId"]: job for page in pages for job in page}

    def wait(self, job_ids: Iterable[str], *, seconds: float = 60.0) -> dict[str, Any]:
        """The jobs once all have ended."""
        ids = list(job_ids)

        def ended() -> dict[str, Any] | None:
            jobs = self.describe(ids)
            return jobs if len(jobs) == len(ids) and all(job["status"] in FINAL for job in jobs.values()) else None

        return eventually(ended, seconds=seconds, what="all jobs have ended")

    def log_of(self, attempt: Mapping[str, Any]) -> str:
        """The whole output of a finished attempt, as DescribeJobs gives the attempt."""
        lines: list[str] = []
        where = {"logGroupName": "/aws/batch/job", "logStreamName": attempt["container"]["logStreamName"]}
        token: dict[str, str] = {}
        while True:
            page = self.logs.get_log_events(**where, startFromHead=True, **token)
            lines += [event["message"] for event in page["events"]]
            if token.get("nextToken") == page["nextForwardToken"]:
                return "".join(f"{line}\n" for line in lines)
            token = {"nextToken": page["nextForwardToken"]}


S = TypeVar("S", bound=LiveServer)


@contextmanager
def live_server(folder: Path, *, kind: type[S] = LiveServer, **options: Any) -> Iterator[S]:
    """A server that is not started yet; in the end it and what it left running are gone."""
    server = kind(folder, **options)
    try:
        yield server
    finally:
        if not server.has_ended:
            server.kill()
        server.remove()
