"""Runners of plain processes, seen without asking them."""

import os
from pathlib import Path


def runner_pids(data: Path) -> list[int]:
    """The processes that have the lock of this data folder's runner: one, or none.

    A child that is just being started has the same files open as its runner, and its command line; but the kernel
    notes who took the lock. Source: proc_locks(5).
    """
    try:
        lock = (data / "runner" / "lock").stat()
    except FileNotFoundError:
        return []
    held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    takers = {int(fields[4]) for fields in held if fields[1] == "FLOCK" and fields[5].endswith(f":{lock.st_ino}")}
    return [pid for pid in takers if _has_open(pid, lock)]


def _has_open(pid: int, file: os.stat_result) -> bool:
    # The number of a file alone may be that of one on another disk.
    try:
        return any(os.path.samestat(file, os.stat(f"/proc/{pid}/fd/{fd}")) for fd in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False
