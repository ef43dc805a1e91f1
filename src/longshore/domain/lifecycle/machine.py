"""The job state machine: every transition there is, and nothing else assigns a status.

Two total tables over (status, event type): `RULES` for jobs and array children, `PARENT_RULES` for array parents,
whose status follows their children. A cell is a rule, `IGNORE` (late or repeated news, expected) or `ILLEGAL` (a bug,
raised). `advance` is pure: what follows from a step is data, the attempt's intent, saved with the status and acted on
afterwards.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, get_args

from longshore.domain.array import fold_status
from longshore.domain.errors import InvalidTransition
from longshore.domain.job import Attempt, Intent, Job, StopCause, Wish, WishKind
from longshore.domain.lifecycle import attempts, reasons, settling
from longshore.domain.lifecycle.events import (
    AttemptNews,
    CancelRequested,
    ChildrenMoved,
    DependenciesSucceeded,
    DependencyFailed,
    Event,
    HostLost,
    LaunchBegun,
    LaunchConfirmed,
    NotNeeded,
    PartNews,
    PlacementCommitted,
    PreemptionCommitted,
    StartDeadlinePassed,
    TakenIn,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
    TerminateRequested,
    TimeoutPassed,
)
from longshore.domain.lifecycle.parts import direct, note_news, open_parts
from longshore.domain.lifecycle.status import LIVE_STATUSES, JobStatus
from longshore.domain.lifecycle.story import render_story
from longshore.domain.lifecycle.trainings import ended_in_time
from longshore.domain.workload import workload_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an event makes of a job."""

    job: Job
    #: the attempt that was opened, changed or ended; None when the job holds none or nothing about it changed
    attempt: Attempt | None = None


#: Called with the job, the event and the time; returns None when nothing changes after all.
Rule = Callable[[Job, Event, datetime], Step | None]


def _take_in(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, TakenIn)
    status = JobStatus.PENDING if event.must_wait else JobStatus.RUNNABLE
    return Step(job=replace(job, status=status, intake=event.intake))


def _become_runnable(job: Job, event: Event, now: datetime) -> Step:
    if job.wish is not None:
        return _fail_waiting(job, job.wish.reason, now)
    return Step(job=replace(job, status=JobStatus.RUNNABLE))


def _fail_as_dependent(job: Job, event: Event, now: datetime) -> Step:
    return _fail_waiting(job, job.wish.reason if job.wish else reasons.DEPENDENCY_FAILED, now)


def _end_unneeded(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, NotNeeded)
    return _fail_waiting(job, job.wish.reason if job.wish else _told(event), now)


def _give_up_waiting(job: Job, event: Event, now: datetime) -> Step | None:
    if job.attempts_made or job.wish is not None:
        return None
    return _fail_waiting(job, reasons.not_started(job.spec.powers.start_deadline_seconds), now)


def _told(event: NotNeeded) -> str:
    return reasons.not_needed(event.job_id, has_succeeded=event.has_succeeded)


def _note_cancellation(job: Job, event: Event, now: datetime) -> Step | None:
    """A job with open dependencies is cancelled when they have ended. Source: AWS Batch API, CancelJob."""
    assert isinstance(event, CancelRequested)
    wish = job.wish or Wish(kind=WishKind.CANCEL, reason=event.reason)
    return None if wish == job.wish else Step(job=replace(job, wish=wish))


def _cancel(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, CancelRequested)
    wish = Wish(kind=WishKind.CANCEL, reason=event.reason)
    return _fail_waiting(replace(job, wish=wish), event.reason, now)


def _terminate_waiting(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, TerminateRequested)
    wish = Wish(kind=WishKind.TERMINATE, reason=event.reason)
    return _fail_waiting(replace(job, wish=wish), event.reason, now)


def _fail_waiting(job: Job, reason: str, now: datetime) -> Step:
    return Step(job=replace(job, status=JobStatus.FAILED, status_reason=reason, stopped_at=now))


def _open_attempt(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, PlacementCommitted)
    attempt = Attempt(
        attempt_id=event.attempt_id,
        job_key=job.key,
        number=job.attempts_made + 1,
        environment_name=event.environment_name,
        host_id=event.host_id,
        resources=event.resources,
        gpu_names=event.gpu_names,
        opened_at=now,
    )
    if event.nodes:
        attempt = replace(attempt, parts=open_parts(workload_of(job.spec), attempt, event.nodes))
    started = replace(
        job,
        status=JobStatus.STARTING if job.spec.training is None else JobStatus.SCHEDULED,
        status_reason="",
        attempts_made=attempt.number,
        attempt=attempt,
        exit_code=None,
        reason="",
    )
    return Step(job=started, attempt=attempt)


