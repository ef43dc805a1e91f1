"""Scripts for one job: `>>` lets something happen to it, `<<` says what must have come of that.

    Playbook() >> taken_in() << RUNNABLE >> placed() << STARTING << LAUNCH >> exited(1) << FAILED << RELEASE

After `<<` may stand a status (of the job), an intent (of the attempt that the step gave out), a text (the job's
statusReason) or `NOTHING` (the event changed nothing). Each event comes one second after the one before.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from longshore.domain.ids import AttemptId
from longshore.domain.job import Attempt, Intent, Job
from longshore.domain.lifecycle.events import (
    CancelRequested,
    DependenciesSucceeded,
    DependencyFailed,
    Event,
    HostLost,
    LaunchConfirmed,
    PlacementCommitted,
    PreemptionCommitted,
    TakenIn,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
    TerminateRequested,
    TimeoutPassed,
)
from longshore.domain.lifecycle.machine import advance
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources
from longshore.domain.retry import RetryStrategy
from longshore.testing.builders import AT, LOCAL, a_job, a_job_spec, an_attempt_id

NOTHING: Final = object()
#: Makes an event for the playbook's job as it stands.
Happening = Callable[["Playbook"], Event]


class Playbook:
    """One job and what happens to it."""

    def __init__(self, retry: RetryStrategy | None = None, *, job: Job | None = None) -> None:
        self.job = job or a_job(a_job_spec(retry=retry or RetryStrategy()))
        self.now = AT
        self.attempts: dict[int, Attempt] = {}
        self._changed = False
        self._attempt: Attempt | None = None

    def __rshift__(self, happening: Happening) -> "Playbook":
        self.now += timedelta(seconds=1)
        step = advance(self.job, happening(self), now=self.now)
        self._changed, self._attempt = step is not None, None
        if step is not None:
            self.job, self._attempt = step.job, step.attempt
        if self._attempt is not None:
            self.attempts[self._attempt.number] = self._attempt
        return self

    def __lshift__(self, expected: object) -> "Playbook":
        match expected:
            case JobStatus():
                assert self.job.status is expected
            case Intent():
                assert self._attempt is not None
                assert self._attempt.intent is expected
            case str():
                assert self.job.status_reason == expected
            case _:
                assert expected is NOTHING
                assert not self._changed
        return self

    def attempt_id(self, number: int | None) -> AttemptId:
        """Of the attempt with that number; the latest when none is given."""
        return an_attempt_id(self.job.key, number or self.job.attempts_made)


def taken_in(*, must_wait: bool = False) -> Happening:
    return lambda play: TakenIn(intake=1, must_wait=must_wait)


def dependencies_succeeded() -> Happening:
    return lambda play: DependenciesSucceeded()


def dependency_failed() -> Happening:
    return lambda play: DependencyFailed(job_id="another job")


def placed() -> Happening:
    return lambda play: PlacementCommitted(
        attempt_id=play.attempt_id(play.job.attempts_made + 1),
        environment_name="environment",
        host_id=LOCAL,
        resources=Resources(vcpu_milli=1000, memory_mib=128),
    )


def confirmed(handle: str = "handle", *, of: int | None = None) -> Happening:
    return lambda play: LaunchConfirmed(attempt_id=play.attempt_id(of), handle=handle)


def started(*, of: int | None = None) -> Happening:
    return lambda play: TaskStarted(
        attempt_id=play.attempt_id(of), started_at=play.now, boot_id="boot", boot_seconds=1000.0
    )


def exited(
    exit_code: int,
    reason: str = "",
    *,
    started_at: datetime | None = None,
    of: int | None = None,
    host_memory_mib: int | None = None,
) -> Happening:
    return lambda play: TaskExited(
        attempt_id=play.attempt_id(of),
        exit_code=exit_code,
        reason=reason,
        started_at=started_at,
        stopped_at=play.now,
        cpu_seconds=0.5,
        peak_memory_bytes=4096,
        host_memory_mib=host_memory_mib,
    )


def failed_to_start(reason: str = "CannotPullContainerError: no such image", *, of: int | None = None) -> Happening:
    return lambda play: TaskFailedToStart(attempt_id=play.attempt_id(of), reason=reason)


def host_lost(*, free_losses: int = 0, of: int | None = None) -> Happening:
    return lambda play: HostLost(attempt_id=play.attempt_id(of), free_losses=free_losses)


def timed_out(*, of: int | None = None) -> Happening:
    return lambda play: TimeoutPassed(attempt_id=play.attempt_id(of))


def preempted(*, of: int | None = None) -> Happening:
    return lambda play: PreemptionCommitted(attempt_id=play.attempt_id(of), beneficiary="another job")


def cancelled(reason: str = "cancelled by me") -> Happening:
    return lambda play: CancelRequested(reason=reason)


def terminated(reason: str = "terminated by me") -> Happening:
    return lambda play: TerminateRequested(reason=reason)
