"""A job's life so far, as text for people who look for a bug of ours."""

from collections.abc import Sequence
from datetime import datetime

from longshore.domain.job import Job, TimelineEntry


def render_story(job: Job) -> str:
    """What the record tells, line by line: who the job is, what it has been through, what it holds, what is wished."""
    intake = "not taken in" if job.intake is None else f"intake {job.intake}"
    lines = [
        f"job {job.id} (key {job.key}, {job.spec.name} in queue {job.spec.queue_name}, {intake})",
        f"  {_instant(job.created_at)}  created",
        f"  now {job.status}" + (f": {job.status_reason}" if job.status_reason else ""),
        f"  attempts made: {job.attempts_made} of {job.spec.retry.attempts}, and lost hosts: {job.lost_hosts}"
        + (f", preemptions: {job.preemptions}" if job.preemptions else ""),
    ]
    if (attempt := job.attempt) is not None:
        started = f", started {_instant(attempt.started_at)}" if attempt.started_at else ""
        stopping = f", being stopped ({attempt.stop_cause})" if attempt.stop_cause else ""
        lines.append(
            f"  holds attempt {attempt.number} ({attempt.attempt_id}) on host {attempt.host_id}: opened "
            f"{_instant(attempt.opened_at)}{started}{stopping}, intent {attempt.intent}"
        )
    if job.wish is not None:
        lines.append(f"  wish: {job.wish.kind} ({job.wish.reason})")
    return "\n".join(lines)


def render_timeline(entries: Sequence[TimelineEntry]) -> str:
    """The steps of a job's life, a line each, as they were recorded."""
    return "\n".join(
        f"  {_instant(entry.at)}  {entry.status_from or 'new'} -> {entry.status_to}  {entry.cause}"
        + (f" ({entry.detail})" if entry.detail else "")
        + (" of all children" if entry.of_children else "")
        for entry in entries
    )


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
