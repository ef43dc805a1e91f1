"""Open attempts as the scheduler sees them: what they hold, and when they will be over as far as can be told."""

from collections.abc import Mapping

from longshore.control.ledger import OpenAttempt, holdings_of
from longshore.domain.queue import Instant
from longshore.scheduling.classes import class_of
from longshore.scheduling.snapshot import RunLength, RunningView


def running_view(entry: OpenAttempt, now: Instant | None, durations: Mapping[str, RunLength]) -> RunningView:
    """An attempt that has not ended; one that does not run yet counts as begun `now`. On the boot clock."""
    job, attempt = entry.job, entry.attempt
    job_class = class_of(job.spec, job.scheduling_priority, job.memory_mib)
    since = attempt.started_boot_seconds
    if since is None and now is not None:
        since = now.boot_seconds
    timeout, learned = job_class.timeout_seconds, durations.get(job_class.history)
    return RunningView(
        key=job.key,
        job_class=job_class,
        environment=entry.environment_name,
        held=tuple((host_id, amount) for host_id, amount, _ in holdings_of(entry)),
        since=since or 0.0,
        ends_by=None if since is None or timeout is None else since + timeout,
        expected_by=None if since is None or learned is None else since + learned.bound,
        likely_ends=None if since is None or learned is None else since + learned.median,
    )
