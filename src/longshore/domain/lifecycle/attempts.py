"""What news makes of an attempt, or of one part of it; nothing here decides what becomes of the job."""

from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from longshore.domain.job import Attempt, Intent
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.events import LaunchConfirmed, TaskExited, TaskFailedToStart, TaskStarted

A = TypeVar("A", bound=Attempt)


def _no_longer_launch(attempt: Attempt) -> Intent:
    return Intent.NONE if attempt.intent is Intent.LAUNCH else attempt.intent


def confirmed(attempt: A, event: LaunchConfirmed) -> A:
    """Its engine has accepted it."""
    return replace(attempt, intent=_no_longer_launch(attempt), handle=event.handle)


def started(attempt: A, event: TaskStarted) -> A:
    """It runs."""
    return replace(
        attempt,
        intent=_no_longer_launch(attempt),
        started_at=event.started_at,
        started_boot_id=event.boot_id,
        started_boot_seconds=event.boot_seconds,
    )


def exited(attempt: A, event: TaskExited) -> A:
    """It is over, with an exit code."""
    return replace(
        attempt,
        started_at=attempt.started_at or event.started_at,
        stopped_at=event.stopped_at,
        exit_code=event.exit_code,
        reason=event.reason,
        status_reason=reasons.CONTAINER_EXITED,
        cpu_seconds=event.cpu_seconds,
        peak_memory_bytes=event.peak_memory_bytes,
        peak_scratch_bytes=event.peak_scratch_bytes,
    )


def not_started(attempt: A, event: TaskFailedToStart, now: datetime) -> A:
    """It is over without having run."""
    return replace(attempt, stopped_at=now, reason=event.reason[:255], status_reason=reasons.FAILED_TO_START)


def lost(attempt: A, now: datetime) -> A:
    """It is over, and how is not known."""
    return replace(attempt, stopped_at=now, status_reason=reasons.host_lost(attempt.host_id))
