"""Use cases on quota shares: create, describe, list, update, delete; and who may submit to one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.domain.environment import State
from longshore.domain.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from longshore.domain.ids import Scope, parse_arn, resource_name
from longshore.domain.lifecycle.status import FINAL_STATUSES, JobStatus
from longshore.domain.queue import JobQueue
from longshore.domain.quota import (
    RESOURCE_UNITS,
    UNLIMITED,
    QuotaLimit,
    QuotaPreemption,
    QuotaShare,
    ResourceSharing,
    share_in_arn,
)
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import JobFilter, Reader, ResourceReader, Store, Transaction
from longshore.service.naming import check_name, check_tags
from longshore.service.paging import Page, check_page, open_token, page_of
from longshore.service.refusals import invalid
from longshore.service.sharing import has_quota_shares, quota_units

_MOST_SHARES = 20
_MOST_LIMITS = 5
_MOST_CAPACITY = 2**31 - 1
_UNFINISHED = frozenset(JobStatus) - FINAL_STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShareDraft:
    """A quota share that is to be created."""

    name: str
    #: name or ARN of its queue
    queue: str
    state: State = "ENABLED"
    capacity_limits: tuple[QuotaLimit, ...]
    resource_sharing: ResourceSharing
    preemption: QuotaPreemption
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShareChanges:
    """What is to change of a quota share; None stays."""

    state: State | None = None
    capacity_limits: tuple[QuotaLimit, ...] | None = None
    resource_sharing: ResourceSharing | None = None
    preemption: QuotaPreemption | None = None


class QuotaShares:
    """Quota shares of all queues."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier

    async def create(self, scope: Scope, draft: QuotaShareDraft) -> QuotaShare:
        """Store the share, VALID at once.

        Raises:
            InvalidRequest: the draft breaks a rule, or the queue can have no shares, or no more of them.
            NotFound: there is no such queue.
            AlreadyExists: the name is taken in that queue.
        """
        check_name(draft.name, "Quota share")
        check_tags(draft.tags)
        created_at = self._clock.now()

        def work(tx: Transaction) -> QuotaShare:
            queue = _find_queue(tx, scope, draft.queue)
            if queue.status != "VALID":
                raise InvalidRequest(f"Job queue {queue.arn} is not valid")
            if tx.quota_share(scope, queue.name, draft.name) is not None:
                raise AlreadyExists(wrapped=True)
            if len(tx.quota_shares(scope, queue.name, limit=_MOST_SHARES)) == _MOST_SHARES:
                raise invalid(f"A job queue cannot have more than {_MOST_SHARES} quota shares")
            share = QuotaShare(
                scope=scope,
                queue_name=queue.name,
                share_name=draft.name,
                state=draft.state,
                status="VALID",
                capacity_limits=draft.capacity_limits,
                resource_sharing_configuration=draft.resource_sharing,
                preemption_configuration=draft.preemption,
                tags=draft.tags,
                created_at=created_at,
            )
            _check_share(share, _units_of(tx, queue))
            tx.put_quota_share(share)
            return share

        share = await self._store.write(work)
        self._notifier.notify()
        return share

    async def update(self, scope: Scope, arn: str, changes: QuotaShareChanges) -> QuotaShare:
        """Change what `changes` names. Jobs that hold more than lowered limits go on until others need their room.

        Raises:
            InvalidRequest: a rule is broken, or `arn` is not that of a quota share.
            NotFound: there is no such share.
            Conflict: it is being deleted.
        """

        def work(tx: Transaction) -> QuotaShare:
            share = find_share(tx, scope, arn)
            if share.status == "DELETING":
                raise Conflict("Cannot update, resource is being modified")
            share = replace(
                share,
                state=changes.state or share.state,
                capacity_limits=share.capacity_limits if changes.capacity_limits is None else changes.capacity_limits,
                resource_sharing_configuration=changes.resource_sharing or share.resource_sharing_configuration,
                preemption_configuration=changes.preemption or share.preemption_configuration,
            )
            queue = tx.queue(scope, share.queue_name)
            assert queue is not None, share
            _check_share(share, _units_of(tx, queue))
            tx.put_quota_share(share)
            return share

        share = await self._store.write(work)
        self._notifier.notify()
        return share

    async def delete(self, scope: Scope, arn: str) -> None:
        """Remove the share; one with unfinished jobs goes when these have been terminated. An unknown one is fine.

        Raises:
            InvalidRequest: `arn` is not that of a quota share.
            Conflict: it is ENABLED.
        """
        name = _name_of(scope, arn)

        def work(tx: Transaction) -> None:
            share = None if name is None else tx.quota_share(scope, *name)
            if share is None or share.status == "DELETING":
                return
            if share.state != "DISABLED":
                raise Conflict("Cannot delete, quota share must be DISABLED")
            if tx.list_jobs(scope, share.queue_name, unfinished_in(share), before=None, limit=1):
                tx.put_quota_share(replace(share, status="DELETING"))
            else:
                tx.delete_quota_share(share)

        await self._store.write(work)
        self._notifier.notify()

    async def describe(self, scope: Scope, arn: str) -> QuotaShare:
        """The share with this ARN.

        Raises:
            InvalidRequest: `arn` is not that of a quota share.
            NotFound: there is no such share.
        """
        return await self._store.read(lambda reader: find_share(reader, scope, arn))

    async def list(
        self, scope: Scope, queue: str, *, max_results: int | None, next_token: str | None
    ) -> Page[QuotaShare]:
        """The shares of a queue, by name.

        Raises:
            InvalidRequest: the page is too large, or the token is not of this call.
            NotFound: there is no such queue.
        """
        limit = check_page(None, max_results, "QuotaShares")
        call = ("quota shares", scope, queue)
        after = open_token(next_token, call) or ""

        def work(reader: Reader) -> Sequence[QuotaShare]:
            return reader.quota_shares(scope, _find_queue(reader, scope, queue).name, after=after, limit=limit + 1)

        found = await self._store.read(work)
        return page_of(found, limit, call, [share.share_name for share in found])


