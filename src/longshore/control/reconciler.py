"""Turns what engines say into events of jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longshore.control.ledger import OpenAttempt
from longshore.domain.job import Intent
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.events import (
    DependencyTimeoutPassed,
    Event,
    HostLost,
    LaunchConfirmed,
    PartNews,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
)
from longshore.domain.resources import Resources
from longshore.ports.clock import Clock
from longshore.ports.engine import Observation, TaskState

TaskNews = LaunchConfirmed | TaskStarted | TaskExited | TaskFailedToStart | HostLost


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an observation means."""

    events: Sequence[TaskNews] = ()
    #: the engine has nothing of an attempt that was to be launched: launch it (again)
    must_launch: bool = False


def as_event(entry: OpenAttempt, news: TaskNews | DependencyTimeoutPassed) -> Event:
    """The news as an event of the job: that of a part is its attempt's."""
    if entry.whole_id is not None:
        return PartNews(attempt_id=entry.whole_id, news=news)
    assert not isinstance(news, DependencyTimeoutPassed), news
    return news


def find(
    observation: Observation,
    entry: OpenAttempt,
    clock: Clock,
    *,
    free_losses: int,
    most_memory_mib: Callable[[Resources], int],
) -> Finding:
    """What an engine's news of an open attempt means for its job. News that adds nothing gives no event.

    `most_memory_mib` tells the most memory that any host could give a job that asks for so much.
    """
    attempt, attempt_id = entry.attempt, observation.attempt_id
    if attempt.has_ended:
        return Finding()
    events: list[TaskNews] = []
    if observation.handle is not None and observation.handle.state != attempt.handle:
        events.append(LaunchConfirmed(attempt_id=attempt_id, handle=observation.handle.state))
    if observation.started_at is not None and attempt.started_at is None:
        began = observation.started_boot_seconds  # it may be seen long after: we may have been away
        events.append(
            TaskStarted(
                attempt_id=attempt_id,
                started_at=observation.started_at,
                boot_id=clock.boot_id(),
                boot_seconds=clock.boot_seconds() if began is None else began,
                address=observation.address,
            )
        )
    match observation.state:
        case TaskState.STARTING | TaskState.RUNNING | TaskState.UNKNOWN:
            pass
        case TaskState.EXITED:
            assert observation.exit_code is not None and observation.stopped_at is not None, observation
            may_raise = observation.oom_killed and entry.job.spec.powers.on_oom is not None
            events.append(
                TaskExited(
                    attempt_id=attempt_id,
                    exit_code=observation.exit_code,
                    # that of a training is whole
                    reason=_reason_of_exit(observation) if entry.job.spec.training is None else observation.reason,
                    started_at=observation.started_at,
                    stopped_at=observation.stopped_at,
                    cpu_seconds=observation.usage.cpu_seconds,
                    peak_memory_bytes=observation.usage.peak_memory_bytes,
                    peak_scratch_bytes=observation.usage.peak_scratch_bytes,
                    host_memory_mib=most_memory_mib(entry.job.spec.resources) if may_raise else None,
                )
            )
        case TaskState.FAILED_TO_START:
            events.append(TaskFailedToStart(attempt_id=attempt_id, reason=observation.reason))
        case TaskState.LOST:
            events.append(HostLost(attempt_id=attempt_id, free_losses=free_losses))
        case TaskState.GONE:
            if attempt.intent is Intent.LAUNCH:
                return Finding(must_launch=True)
            if attempt.intent is Intent.STOP and attempt.started_at is None:
                events.append(TaskFailedToStart(attempt_id=attempt_id, reason="stopped before it started"))
            else:
                events.append(HostLost(attempt_id=attempt_id, free_losses=free_losses))
    return Finding(events=events)


def _reason_of_exit(observation: Observation) -> str:
    # a kill that the container got over (its main process ended well) is no reason of its end
    if observation.oom_killed and observation.exit_code != 0:
        return reasons.OUT_OF_MEMORY
    return observation.reason[:255]
