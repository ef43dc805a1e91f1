"""Texts of `statusReason` and container `reason`, which clients and retry rules match on. Source: AWS's answers."""

from hashlib import blake2b

from longshore.domain.ids import HostId

CONTAINER_EXITED = "Essential container in task exited"
FAILED_TO_START = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"
#: AWS does not publish its text.
PREEMPTED = "Job attempt was preempted"
PREEMPTED_TOO_OFTEN = "Job attempt was preempted, and no preemption retries are left"
QUOTA_SHARE_DELETED = "QuotaShare deleted"
DEPENDENCY_FAILED = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"
_NOT_NEEDED = "Not needed: "
QUEUE_DELETED = "JobQueue deleted"
#: Of one container of several, as `explain` tells it; the job's own are those above.
DEPENDENCY_UNMET = "Container dependency was not met"
NOT_STARTED = "Container was not needed any more"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def instance_id(host_id: HostId) -> str:
    """The EC2-style instance id by which AWS-shaped texts and ARNs name a host; always the same for one host."""
    return "i-" + blake2b(host_id.encode(), digest_size=9).hexdigest()[:17]


def not_started(seconds: int | None) -> str:
    """Of a job whose start deadline has passed."""
    return f"Job did not start within {seconds} seconds of its submission"


def not_needed(job_id: str, *, has_succeeded: bool) -> str:
    """Of a job that waited for something else of that one, which has ended."""
    told = "succeeded, and its failure was waited for" if has_succeeded else "was not needed either"
    return f"{_NOT_NEEDED}job {job_id} {told}"


def was_needed(status_reason: str) -> bool:
    """Whether a job that failed did so for another reason than that."""
    return not status_reason.startswith(_NOT_NEEDED)


def host_lost(host_id: HostId) -> str:
    """Retry rules everywhere match the prefix `Host EC2`."""
    return f"Host EC2 (instance {instance_id(host_id)}) terminated."


def ended_by_time_limit(action: str, code: str) -> str:
    """Of a job that was at the head of its queue too long; `code` says what it waited for."""
    done = "Terminated" if action == "TERMINATE" else "Canceled"
    return f"{done} by JobStateTimeLimit action due to reason: {code}"


def more_memory(memory_mib: int) -> str:
    """Of a job that waits again after a kill for lack of memory, and was given more."""
    return f"Attempt ran out of memory; the next one asks {memory_mib} MiB"