def unfinished_in(share: QuotaShare) -> JobFilter:
    """The jobs of a share that have not ended."""
    return JobFilter(statuses=_UNFINISHED, share_identifier=share.share_name)


def find_share(reader: ResourceReader, scope: Scope, arn: str) -> QuotaShare:
    """The share with this ARN.

    Raises:
        InvalidRequest: `arn` is not that of a quota share.
        NotFound: there is none.
    """
    name = _name_of(scope, arn)
    found = None if name is None else reader.quota_share(scope, *name)
    if found is None:
        raise NotFound(f"{arn[:300]} does not exist")
    return found


def _name_of(scope: Scope, text: str) -> tuple[str, str] | None:
    """The names of queue and share in a share's ARN; None when it is of another scope."""
    arn = parse_arn(text)
    name = None if arn is None or arn.kind != "job-queue" else share_in_arn(arn.resource)
    if arn is None or name is None:
        raise invalid(f"{text[:300]} is not the ARN of a quota share")
    return name if arn.scope == scope else None


def _find_queue(reader: ResourceReader, scope: Scope, text: str) -> JobQueue:
    name = resource_name(text, "job-queue", scope)
    queue = None if name is None else reader.queue(scope, name)
    if queue is None:
        raise NotFound(f"JobQueue {text[:300]} not found.")
    return queue


def _units_of(reader: ResourceReader, queue: JobQueue) -> frozenset[str]:
    """The units that shares of the queue may have limits in.

    Raises:
        InvalidRequest: it can have no shares.
    """
    if not has_quota_shares(reader, queue):
        raise invalid("Quota shares are for job queues with a quota share policy")
    return quota_units(reader, queue)


def _check_share(share: QuotaShare, units: frozenset[str]) -> None:
    limits = share.capacity_limits
    if not 1 <= len(limits) <= _MOST_LIMITS:
        raise invalid(f"capacityLimits should have 1 to {_MOST_LIMITS} entries, got {len(limits)}")
    if len(share.limits) < len(limits):
        raise invalid("The capacity units of capacityLimits should be unique")
    for limit in limits:
        if not 1 <= limit.max_capacity <= _MOST_CAPACITY:
            raise invalid(f"maxCapacity should be at least 1, got {limit.max_capacity}")
        if limit.capacity_unit not in units and units == RESOURCE_UNITS:
            raise invalid(
                "The capacityUnit of a job queue with compute environments should be VCPU, MEMORY (in MiB) or GPU, "
                f"got {limit.capacity_unit}"
            )
        if limit.capacity_unit not in units:
            raise invalid(f"The service environment of the job queue has no capacity limit in {limit.capacity_unit}")
    sharing = share.resource_sharing_configuration
    if sharing.borrow_limit is None:
        return
    if sharing.strategy != "LEND_AND_BORROW":
        raise invalid("borrowLimit can only be set with the strategy LEND_AND_BORROW")
    if sharing.borrow_limit < UNLIMITED:
        raise invalid(f"borrowLimit should be at least {UNLIMITED}, got {sharing.borrow_limit}")
