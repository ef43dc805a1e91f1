"""How attempts of service jobs ended, in SageMaker's words. Source: AWS Batch user guide, service job retries."""

from datetime import datetime, timedelta

from longshore.domain.job import Attempt, JobSpec, StopCause
from longshore.domain.lifecycle import reasons

_PREFIX = "Received status from SageMaker: "


def status_reason_of(spec: JobSpec, attempt: Attempt) -> str:
    """What clients and retry rules are told of an attempt that has ended; nothing of one that succeeded.

    One that was terminated keeps its caller's reason, one that was preempted says so.
    """
    if spec.training is None or attempt.stop_cause in (StopCause.TERMINATED, StopCause.PREEMPTED):
        return attempt.status_reason
    if attempt.stop_cause is StopCause.TIMED_OUT:
        return time_out_of(spec)
    if has_succeeded(spec, attempt):
        return ""
    if attempt.exit_code:
        return f"{_PREFIX}AlgorithmError: {attempt.reason}, exit code: {attempt.exit_code}"
    if attempt.exit_code == 0 or attempt.status_reason == reasons.FAILED_TO_START:
        return f"{_PREFIX}ClientError: {attempt.reason.removeprefix('ClientError: ')}"
    return f"{_PREFIX}InternalServerError: {attempt.status_reason}"


def has_succeeded(spec: JobSpec, attempt: Attempt) -> bool:
    """Whether all went well: a training whose container did may have failed to store what it left."""
    return attempt.exit_code == 0 and (spec.training is None or not attempt.reason)


def ended_in_time(spec: JobSpec, attempt: Attempt, stopped_at: datetime) -> bool:
    """Whether the containers of a training had ended before its time was over: its uploads do not count.

    Source: SageMaker API, StoppingCondition: it limits how long a training job runs.
    """
    limit, started_at = spec.attempt_seconds, attempt.started_at
    return (
        spec.training is not None
        and limit is not None
        and started_at is not None
        and (stopped_at < started_at + timedelta(seconds=limit))
    )


def time_out_of(spec: JobSpec) -> str:
    """Whose limit ends attempts that run too long."""
    training = spec.training
    if training is None or training.max_runtime_seconds is None or spec.attempt_seconds == spec.timeout_seconds:
        return reasons.TIMED_OUT
    return f"{_PREFIX}MaxRuntimeExceeded: Training job runtime exceeded MaxRuntimeInSeconds provided"
