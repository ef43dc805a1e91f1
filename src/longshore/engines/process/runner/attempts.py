"""What the runner holds of each attempt, and what it makes of its journal when it starts."""

from collections.abc import Iterable

from msgspec import structs

from longshore.engines.process.runner.journal import Ended, Launching, Record, Released, Started
from longshore.engines.process.runner.orphans import Orphan
from longshore.engines.process.runner.processes import TICKS_PER_SECOND
from longshore.engines.process.wire import Report, State


class Attempt:
    """One attempt: launching, then running with a process, then over, then over and clean."""

    __slots__ = (
        "final",
        "give_up_at",
        "holds_number",
        "is_clean",
        "is_inherited",
        "is_over_memory",
        "kill_at",
        "launching",
        "orphan",
        "started",
    )

    def __init__(self, launching: Launching) -> None:
        self.launching = launching
        self.started: Started | None = None
        #: an earlier runner launched it: its processes are not our children
        self.is_inherited = False
        #: its main process, when it is inherited and alive
        self.orphan: Orphan | None = None
        #: its end; reported when `is_clean`
        self.final: Report | None = None
        #: nothing of it is alive
        self.is_clean = False
        #: False when another process may have got its main process's number
        self.holds_number = True
        #: killed by us: it had more than its memory before its limit was set
        self.is_over_memory = False
        #: boot clock: when everything of it is killed
        self.kill_at: float | None = None
        #: boot clock: when its end is reported although something that was killed has not gone
        self.give_up_at: float | None = None

    @property
    def id(self) -> str:
        return self.launching.id

    @property
    def pid(self) -> int:
        """Of its main process; 0 when there never was one that we know."""
        return self.started.pid if self.started else 0

    @property
    def folder(self) -> str:
        return self.launching.folder

    @property
    def log(self) -> str:
        return self.launching.log

    @property
    def group(self) -> str:
        """Its memory cgroup, or empty."""
        return self.started.group if self.started else ""

    def lose_group(self) -> None:
        """Its memory cgroup is another's now, or nobody's."""
        if self.started is not None and self.started.group:
            self.started = structs.replace(self.started, group="")

    @property
    def is_over(self) -> bool:
        """Whether its end may be told, and it may be released."""
        return self.final is not None and self.is_clean

    def report(self) -> Report:
        """What others may know of it now."""
        if self.final is not None and self.is_clean:
            return self.final
        return self.describe("running")

    def describe(
        self,
        state: State,
        *,
        stopped_ns: int | None = None,
        exit_code: int | None = None,
        oom_killed: bool = False,
        reason: str = "",
        cpu_seconds: float | None = None,
        peak_memory_bytes: int | None = None,
    ) -> Report:
        """A report with this outcome. Where the wall clock was set back meanwhile, it stops when it started."""
        started_ns = self.started.started_ns if self.started else None
        if stopped_ns is not None and started_ns is not None:
            stopped_ns = max(stopped_ns, started_ns)
        return Report(
            id=self.id,
            node=self.launching.node,
            container=self.launching.container,
            state=state,
            started_ns=started_ns,
            stopped_ns=stopped_ns,
            exit_code=exit_code,
            oom_killed=oom_killed,
            reason=reason,
            cpu_seconds=cpu_seconds,
            peak_memory_bytes=peak_memory_bytes,
            # The end of the tick: a time-out that counts from its beginning would pass early.
            started_boot_seconds=(self.started.last_tick + 1) / TICKS_PER_SECOND if self.started else None,
        )

    def records(self) -> Iterable[Record]:
        """Journal records that would make it again."""
        yield self.launching
        if self.started is not None:
            yield self.started
        if self.final is not None:
            yield Ended(self.final)


def attempts_of(records: Iterable[Record]) -> dict[str, Attempt]:
    """The attempts that the journal says are not released, by id."""
    attempts: dict[str, Attempt] = {}
    by_group: dict[str, Attempt] = {}
    for record in records:
        match record:
            case Launching():
                attempts[record.id] = attempt = Attempt(record)
                attempt.is_inherited = True
            case Started():
                attempts[record.id].started = record
                if record.group:  # who had it before has ended and given it back
                    if (earlier := by_group.get(record.group)) is not None:
                        earlier.lose_group()
                    by_group[record.group] = attempts[record.id]
            case Ended():
                attempts[record.report.id].final = record.report
            case Released():
                attempts.pop(record.id, None)
    return attempts
