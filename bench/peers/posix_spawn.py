"""The physical limit: `posix_spawn` in a loop, so many at once, a log file for each."""

import os
import time
from pathlib import Path


def run(command: tuple[str, ...], count: int, *, width: int, folder: Path) -> float:
    """Seconds that it took to run `command` so often; logs go to `folder`."""
    environment = {"PATH": os.environ["PATH"]}
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    started = running = 0
    began = time.perf_counter()
    while started < count or running:
        if started < count and running < width:
            log = (os.POSIX_SPAWN_OPEN, 1, str(folder / f"{started}.log"), flags, 0o600)
            os.posix_spawn(command[0], command, environment, file_actions=[log, (os.POSIX_SPAWN_DUP2, 1, 2)])
            started += 1
            running += 1
            continue
        _, status = os.waitpid(-1, 0)
        assert status == 0, status
        running -= 1
    return time.perf_counter() - began
