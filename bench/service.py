"""A Longshore server in a process of its own, with a queue to submit to."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from wire import Connection, render_request

TRUE = ("/bin/true",)
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Service:
    """One data folder and the server on it; leaving the block ends both and the runner."""

    def __init__(self, folder: Path, *, engine: str = "process", vcpus: int = 8, is_new: bool = True) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.engine = engine
        self._vcpus = vcpus
        self._is_new = is_new
        self.port = 0
        self.process: subprocess.Popen[bytes]
        self.client: Connection
        #: seconds from the start of the process to its first answer
        self.seconds_to_answer = 0.0
        #: wall clock at which the process was started
        self.started_at = 0.0

    def __enter__(self) -> "Service":
        self.folder.mkdir(parents=True, exist_ok=True)
        self.start()
        if self._is_new:
            self._set_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the server has answered for the first time."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        settings = {"LONGSHORE_LOCAL_VCPUS": str(self._vcpus), "LONGSHORE_LOCAL_MEMORY_MIB": "8192"}
        command = [sys.executable, "-m", "longshore", "server", "--port", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self.started_at = time.time()
            began = time.perf_counter()
            self.process = subprocess.Popen(
                [*command, "--data", str(self.data), "--engine", self.engine],
                env={**kept, **settings},
                stdout=log,
                stderr=log,
            )
        request = render_request("/v1/describejobqueues", {})
        while time.perf_counter() < began + 60:
            try:
                self.client = Connection(self.port)
                self.client.send(request)
                break
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.005)
        self.seconds_to_answer = time.perf_counter() - began
        if self.process.poll() is not None:
            raise RuntimeError(f"the server ended at once; see {self.folder}/server.log")

    def stop(self) -> None:
        """The server, its runner and the jobs that still run are gone."""
        if self.process.poll() is None:
            self.client.close()
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for pid in self.runner_pids():
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not self.runner_pids(), seconds=20, what="the runner has ended")

    def runner_pids(self) -> Sequence[int]:
        """The runner of this data folder."""
        needle = f"longshore.engines.process.runner\0--data\0{self.data}\0".encode()
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and needle in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it ended meanwhile
        return found

    def pids(self) -> Sequence[int]:
        """The server and its runner."""
        return [self.process.pid, *self.runner_pids()]

    def cpu_seconds(self) -> float:
        """Processor time that the server and its runner have used so far, themselves."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _CLOCK_TICKS

    def memory_mib(self) -> float:
        """Resident memory of the server and its runner, what they share counted twice."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids())
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def _set_up(self) -> None:
        self.client.ask(
            "/v1/createcomputeenvironment",
            computeEnvironmentName="environment",
            type="UNMANAGED",
            tags={"longshore:engine": self.engine},
        )
        order = [{"order": 1, "computeEnvironment": "environment"}]
        self.client.ask("/v1/createjobqueue", jobQueueName="queue", priority=1, computeEnvironmentOrder=order)

    def register(self, name: str, command: Sequence[str], *, vcpus: int = 1, image: str = "unused") -> None:
        """A definition of that name, to be submitted by it."""
        container = {
            "image": image,
            "command": list(command),
            "resourceRequirements": [
                {"type": "VCPU", "value": str(vcpus)},
                {"type": "MEMORY", "value": "128"},
            ],
        }
        self.client.ask(
            "/v1/registerjobdefinition", jobDefinitionName=name, type="container", containerProperties=container
        )

    def submit(self, definition: str, **rest: Any) -> str:
        """Returns the job's id."""
        return str(json.loads(self.client.send(submission(definition, **rest)))["jobId"])

    def describe(self, job_id: str) -> Mapping[str, Any]:
        """The job as DescribeJobs has it."""
        return self.client.ask("/v1/describejobs", jobs=[job_id])["jobs"][0]

    def wait_for_end(self, job_id: str, *, seconds: float = 600, pause_seconds: float = 0.05) -> Mapping[str, Any]:
        """The job once it has ended; it must have succeeded."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            job = self.describe(job_id)
            if job["status"] == "FAILED":
                raise RuntimeError(f"a job failed: {job}")
            if job["status"] == "SUCCEEDED":
                return job
            time.sleep(pause_seconds)
        raise TimeoutError(f"{job_id} has not ended within {seconds:g} s; see {self.folder}/server.log")

    def wait_for_intake(self) -> None:
        """No job is SUBMITTED any more: the leader has caught up."""
        wait_until(
            lambda: not self.client.ask("/v1/listjobs", jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"],
            seconds=120,
            what="all jobs are taken in",
        )


def submission(definition: str, **rest: Any) -> bytes:
    """A SubmitJob request to `queue`."""
    return render_request(
        "/v1/submitjob", {"jobName": definition, "jobQueue": "queue", "jobDefinition": definition, **rest}
    )


def wait_until(check: Any, *, seconds: float, what: str) -> None:
    """Returns once `check()` is true.

    Raises:
        TimeoutError: it was not in that time.
    """
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


def discard(folder: Path) -> None:
    """The folder and what a server kept in it are gone."""
    shutil.rmtree(folder, ignore_errors=True)
