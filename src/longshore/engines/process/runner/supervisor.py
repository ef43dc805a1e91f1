"""Starts attempts, learns how they end, ends them when asked, and forgets them when told.

Every step is in the journal before anyone hears of it. Waiting and sockets are `server`'s business: it calls `reap`
when a child has ended, `tick` when `next_tick_at` has come, and sends on what gathers in `news`.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from longshore.engines.process.crash import crash_point
from longshore.engines.process.runner.accounts import Account, AccountRefused, find_account
from longshore.engines.process.runner.attempts import Attempt
from longshore.engines.process.runner.folders import Folders
from longshore.engines.process.runner.journal import Ended, Journal, Launching, Released, Started
from longshore.engines.process.runner.leftovers import Leftovers
from longshore.engines.process.runner.memory import MemoryGroups
from longshore.engines.process.runner.processes import TICKS_PER_SECOND, Process, signal_group
from longshore.engines.process.runner.spawn import CannotStart, spawn
from longshore.engines.process.wire import Item, Refusal, Report

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
#: how long the end of an attempt waits for processes that were killed and do not go (uninterruptible sleep)
_CLEAN_SECONDS = 30.0
#: between two looks at what was killed and has not gone, or is dead and does not tell how: the first, and the longest
_RECHECK_SECONDS = (0.002, 0.25)
_RETRY_SECONDS = 1.0
_HEX = set("0123456789abcdef")
#: longest wait for the outcome of an orphan that is dead: its new parent may be slow to reap it
_OUTCOME_SECONDS = 10.0


def boot_seconds() -> float:
    """The boot clock, which never jumps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _boot_ticks() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * TICKS_PER_SECOND // 1_000_000_000


