"""Memory cgroups: a limit for each attempt, its peak, and whether the kernel killed for it. Versions 1 and 2.

Groups are made inside one of ours, below the cgroup that we are in or, under version 2, beside it where ours may not
be divided. Source: Linux, admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.

Version 1: we go into the group, start the attempt, which is born in it, and leave. To move oneself is cheap; to move
another waits for every fork and exit on the machine. A limit that we could be the largest to break is set when we have
left. Groups are used again, since the kernel can reset their peak.

Version 2: to move oneself is dear too, so the attempt is moved right after its start, with the children that it has
by then.
"""

import errno
import os
import resource
from contextlib import suppress
from hashlib import blake2b
from typing import NamedTuple

_POOL = 64
#: the kernel gives some of its files a page at a time
_PAGE = 4096
#: a group with less than this could kill us while we are in it
_ROOM_FOR_US_BYTES = 64 * 1024 * 1024
#: page cache of earlier attempts that may count towards the peak of the next
_MAX_REMAINDER_BYTES = 1024 * 1024


class GroupUse(NamedTuple):
    """What a group says of the attempt in it."""

    peak_bytes: int | None
    oom_kills: int


class MemoryGroups:
    """Hands out groups. `problem` says in plain words why there are none, or is empty."""

    def __init__(self, data: str) -> None:
        name = blake2b(os.fsencode(os.path.realpath(data)), digest_size=8).hexdigest()
        self._files = _KernelFiles(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._free: list[str] = []
        self._next = 0
        self._limits: dict[str, int] = {}
        #: version 1: kills that were counted before the present attempt
        self._counted: dict[str, int] = {}
        self._base = ""
        self.problem = "no memory cgroup is mounted here"
        self._home = ""
        for version, parent in _places():
            base = f"{parent}/longshore-{name}"
            try:
                with suppress(FileExistsError):
                    os.mkdir(base, 0o755)
                if version == 2:
                    _write(f"{base}/cgroup.subtree_control", "+memory")
                self._probe(base, version)
            except OSError as error:
                self.problem = f"memory cgroup {parent} cannot be used: {error.strerror}"
                with suppress(OSError):
                    os.rmdir(base)
                continue
            self._base, self._version, self.problem = base, version, ""
            self._home = f"{parent}/tasks"
            return

    @staticmethod
    def _probe(base: str, version: int) -> None:
        """Raise OSError unless a group with a limit can be made in `base`."""
        probe = f"{base}/probe"
        with suppress(FileExistsError):
            os.mkdir(probe, 0o755)
        try:
            _write(f"{probe}/{'memory.max' if version == 2 else 'memory.limit_in_bytes'}", str(1 << 30))
        finally:
            os.rmdir(probe)

    def take(self, limit_bytes: int) -> str:
        """An empty group for an attempt that is to have this limit. Raises OSError."""
        group = self._free.pop() if self._free else self._make()
        try:
            self._limit(group, limit_bytes if self._version == 2 or limit_bytes >= _ROOM_FOR_US_BYTES else -1)
        except OSError:
            self.give(group)
            raise
        return group

    def go_in(self, group: str) -> None:
        """From here to `leave`, what we start is born in the group. Raises OSError."""
        if self._version == 1:
            self._files.write(f"{group}/tasks", "0")

    def leave(self) -> None:
        """Back to where we were. When that fails, no more groups are used."""
        if self._version == 1:
            try:
                self._files.write(self._home, "0")
            except OSError as error:
                self.problem = f"the runner cannot go back to its own memory cgroup: {error.strerror}"

    def confine(self, group: str, pid: int, limit_bytes: int) -> bool:
        """Hold the attempt that was started in, or for, the group to its limit, swap included.

        Returns False when it has more already. Raises OSError.
        """
        if self._version == 2:
            self._enter(group, pid)
            return True
        try:
            self._limit(group, limit_bytes)
        except OSError as error:
            if error.errno == errno.EBUSY:
                return False
            raise
        return True

    def _make(self) -> str:
        while True:
            self._next += 1
            group = f"{self._base}/{self._next}"
            try:
                os.mkdir(group, 0o755)
            except FileExistsError:
                continue  # of a runner before us, with processes in it
            return group

    def _limit(self, group: str, limit_bytes: int) -> None:
        """Set the limit; -1 is none."""
        if self._limits.get(group, -1) == limit_bytes:
            return
        limit = str(limit_bytes)
        if self._version == 2:
            _write(f"{group}/memory.max", limit)
            with suppress(OSError):  # no swap accounting
                _write(f"{group}/memory.swap.max", "0")
        else:
            with suppress(OSError):  # no swap accounting; it may never be below the limit
                _write(f"{group}/memory.memsw.limit_in_bytes", "-1")
            _write(f"{group}/memory.limit_in_bytes", limit)
            if limit_bytes != -1:
                with suppress(OSError):
                    _write(f"{group}/memory.memsw.limit_in_bytes", limit)
        self._limits[group] = limit_bytes

    def _enter(self, group: str, pid: int) -> None:
        """Put the process and the children that it has by now into the group; quiet when it ended. Raises OSError."""
        try:
            _write(f"{group}/cgroup.procs", str(pid))
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                children = file.read().split()
        except OSError as error:
            if error.errno in (errno.ESRCH, errno.ENOENT):
                return
            raise
        for child in children:
            self._enter(group, int(child))

    def use(self, group: str) -> GroupUse:
        """What was used in the group since it was taken."""
        read = self._files.read
        peak = read(f"{group}/memory.max_usage_in_bytes") or read(f"{group}/memory.peak")
        return GroupUse(int(peak) if peak else None, self._kills(group) - self._counted.get(group, 0))

    def _kills(self, group: str) -> int:
        events = self._files.read(f"{group}/memory.oom_control") or self._files.read(f"{group}/memory.events")
        return sum(int(line.split()[1]) for line in events.splitlines() if line.startswith("oom_kill "))

    def processes(self, group: str) -> list[int]:
        """Who is in the group; the dead are not."""
        return [int(pid) for pid in self._files.read(f"{group}/cgroup.procs").split()]

    def give(self, group: str) -> None:
        """Take back a group in which nothing lives."""
        ours = os.path.dirname(group) == self._base
        # Emptying a group of the page cache that is left in it takes longer than making another.
        if ours and self._version == 1 and len(self._free) < _POOL and self._usage(group) <= _MAX_REMAINDER_BYTES:
            try:
                self._files.write(f"{group}/memory.max_usage_in_bytes", "0")
                self._counted[group] = self._kills(group)
            except OSError:
                pass  # something is left in it that cannot be reset: not to be used again
            else:
                self._free.append(group)
                return
        self._files.forget(group)
        self._limits.pop(group, None)
        self._counted.pop(group, None)
        with suppress(OSError):
            os.rmdir(group)
            if not ours:
                os.rmdir(os.path.dirname(group))

    def _usage(self, group: str) -> int:
        """What is charged to a version 1 group now."""
        return int(self._files.read(f"{group}/memory.usage_in_bytes") or 0)

    def groups(self) -> list[str]:
        """All groups that there are, those of an earlier runner included."""
        if not self._base:
            return []
        with os.scandir(self._base) as entries:
            return [entry.path for entry in entries if entry.is_dir()]

    def close(self) -> None:
        """Remove what is not in use."""
        for group in self._free:
            with suppress(OSError):
                os.rmdir(group)
        if self._base:
            with suppress(OSError):
                os.rmdir(self._base)


class _KernelFiles:
    """Files of groups, kept open: to open one costs more than to read it. From `most` on they are not kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        #: by folder, then by path
        self._open: dict[str, dict[str, int]] = {}
        self._count = 0

    def read(self, path: str) -> str:
        """As `_read`."""
        fd = self._descriptor(path, os.O_RDONLY)
        if fd is None:
            return _read(path)
        try:
            text = os.pread(fd, _PAGE, 0)
        except OSError:
            return ""
        return text.decode() if len(text) < _PAGE // 2 else _read(path)

    def write(self, path: str, text: str) -> None:
        """As `_write`."""
        fd = self._descriptor(path, os.O_WRONLY)
        if fd is None:
            _write(path, text)
        else:
            os.pwrite(fd, text.encode(), 0)

    def _descriptor(self, path: str, mode: int) -> int | None:
        folder = self._open.setdefault(os.path.dirname(path), {})
        key = f"{path}:{mode}"
        if (fd := folder.get(key)) is None and self._count < self._most:
            with suppress(OSError):
                fd = folder[key] = os.open(path, mode | os.O_CLOEXEC)
                self._count += 1
        return fd

    def forget(self, folder: str) -> None:
        """Close those in the folder, which is to be removed."""
        for fd in self._open.pop(folder, {}).values():
            os.close(fd)
            self._count -= 1


def _places() -> list[tuple[int, str]]:
    """Folders in which our group may be made, with the cgroup version, best first. Source: proc_pid_mountinfo(5)."""
    own: dict[str, str] = {}
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    places: list[tuple[int, str]] = []
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        if kind == "cgroup" and "memory" in options.split(",") and "memory" in own:
            places.append((1, _inside(mount, root, own["memory"])))
        elif kind == "cgroup2" and "" in own:
            path = _inside(mount, root, own[""])
            if "memory" in _read(f"{path}/cgroup.controllers").split():
                places.append((2, path))
                if path != mount:
                    places.append((2, os.path.dirname(path)))
    return [(version, path) for version, path in places if os.access(path, os.W_OK)]


def _inside(mount: str, root: str, path: str) -> str:
    """The folder of cgroup `path` where the cgroup `root` is mounted at `mount`."""
    if root != "/" and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    return (mount + path).rstrip("/")


def _read(path: str) -> str:
    """The text of a kernel file; empty where it is not there."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    chunks: list[bytes] = []
    try:
        while chunk := os.read(fd, 65536):  # the kernel may give a page at a time
            chunks.append(chunk)
        return b"".join(chunks).decode()
    except OSError:
        return ""
    finally:
        os.close(fd)


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
