"""Rules on shares of a queue: who must name one, and how many there may be."""

from datetime import datetime

from longshore.domain.errors import InvalidRequest
from longshore.domain.ids import Scope, parse_arn
from longshore.domain.policy import FairsharePolicy
from longshore.domain.queue import JobQueue, ShareUse
from longshore.ports.store import Reader, ResourceReader
from longshore.service.policies import check_share
from longshore.service.refusals import invalid

_MOST_SHARES = 500
_NOT_SHARED = (
    "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share scheduling "
    "policy."
)


def fairshare_of(reader: ResourceReader, queue: JobQueue) -> FairsharePolicy | None:
    """The fair-share policy of a queue; None: first in, first out."""
    arn = None if queue.scheduling_policy_arn is None else parse_arn(queue.scheduling_policy_arn)
    policy = None if arn is None else reader.scheduling_policy(arn.scope, arn.resource)
    return None if policy is None else policy.fairshare_policy


def is_recent(use: ShareUse, policy: FairsharePolicy, now: datetime) -> bool:
    """Whether the share is active still, even if it has no jobs."""
    return (now - use.at.at).total_seconds() < policy.window_seconds


def check_sharing(reader: Reader, queue: JobQueue, share: str | None, priority: int | None, *, now: datetime) -> None:
    """Raises InvalidRequest unless a job under `share` with this priority may be submitted to `queue`."""
    if fairshare_of(reader, queue) is None and priority is not None:
        raise InvalidRequest(_NOT_SHARED)
    if priority is not None:
        check_priority(priority, "schedulingPriorityOverride")
    check_share_of(reader, queue, share, now=now)


def check_priority(priority: int, member: str) -> None:
    """Raises InvalidRequest for a priority that no job can have."""
    if not 0 <= priority <= 9999:
        raise invalid(f"{member} should be between 0 and 9999, got {priority}")


def check_share_of(reader: Reader, queue: JobQueue, share: str | None, *, now: datetime) -> None:
    """Raises InvalidRequest unless a job under `share` may be submitted to `queue`."""
    policy = fairshare_of(reader, queue)
    if policy is None:
        if share is not None:
            raise InvalidRequest(_NOT_SHARED)
        return
    if share is None:
        raise InvalidRequest(
            "A shareIdentifier is required to submit a job to a job queue with a fair share scheduling policy."
        )
    check_share(share)
    active = active_shares(reader, queue.scope, queue.name, policy, now)
    if share not in active and len(active) >= _MOST_SHARES:
        raise InvalidRequest(f"A job queue cannot have more than {_MOST_SHARES} active share identifiers")


def active_shares(
    reader: Reader, scope: Scope, queue_name: str, policy: FairsharePolicy, now: datetime
) -> frozenset[str]:
    """Shares with jobs that have not ended, and those that had some within the policy's window.

    Source: AWS Batch user guide, share identifiers.
    """
    recent = (use.share_identifier for use in reader.share_uses(scope, queue_name) if is_recent(use, policy, now))
    return frozenset((*reader.live_shares(scope, queue_name), *recent))
