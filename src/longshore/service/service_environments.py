"""Use cases on service environments: create, describe, update, delete."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.domain.environment import State
from longshore.domain.errors import AlreadyExists, Conflict, InvalidRequest
from longshore.domain.ids import Scope
from longshore.domain.instance_types import INSTANCE_TYPES
from longshore.domain.service_environment import (
    KIND,
    NUM_INSTANCES,
    CapacityLimit,
    ServiceEnvironment,
    service_environment_key,
)
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import Reader, Store, Transaction
from longshore.service.engine_choice import EngineChoice
from longshore.service.environments import all_queues, has_attempts
from longshore.service.everywhere import ALL
from longshore.service.named import NamedQuery, find, find_to_change, list_page
from longshore.service.naming import check_name, check_tags
from longshore.service.paging import Page
from longshore.service.refusals import invalid

_HEALTHY = "ServiceEnvironment Healthy"
#: Source: AWS Batch service quotas.
_MOST_ENVIRONMENTS = 50
_MOST_LIMITS = 5
_MOST_CAPACITY = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEnvironmentDraft:
    """A service environment that is to be created."""

    name: str
    type: str
    state: State = "ENABLED"
    capacity_limits: tuple[CapacityLimit, ...]
    tags: Mapping[str, str]


class ServiceEnvironments:
    """Service environments of all scopes."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier, *, engines: EngineChoice) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._engines = engines

    async def create(self, scope: Scope, draft: ServiceEnvironmentDraft) -> ServiceEnvironment:
        """Store the environment, VALID at once, with its engine resolved for good.

        Raises:
            InvalidRequest: the draft breaks a rule, or there are too many.
            AlreadyExists: the name is taken.
        """
        check_name(draft.name, "Service environment")
        check_tags(draft.tags)
        check_limits(draft.capacity_limits)
        environment = ServiceEnvironment(
            scope=scope,
            name=draft.name,
            type=draft.type,
            state=draft.state,
            status="VALID",
            status_reason=_HEALTHY,
            engine=await self._engines.choose(draft.tags),
            capacity_limits=draft.capacity_limits,
            tags=draft.tags,
            created_at=self._clock.now(),
        )

        def work(tx: Transaction) -> None:
            if tx.service_environment(scope, draft.name) is not None:
                raise AlreadyExists(wrapped=True)
            if len(tx.service_environments(scope, limit=ALL)) >= _MOST_ENVIRONMENTS:
                raise InvalidRequest(f"An account cannot have more than {_MOST_ENVIRONMENTS} service environments")
            tx.put_service_environment(environment)

        await self._store.write(work)
        self._notifier.notify()
        return environment

    async def update(
        self, scope: Scope, text: str, *, state: State | None, capacity_limits: tuple[CapacityLimit, ...] | None
    ) -> ServiceEnvironment:
        """Change what is given; limits replace all limits. What service jobs hold already stays with them.

        Raises:
            NotFound: there is no such environment.
            Conflict: it is being deleted.
            InvalidRequest: a limit breaks a rule.
        """
        if capacity_limits is not None:
            check_limits(capacity_limits)

        def work(tx: Transaction) -> ServiceEnvironment:
            present = find_to_change(tx.service_environment, KIND, scope, text)
            limits = present.capacity_limits if capacity_limits is None else capacity_limits
            changed = replace(present, state=state or present.state, capacity_limits=limits)
            tx.put_service_environment(changed)
            return changed

        changed = await self._store.write(work)
        self._notifier.notify()
        return changed

    async def delete(self, scope: Scope, text: str) -> None:
        """Remove the environment; one that still runs jobs goes when they have ended. An unknown one is fine.

        Raises:
            Conflict: it is ENABLED, serves a queue, or is being deleted already.
        """

        def work(tx: Transaction) -> None:
            present = find(tx.service_environment, KIND, scope, text)
            if present is None:
                return
            if present.status == "DELETING":
                raise Conflict("Cannot delete, resource is being modified")
            if present.state != "DISABLED":
                raise Conflict("Cannot delete, state must be DISABLED")
            key = service_environment_key(present.name)
            if any(key in queue.environment_names for queue in all_queues(tx, scope)):
                raise Conflict("Cannot delete, found existing JobQueue relationship")
            if has_attempts(tx, scope, key):
                tx.put_service_environment(replace(present, status="DELETING"))
            else:
                tx.delete_service_environment(scope, present.name)

        await self._store.write(work)
        self._notifier.notify()

    async def describe(self, scope: Scope, query: NamedQuery) -> Page[ServiceEnvironment]:
        """Environments by name; unknown names or ARNs are left out.

        Raises:
            InvalidRequest: too much is asked for, or the token is not of this call.
        """

        def list_from(
            reader: Reader, names: Collection[str] | None, after: str, limit: int
        ) -> Sequence[ServiceEnvironment]:
            return reader.service_environments(scope, names=names, after=after, limit=limit)

        return await list_page(self._store, list_from, KIND, scope, query, "ServiceEnvironments")


def check_limits(limits: Sequence[CapacityLimit]) -> None:
    """Raises InvalidRequest for limits that could not be kept."""
    if not 1 <= len(limits) <= _MOST_LIMITS:
        raise invalid(f"capacityLimits should have 1 to {_MOST_LIMITS} entries, got {len(limits)}")
    units = {limit.capacity_unit for limit in limits}
    if len(units) < len(limits):
        raise invalid("Each capacityUnit of capacityLimits should be there once")
    if NUM_INSTANCES in units and len(units) > 1:
        raise invalid(f"{NUM_INSTANCES} counts instances of all types and cannot stand beside an instance type")
    for limit in limits:
        if limit.capacity_unit != NUM_INSTANCES and limit.capacity_unit not in INSTANCE_TYPES:
            raise invalid(
                f"capacityUnit should be {NUM_INSTANCES} or an instance type, got {limit.capacity_unit[:100]}"
            )
        if not 0 <= limit.max_capacity <= _MOST_CAPACITY:
            raise invalid(f"maxCapacity should be between 0 and {_MOST_CAPACITY}, got {limit.max_capacity}")
