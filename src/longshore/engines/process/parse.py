"""From what the runner says to outcomes and observations."""

from datetime import UTC, datetime, timedelta

from longshore.domain.ids import AttemptId
from longshore.engines.process.wire import Refusal, Report
from longshore.ports.engine import LaunchFailed, LaunchFault, Observation, TaskState, Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_report(report: Report) -> Observation:
    """The observation that a report makes."""
    return Observation(
        attempt_id=AttemptId(report.id),
        state=parse_state(report.state),
        started_at=parse_instant(report.started_ns),
        started_boot_seconds=report.started_boot_seconds,
        stopped_at=parse_instant(report.stopped_ns),
        exit_code=report.exit_code,
        oom_killed=report.oom_killed,
        reason=report.reason,
        usage=Usage(cpu_seconds=report.cpu_seconds, peak_memory_bytes=report.peak_memory_bytes),
    )


def parse_state(state: str) -> TaskState:
    """Our meaning of the runner's word; one that we do not have means that we cannot tell."""
    try:
        return TaskState(state)
    except ValueError:
        return TaskState.UNKNOWN


def parse_instant(nanoseconds: int | None) -> datetime | None:
    """The instant, cut to microseconds."""
    return None if nanoseconds is None else _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def parse_refusal(refusal: Refusal) -> LaunchFailed:
    """The outcome that a refusal makes."""
    fault = LaunchFault.REJECTED if refusal.final else LaunchFault.UNAVAILABLE
    return LaunchFailed(attempt_id=AttemptId(refusal.id), fault=fault, reason=refusal.reason)
