"""Rules on shares of a queue: who must name one, and how many there may be."""

from datetime import datetime

from longshore.domain.errors import InvalidRequest
from longshore.domain.ids import Scope, parse_arn
from longshore.domain.policy import FairsharePolicy, SchedulingPolicy
from longshore.domain.queue import SERVICE_QUEUE, JobQueue, ShareUse
from longshore.domain.quota import RESOURCE_UNITS
from longshore.domain.service_environment import NUM_INSTANCES, service_environment_name
from longshore.ports.store import Reader, ResourceReader
from longshore.service.everywhere import ALL
from longshore.service.policies import check_share
from longshore.service.refusals import invalid

_MOST_SHARES = 500
_NOT_SHARED = (
    "Job with shareIdentifier or schedulingPriority can onlybe submitted to job queue with fair share scheduling "
    "policy."
)


def fairshare_of(reader: ResourceReader, queue: JobQueue) -> FairsharePolicy | None:
    """The fair-share policy of a queue; None: first in, first out, or by quota share."""
    policy = _policy_of(reader, queue)
    return None if policy is None else policy.fairshare_policy


def has_quota_shares(reader: ResourceReader, queue: JobQueue) -> bool:
    """Whether jobs of a queue are in quota shares."""
    policy = _policy_of(reader, queue)
    return policy is not None and policy.quota_share_policy is not None


def _policy_of(reader: ResourceReader, queue: JobQueue) -> SchedulingPolicy | None:
    arn = None if queue.scheduling_policy_arn is None else parse_arn(queue.scheduling_policy_arn)
    return None if arn is None else reader.scheduling_policy(arn.scope, arn.resource)


def is_recent(use: ShareUse, policy: FairsharePolicy, now: datetime) -> bool:
    """Whether the share is active still, even if it has no jobs."""
    return (now - use.at.at).total_seconds() < policy.window_seconds


def check_sharing(reader: Reader, queue: JobQueue, share: str | None, priority: int | None, *, now: datetime) -> None:
    """Raises InvalidRequest unless a job under `share` with this priority may be submitted to `queue`."""
    policy = _policy_of(reader, queue)
    if policy is None and priority is not None:
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


def check_quota_share(
    reader: ResourceReader,
    queue: JobQueue,
    share: str | None,
    *,
    has_preemption: bool,
    members: tuple[str, str] = ("quotaShareName", "preemptionConfiguration"),
) -> None:
    """Raises InvalidRequest unless a job may be submitted to `queue` in this quota share.

    `has_preemption`: the submission says how often it may be preempted; `members` say so, and which share.
    """
    if not has_quota_shares(reader, queue):
        if share is not None:
            raise InvalidRequest(f"{members[0]} is for job queues with a quota share policy only")
        if has_preemption:
            raise InvalidRequest(f"{members[1]} is for job queues with a quota share policy only")
        return
    if share is None:
        raise InvalidRequest(f"A {members[0]} is required to submit a job to a job queue with a quota share policy.")
    found = reader.quota_share(queue.scope, queue.name, share)
    if found is None:
        raise InvalidRequest(f"Quota share {share[:300]} of job queue {queue.name} does not exist")
    if found.state == "DISABLED" or found.status != "VALID":
        raise InvalidRequest(f"Quota share {found.arn} is {'DISABLED' if found.status == 'VALID' else found.status}")


def check_quota_queue(reader: ResourceReader, queue: JobQueue) -> None:
    """Raises InvalidRequest unless the environments of a queue may serve it under its policy.

    Source: AWS Batch user guide, quota management: a service environment serves one such queue alone, and its capacity
    limits are in instance types. Of our own: so does a compute environment.
    """
    is_quota, mine = has_quota_shares(reader, queue), set(queue.environment_names)
    others = [
        other
        for other in reader.queues(queue.scope, limit=ALL)
        if other.name != queue.name and mine.intersection(other.environment_names)
    ]
    kind = "service" if queue.queue_type == SERVICE_QUEUE else "compute"
    if others and (is_quota or any(has_quota_shares(reader, other) for other in others)):
        raise invalid(
            f"A {kind} environment that serves a job queue with a quota share policy can serve no other: "
            f"job queue {others[0].name}"
        )
    if is_quota and NUM_INSTANCES in quota_units(reader, queue):
        raise invalid("A job queue with a quota share policy needs capacity limits in instance types")


def quota_units(reader: ResourceReader, queue: JobQueue) -> frozenset[str]:
    """The units that quota shares of a queue may have limits in: those of its service environment, if it has one."""
    if queue.queue_type != SERVICE_QUEUE:
        return RESOURCE_UNITS
    names = map(service_environment_name, queue.environment_names)
    found = (reader.service_environment(queue.scope, name) for name in names if name is not None)
    return frozenset(unit for environment in found if environment is not None for unit in environment.limits)
