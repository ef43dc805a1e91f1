"""Ends what is left of a container that its engine has lost sight of."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import structlog

_CGROUPS = Path("/sys/fs/cgroup")
#: Where engines put a container's control group, in either version and with either driver.
_PLACES = ("docker/{0}", "*/docker/{0}", "system.slice/docker-{0}.scope", "*/system.slice/docker-{0}.scope")
_ROUNDS = 5

logger = structlog.stdlib.get_logger(__name__)


def processes_of(container_id: str, *, cgroups: Path = _CGROUPS) -> set[int]:
    """The container's processes, as far as its control group is on this machine."""
    pids: set[int] = set()
    for place in _PLACES:
        for procs in cgroups.glob(f"{place.format(container_id)}/cgroup.procs"):
            with suppress(OSError):  # the group has just gone
                pids |= {int(pid) for pid in procs.read_text().split()}
    return pids


def kill_leftovers(container_id: str, *, cgroups: Path = _CGROUPS) -> None:
    """No process of the container is alive, where its control group is on this machine and we may kill."""
    for _ in range(_ROUNDS):  # what forks meanwhile is met in the next round
        pids = processes_of(container_id, cgroups=cgroups)
        if not pids:
            return
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:
                logger.warning("docker_leftover_not_killed", container_id=container_id, pid=pid)
