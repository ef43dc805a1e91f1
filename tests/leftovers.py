"""What tests must not leave behind on the machine."""

import os
from collections.abc import Mapping
from pathlib import Path


def processes_naming(*texts: str) -> Mapping[int, str]:
    """Live processes, but for this one and those it comes from, with one of `texts` in their command or environment.

    The value is the command line.
    """
    found: dict[int, str] = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
            environment = Path(f"/proc/{name}/environ").read_bytes()
        except OSError:
            continue  # it ended, or is another user's
        if any(text.encode() in given for text in texts for given in (command, environment)):
            found[int(name)] = command.decode("utf-8", "replace").replace("\0", " ").strip()
    for pid in _own_line():
        found.pop(pid, None)
    return found


def _own_line() -> set[int]:
    """This process, its parent, and so on."""
    line: set[int] = set()
    pid = os.getpid()
    while pid > 1:
        line.add(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line
