"""Array jobs: how many children stand where, and what that makes of the parent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.status import ARRAY_STATUSES, JobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySummary:
    """Children of one array job by status; exact after every commit."""

    parent_key: JobKey
    counts: Mapping[JobStatus, int]
    updated_at: datetime

    @property
    def size(self) -> int:
        """How many children there are."""
        return sum(self.counts.values())

    def moved(self, changes: Mapping[JobStatus, int], *, now: datetime) -> "ArraySummary":
        """The summary after `changes` (status to difference, zero in sum)."""
        assert sum(changes.values()) == 0, changes
        counts = {status: self.counts.get(status, 0) + changes.get(status, 0) for status in ARRAY_STATUSES}
        assert min(counts.values()) >= 0, (self, changes)
        return ArraySummary(parent_key=self.parent_key, counts=counts, updated_at=now)


def fold_status(counts: Mapping[JobStatus, int]) -> JobStatus:
    """The parent's status: final when all children are, FAILED if one is; else PENDING while they are at work.

    Source: AWS Batch user guide, array jobs.
    """
    size = sum(counts.values())
    succeeded, failed = counts.get(JobStatus.SUCCEEDED, 0), counts.get(JobStatus.FAILED, 0)
    if succeeded + failed == size:
        return JobStatus.FAILED if failed else JobStatus.SUCCEEDED
    return JobStatus.SUBMITTED if counts.get(JobStatus.SUBMITTED, 0) == size else JobStatus.PENDING
