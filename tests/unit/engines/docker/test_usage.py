"""CPU time and memory are read from where the kernel keeps them."""

from pathlib import Path

import pytest

from longshore.engines.docker.usage import CgroupFiles, parse_stats
from longshore.ports.engine import Usage

CONTAINER = "c0ffee" * 10
V1 = f"12:memory:/docker/{CONTAINER}\n5:cpu,cpuacct:/docker/{CONTAINER}\n1:name=systemd:/docker/{CONTAINER}\n0::/x\n"


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_version_1(tmp_path: Path) -> None:
    """Each controller has a hierarchy of its own."""
    put(tmp_path, "proc/7/cgroup", V1)
    put(tmp_path, f"sys/fs/cgroup/memory/docker/{CONTAINER}/memory.max_usage_in_bytes", "4096\n")
    put(tmp_path, f"sys/fs/cgroup/cpuacct/docker/{CONTAINER}/cpuacct.usage", "1500000000\n")
    files = CgroupFiles.of_process(7, CONTAINER, root=tmp_path)
    assert files is not None
    assert files.read() == Usage(cpu_seconds=1.5, peak_memory_bytes=4096)
    files.cpu.unlink()
    assert files.read() is None


def test_version_2(tmp_path: Path) -> None:
    """One hierarchy; older kernels have no high-water mark of memory."""
    folder = f"sys/fs/cgroup/system.slice/docker-{CONTAINER}.scope"
    put(tmp_path, "proc/7/cgroup", f"0::/system.slice/docker-{CONTAINER}.scope\n")
    put(tmp_path, f"{folder}/cpu.stat", "usage_usec 2500000\nuser_usec 1\n")
    files = CgroupFiles.of_process(7, CONTAINER, root=tmp_path)
    assert files is not None
    assert files.read() == Usage(cpu_seconds=2.5, peak_memory_bytes=None)
    put(tmp_path, f"{folder}/memory.peak", "8192\n")
    assert files.read() == Usage(cpu_seconds=2.5, peak_memory_bytes=8192)


@pytest.mark.parametrize("text", [None, "0::/\n", V1.replace(CONTAINER, "another"), V1])
def test_no_files(tmp_path: Path, text: str | None) -> None:
    """Of a process that is over, or that is not in that container, nothing is read."""
    if text is not None:
        put(tmp_path, "proc/7/cgroup", text)
    assert CgroupFiles.of_process(7, CONTAINER, root=tmp_path) is None


def test_engine_sample() -> None:
    """Memory is the highest seen; a sample taken after the end changes nothing."""
    sample = b'{"cpu_stats":{"cpu_usage":{"total_usage":3000000000}},"memory_stats":{"usage":10}}'
    assert parse_stats(sample, Usage(peak_memory_bytes=20)) == Usage(cpu_seconds=3.0, peak_memory_bytes=20)
    before = Usage(cpu_seconds=1.0, peak_memory_bytes=5)
    assert parse_stats(b'{"cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}', before) == before
