"""A process engine on a data folder of its own, and eyes that do not go through it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from longshore.domain.container import ContainerSettings
from longshore.domain.resources import Resources
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.driver import ProcessDriver
from longshore.ports.engine import EngineUnavailable, Handle, LaunchSpec, Observation, StopRequest, TaskState
from longshore.testing.builders import a_launch
from tests.runners import runner_pids

PATIENCE_SECONDS = 20.0
OVER = {TaskState.EXITED, TaskState.LOST, TaskState.FAILED_TO_START}


class Site:
    """One installation of the process engine."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.data.mkdir(mode=0o700)
        self.logs.mkdir()
        self.config = ProcessConfig(data_dir=self.data, idle_seconds=2)
        self._drivers: list[ProcessDriver] = []

    async def driver(self, config: ProcessConfig | None = None) -> ProcessDriver:
        """A new driver, opened."""
        driver = ProcessDriver(config or self.config)
        await driver.open()
        self._drivers.append(driver)
        return driver

    def job(
        self,
        *command: str,
        environment: dict[str, str] | None = None,
        settings: ContainerSettings | None = None,
        memory_mib: int = 64,
    ) -> LaunchSpec:
        """A launch with a log of its own."""
        resources = Resources(vcpu_milli=1000, memory_mib=memory_mib)
        return a_launch(
            *command,
            log_path=self.logs / f"{time.monotonic_ns()}.log",
            environment=environment,
            settings=settings or ContainerSettings(),
            resources=resources,
        )

    def shell(self, script: str, settings: ContainerSettings | None = None) -> LaunchSpec:
        """A launch of a shell script."""
        return self.job("sh", "-c", script, settings=settings)

    @staticmethod
    def log(spec: LaunchSpec) -> str:
        """What it has written so far."""
        path = spec.container.log_path
        return path.read_text() if path.exists() else ""

    @staticmethod
    async def over(driver: ProcessDriver, *specs: LaunchSpec) -> list[Observation]:
        """The observations of these, when all are over."""
        handles = [Handle(attempt_id=spec.attempt_id) for spec in specs]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            seen = list(await driver.observe(handles))
            if all(each.state in OVER for each in seen):
                return seen
            assert time.monotonic() < deadline, f"not over: {seen}"
            await asyncio.sleep(0.02)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Poll until it holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain: {what}"
            await asyncio.sleep(0.01)

    def start_runner(self, crash_point: str = "") -> None:
        """Start a runner beside any driver, to die at a crash point."""
        subprocess.run(
            [sys.executable, "-P", "-m", "longshore.engines.process.runner", "--data", self.data, "--idle-seconds=2"],
            env={**os.environ, "LONGSHORE_CRASH_POINT": crash_point},
            check=True,
            timeout=PATIENCE_SECONDS,
        )

    def runner_pids(self) -> list[int]:
        """The runner, if there is one."""
        return runner_pids(self.data)

    def kill_runner(self) -> None:
        """SIGKILL to the runner."""
        for pid in self.runner_pids():
            os.kill(pid, signal.SIGKILL)

    def processes(self, spec: LaunchSpec) -> list[int]:
        """Live processes that bear the marker of this attempt."""
        marker = f"LONGSHORE_ATTEMPT_ID={spec.attempt_id}".encode()
        return [pid for pid in live_processes() if marker in environment_of(pid)]

    async def until_started(self, spec: LaunchSpec) -> list[int]:
        """Its main process. A program shows its environment only once the kernel has loaded it."""
        mains: list[int] = []

        def found() -> bool:
            with suppress(ProcessLookupError):
                mains[:] = [pid for pid in self.processes(spec) if os.getsid(pid) == pid]
            return bool(mains)

        await self.until(found, "its main process is seen")
        return mains

    def gate(self) -> tuple[Path, str]:
        """A file that is not there, and the line of a shell script that waits for it."""
        gate = self.logs / f"gate-{time.monotonic_ns()}"
        return gate, f"until test -e {gate}; do sleep 0.02; done"

    def folders(self) -> list[str]:
        """Working folders that are there."""
        return [entry.name for entry in (self.data / "scratch").iterdir() if not entry.name.startswith(".")]

    async def clean_up(self) -> None:
        """Leave nothing behind: no process, folder or cgroup."""
        for driver in self._drivers:
            await driver.close()
        last = ProcessDriver(self.config)
        with suppress(EngineUnavailable):
            known = await last.discover()
            await last.stop([StopRequest(handle=handle, grace_seconds=0) for handle in known])
            deadline = time.monotonic() + PATIENCE_SECONDS
            while any(seen.state is not TaskState.GONE for seen in await last.observe(known)):
                assert time.monotonic() < deadline
                await last.release(known)
                await asyncio.sleep(0.02)
        for pid in self.runner_pids():
            os.kill(pid, signal.SIGTERM)
        await last.close()
        await self.until(lambda: not self.runner_pids(), "the runner leaves")


def live_processes() -> Sequence[int]:
    """All processes that are not dead."""
    found: list[int] = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2][0] not in "ZX":
                found.append(int(name))
        except OSError:
            continue
    return found


def environment_of(pid: int) -> set[bytes]:
    """What the process was started with; empty when it cannot be seen."""
    try:
        return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return set()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    yield site
    await site.clean_up()
