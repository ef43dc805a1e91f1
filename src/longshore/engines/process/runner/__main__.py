"""`python -m longshore.engines.process.runner --data DIR [--idle-seconds N]`: start a runner that outlives the caller.

Returns 0 when a runner answers at the socket of the data folder, this one or one that was there; else 1, and one line
on stderr says why.
"""

import ctypes
import fcntl
import gc
import getopt
import os
import socket
import sys
import time
import traceback
from contextlib import suppress

from longshore import __version__
from longshore.engines.process.runner.attempts import attempts_of
from longshore.engines.process.runner.folders import Folders
from longshore.engines.process.runner.journal import Journal, JournalUnreadable
from longshore.engines.process.runner.memory import MemoryGroups
from longshore.engines.process.runner.processes import boot_id
from longshore.engines.process.runner.recovery import recover
from longshore.engines.process.runner.server import Server
from longshore.engines.process.runner.supervisor import Supervisor

_PR_SET_CHILD_SUBREAPER = 36
_LOCK_SECONDS = 5.0
_KILL_SECONDS = 5.0
_MAX_LOG_BYTES = 4 * 1024 * 1024


class CannotRun(Exception):
    """There is no runner, for this reason."""


def main() -> int:
    """Fork a runner off, and wait until it serves or has said why not."""
    options = dict(getopt.getopt(sys.argv[1:], "", ["data=", "idle-seconds="])[0])
    data = os.path.realpath(options["--data"])
    idle_seconds = float(options.get("--idle-seconds", "30"))
    answer, answers = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        os.close(answer)
        _run_detached(data, idle_seconds, answers)
    os.close(answers)
    with open(answer) as pipe:
        problem = pipe.read() or "the runner died while it started; its log may tell more"
    if problem == "ok":
        return 0
    sys.stderr.write(problem + "\n")
    return 1


def _run_detached(data: str, idle_seconds: float, answers: int) -> None:
    """Be the runner. Never returns."""
    status = 1
    try:
        os.setsid()
        os.umask(0o022)  # what jobs start with; our own files have modes of their own
        folder = f"{data}/runner"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _to_log(f"{folder}/runner.log")
        serve(data, folder, idle_seconds, answers)
        status = 0
    except (CannotRun, JournalUnreadable, OSError) as problem:
        note(f"cannot run: {problem}")
        with suppress(OSError):  # closed long ago when it had served
            os.write(answers, str(problem).encode())
    except Exception:
        note(traceback.format_exc())
    finally:
        os._exit(status)


def serve(data: str, folder: str, idle_seconds: float, answers: int) -> None:
    """Take over the data folder, say `ok` to `answers` and close it, and serve until nothing is left to do."""
    lock = _take_lock(folder)
    if lock is None:
        os.write(answers, b"ok")
        return
    _prepare_process()
    journal = Journal(f"{folder}/journal")
    attempts = attempts_of(journal.replay())
    if journal.damage:
        note(journal.damage)
    folders = Folders(data)
    folders.open()
    memory = MemoryGroups(data)
    supervisor = Supervisor(
        attempts=attempts, journal=journal, folders=folders, memory=memory, boot=boot_id(), note=note
    )
    recover(supervisor, folders, memory)
    server = Server(
        supervisor=supervisor,
        listener=_listen(folder),
        version=__version__,
        memory_problem=memory.problem,
        idle_seconds=idle_seconds,
        still_ours=lambda: _is_ours(lock, folder),
        note=note,
    )
    note(f"runner {__version__} serves {data}; {len(attempts)} attempts known; memory: {memory.problem or 'limited'}")
    os.write(answers, b"ok")
    os.close(answers)
    gc.collect()
    gc.freeze()
    server.run()
    server.close()
    if supervisor.has_work:
        deadline = time.monotonic() + _KILL_SECONDS
        while supervisor.has_work and time.monotonic() < deadline:
            supervisor.kill_all()
            time.sleep(0.01)
            supervisor.reap()
    memory.close()
    folders.close()
    note("left")


def note(text: str) -> None:
    """Add a line to the runner's log."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} [{os.getpid()}] {text.rstrip()}\n")
    sys.stderr.flush()


def _to_log(path: str) -> None:
    """Standard input from nowhere, both outputs to the log, which starts anew when it has grown."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    log = os.open(path, flags, 0o600)
    if os.fstat(log).st_size > _MAX_LOG_BYTES:
        os.ftruncate(log, 0)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(null)


def _prepare_process() -> None:
    os.chdir("/")
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise CannotRun(f"cannot become a subreaper: {os.strerror(ctypes.get_errno())}")
    with suppress(OSError), open("/proc/self/oom_score_adj", "r+") as adjustment:
        if int(adjustment.read()) < 0:  # jobs inherit it: they must not be spared at the cost of others
            adjustment.write("0")


def _take_lock(folder: str) -> int | None:
    """The lock that only one runner holds, or None when another runner holds it and answers."""
    lock = os.open(f"{folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if _answers(folder):
                return None
            if time.monotonic() > deadline:
                raise CannotRun(f"another runner holds {folder}/lock and does not answer") from None
            time.sleep(0.02)


def _is_ours(lock: int, folder: str) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), os.stat(f"{folder}/lock"))
    except OSError:
        return False


def _socket_path(folder: str) -> tuple[int, str]:
    """A path that is short enough for a socket, good while the descriptor is open."""
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return fd, f"/proc/self/fd/{fd}/socket"


def _answers(folder: str) -> bool:
    fd, path = _socket_path(folder)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)


def _listen(folder: str) -> socket.socket:
    fd, path = _socket_path(folder)
    try:
        with suppress(FileNotFoundError):
            os.unlink("socket", dir_fd=fd)
        listener = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(mask)
        listener.listen(64)
        return listener
    finally:
        os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
