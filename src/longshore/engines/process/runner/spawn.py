"""Starts the main process of an attempt: its own session, its own folder, its own environment, its log and no more.

Plain attempts go through `posix_spawn`, which costs the same however large we are. Those that need their limits or user
changed before the program is executed go through `fork`.
"""

import errno
import os
import resource
import signal
from collections.abc import Mapping
from contextlib import suppress

from longshore.engines.process.crash import crash_point
from longshore.engines.process.runner.accounts import Account
from longshore.engines.process.wire import LIMITS, MARKER, Item

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: errors that say nothing about the program: the machine is short of something now
_PASSING = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_WORDS = {
    errno.ENOENT: "no such file or directory",
    errno.EACCES: "permission denied",
    errno.ENOEXEC: "exec format error",
    errno.E2BIG: "argument list too long",
}


class CannotStart(Exception):
    """The program cannot be executed; the text is the container-level reason."""


def is_passing(error: OSError) -> bool:
    """Whether the same launch may work later."""
    return error.errno in _PASSING


def environment_of(item: Item, folder: str) -> dict[str, str]:
    """The whole environment of the attempt: what was asked for, and three defaults."""
    environment = {"PATH": DEFAULT_PATH, "HOME": folder, "TMPDIR": folder}
    environment.update(item.environment)
    environment[MARKER] = item.id
    return environment


def find_program(name: str, path: str) -> str:
    """The file that `name` means on this search path; one with a slash starts at the working folder, our own now.

    Raises CannotStart, in the words of the container runtimes that jobs know.
    """
    if "/" in name:
        return name
    refused = False
    for folder in path.split(":"):
        candidate = f"{folder or '.'}/{name}"
        if os.access(candidate, os.X_OK):
            if not os.path.isdir(candidate):
                return candidate
        elif os.path.isfile(candidate):
            refused = True
    if refused:
        raise _cannot_start(name, "permission denied")
    raise _cannot_start(name, "executable file not found in $PATH")


def _cannot_start(name: str, why: str) -> CannotStart:
    return CannotStart(f'CannotStartContainerError: exec: "{name[:128]}": {why}')


def open_log(path: str) -> int:
    """Make the log file, which nobody has made before. Raises OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, 0o600)


def spawn(item: Item, folder: str, account: Account | None, null: int) -> int:
    """Start the attempt in its folder, which exists; its pid. The log file is made here.

    Leaves our own working folder changed. Raises CannotStart, or OSError when the machine will not have it now.
    """
    os.chdir(folder)
    log = open_log(item.log)
    try:
        crash_point("launch.after-log")
        environment = environment_of(item, folder)
        name = item.command[0]
        program = find_program(name, environment["PATH"])
        try:
            if item.limits or account is not None:
                return _fork(item, program, environment, log, null, account)
            return os.posix_spawn(
                program,
                item.command,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, null, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=_SIGNALS,
            )
        except ValueError as error:  # a NUL byte, or a character that has no bytes
            raise _cannot_start(name, str(error)) from error
        except OSError as error:
            if is_passing(error):
                os.unlink(item.log)
                raise
            raise _cannot_start(name, _words(error)) from error
    finally:
        os.close(log)


def _words(error: OSError) -> str:
    return _WORDS.get(error.errno or 0) or (error.strerror or str(error)).lower()


def _fork(
    item: Item, program: str, environment: Mapping[str, str], log: int, null: int, account: Account | None
) -> int:
    """As `posix_spawn`, with limits and user set in between. Raises CannotStart or OSError."""
    failed, fails = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
        if pid == 0:
            _become(item, program, environment, log, null, account, fails)
    finally:
        os.close(fails)
    with open(failed, "rb") as pipe:
        problem = pipe.read()
    if not problem:
        return pid
    os.waitpid(pid, 0)
    number, _, step = problem.decode("utf-8", "replace").partition(" ")
    error = OSError(int(number), os.strerror(int(number)))
    if step:
        raise CannotStart(f"CannotStartContainerError: {step}: {_words(error)}")
    raise error


def _become(
    item: Item, program: str, environment: Mapping[str, str], log: int, null: int, account: Account | None, fails: int
) -> None:
    """In the child: become the attempt. Never returns; writes what went wrong, and at which step, to `fails`."""
    step = ""
    try:
        os.setsid()
        for descriptor, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(descriptor, target)
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            with suppress(OSError):  # two real-time signals belong to the C library
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for limit, soft, hard in item.limits:
            step = f"ulimit {limit}={soft}:{hard}"
            resource.setrlimit(LIMITS[limit], (soft, hard))
        if account is not None:
            step = f"user {item.user}"
            os.setgroups(account.groups)
            os.setresgid(account.gid, account.gid, account.gid)
            os.setresuid(account.uid, account.uid, account.uid)
        step = ""
        os.execve(program, item.command, environment)
    except OSError as error:
        os.write(fails, f"{error.errno or errno.EINVAL} {step}".encode())
    except ValueError:  # setrlimit: soft above hard, or hard raised without permission
        os.write(fails, f"{errno.EPERM} {step}".encode())
    finally:
        os._exit(127)