def _begin_launch(job: Job, event: Event, now: datetime) -> Step:
    return Step(job=replace(job, status=JobStatus.STARTING))


def _once_begun(rule: Rule) -> Rule:
    """The rule for news that only comes of a launch which has begun, whether or not that was told."""

    def follow(job: Job, event: Event, now: datetime) -> Step | None:
        return rule(replace(job, status=JobStatus.STARTING), event, now)

    return follow


def _confirm_launch(job: Job, event: Event, now: datetime) -> Step | None:
    assert isinstance(event, LaunchConfirmed)
    attempt = _held_attempt(job)
    confirmed = attempts.confirmed(attempt, event)
    return None if confirmed == attempt else Step(job=replace(job, attempt=confirmed), attempt=confirmed)


def _mark_running(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, TaskStarted)
    running = attempts.started(_held_attempt(job), event)
    return Step(
        job=replace(job, status=JobStatus.RUNNING, started_at=event.started_at, attempt=running), attempt=running
    )


def _stop_on_request(job: Job, event: Event, now: datetime) -> Step | None:
    assert isinstance(event, TerminateRequested)
    attempt = _held_attempt(job)
    if attempt.stop_cause not in (None, StopCause.PREEMPTED):
        return None
    stopping = replace(attempt, intent=Intent.STOP, stop_cause=StopCause.TERMINATED)
    wish = Wish(kind=WishKind.TERMINATE, reason=event.reason)
    return Step(job=replace(job, wish=wish, attempt=stopping), attempt=stopping)


def _stop_on_timeout(job: Job, event: Event, now: datetime) -> Step | None:
    attempt = _held_attempt(job)
    if attempt.stop_cause is not None:
        return None
    stopping = replace(attempt, intent=Intent.STOP, stop_cause=StopCause.TIMED_OUT)
    return Step(job=replace(job, attempt=stopping), attempt=stopping)


def _stop_for_another(job: Job, event: Event, now: datetime) -> Step | None:
    attempt = _held_attempt(job)
    if attempt.stop_cause is not None:
        return None
    stopping = replace(attempt, intent=Intent.STOP, stop_cause=StopCause.PREEMPTED)
    return Step(job=replace(job, attempt=stopping), attempt=stopping)


def _close_exited(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, TaskExited)
    attempt = attempts.exited(_held_attempt(job), event)
    if attempt.stop_cause is StopCause.TIMED_OUT and ended_in_time(job.spec, attempt, event.stopped_at):
        attempt = replace(attempt, stop_cause=None)
    return _settled(job, attempt, host_memory_mib=event.host_memory_mib)


def _close_failed_start(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, TaskFailedToStart)
    return _settled(job, attempts.not_started(_held_attempt(job), event, now))


def _close_lost(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, HostLost)
    own = job.spec.powers.host_retries
    free_losses = event.free_losses if own is None else own
    return _settled(job, attempts.lost(_held_attempt(job), now), free_losses=free_losses)


def _settled(job: Job, attempt: Attempt, *, free_losses: int = 0, host_memory_mib: int | None = None) -> Step:
    ended, closed = settling.settle(job, attempt, free_losses=free_losses, host_memory_mib=host_memory_mib)
    return Step(job=ended, attempt=closed)


def _follow_part(job: Job, event: Event, now: datetime) -> Step | None:
    """What the parts have come to as a whole is said by `parts.conclude`, as an event of its own."""
    assert isinstance(event, PartNews)
    noted = note_news(workload_of(job.spec), _held_attempt(job), event, now)
    return None if noted is None else Step(job=replace(job, attempt=noted), attempt=noted)


def _follow_children(job: Job, event: Event, now: datetime) -> Step | None:
    assert isinstance(event, ChildrenMoved)
    status = fold_status(event.counts)
    begun = (JobStatus.STARTING, JobStatus.RUNNING, JobStatus.SUCCEEDED)
    has_begun = any(event.counts.get(child) for child in begun)
    status_reason = "" if status is JobStatus.SUCCEEDED else job.status_reason
    moved = replace(
        job,
        status=status,
        status_reason=status_reason or (reasons.CHILD_FAILED if status is JobStatus.FAILED else ""),
        started_at=job.started_at or (now if has_begun else None),
        stopped_at=now if status.is_final else None,
    )
    return None if moved == job else Step(job=moved)


