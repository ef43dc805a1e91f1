"""The process table: who is alive, which attempt they belong to, and how they are ended.

A process belongs to an attempt when it is its main process, is in the session or group of that one, bears the attempt's
marker in its environment, descends from one that belongs, or, all else wiped, works in the attempt's folder or holds
its log. A pid names a process only together with its start time; signals go through descriptors that are checked first.
"""

import os
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

from longshore.engines.process.wire import MARKER

_MARKER = MARKER.encode() + b"="
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """One line of the process table."""

    pid: int
    parent: int
    group: int
    session: int
    #: since boot
    start_tick: int
    dead: bool
    #: of a dead one, as `wait` gives it; 0 where we may not see it
    wait_status: int
    cpu_seconds: float


class Target(Protocol):
    """What must be known of an attempt to find its processes."""

    @property
    def id(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def folder(self) -> str: ...
    @property
    def log(self) -> str: ...
    @property
    def holds_number(self) -> bool:
        """Whether `pid` can still mean no other session and group than its own."""
        ...


def boot_id() -> str:
    """This boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def read_process(pid: int) -> Process | None:
    """The process, or None when there is none. Source: proc_pid_stat(5)."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        text = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(
        pid=pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start_tick=int(fields[19]),
        # The first thread may be dead while others run on; their number is 0 when all are.
        dead=fields[0] in (b"Z", b"X") and int(fields[17]) <= 1,
        wait_status=int(fields[49]),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND,
    )


def read_table() -> dict[int, Process]:
    """All processes."""
    found = (read_process(int(name)) for name in os.listdir("/proc") if name.isdecimal())
    return {process.pid: process for process in found if process is not None}


def children_of_runner() -> set[int] | None:
    """Our children, those that were handed to us as subreaper included; None where the kernel does not list them."""
    pid = os.getpid()
    try:
        with open(f"/proc/self/task/{pid}/children") as file:
            return {int(child) for child in file.read().split()}
    except OSError:
        return None


def _marker_of(pid: int) -> str:
    """The attempt id in the environment that the process was started with, or empty."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
    except OSError:
        return ""
    for entry in environment.split(b"\0"):
        if entry.startswith(_MARKER):
            return entry[len(_MARKER) :].decode("ascii", "replace")
    return ""


def _places_of(pid: int) -> list[str]:
    """Working folder and output of a process."""
    places: list[str] = []
    for link in ("cwd", "fd/1", "fd/2"):
        with suppress(OSError):
            places.append(os.readlink(f"/proc/{pid}/{link}"))
    return places


def find_members(targets: Iterable[Target], *, everywhere: bool) -> tuple[dict[str, list[Process]], list[Process]]:
    """Live processes by attempt id, and our descendants that nothing links to any of the targets.

    Looks at our own descendants, and with `everywhere` at all processes: those of an earlier runner are not ours.
    """
    table = read_table()
    own = os.getpid()
    by_id = {target.id: target for target in targets}
    mains = {target.pid: target.id for target in by_id.values() if target.pid and target.holds_number}
    #: pid to (descends from us, attempt id or empty)
    known: dict[int, tuple[bool, str]] = {own: (True, ""), 1: (False, ""), 0: (False, "")}

    def link(process: Process) -> tuple[bool, str]:
        """Its own links first, then those of its parent, which are known."""
        ours, inherited = known[process.parent]
        if not ours and not everywhere:
            return False, ""
        for number in (process.pid, process.session, process.group):
            if number in mains:
                return ours, mains[number]
        if process.dead:
            return ours, inherited
        marked = _marker_of(process.pid)
        if marked in by_id:
            return ours, marked
        return ours, inherited or (_by_place(process.pid, by_id) if ours else "")

    for pid in table:
        chain: list[Process] = []
        while pid not in known:
            known[pid] = (False, "")  # also ends the walk where the table, read while it changes, has a cycle
            if (process := table.get(pid)) is None:
                break
            chain.append(process)
            pid = process.parent
        for process in reversed(chain):
            known[process.pid] = link(process)

    members: dict[str, list[Process]] = {}
    strays: list[Process] = []
    for pid, process in table.items():
        ours, owner = known[pid]
        if process.dead or pid == own:
            continue
        if owner:
            members.setdefault(owner, []).append(process)
        elif ours:
            strays.append(process)
    return members, strays


def _by_place(pid: int, targets: Mapping[str, Target]) -> str:
    """The attempt in whose folder the process works, or whose log it writes."""
    for place in _places_of(pid):
        for target in targets.values():
            if place == target.log or place == target.folder or place.startswith(target.folder + "/"):
                return target.id
    return ""


def signal_process(process: Process, number: int) -> None:
    """Send a signal to exactly this process; quiet when it has ended."""
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        current = read_process(process.pid)
        if current is not None and current.start_tick == process.start_tick:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, number)
    finally:
        os.close(fd)


def group_is_empty(group: int) -> bool:
    """Whether no process, not even a dead one, is left in the process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group whose number is held by a process of ours."""
    assert group > 1, group
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def is_same(process: Process | None, first_tick: int, last_tick: int) -> bool:
    """Whether this is the process that was started between the two ticks."""
    return process is not None and first_tick <= process.start_tick <= last_tick
