"""Use cases on job queues: create, describe, update, delete."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.domain.environment import State
from longshore.domain.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from longshore.domain.ids import Scope
from longshore.domain.lifecycle.status import FINAL_STATUSES, JobStatus
from longshore.domain.queue import EnvironmentOrder, JobQueue, StateTimeLimitAction
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import JobFilter, Reader, ResourceReader, Store, Transaction
from longshore.service.environment_rules import architecture_of
from longshore.service.named import NamedQuery, arn_of, find, find_to_change, list_page
from longshore.service.naming import check_name, check_tags
from longshore.service.paging import Page
from longshore.service.policies import find_policy
from longshore.service.quotas import Quotas, check_quota
from longshore.service.refusals import invalid

_KIND = "job-queue"
_HEALTHY = "JobQueue Healthy"
_MOST_ENVIRONMENTS = 3
_UNFINISHED = JobFilter(statuses=frozenset(JobStatus) - FINAL_STATUSES)
#: Why a job may be blocked, as far as an action can be tied to it. Source: AWS Batch API, JobStateTimeLimitAction.
_BLOCKED_REASONS = (
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentChoice:
    """A compute environment that is to serve a queue, by name or ARN."""

    order: int
    compute_environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDraft:
    """A job queue that is to be created."""

    name: str
    priority: int
    environments: Sequence[EnvironmentChoice]
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
        _check_actions(draft.time_limit_actions)
        if not draft.environments:
            raise invalid("computeEnvironmentOrder needs at least one entry")
        created_at = self._clock.now()

        def work(tx: Transaction) -> JobQueue:
            if tx.queue(scope, draft.name) is not None:
                raise AlreadyExists(wrapped=True)
            check_quota(tx.queues(scope, limit=self._most), self._most, "job queues")
            environments, queue_type = _resolve_environments(tx, scope, draft.environments)
            if draft.queue_type not in (None, queue_type):
                raise invalid(f"jobQueueType is {draft.queue_type}, but the compute environments are {queue_type}")
            if draft.scheduling_policy_arn is not None:
                _check_policy(tx, scope, draft.scheduling_policy_arn)
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
        if changes.time_limit_actions is not None:
            _check_actions(changes.time_limit_actions)

        def work(tx: Transaction) -> JobQueue:
            queue = find_to_change(tx.queue, _KIND, scope, text)
            environments = queue.environments
            if changes.environments is not None:
                environments = _replaced_environments(tx, queue, changes.environments)
            policy_arn = changes.scheduling_policy_arn
            if policy_arn is not None:
                if queue.scheduling_policy_arn is None:
                    raise invalid("A job queue that was created without a scheduling policy cannot be given one")
                _check_policy(tx, scope, policy_arn)
            actions = changes.time_limit_actions
            queue = replace(
                queue,
                priority=queue.priority if changes.priority is None else changes.priority,
                state=changes.state or queue.state,
                environments=environments,
                scheduling_policy_arn=policy_arn or queue.scheduling_policy_arn,
                time_limit_actions=queue.time_limit_actions if actions is None else actions,
            )
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


def _check_actions(actions: Sequence[StateTimeLimitAction]) -> None:
    for action in actions:
        if action.reason not in _BLOCKED_REASONS:
            raise invalid(f"The reason of jobStateTimeLimitActions should be one of {', '.join(_BLOCKED_REASONS)}")
        if not 600 <= action.max_time_seconds <= 86_400:
            raise invalid(f"maxTimeSeconds should be between 600 and 86400, got {action.max_time_seconds}")
        if action.action != "CANCEL":
            raise invalid("The action of jobStateTimeLimitActions should be CANCEL")


def _check_policy(reader: ResourceReader, scope: Scope, arn: str) -> None:
    if find_policy(reader, scope, arn).fairshare_policy is None:
        raise invalid(f"{arn[:300]} is a quota share policy, which is for queues of service jobs")


def _replaced_environments(
    tx: Transaction, queue: JobQueue, choices: Sequence[EnvironmentChoice]
) -> tuple[EnvironmentOrder, ...]:
    if not choices:
        return ()
    environments, queue_type = _resolve_environments(tx, queue.scope, choices)
    if queue_type != queue.queue_type:
        raise invalid(f"The job queue is {queue.queue_type} and cannot be attached to {queue_type} environments")
    return environments


def _resolve_environments(
    reader: ResourceReader, scope: Scope, choices: Sequence[EnvironmentChoice]
) -> tuple[tuple[EnvironmentOrder, ...], str]:
    """The order of environments by name, and the queue type that they make.

    Raises:
        InvalidRequest: they are too many, not VALID, of two families or architectures, or twice in one place.
    """
    if len(choices) > _MOST_ENVIRONMENTS:
        raise invalid(f"A job queue cannot have more than {_MOST_ENVIRONMENTS} compute environments")
    if len({choice.order for choice in choices}) < len(choices):
        raise invalid("The orders of computeEnvironmentOrder should be unique")
    entries: list[EnvironmentOrder] = []
    families: set[str] = set()
    architectures: set[str] = set()
    for choice in choices:
        text = choice.compute_environment
        environment = find(reader.environment, "compute-environment", scope, text)
        if environment is None:
            raise NotFound(f"Compute Environment {arn_of('compute-environment', scope, text)} does not exist")
        if environment.status not in ("VALID", "UPDATING"):
            raise InvalidRequest(f"Compute Environment {environment.arn} is not valid")
        entries.append(EnvironmentOrder(order=choice.order, environment_name=environment.name))
        families.add(environment.queue_type)
        architectures.update(filter(None, [architecture_of(environment.document)]))
    if len({entry.environment_name for entry in entries}) < len(entries):
        raise invalid("A compute environment can serve a job queue once only")
    if len(families) > 1:
        raise invalid(
            f"The compute environments of a job queue should be of one kind, got {' and '.join(sorted(families))}"
        )
    if len(architectures) > 1:
        raise invalid("The compute environments of a job queue should all have one processor architecture")
    return tuple(entries), families.pop()
