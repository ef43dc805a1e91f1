"""What a new runner makes of what an earlier one left: every attempt gets its exact end, goes on, or is lost.

Nothing is invented: an attempt whose outcome can no longer be learned is lost, and what is left of it is killed.
"""

import os
import signal

from longshore.engines.process.runner.attempts import Attempt
from longshore.engines.process.runner.folders import Folders
from longshore.engines.process.runner.memory import MemoryGroups
from longshore.engines.process.runner.orphans import kernel_keeps_exits, open_orphan
from longshore.engines.process.runner.processes import find_members, read_process, signal_process
from longshore.engines.process.runner.supervisor import Supervisor


def recover(supervisor: Supervisor, folders: Folders, memory: MemoryGroups) -> None:
    """Settle every attempt of the journal; folders and cgroups of others are removed."""
    attempts = list(supervisor.attempts.values())
    for attempt in attempts:
        if attempt.final is not None:
            attempt.holds_number = False
            supervisor.watch_leftovers(attempt)
    _settle_cut_off(supervisor, [attempt for attempt in attempts if attempt.final is None and attempt.started is None])
    # Those that were just found again are among the started ones now.
    _settle_started(supervisor, [attempt for attempt in attempts if attempt.final is None and attempt.started])
    folders.remove_unknown({attempt.folder for attempt in supervisor.attempts.values()})
    known = {attempt.group for attempt in supervisor.attempts.values()}
    for group in [group for group in memory.groups() if group not in known]:
        for pid in memory.processes(group):
            if (process := read_process(pid)) is not None:
                signal_process(process, signal.SIGKILL)
        memory.give(group)
    supervisor.settle()


def _settle_cut_off(supervisor: Supervisor, attempts: list[Attempt]) -> None:
    """Launches that were announced and not confirmed: the process table, then the log file tell how far they came."""
    if not attempts:
        return
    members, _ = find_members(attempts, everywhere=True)
    for attempt in attempts:
        processes = members.get(attempt.id, [])
        mains = [process for process in processes if process.pid == process.session == process.group]
        if mains:
            supervisor.find_again(attempt, min(mains, key=lambda process: process.start_tick))
        elif processes or os.path.lexists(attempt.log):
            supervisor.lose(attempt, "the runner died while it was starting it")
        else:
            supervisor.drop(attempt)


def _settle_started(supervisor: Supervisor, attempts: list[Attempt]) -> None:
    keeps_exits = bool(attempts) and kernel_keeps_exits()
    for attempt in attempts:
        started = attempt.started
        assert started is not None
        orphan = None
        if started.boot == supervisor.boot:
            orphan = open_orphan(started.pid, started.first_tick, started.last_tick)
        if orphan is None:
            attempt.holds_number = False
            restarted = started.boot != supervisor.boot
            supervisor.lose(
                attempt, "the machine was restarted" if restarted else "it ended while no runner was there to see how"
            )
        elif keeps_exits or not orphan.is_alive():
            attempt.orphan = orphan
            supervisor.adopt(attempt)
        else:
            orphan.close()
            supervisor.lose(attempt, "its runner died, and this kernel does not tell others how a process ends")
