"""How attempts of service jobs ended, in SageMaker's words. Source: AWS Batch user guide, service job retries."""

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


def time_out_of(spec: JobSpec) -> str:
    """Whose limit ends attempts that run too long."""
    training = spec.training
    if training is None or training.max_runtime_seconds is None or spec.attempt_seconds == spec.timeout_seconds:
        return reasons.TIMED_OUT
    return f"{_PREFIX}MaxRuntimeExceeded: Training job runtime exceeded MaxRuntimeInSeconds provided"
