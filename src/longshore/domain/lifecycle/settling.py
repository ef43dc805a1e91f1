"""What becomes of a job whose attempt has ended: it is over, or waits for another, and which budget that is charged to.

An attempt that was preempted spends nothing of the retry strategy; a lost host spends the budget of lost hosts while
there is some; all others spend one of the strategy's attempts, also one that was killed for lack of memory.
"""

from dataclasses import replace

from longshore.domain.job import Attempt, Intent, Job, StopCause
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.lifecycle.trainings import has_succeeded, status_reason_of, time_out_of
from longshore.domain.retry import RetryAction, matching_action


def settle(
    job: Job, attempt: Attempt, *, free_losses: int = 0, host_memory_mib: int | None = None
) -> tuple[Job, Attempt]:
    """The job without the attempt, and the attempt to be released.

    `free_losses` is given when its host was lost, `host_memory_mib` as in `TaskExited`.
    """
    status, status_reason, lost_hosts = JobStatus.FAILED, attempt.status_reason, job.lost_hosts
    is_preempted = attempt.stop_cause is StopCause.PREEMPTED
    preemptions, memory_mib = job.preemptions + is_preempted, job.memory_mib
    if attempt.stop_cause is StopCause.TERMINATED:
        assert job.wish is not None
        status_reason = job.wish.reason
    elif attempt.stop_cause is StopCause.TIMED_OUT:
        status_reason = time_out_of(job.spec)
    elif is_preempted:  # whatever its exit code: a program may end well when it is asked to stop, and be half done
        limit = job.spec.preemption_retries
        may_wait = limit is None or preemptions <= limit
        status = JobStatus.RUNNABLE if may_wait else JobStatus.FAILED
        status_reason = reasons.PREEMPTED if may_wait else reasons.PREEMPTED_TOO_OFTEN
    elif has_succeeded(job.spec, attempt):
        status, status_reason = JobStatus.SUCCEEDED, status_reason_of(job.spec, attempt)
    else:
        status_reason = status_reason_of(job.spec, attempt)
        action = matching_action(
            job.spec.retry,
            status_reason=status_reason,
            reason=attempt.reason,
            exit_code=attempt.exit_code,
        )
        may_retry = action is not RetryAction.EXIT
        if may_retry and lost_hosts < free_losses:
            status, lost_hosts = JobStatus.RUNNABLE, lost_hosts + 1
        elif may_retry and job.attempts_made - lost_hosts - preemptions < job.spec.retry.attempts:
            status = JobStatus.RUNNABLE
            if (raised := _raised_memory(job, host_memory_mib)) is not None:
                memory_mib, status_reason = raised, reasons.more_memory(raised)
    closed = replace(
        attempt,
        intent=Intent.RELEASE,
        status_reason=status_reason if attempt.stop_cause else attempt.status_reason,
    )
    ended = replace(
        job,
        status=status,
        status_reason=status_reason,
        started_at=attempt.started_at if status.is_final else None,
        stopped_at=closed.stopped_at if status.is_final else None,
        lost_hosts=lost_hosts,
        preemptions=preemptions,
        memory_mib=memory_mib,
        attempt=None,
        exit_code=attempt.exit_code,
        reason=attempt.reason,
    )
    return ended, closed


def _raised_memory(job: Job, host_memory_mib: int | None) -> int | None:
    """What the next attempt is given; None: this one was not killed for lack of memory, or there is no more."""
    on_oom = job.spec.powers.on_oom
    if on_oom is None or host_memory_mib is None:
        return None
    return on_oom.raised(job.resources.memory_mib, host_memory_mib)
