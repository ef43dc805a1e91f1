"""Job statuses. Source: AWS Batch user guide, job states."""

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job stands; the two last are final."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        """Whether a job never leaves this status."""
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED})
#: Statuses of a job that holds an attempt.
LIVE_STATUSES = frozenset({JobStatus.STARTING, JobStatus.RUNNING})
#: Statuses of a job that holds nothing yet.
WAITING_STATUSES = frozenset({JobStatus.SUBMITTED, JobStatus.PENDING, JobStatus.RUNNABLE})
