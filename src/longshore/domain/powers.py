"""What submissions and queues ask for that the AWS Batch API has no members for.

Each field is one power; its default is what the API alone would do. They are read from tags and parameters in one
place, `service.powers`, which knows their names and how they are written.
"""

from dataclasses import dataclass
from typing import Literal

from longshore.domain.dependency import OwnDependency
from longshore.domain.retry import OnOom

#: What jobs may do that stand behind one that has to wait: start where they do not delay it, start where they fit, or
#: wait as well.
Backfill = Literal["easy", "greedy", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyKey:
    """What only so many jobs of one account and region may hold at once."""

    name: str
    #: as many as this job puts up with, itself counted; the lowest number among those that hold the key counts
    most: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPowers:
    """Powers of one submission; all children of an array job share them."""

    #: beside those of `dependsOn`
    depends_on: tuple[OwnDependency, ...] = ()
    #: in a queue with quota shares: which one it is in
    quota_share: str | None = None
    #: how often it goes back to RUNNABLE when it is preempted; None: always
    preemption_retries: int | None = None
    #: how many children of an array job may run at once
    max_concurrent: int | None = None
    #: each child holds it for itself
    concurrency_key: ConcurrencyKey | None = None
    #: from the submission; a job, or child, that was not placed by then is given up
    start_deadline_seconds: int | None = None
    #: held from the beginning, until it is released
    is_held: bool = False
    #: lost hosts that are not charged to the retry strategy; None: the server's setting
    host_retries: int | None = None
    #: only of jobs of one plain container
    on_oom: OnOom | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePowers:
    """Powers of one job queue; they follow its tags."""

    backfill: Backfill = "easy"
    #: whether nothing of it starts
    is_paused: bool = False
    #: a job that has waited so long comes before all others; None: as the server is set
    age_bound_seconds: int | None = None
    #: most that may run of it at once
    max_jobs: int | None = None
    max_vcpu_milli: int | None = None
    #: the same of each share identifier or quota share
    max_jobs_per_share: int | None = None
    max_vcpu_milli_per_share: int | None = None
