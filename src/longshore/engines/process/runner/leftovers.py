"""Processes that an attempt started and that are not its main process: found, signalled, killed.

As subreaper we get every process whose parent has gone. So when our only children are main processes, and the group of
an ended attempt is empty, nothing of it is left, and the process table need not be read.
"""

import signal
from collections.abc import Collection, Iterable, Sequence

from longshore.engines.process.runner.attempts import Attempt
from longshore.engines.process.runner.memory import MemoryGroups
from longshore.engines.process.runner.processes import (
    Process,
    children_of_runner,
    find_members,
    group_is_empty,
    read_process,
    signal_process,
)


class Leftovers:
    """Looks after what attempts leave behind."""

    def __init__(self, memory: MemoryGroups) -> None:
        self._memory = memory
        #: children that were handed to us: the id of their attempt, empty where nothing tells
        self._handed: dict[int, str] = {}

    def reaped(self, pid: int) -> None:
        """This child is no more."""
        self._handed.pop(pid, None)

    @staticmethod
    def reused(pid: int, ending: Iterable[Attempt]) -> Attempt | None:
        """The ended attempt whose main process had the number that a new one has now."""
        return next((attempt for attempt in ending if attempt.pid == pid), None)

    def kill(
        self, ending: Sequence[Attempt], running: Sequence[Attempt], *, helpers: Collection[int]
    ) -> dict[str, list[int]]:
        """Kill what is left of ended attempts; pids that are still alive, by attempt id."""
        children = children_of_runner()
        mains = {attempt.pid for attempt in running}
        unknown = children is None or not children <= {*mains, *helpers, *self._handed}
        unknown = unknown or (not running and "" in self._handed.values())
        suspects = [attempt for attempt in ending if self._may_have_left(attempt)]
        if not unknown and not suspects:
            return {}
        members, strays = self._find([*running, *ending])
        for owner, processes in members.items():
            self._handed.update({process.pid: owner for process in processes if process.pid in (children or ())})
        strays = [process for process in strays if process.pid not in helpers]
        self._handed.update({process.pid: "" for process in strays if process.pid in (children or ())})
        if not running:  # whose they are cannot be told, but nobody's they are now
            for process in strays:
                signal_process(process, signal.SIGKILL)
        alive = {attempt.id: members[attempt.id] for attempt in ending if attempt.id in members}
        for processes in alive.values():
            for process in processes:
                signal_process(process, signal.SIGKILL)
        return {attempt_id: [process.pid for process in processes] for attempt_id, processes in alive.items()}

    def _may_have_left(self, attempt: Attempt) -> bool:
        if attempt.is_inherited:
            return True
        return (
            (attempt.holds_number and not group_is_empty(attempt.pid))
            or attempt.id in self._handed.values()
            or bool(attempt.group and self._memory.processes(attempt.group))
        )

    def signal_others(self, targets: Sequence[Attempt], number: int) -> None:
        """Send a signal to all processes of live attempts that are outside the group of their main process."""
        members, _ = self._find(targets)
        for attempt in targets:
            for process in members.get(attempt.id, ()):
                if process.group != attempt.pid:
                    signal_process(process, number)

    def _find(self, attempts: Sequence[Attempt]) -> tuple[dict[str, list[Process]], list[Process]]:
        everywhere = any(attempt.is_inherited for attempt in attempts)
        members, strays = find_members(attempts, everywhere=everywhere)
        for attempt in attempts:
            if attempt.group:
                found = members.setdefault(attempt.id, [])
                known = {process.pid for process in found}
                for pid in self._memory.processes(attempt.group):
                    process = None if pid in known else read_process(pid)
                    if process is not None and not process.dead:
                        found.append(process)
                if not found:
                    del members[attempt.id]
        return members, strays