def _note_reason(job: Job, event: Event, now: datetime) -> Step | None:
    """What befalls an array job befalls its children; the parent keeps the reason for when they have ended.

    A termination takes the place of a cancellation, as it does for a job that waits; else the first wish stands.
    """
    match event:
        case DependencyFailed() if job.wish is None:
            noted = replace(job, status_reason=reasons.DEPENDENCY_FAILED)
        case NotNeeded() if job.wish is None:
            noted = replace(job, status_reason=_told(event))
        case CancelRequested(reason=reason) if job.wish is None:
            noted = replace(job, status_reason=reason, wish=Wish(kind=WishKind.CANCEL, reason=reason))
        case TerminateRequested(reason=reason) if job.wish is None or job.wish.kind is WishKind.CANCEL:
            noted = replace(job, status_reason=reason, wish=Wish(kind=WishKind.TERMINATE, reason=reason))
        case _:
            return None
    return None if noted == job else Step(job=noted)


def _number_parent(job: Job, event: Event, now: datetime) -> Step:
    assert isinstance(event, TakenIn)
    return Step(job=replace(job, intake=event.intake))


def _held_attempt(job: Job) -> Attempt:
    assert job.attempt is not None, job
    return job.attempt


def _ignore(job: Job, event: Event, now: datetime) -> None:
    return None


def _raise_illegal(job: Job, event: Event, now: datetime) -> None:
    kind = "array parent" if job.is_array_parent else "job"
    what = f"{type(event).__name__} must not happen to a {job.status} {kind}: {event}"
    raise InvalidTransition(f"{what}\n{render_story(job)}", job_id=str(job.id))


IGNORE: Final[Rule] = _ignore
ILLEGAL: Final[Rule] = _raise_illegal

_S = JobStatus
_ATTEMPT_NEWS: tuple[type[Event], ...] = get_args(AttemptNews)
_CLOSING: dict[type[Event], Rule] = {
    TaskExited: _close_exited,
    TaskFailedToStart: _close_failed_start,
    HostLost: _close_lost,
}
_NOT_FOR_JOBS: dict[type[Event], Rule] = {ChildrenMoved: ILLEGAL}
_FINAL: dict[type[Event], Rule] = {
    TakenIn: ILLEGAL,
    DependenciesSucceeded: IGNORE,
    DependencyFailed: IGNORE,
    NotNeeded: IGNORE,
    StartDeadlinePassed: IGNORE,
    PlacementCommitted: ILLEGAL,
    **dict.fromkeys(_ATTEMPT_NEWS, IGNORE),
    CancelRequested: IGNORE,
    TerminateRequested: IGNORE,
}
_BEFORE_ATTEMPTS: dict[type[Event], Rule] = dict.fromkeys(_ATTEMPT_NEWS, ILLEGAL)


def _rows(table: Mapping[JobStatus, Mapping[type[Event], Rule]]) -> Mapping[tuple[JobStatus, type[Event]], Rule]:
    return {(status, event): rule for status, row in table.items() for event, rule in row.items()}


