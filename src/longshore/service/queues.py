"""Use cases on job queues: create, describe, update, delete."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.domain.environment import State
from longshore.domain.errors import AlreadyExists, Conflict
from longshore.domain.ids import Scope
from longshore.domain.lifecycle.status import FINAL_STATUSES, JobStatus
from longshore.domain.queue import SERVICE_QUEUE, EnvironmentOrder, JobQueue, StateTimeLimitAction
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import JobFilter, Reader, Store, Transaction
from longshore.service.named import NamedQuery, find, find_to_change, list_page
from longshore.service.naming import check_name, check_tags
from longshore.service.paging import Page
from longshore.service.policies import find_policy
from longshore.service.powers import check_queue_tags
from longshore.service.queue_environments import (
    Choices,
    EnvironmentChoice,
    ServiceEnvironmentChoice,
    one_kind,
    resolve_environments,
)
from longshore.service.quotas import Quotas, check_quota
from longshore.service.refusals import invalid
from longshore.service.sharing import check_quota_queue, has_quota_shares

_KIND = "job-queue"
_HEALTHY = "JobQueue Healthy"
_UNFINISHED = JobFilter(statuses=frozenset(JobStatus) - FINAL_STATUSES)
#: Why a job may be blocked, as far as an action can be tied to it. Source: AWS Batch API, JobStateTimeLimitAction.
_BLOCKED_REASONS = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    # of AWS Batch for service jobs only, whose quota shares other jobs have here too
    "MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED",
)
_BLOCKED_SERVICE = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    "MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED",
    "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDraft:
    """A job queue that is to be created."""

    name: str
    priority: int
    environments: Sequence[EnvironmentChoice] = ()
    service_environments: Sequence[ServiceEnvironmentChoice] = ()
    state: State = "ENABLED"
    #: ECS, ECS_FARGATE, ECS_MANAGED_INSTANCES or EKS; None: as its environments are
    queue_type: str | None = None
    #: None: first in, first out
    scheduling_policy_arn: str | None = None
    time_limit_actions: tuple[StateTimeLimitAction, ...] = ()
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueChanges:
    """What is to change of a queue; None stays."""

    priority: int | None = None
    state: State | None = None
    environments: Sequence[EnvironmentChoice] | None = None
    service_environments: Sequence[ServiceEnvironmentChoice] | None = None
    scheduling_policy_arn: str | None = None
    time_limit_actions: tuple[StateTimeLimitAction, ...] | None = None


class Queues:
    """Job queues of all scopes."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier, *, quotas: Quotas) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._most = quotas.job_queues

    async def create(self, scope: Scope, draft: QueueDraft) -> JobQueue:
        """Store the queue, VALID at once.

        Raises:
            InvalidRequest: the draft breaks a rule, an environment cannot serve, or there are as many as may be.
            AlreadyExists: the name is taken.
        """
        check_name(draft.name, "Job queue")
        check_tags(draft.tags)
        _check_priority(draft.priority)
        is_service = draft.queue_type == SERVICE_QUEUE
        _check_actions(draft.time_limit_actions, is_service=is_service)
        choices = one_kind(draft.environments, draft.service_environments)
        if draft.service_environments and not is_service:
            raise invalid(f"jobQueueType should be {SERVICE_QUEUE} for a job queue with serviceEnvironmentOrder")
        if not choices:
            raise invalid(f"{'service' if is_service else 'compute'}EnvironmentOrder needs at least one entry")
        created_at = self._clock.now()

        def work(tx: Transaction) -> JobQueue:
            if tx.queue(scope, draft.name) is not None:
                raise AlreadyExists(wrapped=True)
            check_quota(tx.queues(scope, limit=self._most), self._most, "job queues")
            environments, queue_type = resolve_environments(tx, scope, choices)
            if draft.queue_type not in (None, queue_type):
                raise invalid(f"jobQueueType is {draft.queue_type}, but the compute environments are {queue_type}")
            if draft.scheduling_policy_arn is not None:
                find_policy(tx, scope, draft.scheduling_policy_arn)
            queue = JobQueue(
                scope=scope,
                name=draft.name,
                state=draft.state,
                status="VALID",
                status_reason=_HEALTHY,
                priority=draft.priority,
                environments=environments,
                queue_type=queue_type,
                scheduling_policy_arn=draft.scheduling_policy_arn,
                time_limit_actions=draft.time_limit_actions,
                tags=draft.tags,
                created_at=created_at,
            )
            check_queue_tags(queue)
            check_quota_queue(tx, queue)
            tx.put_queue(queue)
            return queue

        queue = await self._store.write(work)
        self._notifier.notify()
        return queue

    async def update(self, scope: Scope, text: str, changes: QueueChanges) -> JobQueue:
        """Change what `changes` names; an order of environments replaces the whole order, an empty one detaches all.

        Raises:
            NotFound: there is no such queue.
            Conflict: it is being deleted.
            InvalidRequest: a change breaks a rule, or an environment cannot serve.
        """
        if changes.priority is not None:
            _check_priority(changes.priority)
        choices = one_kind(changes.environments, changes.service_environments)

        def work(tx: Transaction) -> JobQueue:
            queue = find_to_change(tx.queue, _KIND, scope, text)
            if changes.time_limit_actions is not None:
                _check_actions(changes.time_limit_actions, is_service=queue.queue_type == SERVICE_QUEUE)
            environments = queue.environments if choices is None else _replaced(tx, queue, choices)
            policy_arn = changes.scheduling_policy_arn
            if policy_arn is not None:
                if queue.scheduling_policy_arn is None:
                    raise invalid("A job queue that was created without a scheduling policy cannot be given one")
                find_policy(tx, scope, policy_arn)
            actions, had_shares = changes.time_limit_actions, has_quota_shares(tx, queue)
            queue = replace(
                queue,
                priority=queue.priority if changes.priority is None else changes.priority,
                state=changes.state or queue.state,
                environments=environments,
                scheduling_policy_arn=policy_arn or queue.scheduling_policy_arn,
                time_limit_actions=queue.time_limit_actions if actions is None else actions,
            )
            if has_quota_shares(tx, queue) is not had_shares:
                raise invalid("The scheduling policy of a job queue can be replaced by one of the same kind only")
            check_quota_queue(tx, queue)
            tx.put_queue(queue)
            return queue

        queue = await self._store.write(work)
        self._notifier.notify()
        return queue

    async def delete(self, scope: Scope, text: str) -> None:
        """Remove the queue; one with unfinished jobs goes when these have been failed. An unknown one is fine.

        Raises:
            Conflict: it is ENABLED.
        """

        def work(tx: Transaction) -> None:
            queue = find(tx.queue, _KIND, scope, text)
            if queue is None or queue.status == "DELETING":
                return
            if queue.state != "DISABLED":
                raise Conflict("Cannot delete, job queue must be DISABLED")
            if tx.list_jobs(scope, queue.name, _UNFINISHED, before=None, limit=1):
                tx.put_queue(replace(queue, status="DELETING"))
            else:
                tx.delete_queue(scope, queue.name)

        await self._store.write(work)
        self._notifier.notify()

    async def describe(self, scope: Scope, query: NamedQuery) -> Page[JobQueue]:
        """Queues by name; unknown names or ARNs are left out.

        Raises:
            InvalidRequest: too much is asked for, or the token is not of this call.
        """

        def list_from(reader: Reader, names: Collection[str] | None, after: str, limit: int) -> Sequence[JobQueue]:
            return reader.queues(scope, names=names, after=after, limit=limit)

        return await list_page(self._store, list_from, _KIND, scope, query, "JobQueues")


def _check_priority(priority: int) -> None:
    if priority < 0:
        raise invalid(f"Priority should be at least 0, got {priority}")


def _check_actions(actions: Sequence[StateTimeLimitAction], *, is_service: bool) -> None:
    reasons, done = (_BLOCKED_SERVICE, "TERMINATE") if is_service else (_BLOCKED_REASONS, "CANCEL")
    for action in actions:
        if action.reason not in reasons:
            raise invalid(f"The reason of jobStateTimeLimitActions should be one of {', '.join(reasons)}")
        if not 600 <= action.max_time_seconds <= 86_400:
            raise invalid(f"maxTimeSeconds should be between 600 and 86400, got {action.max_time_seconds}")
        if action.action != done:
            raise invalid(f"The action of jobStateTimeLimitActions should be {done}")


def _replaced(tx: Transaction, queue: JobQueue, choices: Choices) -> tuple[EnvironmentOrder, ...]:
    if not choices:
        return ()
    environments, queue_type = resolve_environments(tx, queue.scope, choices)
    if queue_type != queue.queue_type:
        raise invalid(f"The job queue is {queue.queue_type} and cannot be attached to {queue_type} environments")
    return environments
