"""What the engine contract needs beside a driver: tasks with a known behaviour, and eyes of its own."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from longshore.domain.container import ContainerSettings, MountPoint, Ulimit
from longshore.domain.ids import AttemptId
from longshore.ports.engine import LaunchSpec
from longshore.testing.builders import a_launch


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeTask:
    """What the native system holds of one attempt: a container, a process, a working folder, ..."""

    #: tells this task from any other while it lives: container id, (boot id, pid, start ticks), ...
    identity: str
    #: tasks of this attempt that are alive; above 1 is a breach of the port
    live_tasks: int
    #: processes of those tasks that are alive, what they started included
    live_processes: int


class EngineProbe(Protocol):
    """Looks at the native system without the driver."""

    async def find(self, attempt_id: AttemptId) -> NativeTask | None:
        """What is there of the attempt, alive or left over; None when nothing is."""
        ...

    async def start_decoy(self) -> AttemptId:
        """Start a long native task that looks as much like ours as it can, but is of another installation.

        Returns the attempt id that it bears. The implementer's fixture ends it after the test.
        """
        ...

    async def decoy_lives(self) -> bool:
        """Whether the decoy runs on, untouched."""
        ...


class EngineWorkload(Protocol):
    """Renders launches of known behaviour, each call with a fresh attempt id and log path."""

    def exits(self, code: int) -> LaunchSpec:
        """Ends at once with `code`."""
        ...

    def sleeps(self, seconds: float, *, code: int = 0) -> LaunchSpec:
        """Runs for `seconds`, then ends with `code`; SIGTERM or SIGKILL ends it sooner."""
        ...

    def prints(self, text: str) -> LaunchSpec:
        """Writes `text`, without a newline of its own, and ends with 0."""
        ...

    def prints_and_sleeps(self, text: str, seconds: float) -> LaunchSpec:
        """Writes `text`, runs on for `seconds`, and ends with 0."""
        ...

    def complains(self, text: str) -> LaunchSpec:
        """Writes `text` to stderr and ends with 1."""
        ...

    def ignores_term(self) -> LaunchSpec:
        """Starts others, one in a session of its own; then writes `ready`, and all run on through SIGTERM."""
        ...

    def abandons(self, code: int) -> LaunchSpec:
        """Leaves a process running that holds its stdout, and ends at once with `code`."""
        ...

    def killed_by(self, signal: int) -> LaunchSpec:
        """Ends by the signal, with exit code 128 + `signal`."""
        ...

    def cannot_start(self) -> LaunchSpec:
        """Names a program that does not exist."""
        ...

    def refused(self) -> LaunchSpec:
        """Asks for what the engine can never give."""
        ...

    def floods(self, lines: int) -> LaunchSpec:
        """Writes the numbers 1 to `lines`, one a line, as fast as it can, and ends with 0."""
        ...


class ShellWorkload:
    """The workload for engines that run real programs: `sh`, `sleep`, `printf`, `seq` and `setsid` must be there."""

    def __init__(self, logs: Path, *, image: str = "busybox") -> None:
        """`logs` is a folder that exists; each launch gets a file of its own in it, not made here."""
        self._logs = logs
        self._image = image

    def launch(self, *command: str) -> LaunchSpec:
        """A launch of `command`."""
        attempt_id = AttemptId(uuid4().hex)
        return a_launch(*command, attempt_id=attempt_id, image=self._image, log_path=self._logs / f"{attempt_id}.log")

    def exits(self, code: int) -> LaunchSpec:
        return self.launch("sh", "-c", f"exit {code}")

    def sleeps(self, seconds: float, *, code: int = 0) -> LaunchSpec:
        return self.launch("sh", "-c", f"sleep {seconds}; exit {code}")

    def prints(self, text: str) -> LaunchSpec:
        return self.launch("printf", "%s", text)

    def prints_and_sleeps(self, text: str, seconds: float) -> LaunchSpec:
        return self.launch("sh", "-c", 'printf %s "$0"; sleep "$1"', text, str(seconds))

    def complains(self, text: str) -> LaunchSpec:
        return self.launch("sh", "-c", 'printf %s "$0" >&2; exit 1', text)

    def ignores_term(self) -> LaunchSpec:
        # An ignored signal stays ignored across exec, so the two sleeps ignore it too.
        return self.launch("sh", "-c", 'trap "" TERM; sleep 1000 & setsid sleep 1000 & echo ready; wait; exit 9')

    def abandons(self, code: int) -> LaunchSpec:
        return self.launch("sh", "-c", f"sleep 1000 & setsid sleep 1000 & exit {code}")

    def killed_by(self, signal: int) -> LaunchSpec:
        # Override where the command is process 1 of a PID namespace: the kernel shields that from its own signals.
        return self.launch("sh", "-c", f"kill -{signal} $$; sleep 1000")

    def cannot_start(self) -> LaunchSpec:
        return self.launch("/nonexistent/program")

    def refused(self) -> LaunchSpec:
        # A limit that processes do not have, and a volume that containers can't be given.
        settings = ContainerSettings(
            ulimits=(Ulimit(name="patience", soft_limit=1, hard_limit=1),),
            mount_points=(MountPoint(source_volume="undefined", container_path="/undefined"),),
        )
        spec = self.launch("true")
        return replace(spec, container=replace(spec.container, settings=settings))

    def floods(self, lines: int) -> LaunchSpec:
        return self.launch("seq", "1", str(lines))