RULES: Mapping[tuple[JobStatus, type[Event]], Rule] = _rows(
    {
        _S.SUBMITTED: {
            TakenIn: _take_in,
            DependenciesSucceeded: ILLEGAL,
            DependencyFailed: ILLEGAL,
            NotNeeded: ILLEGAL,
            StartDeadlinePassed: ILLEGAL,
            PlacementCommitted: ILLEGAL,
            **_BEFORE_ATTEMPTS,
            CancelRequested: _cancel,
            TerminateRequested: _terminate_waiting,
            **_NOT_FOR_JOBS,
        },
        _S.PENDING: {
            TakenIn: ILLEGAL,
            DependenciesSucceeded: _become_runnable,
            DependencyFailed: _fail_as_dependent,
            NotNeeded: _end_unneeded,
            StartDeadlinePassed: _give_up_waiting,
            PlacementCommitted: ILLEGAL,
            **_BEFORE_ATTEMPTS,
            CancelRequested: _note_cancellation,
            TerminateRequested: _terminate_waiting,
            **_NOT_FOR_JOBS,
        },
        _S.RUNNABLE: {
            TakenIn: ILLEGAL,
            DependenciesSucceeded: IGNORE,
            DependencyFailed: ILLEGAL,
            NotNeeded: ILLEGAL,
            StartDeadlinePassed: _give_up_waiting,
            PlacementCommitted: _open_attempt,
            **dict.fromkeys(_ATTEMPT_NEWS, IGNORE),  # of an earlier attempt
            CancelRequested: _cancel,
            TerminateRequested: _terminate_waiting,
            **_NOT_FOR_JOBS,
        },
        _S.SCHEDULED: {
            TakenIn: ILLEGAL,
            DependenciesSucceeded: ILLEGAL,  # service jobs have none
            DependencyFailed: ILLEGAL,
            NotNeeded: ILLEGAL,
            StartDeadlinePassed: IGNORE,
            PlacementCommitted: ILLEGAL,
            LaunchBegun: _begin_launch,
            LaunchConfirmed: _once_begun(_confirm_launch),
            TaskStarted: _mark_running,
            **_CLOSING,
            TimeoutPassed: ILLEGAL,
            PreemptionCommitted: _stop_for_another,
            PartNews: _once_begun(_follow_part),
            CancelRequested: IGNORE,
            TerminateRequested: _stop_on_request,
            **_NOT_FOR_JOBS,
        },
        _S.STARTING: {
            TakenIn: ILLEGAL,
            DependenciesSucceeded: IGNORE,
            DependencyFailed: ILLEGAL,
            NotNeeded: ILLEGAL,
            StartDeadlinePassed: IGNORE,
            PlacementCommitted: ILLEGAL,
            LaunchBegun: IGNORE,
            LaunchConfirmed: _confirm_launch,
            TaskStarted: _mark_running,
            **_CLOSING,
            TimeoutPassed: ILLEGAL,
            PreemptionCommitted: _stop_for_another,
            PartNews: _follow_part,
            CancelRequested: IGNORE,  # too late; callers use TerminateJob
            TerminateRequested: _stop_on_request,
            **_NOT_FOR_JOBS,
        },
        _S.RUNNING: {
            TakenIn: ILLEGAL,
            DependenciesSucceeded: IGNORE,
            DependencyFailed: ILLEGAL,
            NotNeeded: ILLEGAL,
            StartDeadlinePassed: IGNORE,
            PlacementCommitted: ILLEGAL,
            LaunchBegun: IGNORE,
            LaunchConfirmed: _confirm_launch,
            TaskStarted: IGNORE,
            **_CLOSING,
            TimeoutPassed: _stop_on_timeout,
            PreemptionCommitted: _stop_for_another,
            PartNews: _follow_part,
            CancelRequested: IGNORE,
            TerminateRequested: _stop_on_request,
            **_NOT_FOR_JOBS,
        },
        _S.SUCCEEDED: {**_FINAL, **_NOT_FOR_JOBS},
        _S.FAILED: {**_FINAL, **_NOT_FOR_JOBS},
    }
)

_AT_WORK: dict[type[Event], Rule] = {
    DependenciesSucceeded: IGNORE,
    DependencyFailed: _note_reason,
    NotNeeded: _note_reason,
    StartDeadlinePassed: ILLEGAL,  # its children hear of it
    PlacementCommitted: ILLEGAL,
    **dict.fromkeys(_ATTEMPT_NEWS, ILLEGAL),
    CancelRequested: _note_reason,
    TerminateRequested: _note_reason,
    ChildrenMoved: _follow_children,
}
PARENT_RULES: Mapping[tuple[JobStatus, type[Event]], Rule] = _rows(
    {
        _S.SUBMITTED: {TakenIn: _number_parent, **_AT_WORK},
        _S.PENDING: {TakenIn: ILLEGAL, **_AT_WORK},
        **{
            final: {**_FINAL, **dict.fromkeys(_ATTEMPT_NEWS, ILLEGAL), ChildrenMoved: ILLEGAL}
            for final in (_S.SUCCEEDED, _S.FAILED)
        },
        # where a parent never stands
        **{status: dict.fromkeys(get_args(Event), ILLEGAL) for status in (_S.RUNNABLE, *LIVE_STATUSES)},
    }
)


def advance(job: Job, event: Event, *, now: datetime) -> Step | None:
    """What `event` makes of `job`, or None when it changes nothing.

    News of an attempt that the job does not hold (any more) changes nothing.

    Raises:
        InvalidTransition: the event must not happen in the job's status.
    """
    if isinstance(event, AttemptNews) and job.attempt is not None and event.attempt_id != job.attempt.attempt_id:
        return None
    rules = PARENT_RULES if job.is_array_parent else RULES
    step = rules[job.status, type(event)](job, event, now)
    if step is None or step.attempt is None or not step.attempt.parts:
        return step
    attempt = direct(workload_of(job.spec), step.attempt, now)
    return Step(job=replace(step.job, attempt=step.job.attempt and attempt), attempt=attempt)
