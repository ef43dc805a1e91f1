"""One turn's changes to jobs: applies events through the lifecycle and writes what came of them, in batches.

Nothing else writes jobs, attempts, summaries or the timeline, so what is kept in step with a status is kept here.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from longshore.control.ledger import OpenAttempt
from longshore.control.present import Present
from longshore.domain.dependency import DependencyType
from longshore.domain.errors import InvalidTransition
from longshore.domain.ids import AttemptId, JobId, JobKey
from longshore.domain.job import Attempt, Intent, Job, JobSpec, Part, TimelineEntry
from longshore.domain.lifecycle.events import (
    CancelRequested,
    ChildrenMoved,
    DependencyFailed,
    DependencyTimeoutPassed,
    Event,
    HostLost,
    LaunchConfirmed,
    NotNeeded,
    PartNews,
    PlacementCommitted,
    PreemptionCommitted,
    StartDeadlinePassed,
    TaskExited,
    TaskFailedToStart,
    TerminateRequested,
)
from longshore.domain.lifecycle.machine import advance
from longshore.domain.lifecycle.parts import conclude
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.lifecycle.story import render_timeline
from longshore.domain.workload import workload_of
from longshore.ports.store import RunOfJobs, Transaction
from longshore.ports.telemetry import AttemptEnded, JobsMoved, JobStarted, TelemetryEvent
from longshore.scheduling.classes import class_of


class Changes:
    """What one turn changes. Call `flush` once, at the end; the present is kept in step at once."""

    def __init__(self, tx: Transaction, present: Present, now: datetime, *, free_losses: int = 0) -> None:
        """`free_losses`: how many lost hosts of one job are not charged to its retry strategy."""
        self._tx = tx
        self._present = present
        self.now = now
        self._free_losses = free_losses
        self._jobs: dict[JobKey, Job] = {}
        self._saved: set[JobKey] = set()
        self._attempts: dict[tuple[JobKey, int], Attempt] = {}
        self._opened: set[tuple[JobKey, int]] = set()
        self._parts: dict[AttemptId, Part] = {}
        self._entries: list[TimelineEntry] = []
        self._moved: dict[JobKey, Counter[JobStatus]] = defaultdict(Counter)
        #: what happened, for metrics
        self.telemetry: list[TelemetryEvent] = []
        #: attempts and parts with something to do for them, as they are at the end of the turn
        self.to_act_on: dict[AttemptId, OpenAttempt] = {}

    def load(self, keys: Iterable[JobKey]) -> None:
        """Read jobs that events will be applied to, all at once."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._jobs]
        if missing:
            self._jobs.update(self._tx.load_jobs(missing))

    def adopt(self, jobs: Iterable[Job]) -> None:
        """Take jobs as loaded that were read in this transaction, or hold an open attempt and are in the ledger."""
        for job in jobs:
            self._jobs.setdefault(job.key, job)

    def job(self, key: JobKey) -> Job | None:
        """A loaded job as it is now."""
        return self._jobs.get(key)

    def apply(self, key: JobKey, event: Event) -> None:
        """Let `event` happen to a loaded job."""
        before = self._jobs[key]
        try:
            step = advance(before, event, now=self.now)
        except InvalidTransition as bug:
            story = [*self._tx.timeline(key), *(entry for entry in self._entries if entry.job_key == key)]
            raise InvalidTransition(f"{bug.message}\n{render_timeline(story)}", job_id=bug.job_id) from bug
        if step is None:
            return
        after = step.job
        self._jobs[key] = after
        self._saved.add(key)
        if step.attempt is not None:
            self._note_attempt(after, step.attempt, is_new=isinstance(event, PlacementCommitted), before=before.attempt)
        elif after.attempt is not None:
            self._present.ledger.note_job(after)
        if after.status is not before.status or _is_told(event):
            self._entries.append(
                TimelineEntry(
                    job_key=key,
                    at=self.now,
                    status_from=before.status,
                    status_to=after.status,
                    cause=_cause(event),
                    detail=_detail(after, event),
                )
            )
        if after.status is not before.status:
            self._follow_status(key, before, after, step.attempt)
        if after.attempt is not None and after.attempt.parts:
            conclusion = conclude(workload_of(after.spec), after.attempt, free_losses=self._free_losses)
            if conclusion is not None:
                self.apply(key, conclusion)

    def prioritize(self, key: JobKey) -> None:
        """Give a loaded job the priority that was requested for it; while it waits, that moves it in its queue."""
        before = self._jobs[key]
        after = replace(before, scheduling_priority=before.requested_priority, requested_priority=None)
        self._jobs[key] = after
        self._saved.add(key)
        self._move_in_backlog(before, after)
        if after.attempt is not None:
            self._present.ledger.note_job(after)

    def hold(self, key: JobKey, *, is_held: bool) -> None:
        """Keep a loaded job from starting, or let it; of an array job, its children."""
        before = self._jobs[key]
        if before.status.is_final or is_held is (before.held_at is not None):
            return
        after = replace(before, held_at=self.now if is_held else None, requested_hold=None)
        self._jobs[key] = after
        self._saved.add(key)
        self._entries.append(
            TimelineEntry(
                job_key=key,
                at=self.now,
                status_from=before.status,
                status_to=after.status,
                cause="Held" if is_held else "Released",
            )
        )
        if before.is_array_parent:
            self._hold_children(before, is_held=is_held)
        else:
            self._move_in_backlog(before, after)
        if after.attempt is not None:
            self._present.ledger.note_job(after)

    def _hold_children(self, parent: Job, *, is_held: bool) -> None:
        self.flush()
        if not is_held:
            self._present.held_arrays.discard(parent.key)
            self._add_children(parent.spec)
            return
        self._present.held_arrays.add(parent.key)
        self._remove_children(parent.spec, self._tx.ranges(parent.spec, JobStatus.RUNNABLE))

    def _add_children(self, spec: JobSpec) -> None:
        """The backlog has the children of an array that may start."""
        if spec.key in self._present.held_arrays:
            return
        for keys, intake, memory_mib in self._tx.ranges(spec, JobStatus.RUNNABLE):
            job_class, count = class_of(spec, None, memory_mib), keys.last - keys.first + 1
            self._present.backlog.add(job_class, intake=intake, key=keys.first, count=count)

    def _remove_children(self, spec: JobSpec, runs: Sequence[RunOfJobs]) -> None:
        for keys, intake, memory_mib in runs:
            job_class, count = class_of(spec, None, memory_mib), keys.last - keys.first + 1
            self._present.backlog.remove(job_class, intake=intake, count=count)

    def _follow_status(self, key: JobKey, before: Job, after: Job, attempt: Attempt | None) -> None:
        """Keep what follows from a status in step with it."""
        self._count(before, after, attempt)
        self._move_in_backlog(before, after)
        if after.id.index is not None:
            counts = self._moved[after.spec.key]
            counts[before.status] -= 1
            counts[after.status] += 1
        if after.status.is_final:
            self._on_end(key, after)

    def _note_attempt(self, job: Job, attempt: Attempt, *, is_new: bool, before: Attempt | None = None) -> None:
        identity = (attempt.job_key, attempt.number)
        self._attempts[identity] = attempt
        if before is not None and attempt.has_ended and not before.has_ended:
            self._present.learning.note(attempt, job.spec)
        if is_new:
            self._opened.add(identity)
        elif attempt.parts and before is not None:
            pairs = zip(attempt.parts, before.parts, strict=True)
            self._parts.update((part.attempt_id, part) for part, was in pairs if part is not was)
        for task in self._present.note_attempt(self._tx, attempt, job):
            task_id, intent = task.attempt.attempt_id, task.attempt.intent
            if intent in (Intent.NONE, Intent.WAIT):
                self.to_act_on.pop(task_id, None)
            else:
                self.to_act_on[task_id] = task

    def released(self, entry: OpenAttempt) -> None:
        """Note that nothing of an ended attempt, or of a part of one, is left to do."""
        before = after = entry.whole or entry.attempt
        if entry.whole is not None:
            released = entry.attempt
            parts = (replace(part, intent=Intent.NONE) if part is released else part for part in before.parts)
            after = replace(before, parts=tuple(parts))
        if all(part.intent in (Intent.NONE, Intent.WAIT) for part in after.parts):
            after = replace(after, intent=Intent.NONE)
        self._note_attempt(entry.job, after, is_new=False, before=before)

    def _count(self, before: Job, after: Job, attempt: Attempt | None, count: int = 1) -> None:
        """Report a change of status; parents only follow, and are not counted."""
        if after.is_array_parent:
            return
        scope, queue = after.spec.scope, after.spec.queue_name
        self.telemetry.append(
            JobsMoved(scope=scope, queue_name=queue, status_from=before.status, status_to=after.status, count=count)
        )
        if after.status is JobStatus.RUNNING and after.attempts_made == 1 and after.started_at is not None:
            waited = (after.started_at - after.created_at).total_seconds()
            self.telemetry.append(JobStarted(scope=scope, queue_name=queue, wait_seconds=waited))
        if attempt is not None and attempt.stopped_at is not None:
            outcome = _outcome(attempt)
            ran = (attempt.stopped_at - attempt.started_at).total_seconds() if attempt.started_at else None
            self.telemetry.append(AttemptEnded(scope=scope, queue_name=queue, outcome=outcome, run_seconds=ran))

    def _move_in_backlog(self, before: Job, after: Job) -> None:
        backlog = self._present.backlog
        if self._present.waits_in_backlog(before):
            assert before.intake is not None
            backlog.remove(class_of(before.spec, before.scheduling_priority, before.memory_mib), intake=before.intake)
        if self._present.waits_in_backlog(after):
            assert after.intake is not None
            job_class = class_of(after.spec, after.scheduling_priority, after.memory_mib)
            backlog.add(job_class, intake=after.intake, key=after.key)

    def _on_end(self, key: JobKey, job: Job) -> None:
        """Have those looked at again that wait for this job."""
        parent = job.spec.key
        if not {key, parent} & self._present.depended_on:
            return
        index = job.id.index
        for edge in self._tx.edges_on({key, parent}):
            if edge.type is None and edge.on_key == key:
                self._present.checks.append(edge.job_key)
            elif edge.type is not None and index is not None:
                child = index if edge.type is DependencyType.N_TO_N else index + 1
                self._present.checks.append(JobKey(edge.job_key + 1 + child))

    def apply_to_children(
        self, parent: Job, event: Event, statuses: Collection[JobStatus], *, intake_of_first: int | None = None
    ) -> None:
        """Let `event` happen to every child of `parent` in one of the waiting `statuses`: one statement for each.

        Children that were loaded must be loaded again afterwards.
        """
        self.flush()
        spec = parent.spec
        for key in [key for key in self._jobs if spec.key < key <= spec.last_key]:
            del self._jobs[key]
        for status in statuses:
            child = Job(
                key=spec.child_key(0),
                id=JobId(uuid=parent.id.uuid, index=0),
                spec=spec,
                status=status,
                created_at=parent.created_at,
                intake=parent.intake,
            )
            step = advance(child, event, now=self.now)
            if step is None:
                continue
            left = self._tx.ranges(spec, status) if status is JobStatus.RUNNABLE else ()
            count = self._tx.save_children(
                parent.key,
                status_from=status,
                like=step.job,
                intake_of_first=intake_of_first,
                with_attempts=not isinstance(event, StartDeadlinePassed),
            )
            if count:
                self._note_children(parent, event, step.job, status, count, left)

    def _note_children(
        self,
        parent: Job,
        event: Event,
        child: Job,
        status_from: JobStatus,
        count: int,
        left: Sequence[RunOfJobs],
    ) -> None:
        """Keep what follows from a status in step with `count` children that became like `child`."""
        spec = parent.spec
        self._entries.append(
            TimelineEntry(
                job_key=parent.key,
                of_children=True,
                at=self.now,
                status_from=status_from,
                status_to=child.status,
                cause=type(event).__name__,
                detail=_detail(child, event),
            )
        )
        if child.status is status_from:
            return
        self._count(replace(child, status=status_from), child, None, count)
        self._moved[parent.key].update({status_from: -count, child.status: count})
        self._remove_children(spec, left)
        if JobStatus.RUNNABLE in (child.status, status_from):  # some may be left
            self._add_children(spec)
        if child.status.is_final:
            ended = {key for key in self._present.depended_on if spec.key <= key <= spec.last_key}
            self._present.checks.extend(edge.job_key for edge in self._tx.edges_on(ended) if edge.on_key != spec.key)
            for edge in self._tx.edges_on({spec.key} & ended):
                if edge.type is not None:
                    self._present.check_children(self._tx, edge.job_key)

    def flush(self) -> None:
        """Write what has come about so far; parents follow their children."""
        for parent_key, changes in list(self._moved.items()):
            summary = self._tx.summary(parent_key)
            assert summary is not None, parent_key
            summary = summary.moved(changes, now=self.now)
            self._tx.save_summary(summary)
            self.load([parent_key])
            self.apply(parent_key, ChildrenMoved(counts=summary.counts))
        self._moved.clear()
        if self._saved:
            self._tx.save_jobs([self._jobs[key] for key in self._saved])
        opened = [attempt for identity, attempt in self._attempts.items() if identity in self._opened]
        changed = [attempt for identity, attempt in self._attempts.items() if identity not in self._opened]
        if opened:
            self._tx.insert_attempts(opened)
        if changed:
            self._tx.save_attempts(changed)
        if self._parts:
            self._tx.save_parts(self._parts.values())
        if self._entries:
            self._tx.append_events(self._entries)
        if self._present.holdings.flush(self._tx):
            self._present.forget_consumables()
        self._present.learning.flush(self._tx, self.now)
        self._saved.clear()
        self._opened.clear()
        self._attempts.clear()
        self._parts.clear()
        self._entries.clear()


