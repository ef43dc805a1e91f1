"""Plain processes keep the engine contract."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from longshore.domain.ids import AttemptId
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.driver import ProcessDriver
from longshore.ports.engine import StopRequest, TaskState
from longshore.testing.engine_contract import Reopen
from longshore.testing.engine_workload import NativeTask, ShellWorkload
from longshore.testing.part_contract import PartContract
from tests.runners import runner_pids


def marked_processes(attempt_id: str) -> dict[int, list[str]]:
    """Live processes that were started with the attempt's marker: pid to the fields of its stat behind the name."""
    marker = f"LONGSHORE_ATTEMPT_ID={attempt_id}".encode()
    found: dict[int, list[str]] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if marker in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found[int(name)] = Path(f"/proc/{name}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
    return {pid: fields for pid, fields in found.items() if fields[0] not in "ZX"}


def start_marked(attempt_id: str) -> subprocess.Popen[bytes]:
    """A process that bears the marker of an attempt, and that nobody knows."""
    environment = {"LONGSHORE_ATTEMPT_ID": attempt_id, "PATH": os.environ["PATH"]}
    return subprocess.Popen(["sleep", "1000"], env=environment, start_new_session=True)


class ProcessProbe:
    """Looks at /proc and at the data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._decoys: list[subprocess.Popen[bytes]] = []

    async def find(self, attempt_id: AttemptId) -> NativeTask | None:
        processes = marked_processes(attempt_id)
        mains = {pid for pid, fields in processes.items() if int(fields[3]) == pid and int(fields[2]) == pid}
        # A job may open sessions of its own; its main process is the one whose parent is none of its own.
        mains = {pid for pid in mains if int(processes[pid][1]) not in processes}
        if not processes and not (self._data / "scratch" / attempt_id).exists():
            return None
        return NativeTask(
            identity=",".join(f"{pid}@{processes[pid][19]}" for pid in sorted(mains)),
            live_tasks=len(mains),
            live_processes=len(processes),
        )

    async def start_decoy(self) -> AttemptId:
        attempt_id = AttemptId(uuid4().hex)
        self._decoys.append(start_marked(attempt_id))
        return attempt_id

    async def decoy_lives(self) -> bool:
        return all(decoy.poll() is None for decoy in self._decoys)

    def end_decoys(self) -> None:
        for decoy in self._decoys:
            decoy.kill()
            decoy.wait()


class TestProcessEngine(PartContract):
    @pytest.fixture
    def config(self, tmp_path: Path) -> ProcessConfig:
        data = tmp_path / "data"
        data.mkdir(mode=0o700)
        return ProcessConfig(data_dir=data, idle_seconds=5)

    @pytest.fixture
    async def driver(self, config: ProcessConfig) -> AsyncIterator[ProcessDriver]:
        driver = ProcessDriver(config)
        await driver.open()
        yield driver
        await driver.close()
        last = ProcessDriver(config)
        known = await last.discover()
        await last.stop([StopRequest(handle=handle, grace_seconds=0) for handle in known])
        while any(seen.state is not TaskState.GONE for seen in await last.observe(known)):
            await last.release(known)
            await asyncio.sleep(0.02)
        (runner,) = runner_pids(config.data_dir)
        os.kill(runner, signal.SIGTERM)
        await last.close()
        for _ in range(1000):
            if not runner_pids(config.data_dir):
                break
            await asyncio.sleep(0.02)
        assert not runner_pids(config.data_dir)
        assert not config.shared_dir.exists(), "what parts shared goes with them, also when only the runner knows them"

    @pytest.fixture
    async def reopen(self, driver: ProcessDriver, config: ProcessConfig) -> AsyncIterator[Reopen]:
        opened: list[ProcessDriver] = [driver]

        async def again() -> ProcessDriver:
            await opened[-1].close()
            opened.append(ProcessDriver(config))
            await opened[-1].open()
            return opened[-1]

        yield again
        await opened[-1].close()

    @pytest.fixture
    def workload(self, tmp_path: Path) -> ShellWorkload:
        logs = tmp_path / "logs"
        logs.mkdir()
        return ShellWorkload(logs)

    @pytest.fixture
    def probe(self, config: ProcessConfig) -> Iterator[ProcessProbe]:
        probe = ProcessProbe(config.data_dir)
        yield probe
        probe.end_decoys()
