"""Use cases on scheduling policies: create, describe, list, update, delete."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from longshore.domain.errors import AlreadyExists, Conflict, NotFound
from longshore.domain.ids import Scope, parse_arn
from longshore.domain.policy import FairsharePolicy, QuotaSharePolicy, SchedulingPolicy
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import Reader, ResourceReader, Store, Transaction
from longshore.service.everywhere import ALL
from longshore.service.naming import check_name, check_tags
from longshore.service.paging import Page, check_page, open_token, page_of
from longshore.service.refusals import invalid

_KIND = "scheduling-policy"
_MOST_ARNS = 100
_MOST_SHARES = 500
_SHARE = re.compile(r"[A-Za-z0-9._-]{1,255}\*?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDraft:
    """A scheduling policy that is to be created; with neither kind given it is a fair-share one."""

    name: str
    fairshare_policy: FairsharePolicy | None = None
    quota_share_policy: QuotaSharePolicy | None = None
    tags: Mapping[str, str]


class Policies:
    """Scheduling policies of all scopes."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier

    async def create(self, scope: Scope, draft: PolicyDraft) -> SchedulingPolicy:
        """Store the policy.

        Raises:
            InvalidRequest: the draft breaks a rule.
            AlreadyExists: the name is taken.
        """
        check_name(draft.name, "Scheduling policy")
        check_tags(draft.tags)
        _check_policies(draft.fairshare_policy, draft.quota_share_policy)
        fairshare = draft.fairshare_policy
        if fairshare is None and draft.quota_share_policy is None:
            fairshare = FairsharePolicy()
        policy = SchedulingPolicy(
            scope=scope,
            name=draft.name,
            fairshare_policy=fairshare,
            quota_share_policy=draft.quota_share_policy,
            tags=draft.tags,
            created_at=self._clock.now(),
        )

        def work(tx: Transaction) -> None:
            if tx.scheduling_policy(scope, draft.name) is not None:
                raise AlreadyExists(wrapped=True)
            tx.put_scheduling_policy(policy)

        await self._store.write(work)
        return policy

    async def update(
        self, scope: Scope, arn: str, fairshare: FairsharePolicy | None, quota_share: QuotaSharePolicy | None
    ) -> None:
        """Put what is given in the place of what the policy was; its kind stays for life.

        Raises:
            InvalidRequest: a rule is broken, or the policy is of the other kind.
            NotFound: there is no such policy.
        """
        _check_policies(fairshare, quota_share)

        def work(tx: Transaction) -> None:
            policy = find_policy(tx, scope, arn)
            if (fairshare is not None and policy.fairshare_policy is None) or (
                quota_share is not None and policy.quota_share_policy is None
            ):
                raise invalid("The kind of a scheduling policy cannot be changed")
            tx.put_scheduling_policy(
                replace(
                    policy,
                    fairshare_policy=fairshare or policy.fairshare_policy,
                    quota_share_policy=quota_share or policy.quota_share_policy,
                )
            )

        await self._store.write(work)
        self._notifier.notify()

    async def delete(self, scope: Scope, arn: str) -> None:
        """Remove the policy. An unknown one is fine.

        Raises:
            InvalidRequest: `arn` is not that of a scheduling policy.
            Conflict: a queue uses it.
        """
        name = _name_of(scope, arn)

        def work(tx: Transaction) -> None:
            if name is None or (policy := tx.scheduling_policy(scope, name)) is None:
                return
            users = [queue.name for queue in tx.queues(scope, limit=ALL) if queue.scheduling_policy_arn == policy.arn]
            if users:
                raise Conflict(f"Cannot delete, the scheduling policy is used by job queue {users[0]}")
            tx.delete_scheduling_policy(scope, name)

        await self._store.write(work)

    async def describe(self, scope: Scope, arns: Sequence[str]) -> Sequence[SchedulingPolicy]:
        """Policies by ARN, in the order asked for; unknown ones are left out.

        Raises:
            InvalidRequest: there are too many, or one is not the ARN of a scheduling policy.
        """
        if len(arns) > _MOST_ARNS:
            raise invalid(f"Arns cannot have more than {_MOST_ARNS} entries, got {len(arns)}")
        names = dict.fromkeys(name for arn in arns if (name := _name_of(scope, arn)) is not None)

        def work(reader: Reader) -> Sequence[SchedulingPolicy]:
            found = {policy.name: policy for policy in reader.scheduling_policies(scope, names=names)}
            return [found[name] for name in names if name in found]

        return await self._store.read(work) if names else []

    async def list(self, scope: Scope, *, max_results: int | None, next_token: str | None) -> Page[SchedulingPolicy]:
        """Policies by name.

        Raises:
            InvalidRequest: the page is too large, or the token is not of this call.
        """
        limit = check_page(None, max_results, "SchedulingPolicies")
        call = ("scheduling policies", scope)
        after = open_token(next_token, call) or ""
        found = await self._store.read(lambda reader: reader.scheduling_policies(scope, after=after, limit=limit + 1))
        return page_of(found, limit, call, [each.name for each in found])


def find_policy(reader: ResourceReader, scope: Scope, arn: str) -> SchedulingPolicy:
    """The policy with this ARN.

    Raises:
        InvalidRequest: `arn` is not that of a scheduling policy.
        NotFound: there is none.
    """
    name = _name_of(scope, arn)
    found = None if name is None else reader.scheduling_policy(scope, name)
    if found is None:
        raise NotFound(f"{arn[:300]} does not exist")
    return found


def check_share(share: str) -> None:
    """Raises InvalidRequest unless jobs may be submitted under this share identifier."""
    if not _SHARE.fullmatch(share):
        raise invalid("A shareIdentifier should be 1 to 255 letters, digits, dots, hyphens and underscores")


def _name_of(scope: Scope, text: str) -> str | None:
    """The name in a policy's ARN; None when it is of another scope."""
    arn = parse_arn(text)
    if arn is None or arn.kind != _KIND:
        raise invalid(f"{text[:300]} is not the ARN of a scheduling policy")
    return arn.resource if arn.scope == scope else None


def _check_policies(fairshare: FairsharePolicy | None, quota_share: QuotaSharePolicy | None) -> None:
    if fairshare is not None and quota_share is not None:
        raise invalid("fairsharePolicy and quotaSharePolicy cannot both be set")
    if quota_share is not None and quota_share.idle_resource_assignment_strategy != "FIFO":
        raise invalid("idleResourceAssignmentStrategy should be FIFO")
    if fairshare is None:
        return
    if not 0 <= fairshare.share_decay_seconds <= 604_800:
        raise invalid(f"shareDecaySeconds should be between 0 and 604800, got {fairshare.share_decay_seconds}")
    if not 0 <= fairshare.compute_reservation <= 99:
        raise invalid(f"computeReservation should be between 0 and 99, got {fairshare.compute_reservation}")
    shares = fairshare.share_distribution
    if len(shares) > _MOST_SHARES:
        raise invalid(f"shareDistribution cannot have more than {_MOST_SHARES} entries, got {len(shares)}")
    for share in shares:
        check_share(share.share_identifier)
        if not 0.0001 <= share.weight_factor <= 999.9999:
            raise invalid(f"weightFactor should be between 0.0001 and 999.9999, got {share.weight_factor:g}")
    # whatever overlaps has neighbours that do
    for one, other in pairwise(sorted(shares, key=lambda each: each.share_identifier.removesuffix("*"))):
        if one.overlaps(other):
            raise invalid(
                f"shareIdentifiers of shareDistribution cannot overlap: {one.share_identifier} and "
                f"{other.share_identifier}"
            )