def _outcome(attempt: Attempt) -> Literal["succeeded", "failed", "lost", "not-started"]:
    if attempt.exit_code is not None:
        return "failed" if attempt.exit_code else "succeeded"
    return "lost" if attempt.status_reason.startswith("Host ") else "not-started"


def _is_told(event: Event) -> bool:
    """Whether the timeline has it where it changes no status."""
    if isinstance(event, PartNews):
        return not isinstance(event.news, LaunchConfirmed)
    return isinstance(event, (CancelRequested, TerminateRequested, PreemptionCommitted))


def _cause(event: Event) -> str:
    return type(event.news if isinstance(event, PartNews) else event).__name__


def _detail(job: Job, event: Event | DependencyTimeoutPassed) -> str:
    """What a reader of the timeline wants to know beside the statuses."""
    match event:
        case PlacementCommitted():
            return f"attempt {job.attempts_made} ({event.attempt_id}) on host {event.host_id}"
        case PreemptionCommitted():
            return f"to make room for job {event.beneficiary}"
        case TaskExited():
            told = f"exit code {event.exit_code}" + (f", {event.reason}" if event.reason else "")
            is_next = event.host_memory_mib is not None and job.status is JobStatus.RUNNABLE
            return told + (f"; next with {job.resources.memory_mib} MiB" if is_next else "")
        case TaskFailedToStart() | CancelRequested() | TerminateRequested():
            return event.reason
        case DependencyFailed():
            return f"job {event.job_id} failed"
        case NotNeeded() | StartDeadlinePassed():
            return job.status_reason
        case PartNews():
            return _detail_of_part(job, event)
        case _:
            return ""


def _detail_of_part(job: Job, event: PartNews) -> str:
    part = next((p for p in job.attempt.parts if p.attempt_id == event.news.attempt_id), None) if job.attempt else None
    assert part is not None, event
    where = f"container {part.container}" if not job.spec.has_nodes else f"node {part.node}"
    if job.spec.has_nodes and part.container not in ("default", "algo"):
        where += f", container {part.container}"
    told = part.status_reason if isinstance(event.news, HostLost) else _detail(job, event.news)
    return f"{where}: {told}" if told else where