class Supervisor:
    """All attempts of one data folder."""

    def __init__(
        self,
        *,
        attempts: dict[str, Attempt],
        journal: Journal,
        folders: Folders,
        memory: MemoryGroups,
        boot: str,
        note: Callable[[str], None],
    ) -> None:
        self.attempts = attempts
        #: changes that nobody was told of yet
        self.news: list[Report] = []
        self._journal = journal
        self._folders = folders
        self._memory = memory
        self.boot = boot
        self._note = note
        self._null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        #: by pid: main processes that are our children
        self._children: dict[int, Attempt] = {}
        #: by descriptor: main processes that are not
        self.orphans: dict[int, Attempt] = {}
        #: over, but not known to be clean
        self._ending: list[Attempt] = []
        self._leftovers = Leftovers(memory)
        #: boot clock: when a failed write is tried again, and when what was killed is looked at again
        self._flush_at: float | None = None
        self._recheck_at: float | None = None
        self._recheck_delay = _RECHECK_SECONDS[0]

    # --- launching ------------------------------------------------------------------------------------------------

    def launch(self, items: Sequence[Item]) -> list[Refusal]:
        """Start each attempt that is not known yet; those that could not be, with the reason."""
        refused: list[Refusal] = []
        ready: list[tuple[Item, Account | None, Launching]] = []
        # The same twice in one call is one attempt: the first counts.
        for item in {item.id: item for item in reversed(items)}.values():
            if item.id in self.attempts:
                continue
            if len(item.id) != 32 or not set(item.id) <= _HEX:
                refused.append(Refusal(item.id, True, "this is no attempt id"))
                continue
            try:
                account = find_account(item.user)
            except AccountRefused as refusal:
                refused.append(Refusal(item.id, True, str(refusal)))
                continue
            folder = self._folders.path(item.id, foreign=account is not None)
            ready.append((item, account, Launching(item.id, item.node, item.container, item.log, folder)))
        if not ready:
            return refused
        crash_point("launch.before-launching-record")
        try:
            self._journal.write([launching for _, _, launching in ready])
        except OSError as error:
            return [*refused, *(Refusal(item.id, False, f"runner's journal: {error.strerror}") for item, _, _ in ready)]
        crash_point("launch.after-launching-record")
        for item, account, launching in ready:
            attempt = Attempt(launching)
            if (refusal := self._start(attempt, item, account)) is not None:
                refused.append(refusal)
        os.chdir("/")
        self._flush()
        crash_point("launch.after-started-record")
        return refused

    def _start(self, attempt: Attempt, item: Item, account: Account | None) -> Refusal | None:
        group = ""
        try:
            self._folders.make(attempt.folder, None if account is None else (account.uid, account.gid))
            if item.memory_bytes and not self._memory.problem:
                group = self._memory.take(item.memory_bytes)
                self._memory.go_in(group)
            # Before, so that no process is ever seen to run before its attempt started.
            first_tick, started_ns = _boot_ticks(), time.time_ns()
            try:
                pid = spawn(item, attempt.folder, account, self._null)
            finally:
                if group:
                    self._memory.leave()
        except CannotStart as problem:
            self._give_back(group)
            attempt.is_clean = True
            self.attempts[attempt.id] = attempt
            reason = str(problem)[:255]
            self._end(attempt, attempt.describe("failed-to-start", stopped_ns=time.time_ns(), reason=reason))
            self.news.append(attempt.report())
            return None
        except OSError as error:
            self._give_back(group)
            with suppress(OSError):
                self._folders.remove(attempt.folder)
            self._journal.append(Released(attempt.id))
            return Refusal(attempt.id, isinstance(error, FileExistsError), f"cannot start a process: {error}")
        crash_point("launch.after-spawn")
        if (other := self._leftovers.reused(pid, self._ending)) is not None:
            other.holds_number = False
        attempt.started = Started(attempt.id, self.boot, pid, first_tick, _boot_ticks(), started_ns, group)
        self._journal.append(attempt.started)
        self.attempts[attempt.id] = attempt
        self._children[pid] = attempt
        if group:
            self._confine(attempt, item.memory_bytes)
        self.news.append(attempt.report())
        return None

    def _confine(self, attempt: Attempt, limit_bytes: int) -> None:
        try:
            if not self._memory.confine(attempt.group, attempt.pid, limit_bytes):
                attempt.is_over_memory = True
                signal_group(attempt.pid, signal.SIGKILL)
        except OSError as error:
            self._note(f"attempt {attempt.id} runs without its memory limit: {error}")

    def _give_back(self, group: str) -> None:
        if group:
            self._memory.give(group)

    # --- ends -----------------------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Take note of every child that has ended."""
        ended = False
        while True:
            try:
                news = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                break
            if news is None:
                break
            pid = news.si_pid
            if pid in self._children:
                # While it is not reaped its number can mean no other group.
                signal_group(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            stopped_ns = time.time_ns()
            if self._folders.swept(pid):
                self._sweep()
            self._leftovers.reaped(pid)
            if (attempt := self._children.pop(pid, None)) is not None:
                crash_point("exit.before-record")
                self._exited(attempt, status, stopped_ns, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
                ended = True
        if ended:
            self._flush()
            crash_point("exit.after-record")
        self.settle()

    def _exited(
        self, attempt: Attempt, status: int, stopped_ns: int, cpu_seconds: float | None, peak_bytes: int | None
    ) -> None:
        code = os.waitstatus_to_exitcode(status)
        killed_for_memory = False
        if attempt.group:
            use = self._memory.use(attempt.group)
            killed_for_memory = (use.oom_kills > 0 or attempt.is_over_memory) and code != 0
            peak_bytes = use.peak_bytes or peak_bytes
        self._end(
            attempt,
            attempt.describe(
                "exited",
                stopped_ns=stopped_ns,
                exit_code=code if code >= 0 else 128 - code,
                oom_killed=killed_for_memory,
                reason=OUT_OF_MEMORY if killed_for_memory else "",
                cpu_seconds=cpu_seconds,
                peak_memory_bytes=peak_bytes,
            ),
        )

    def _end(self, attempt: Attempt, report: Report) -> None:
        attempt.final = report
        attempt.kill_at = None
        self._journal.append(Ended(report))
        if not attempt.is_clean:
            self.watch_leftovers(attempt)

    def watch_leftovers(self, attempt: Attempt) -> None:
        """Tell the end of this attempt when nothing of it is alive; the next `reap` or `settle` begins with that."""
        attempt.give_up_at = boot_seconds() + _CLEAN_SECONDS
        self._ending.append(attempt)

    def adopt(self, attempt: Attempt) -> None:
        """Watch an attempt whose process, `orphan`, another runner started."""
        assert attempt.orphan is not None
        self.orphans[attempt.orphan.fd] = attempt

    def find_again(self, attempt: Attempt, process: Process) -> None:
        """Note the process of an attempt whose launch was cut off before it was journalled."""
        started_ns = time.time_ns() - int((boot_seconds() - process.start_tick / TICKS_PER_SECOND) * 1e9)
        tick = process.start_tick
        group = next((group for group in self._memory.groups() if process.pid in self._memory.processes(group)), "")
        if group:
            for other in self.attempts.values():
                if other.group == group:
                    other.lose_group()
        attempt.started = Started(attempt.id, self.boot, process.pid, tick, tick, started_ns, group)
        self._journal.append(attempt.started)

    def drop(self, attempt: Attempt) -> None:
        """Forget an attempt of which nothing was ever started."""
        del self.attempts[attempt.id]
        self._journal.append(Released(attempt.id))

    def lose(self, attempt: Attempt, reason: str) -> None:
        """End it without an outcome; what is left of it is killed."""
        self._note(f"attempt {attempt.id} is lost: {reason}")
        self._end(attempt, attempt.describe("lost", stopped_ns=time.time_ns(), reason=reason[:255]))

    def orphan_ended(self, fd: int) -> bool:
        """The process behind this descriptor is dead; whether its outcome is known now. If not, call again."""
        attempt = self.orphans[fd]
        orphan = attempt.orphan
        assert orphan is not None
        outcome = orphan.outcome()
        if outcome is None:
            attempt.give_up_at = attempt.give_up_at or boot_seconds() + _OUTCOME_SECONDS
            if boot_seconds() < attempt.give_up_at:
                self._recheck_later()
                return False
        del self.orphans[fd]
        attempt.holds_number = False
        if outcome is None:
            self.lose(attempt, "the exit status of its process could not be learned")
        else:
            self._exited(attempt, outcome[0], time.time_ns(), outcome[1], None)
        orphan.close()
        self._flush()
        self.settle()
        return True

    def settle(self) -> None:
        """Kill what ended attempts left, and tell the end of those that left nothing alive."""
        if not self._ending:
            return
        running = [*self._children.values(), *self.orphans.values()]
        alive = self._leftovers.kill(self._ending, running, helpers=self._folders.sweeper_pids())
        now = boot_seconds()
        still: list[Attempt] = []
        for attempt in self._ending:
            if attempt.id in alive and attempt.give_up_at is not None and now < attempt.give_up_at:
                still.append(attempt)
                continue
            if attempt.id in alive:
                self._note(f"attempt {attempt.id}: killed processes do not go: {alive[attempt.id]}")
            attempt.is_clean = True
            self._give_back(attempt.group)
            attempt.lose_group()
            self.news.append(attempt.report())
        self._ending = still
        if still:
            self._recheck_later()
        else:
            self._recheck_delay = _RECHECK_SECONDS[0]

    def _recheck_later(self) -> None:
        self._recheck_at = boot_seconds() + self._recheck_delay
        self._recheck_delay = min(2 * self._recheck_delay, _RECHECK_SECONDS[1])

    # --- stopping -------------------------------------------------------------------------------------------------

    def stop(self, asked: Iterable[tuple[str, int]]) -> None:
        """SIGTERM to all of each live attempt now, SIGKILL after its grace seconds."""
        now = boot_seconds()
        targets: list[Attempt] = []
        for attempt_id, grace_seconds in asked:
            attempt = self.attempts.get(attempt_id)
            if attempt is None or attempt.final is not None:
                continue
            kill_at = now + grace_seconds
            attempt.kill_at = kill_at if attempt.kill_at is None else min(attempt.kill_at, kill_at)
            targets.append(attempt)
        self._signal([attempt for attempt in targets if attempt.kill_at and attempt.kill_at > now], signal.SIGTERM)
        self.tick()

    def _signal(self, targets: Sequence[Attempt], number: int) -> None:
        for attempt in targets:
            if attempt.orphan is None or attempt.orphan.is_alive():
                signal_group(attempt.pid, number)
        if targets:
            self._leftovers.signal_others(targets, number)

    def tick(self) -> None:
        """Do what is due."""
        now = boot_seconds()
        due = [
            attempt
            for attempt in (*self._children.values(), *self.orphans.values())
            if attempt.kill_at is not None and attempt.kill_at <= now
        ]
        self._signal(due, signal.SIGKILL)
        for attempt in due:
            attempt.kill_at = now + _RETRY_SECONDS
        if self._recheck_at is not None and self._recheck_at <= now:
            self._recheck_at = None
            for fd in [fd for fd, attempt in self.orphans.items() if attempt.give_up_at]:
                self.orphan_ended(fd)
            self.settle()
        if self._flush_at is not None and self._flush_at <= now:
            self._flush()

    def next_tick_at(self) -> float:
        """When `tick` is due next, by the boot clock; infinity when nothing waits."""
        times = [a.kill_at for a in (*self._children.values(), *self.orphans.values()) if a.kill_at is not None]
        times += [at for at in (self._flush_at, self._recheck_at) if at is not None]
        return min(times, default=float("inf"))

    @property
    def has_work(self) -> bool:
        """Whether anything is alive or not yet on disk."""
        return bool(self._children or self.orphans or self._ending or self._flush_at)

    def kill_all(self) -> None:
        """Kill everything of every live attempt, at once and for good."""
        live = [*self._children.values(), *self.orphans.values()]
        self._signal(live, signal.SIGKILL)

    # --- forgetting -----------------------------------------------------------------------------------------------

    def release(self, ids: Iterable[str]) -> None:
        """Remove the folders of those that are over, and forget them."""
        for attempt_id in ids:
            attempt = self.attempts.get(attempt_id)
            if attempt is None or not attempt.is_over:
                continue
            try:
                self._folders.remove(attempt.folder)
            except OSError as error:
                self._note(f"the folder of attempt {attempt_id} cannot be removed, it stays known: {error}")
                continue
            crash_point("release.before-record")
            self._journal.append(Released(attempt_id))
            del self.attempts[attempt_id]
        self._flush()
        crash_point("release.after-record")
        self._sweep()

    def _sweep(self) -> None:
        with suppress(OSError):  # no process to be had; later, or when the next runner starts
            self._folders.sweep()

    def _flush(self) -> None:
        """Write the journal; when the disk is full, go on and try again in a while."""
        try:
            self._journal.flush()
            if self._flush_at is not None:
                self._note("the journal can be written again")
            self._flush_at = None
        except OSError as error:
            if self._flush_at is None:
                self._note(f"the journal cannot be written, trying again: {error}")
            self._flush_at = boot_seconds() + _RETRY_SECONDS
            return
        if self._journal.wants_compaction:
            try:
                self._journal.compact([record for attempt in self.attempts.values() for record in attempt.records()])
            except OSError as error:
                self._note(f"the journal cannot be compacted: {error}")
