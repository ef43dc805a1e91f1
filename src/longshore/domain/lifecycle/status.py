"""Job statuses. Source: AWS Batch user guide, job states and service job status."""

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job stands; the two last are final."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    SCHEDULED = "SCHEDULED"  #: of service jobs only: placed, nothing is fetched yet
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
LIVE_STATUSES = frozenset({JobStatus.SCHEDULED, JobStatus.STARTING, JobStatus.RUNNING})
#: Statuses that array jobs and their children have.
ARRAY_STATUSES = tuple(status for status in JobStatus if status is not JobStatus.SCHEDULED)
#: Statuses of a job that holds nothing yet.
WAITING_STATUSES = frozenset({JobStatus.SUBMITTED, JobStatus.PENDING, JobStatus.RUNNABLE})
