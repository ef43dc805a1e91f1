"""The leader: one turn after another, each a transaction and then the acts that it calls for."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from longshore.control.ages import DEFAULT_BOUND_SECONDS
from longshore.control.changes import Changes
from longshore.control.dependencies import resolve_dependencies
from longshore.control.fronts import end_overdue_heads, publish_fronts, seconds_to_blocks, seconds_to_limits
from longshore.control.inbox import Begun, Inbox, News, Released
from longshore.control.intake import (
    BATCH,
    drain_deleted,
    give_up_late_starts,
    look_at_holds,
    look_at_priorities,
    look_at_requests,
    take_in_jobs,
)
from longshore.control.lane import Lane
from longshore.control.ledger import Host, OpenAttempt
from longshore.control.outlook import take_outlook
from longshore.control.present import Present
from longshore.control.provisions import Provider
from longshore.control.pruner import Pruner
from longshore.control.reconciler import as_event, find
from longshore.control.scheduler import place_jobs, render_reason
from longshore.domain.errors import StaleLeader, StoreUnavailable
from longshore.domain.ids import AttemptId
from longshore.domain.job import Intent
from longshore.domain.lifecycle.events import DependencyTimeoutPassed, LaunchBegun, TaskFailedToStart, TimeoutPassed
from longshore.domain.queue import Instant
from longshore.ports.clock import Clock
from longshore.ports.crash_points import crash_point
from longshore.ports.engine import EngineDriver, LaunchFailed
from longshore.ports.logs import AttemptLogs
from longshore.ports.neighbours import NeighbourUnavailable
from longshore.ports.overview import EngineHealth, HostUse
from longshore.ports.store import Store, Transaction
from longshore.ports.telemetry import Telemetry, TelemetryEvent
from longshore.scheduling.forecast.outlook import Outlook
from longshore.scheduling.snapshot import Oversize

_log = structlog.get_logger(__name__)

NEWS_PER_TURN = 1000
LOOKS_PER_TURN = 20
REASONS_SECONDS = 1.0
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """What an operator may choose of control."""

    oversize: Oversize = "run-alone"
    #: lost hosts of one job that are not charged to its retry strategy
    free_losses: int = 5
    stop_grace_seconds: int = 30
    #: a job that has waited for so long comes before all others, unless its queue has a bound of its own
    age_bound_seconds: int = DEFAULT_BOUND_SECONDS
    #: how long finished jobs stay in history; None: for ever
    keep_history: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What a turn leaves to be done after its commit."""

    acts: Sequence[OpenAttempt]
    telemetry: Sequence[TelemetryEvent]
    #: there is more to do at once
    more: bool
    is_planned: bool
    #: what the classes that wait were told by it; None: it is too soon to tell them
    reasons: dict[str, str] | None


