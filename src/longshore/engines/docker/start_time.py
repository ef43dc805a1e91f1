"""When a container started, on the boot clock. The engine tells it on the wall clock, which may have jumped since."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from longshore.engines.docker.parse import Inspected, parse_time
from longshore.engines.docker.usage import CgroupFiles

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
#: How much later than its main process began an engine may call a container started.
_LATEST_SECONDS = 5.0


def started_boot_seconds(found: Inspected, *, root: Path = Path("/")) -> float | None:
    """This machine's boot clock when the running container started; None where it runs on another machine.

    It is what the engine says, as long as it fits the start of the container's main process. Source: proc_pid_stat(5).
    """
    started_at = parse_time(found.state.started_at)
    if started_at is None or CgroupFiles.of_process(found.state.pid, found.id, root=root) is None:
        return None
    try:
        stat = (root / "proc" / str(found.state.pid) / "stat").read_text()
    except OSError:
        return None  # it has just ended
    began = int(stat.rpartition(")")[2].split()[19]) / _TICKS_PER_SECOND
    ago = (datetime.now(UTC) - started_at).total_seconds()
    # Read last: whatever comes between the two readings must not make a time-out pass early.
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    told = now - ago
    return min(max(told, began), began + _LATEST_SECONDS, now)
