"""Attempts that an earlier runner started: not our children, so no `wait` tells how they end.

Where the kernel keeps the exit status of a process for those who hold a descriptor of it (Linux 6.15), or shows it
while the dead process waits to be reaped, their exit codes are exact. Elsewhere they cannot be learned.
Source: linux/pidfd.h, PIDFD_GET_INFO and PIDFD_INFO_EXIT; proc_pid_stat(5), exit_code.
"""

import fcntl
import os
import struct

from longshore.engines.process.runner.processes import is_same, read_process

_INFO_BYTES = 64  # PIDFD_INFO_SIZE_VER0
_GET_INFO = (3 << 30) | (_INFO_BYTES << 16) | (0xFF << 8) | 11  # _IOWR(0xFF, 11, struct pidfd_info)
_INFO_EXIT = 1 << 3
_MASK = struct.Struct("=Q")
_EXIT_CODE = struct.Struct("=i")
_EXIT_CODE_AT = 60


class Orphan:
    """A descriptor of a process that another runner started."""

    __slots__ = ("_first_tick", "_last_tick", "fd", "pid")

    def __init__(self, fd: int, pid: int, first_tick: int, last_tick: int) -> None:
        self.fd, self.pid, self._first_tick, self._last_tick = fd, pid, first_tick, last_tick

    def outcome(self) -> tuple[int, float | None] | None:
        """Wait status and CPU seconds once it is dead and they can be read; None until then."""
        process = read_process(self.pid)
        if process is not None and process.dead and is_same(process, self._first_tick, self._last_tick):
            if process.wait_status or _may_see(self.pid):
                return process.wait_status, process.cpu_seconds
            return None
        status = exit_status(self.fd)
        return None if status is None else (status, None)

    def is_alive(self) -> bool:
        """Whether it runs; while it does, its number means no other process."""
        process = read_process(self.pid)
        return process is not None and not process.dead and is_same(process, self._first_tick, self._last_tick)

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self.fd)


def _may_see(pid: int) -> bool:
    """Whether the kernel shows us the exit status of this process: it shows 0 to those who may not trace it."""
    if os.geteuid() == 0:
        return True
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def open_orphan(pid: int, first_tick: int, last_tick: int) -> Orphan | None:
    """The process that was started between the two ticks under this pid, alive or not yet reaped; else None."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return None
    if is_same(read_process(pid), first_tick, last_tick):
        return Orphan(fd, pid, first_tick, last_tick)
    os.close(fd)
    return None


def exit_status(pidfd: int) -> int | None:
    """Wait status of a process that was reaped, by whomever; None when it was not yet, or the kernel cannot tell."""
    info = bytearray(_INFO_BYTES)
    _MASK.pack_into(info, 0, _INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info, True)
    except OSError:
        return None
    if not _MASK.unpack_from(info, 0)[0] & _INFO_EXIT:
        return None
    return int(_EXIT_CODE.unpack_from(info, _EXIT_CODE_AT)[0])


def kernel_keeps_exits() -> bool:
    """Whether this kernel tells exit statuses of reaped processes; found out by having one."""
    pid = os.fork()
    if pid == 0:
        os._exit(42)
    fd = os.pidfd_open(pid)
    try:
        os.waitpid(pid, 0)
        return exit_status(fd) == 42 << 8
    finally:
        os.close(fd)
