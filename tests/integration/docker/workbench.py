"""A Docker engine seen without the driver, one of our own that may be killed, and a driver with what tests do to it."""

import asyncio
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from longshore.domain.container import ContainerSettings
from longshore.domain.ids import AttemptId
from longshore.domain.resources import Resources
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.driver import DockerDriver
from longshore.ports.engine import Handle, LaunchSpec, Observation, TaskState
from longshore.testing.builders import A_SMALL_SHARE, NO_SETTINGS, a_launch

DOCKER_SOCKET = os.environ.get("LONGSHORE_DOCKER_SOCKET", "/var/run/docker.sock")
IMAGE = "longshore-test/busybox:1"
OVER = {TaskState.EXITED, TaskState.LOST, TaskState.FAILED_TO_START, TaskState.GONE}


class Engine:
    """An engine, seen through the docker command."""

    def __init__(self, socket: str) -> None:
        self.socket = socket

    def docker(self, *arguments: str) -> str:
        """Output of the docker command, which must succeed."""
        done = subprocess.run(
            ["docker", "--host", f"unix://{self.socket}", *arguments], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def inspect(self, name: str) -> dict[str, Any]:
        return json.loads(self.docker("container", "inspect", name))[0]

    def all_of(self, installation_id: str) -> list[tuple[str, str]]:
        """Its containers, networks and volumes, as kind and name."""
        label = f"label=longshore.installation={installation_id}"
        return [
            (kind, name)
            for kind, listing in (("container", "ls --all"), ("network", "ls"), ("volume", "ls"))
            for name in self.docker(kind, *listing.split(), "--quiet", "--filter", label).split()
        ]

    def remove_all(self, installation_id: str) -> None:
        """Afterwards nothing of the installation is left."""
        for kind, name in self.all_of(installation_id):
            force = ["--force", "--volumes"] if kind == "container" else ["--force"]
            command = ["docker", "--host", f"unix://{self.socket}", kind, "rm", *force, name]
            subprocess.run(command, check=False, capture_output=True, timeout=60)  # it may also be going by itself
        assert not self.all_of(installation_id)


class Workbench:
    """A driver with what tests do to it."""

    def __init__(self, engine: Engine, config: DockerConfig) -> None:
        self.engine = engine
        self.config = config
        self.driver = DockerDriver(config)

    def name(self, attempt_id: AttemptId) -> str:
        return f"longshore-{self.config.installation_id[:8]}-{attempt_id}"

    def container(self, attempt_id: AttemptId) -> dict[str, Any]:
        return self.engine.inspect(self.name(attempt_id))

    def create(self, attempt_id: AttemptId, *command: str) -> None:
        """Create the attempt's container, as a server that crashed before it could start it."""
        labels = (f"longshore.installation={self.config.installation_id}", f"longshore.attempt={attempt_id}")
        options = [f"--label={label}" for label in labels]
        self.engine.docker("create", "--name", self.name(attempt_id), *options, IMAGE, *command)

    async def reopen(self) -> DockerDriver:
        """A fresh driver, as after a crash of the server."""
        await self.driver.close()
        self.driver = DockerDriver(self.config)
        await self.driver.open()
        return self.driver

    async def launch(self, spec: LaunchSpec) -> Handle:
        (outcome,) = await self.driver.launch([spec])
        assert isinstance(outcome, Handle), outcome
        return outcome

    async def observe(self, attempt_id: AttemptId) -> Observation:
        (seen,) = await self.driver.observe([Handle(attempt_id=attempt_id)])
        return seen

    async def until(self, attempt_id: AttemptId, *states: TaskState, seconds: float = 40) -> Observation:
        """The first observation in one of `states`."""
        give_up_at = time.monotonic() + seconds
        while (seen := await self.observe(attempt_id)).state not in states:
            assert seen.state not in OVER, seen
            assert time.monotonic() < give_up_at, seen
            await asyncio.sleep(0.05)
        return seen

    async def run(self, spec: LaunchSpec) -> Observation:
        """How it ended."""
        await self.launch(spec)
        return await self.until(spec.attempt_id, *OVER)

    async def output(self, attempt_id: AttemptId, cursor: str = "") -> bytes:
        chunks = self.driver.read_logs(Handle(attempt_id=attempt_id), cursor=cursor)
        return b"".join([chunk.data async for chunk in chunks])


def a_job(
    script: str,
    *,
    image: str = IMAGE,
    resources: Resources = A_SMALL_SHARE,
    settings: ContainerSettings = NO_SETTINGS,
    cap: bool = False,
) -> LaunchSpec:
    """A launch of a shell script."""
    spec = a_launch("sh", "-c", script, log_path=Path("/nowhere"), image=image, resources=resources, settings=settings)
    return replace(spec, container=replace(spec.container, vcpu_is_cap=cap))


class OwnEngine(Engine):
    """A second engine, in a network namespace of its own, that may be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder / "docker.sock"))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It answers."""
        folder = self._folder
        # containerd dies with its dockerd, but dockerd waits for one that nobody has buried yet.
        (folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)
        command = ["unshare", "--net", "dockerd", "--host", f"unix://{self.socket}", "--data-root", f"{folder}/data"]
        command += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/docker.pid"]
        command += ["--bridge=none", "--iptables=false"]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        give_up_at = time.monotonic() + 60
        while subprocess.run(["docker", "--host", f"unix://{self.socket}", "version"], capture_output=True).returncode:
            assert time.monotonic() < give_up_at, (folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def send(self, number: signal.Signals) -> None:
        """A signal to dockerd alone."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """dockerd is gone. By SIGTERM it takes its containers along, by SIGKILL it leaves them."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(timeout=60)

    def kill_everything(self) -> None:
        """dockerd, containerd, the shims and all containers are gone, as after a crash of the host."""
        containers = [int(self.inspect(name)["State"]["Pid"]) for name in self.docker("ps", "--quiet").split()]
        self.stop(signal.SIGKILL)
        self.kill_helpers()
        for pid in containers:
            _kill(pid)

    def kill_helpers(self) -> None:
        """containerd and the shims are gone; whoever watches over others goes first."""
        for program in ("containerd", "containerd-shim-runc-v2"):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    words = (folder / "cmdline").read_text().split("\0")
                except OSError:
                    continue
                if Path(words[0]).name == program and any(str(self._folder) in word for word in words):
                    _kill(int(folder.name))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
