"""The telemetry port: the catalogue of what control reports, with measures and labels.

Labels of every event are the region and the queue; those are bounded by what operators make, never by what jobs hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from longshore.domain.ids import Scope
from longshore.domain.lifecycle.status import JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsMoved:
    """Jobs or array children, not parents, went from one status to another."""

    scope: Scope
    queue_name: str
    status_from: JobStatus
    status_to: JobStatus
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """A job's first attempt runs."""

    scope: Scope
    queue_name: str
    #: since it was submitted
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An attempt is over, whatever becomes of its job."""

    scope: Scope
    queue_name: str
    outcome: Literal["succeeded", "failed", "lost", "not-started"]
    #: None when it never ran
    run_seconds: float | None


TelemetryEvent = JobsMoved | JobStarted | AttemptEnded


class Telemetry(Protocol):
    """Counts what happens."""

    def record(self, events: Sequence[TelemetryEvent]) -> None:
        """Take note of a turn's events, after its commit. Never blocks, never fails."""
        ...
