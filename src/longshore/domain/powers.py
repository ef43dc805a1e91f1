"""What submissions and queues ask for that the AWS Batch API has no members for.

Each field is one power; its default is what the API alone would do. They are read from tags and parameters in one
place, `service.powers`, which knows their names and how they are written.
"""

from dataclasses import dataclass

from longshore.domain.dependency import OwnDependency


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPowers:
    """Powers of one submission; all children of an array job share them."""

    #: beside those of `dependsOn`
    depends_on: tuple[OwnDependency, ...] = ()
    #: in a queue with quota shares: which one it is in
    quota_share: str | None = None
    #: how often it goes back to RUNNABLE when it is preempted; None: always
    preemption_retries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePowers:
    """Powers of one job queue; they follow its tags."""