class Leader:
    """Moves jobs. Owns the present; everything it knows is rebuilt from the store when a turn fails.

    Implements `ports.overview.Overview`.
    """

    def __init__(
        self,
        *,
        store: Store,
        drivers: Mapping[str, EngineDriver],
        logs: AttemptLogs,
        clock: Clock,
        inbox: Inbox,
        hosts: Sequence[Host],
        settings: ControlSettings,
        new_attempt_id: Callable[[], AttemptId],
        provider: Provider | None = None,
    ) -> None:
        """Without a provider no secret can be had, and no role."""
        #: told of what every turn changed, after its commit
        self.telemetry: Telemetry | None = None
        self._store = store
        self._clock = clock
        self._inbox = inbox
        self._hosts = hosts
        self._settings = settings
        self._new_attempt_id = new_attempt_id
        self._present: Present | None = None
        self._is_settled = True
        self._epoch = 0
        self._must_plan = True
        #: boot clock reading at which what callers wrote was last looked at
        self._looked_at = float("-inf")
        self._reasons: dict[str, str] = {}
        self._reasons_at = 0.0
        self._reasons_due = False
        self.lanes = {
            name: Lane(
                name,
                driver,
                logs=logs,
                inbox=inbox,
                clock=clock,
                open_attempts=self.open_tasks,
                stop_grace_seconds=settings.stop_grace_seconds,
                provider=provider or Provider(clock=clock),
            )
            for name, driver in drivers.items()
        }

    def open_tasks(self) -> Sequence[OpenAttempt] | None:
        """Attempts, and parts of attempts, that are not released yet; None while that is not known."""
        return None if self._present is None else self._present.ledger.open_tasks()

    def find_task(self, attempt_id: AttemptId) -> OpenAttempt | None:
        """The open attempt, or part of one, of that id. Raises NeighbourUnavailable while that is not known."""
        if self._present is None:
            raise NeighbourUnavailable("the leader is reading its attempts again")
        return self._present.ledger.find(attempt_id)

    def engines(self) -> Sequence[EngineHealth]:
        """Every engine as it was when last asked."""
        return [
            EngineHealth(name=lane.name, problem=lane.problem, capabilities=lane.capabilities)
            for lane in self.lanes.values()
        ]

    def hosts(self) -> Sequence[HostUse]:
        """Every host and what is left of it; as offered while that is not known."""
        if self._present is None:
            return [HostUse(id=host.id, total=host.total, free=host.total) for host in self._hosts]
        views = self._present.ledger.hosts().values()
        return [HostUse(id=view.id, total=view.total, free=view.free) for view in views]

    async def outlook(self) -> Outlook | None:
        """A copy of the present, taken between two turns; None while that is not known.

        Raises:
            StoreUnavailable: it can't be taken now.
        """

        def work(tx: Transaction) -> Outlook | None:
            present = self._present
            if present is None or not self._is_settled:
                return None
            present.holdings.instant = now = self._instant()
            problems = {name: lane.problem for name, lane in self.lanes.items()}
            return take_outlook(
                tx, present, present.snapshot(tx, present.queues(tx), problems, self._settings.oversize), now
            )

        return await self._store.write(work)

    async def lead(self) -> None:
        """Become the leader: raise the epoch and load the present. Whoever led before can't write any more."""
        self._epoch = await self._store.write(lambda tx: tx.claim_leadership())
        self._present = await self._store.read(lambda reader: Present.rebuild(reader, self._hosts))
        self._reasons = dict(await self._store.read(lambda reader: reader.class_reasons(None)))
        self._act(self._present.ledger.open_tasks())

    async def run(self) -> None:
        """Lead until cancelled.

        Raises:
            StaleLeader: another process leads now.
        """
        await self.lead()
        async with asyncio.TaskGroup() as group:
            for lane in self.lanes.values():
                group.create_task(lane.run())
            group.create_task(self._take_turns())
            if self._settings.keep_history is not None:
                pruner = Pruner(self._store, self._clock, keep=self._settings.keep_history, epoch=lambda: self._epoch)
                group.create_task(pruner.run())

    async def _take_turns(self) -> None:
        while True:
            try:
                more = await self.turn()
            except StoreUnavailable as unavailable:
                _log.error("store_unavailable", error=unavailable.message)
                await self._clock.sleep(RETRY_SECONDS)
                continue
            if not more:
                await self._inbox.wait(self.idle_seconds())
                await self._gather()

    async def _gather(self) -> None:
        """In a stream of submissions let some come together: they wait behind the commit of each turn.

        The first after a pause is not held up, nor is news of engines.
        """
        pause = self._looked_at + GATHER_SECONDS - self._clock.boot_seconds()
        if pause > 0:
            await self._inbox.wait_for_news(pause)

    def idle_seconds(self) -> float | None:
        """Seconds until something is due by time alone; None: nothing is."""
        due: list[float] = []
        deadline = self._present.next_deadline() if self._present else None
        if deadline is not None:
            due.append(deadline - self._clock.boot_seconds())
        if self._present is not None:
            due += seconds_to_limits(self._present, self._instant())
            start_by = self._present.start_deadlines.next_at(self._instant())
            due += () if start_by is None else (start_by - self._clock.boot_seconds(),)
        if self._reasons_due:
            due.append(self._reasons_at + REASONS_SECONDS - self._clock.boot_seconds())
        elif self._present is not None:
            due += seconds_to_blocks(self._present, self._instant())
        return max(min(due), 0.0) if due else None

    async def turn(self) -> bool:
        """Commit what has come about, then act on it; returns whether there is more to do at once.

        Raises:
            StoreUnavailable: nothing was changed and no news is lost.
            StaleLeader: another process leads now.
        """
        news = self._inbox.take(NEWS_PER_TURN)
        has_writes, self._inbox.has_writes = self._inbox.has_writes, False
        has_changed_health, self._inbox.has_changed_health = self._inbox.has_changed_health, False
        must_plan = self._must_plan or has_writes or bool(news) or has_changed_health or self._is_head_blocked()
        if has_writes:
            self._looked_at = self._clock.boot_seconds()
        try:
            outcome = await self._store.write(lambda tx: self._work(tx, news, has_writes, must_plan))
        except BaseException:
            self._present = None
            self._must_plan = True
            self._inbox.put_back(news)
            self._inbox.has_writes = True
            raise
        self._is_settled = True
        if outcome.is_planned:
            self._must_plan = self._reasons_due = outcome.reasons is None
        if outcome.reasons is not None:
            self._reasons, self._reasons_at = outcome.reasons, self._clock.boot_seconds()
        crash_point("turn.after-commit")
        self._act(outcome.acts)
        if self.telemetry is not None:
            self.telemetry.record(outcome.telemetry)
        return outcome.more or self._inbox.is_pressing

    def _instant(self) -> Instant:
        return Instant(at=self._clock.now(), boot_id=self._clock.boot_id(), boot_seconds=self._clock.boot_seconds())

    def _is_head_blocked(self) -> bool:
        """Whether callers must be told so of another head."""
        present = self._present
        return present is not None and any(seconds <= 0 for seconds in seconds_to_blocks(present, self._instant()))

    def _act(self, entries: Sequence[OpenAttempt]) -> None:
        by_lane: dict[str, list[OpenAttempt]] = {}
        for entry in entries:
            if entry.attempt.intent is not Intent.NONE:
                by_lane.setdefault(entry.engine, []).append(entry)
        for engine, acts in by_lane.items():
            if engine in self.lanes:
                self.lanes[engine].act(acts)

    def _work(self, tx: Transaction, news: Sequence[News], has_writes: bool, must_plan: bool) -> _Outcome:
        """One turn inside its transaction, which may be undone: but for the present, nothing is noted in here."""
        if tx.epoch() != self._epoch:
            raise StaleLeader
        is_rebuilt = self._present is None or not self._is_settled  # the turn before failed, or this one is run again
        if self._present is None or is_rebuilt:
            self._present = Present.rebuild(tx, self._hosts)
        self._is_settled = False
        present = self._present
        present.holdings.instant = self._instant()
        present.ages.bound_seconds = self._settings.age_bound_seconds
        changes = Changes(tx, present, self._clock.now(), free_losses=self._settings.free_losses)
        more = False
        if has_writes:
            present.forget_resources()
            more = take_in_jobs(tx, present, changes)
            more = look_at_requests(tx, present, changes) or more
            more = look_at_priorities(tx, changes) or more
        more = look_at_holds(tx, changes) or more
        launches = self._apply_news(present, changes, news)
        for entry in present.overdue(self._clock.boot_id(), self._clock.boot_seconds()):
            changes.adopt([entry.job])
            attempt_id = entry.attempt.attempt_id
            is_part = entry.whole_id is not None
            passed = DependencyTimeoutPassed(attempt_id=attempt_id) if is_part else None
            event = as_event(entry, passed) if passed else TimeoutPassed(attempt_id=attempt_id)
            changes.apply(entry.job.key, event)
        changes.flush()
        late = give_up_late_starts(tx, present, changes, self._instant())
        must_plan, more = must_plan or late > 0, more or late == BATCH
        for _ in range(LOOKS_PER_TURN):
            if present.checks:
                resolve_dependencies(tx, present, changes)
        more = drain_deleted(tx, present, changes) or more
        must_plan = end_overdue_heads(tx, present, changes, self._instant()) or must_plan
        more = bool(present.checks) or more
        reasons = self._plan(tx, present, changes) if must_plan else None
        if more:
            self._inbox.has_writes = True
        crash_point("turn.before-commit")
        # what failed may have been committed nevertheless, and nobody has acted on that
        acts = present.ledger.open_tasks() if is_rebuilt else [*changes.to_act_on.values(), *launches]
        return _Outcome(acts=acts, telemetry=changes.telemetry, more=more, is_planned=must_plan, reasons=reasons)

    def _apply_news(self, present: Present, changes: Changes, news: Sequence[News]) -> Sequence[OpenAttempt]:
        """Apply what engines said; returns attempts that must be launched (again)."""
        launches: list[OpenAttempt] = []
        attempt_ids = [item.attempt_id for item in news if not isinstance(item, Released)]
        entries = [entry for entry in map(present.ledger.find, attempt_ids) if entry is not None]
        changes.adopt(entry.job for entry in entries if not entry.attempt.has_ended)
        for item in news:
            if isinstance(item, Released):
                for attempt_id in item.attempt_ids:
                    if (entry := present.ledger.find(attempt_id)) is not None:
                        changes.released(entry)
                continue
            entry = present.ledger.find(item.attempt_id)
            if entry is None or entry.attempt.has_ended:
                continue
            if isinstance(item, Begun):
                begun = LaunchBegun(attempt_id=entry.whole_id or entry.attempt.attempt_id)
                changes.apply(entry.job.key, begun)
                continue
            if isinstance(item, LaunchFailed):
                failure = TaskFailedToStart(attempt_id=item.attempt_id, reason=item.reason)
                changes.apply(entry.job.key, as_event(entry, failure))
                continue
            free_losses, most_memory_mib = self._settings.free_losses, present.ledger.most_memory_mib
            finding = find(item, entry, self._clock, free_losses=free_losses, most_memory_mib=most_memory_mib)
            if finding.must_launch:
                launches.append(entry)
            for event in finding.events:
                changes.apply(entry.job.key, as_event(entry, event))
        return launches

    def _plan(self, tx: Transaction, present: Present, changes: Changes) -> dict[str, str] | None:
        """Place what fits; returns the reasons of the rest if they were published."""
        problems = {name: lane.problem for name, lane in self.lanes.items()}
        oversize = self._settings.oversize
        is_due = self._clock.boot_seconds() >= self._reasons_at + REASONS_SECONDS
        plan = place_jobs(
            tx,
            present,
            changes,
            engine_problems=problems,
            oversize=oversize,
            wants_addresses={name for name, lane in self.lanes.items() if lane.capabilities.wants_addresses},
            new_attempt_id=self._new_attempt_id,
            explain=is_due,
        )
        if not is_due:
            return None
        blocked = publish_fronts(
            tx, present, present.snapshot(tx, present.busy_queues(tx), problems, oversize), plan.heads
        )
        rendered = {
            job_class.id: render_reason(reason, tx, is_blocked=job_class in blocked)
            for job_class, reason in plan.reasons.items()
        }
        changed = {key: text for key, text in rendered.items() if self._reasons.get(key) != text}
        withdrawn = self._reasons.keys() - rendered.keys()
        if changed or withdrawn:
            tx.publish_class_reasons(changed, withdraw=withdrawn)
        return rendered
