"""CPU time and memory of running containers, sampled while they run: the engine keeps nothing of it after their end.

Both figures are the kernel's own running total and high-water mark, so the last sample is what counts, and a restart of
the server loses nothing. They are read from the control group files where this machine runs the containers, else asked
of the engine. What a container did after its last sample is missing; one that ended before its first has none.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from longshore.domain.ids import AttemptId
from longshore.engines.docker.connection import CallRefused, Connection
from longshore.ports.engine import EngineUnavailable, Usage

_CGROUPS = Path("/sys/fs/cgroup")
_NANOS = 1_000_000_000
#: The engine takes its time over a sample, so it is asked this much less often than files are read.
_CALL_EVERY = 5

logger = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class _Tracked:
    container_id: str
    #: None where the files cannot be read
    files: "CgroupFiles | None"
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupFiles:
    """Where the kernel keeps the figures of one container."""

    memory_peak: Path
    cpu: Path

    @classmethod
    def of_process(cls, pid: int, container_id: str, *, root: Path = Path("/")) -> "CgroupFiles | None":
        """The control group of the container's main process; None unless it is there and plainly that container's."""
        try:
            lines = (root / "proc" / str(pid) / "cgroup").read_text().splitlines()
        except OSError:
            return None
        groups = {names: path.lstrip("/") for _, names, path in (line.split(":", 2) for line in lines)}
        memory = next((path for names, path in groups.items() if "memory" in names.split(",")), None)
        cpu = next((path for names, path in groups.items() if "cpuacct" in names.split(",")), None)
        mounts = root / _CGROUPS.relative_to("/")
        if memory is not None and cpu is not None:
            files = cls(
                memory_peak=mounts / "memory" / memory / "memory.max_usage_in_bytes",
                cpu=mounts / "cpuacct" / cpu / "cpuacct.usage",
            )
        else:
            folder = mounts / groups.get("", "")
            files = cls(memory_peak=folder / "memory.peak", cpu=folder / "cpu.stat")
        ours = all(container_id in path.parent.name for path in (files.memory_peak, files.cpu))
        return files if ours and files.cpu.exists() else None

    def read(self) -> Usage | None:
        """The figures now; None when the container is over."""
        try:
            cpu = self.cpu.read_text()
        except OSError:
            return None
        try:
            peak = int(self.memory_peak.read_text())
        except OSError:
            peak = None  # before Linux 5.19, version 2 of control groups has no high-water mark
        if self.cpu.name == "cpuacct.usage":
            return Usage(cpu_seconds=int(cpu) / _NANOS, peak_memory_bytes=peak)
        micros = next((int(line.split()[1]) for line in cpu.splitlines() if line.startswith("usage_usec ")), None)
        return Usage(cpu_seconds=None if micros is None else micros / 1e6, peak_memory_bytes=peak)


class _CpuUsage(msgspec.Struct):
    total_usage: int = 0


class _CpuStats(msgspec.Struct):
    cpu_usage: _CpuUsage = msgspec.field(default_factory=_CpuUsage)


class _MemoryStats(msgspec.Struct):
    usage: int = 0
    max_usage: int = 0


class _Stats(msgspec.Struct):
    cpu_stats: _CpuStats = msgspec.field(default_factory=_CpuStats)
    memory_stats: _MemoryStats = msgspec.field(default_factory=_MemoryStats)


def parse_stats(body: bytes, before: Usage) -> Usage:
    """The engine's sample, with the highest memory of it and `before`. Source: Docker Engine API, ContainerStats."""
    stats = msgspec.json.decode(body, type=_Stats)
    nanos = stats.cpu_stats.cpu_usage.total_usage
    peak = max(stats.memory_stats.usage, stats.memory_stats.max_usage, before.peak_memory_bytes or 0)
    if nanos == 0:  # it ended just now
        return before
    return Usage(cpu_seconds=nanos / _NANOS, peak_memory_bytes=peak)


class UsageSampler:
    """Samples every tracked container; `run` is its loop."""

    def __init__(self, connection: Connection, *, sample_seconds: float) -> None:
        self._connection = connection
        self._sample_seconds = sample_seconds
        self._tracked: dict[AttemptId, _Tracked] = {}

    def track(self, attempt_id: AttemptId, container_id: str, pid: int) -> None:
        """Sample this running container, now and from now on."""
        if attempt_id not in self._tracked:
            files = CgroupFiles.of_process(pid, container_id) if pid else None
            tracked = self._tracked[attempt_id] = _Tracked(container_id, files)
            if files is not None:
                tracked.usage = files.read() or tracked.usage

    def forget(self, attempt_id: AttemptId) -> Usage:
        """The last sample of a container that is over."""
        tracked = self._tracked.pop(attempt_id, None)
        return tracked.usage if tracked else Usage()

    async def run(self) -> None:
        """Samples until cancelled."""
        rounds = 0
        while True:
            await asyncio.sleep(self._sample_seconds)
            rounds += 1
            try:
                await self.sample(ask_engine=rounds % _CALL_EVERY == 0)
            except EngineUnavailable as problem:
                logger.debug("docker_usage_not_sampled", problem=str(problem))

    async def sample(self, *, ask_engine: bool) -> None:
        """One sample of each container whose files can be read; with `ask_engine`, of the others too."""
        for attempt_id, tracked in list(self._tracked.items()):
            if tracked.files is not None:
                tracked.usage = tracked.files.read() or tracked.usage
            elif ask_engine:
                try:
                    tracked.usage = parse_stats(await self._connection.stats(tracked.container_id), tracked.usage)
                except (CallRefused, msgspec.MsgspecError) as problem:
                    logger.debug("docker_usage_not_sampled", attempt_id=attempt_id, problem=str(problem))
