"""Use cases on consumable resources: create, describe, update, list, delete, and who takes some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from longshore.domain.consumable import ConsumableResource, ResourceType
from longshore.domain.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from longshore.domain.ids import JobKey, Scope, resource_name
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import JobFilter, JobView, Reader, ResourceReader, Store, Transaction
from longshore.service.describe import Condition
from longshore.service.naming import check_name, check_tags
from longshore.service.paging import Page, check_page, open_token, page_of
from longshore.service.published import with_reasons
from longshore.service.refusals import invalid

_KIND = "consumable-resource"
_TYPES: Mapping[str, ResourceType] = {"REPLENISHABLE": "REPLENISHABLE", "NON_REPLENISHABLE": "NON_REPLENISHABLE"}
#: Of one resource, and of one job.
MOST_QUANTITY = 2**53
_OPERATIONS = ("SET", "ADD", "REMOVE")
#: For so long a client token stands for the call that it came with. Source: AWS Batch API, UpdateConsumableResource.
TOKEN_LIFE = timedelta(hours=8)
#: So many resources are looked at by one read when a listing is filtered.
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableDraft:
    """A consumable resource that is to be created."""

    name: str
    quantity: int | None = None
    resource_type: str | None = None
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableUpdate:
    """What is to become of the quantity of a resource."""

    operation: str | None = None
    quantity: int | None = None
    client_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableView:
    """A resource and what jobs hold of it."""

    resource: ConsumableResource
    in_use: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerQuery:
    """Which jobs that take some of a resource a listing holds."""

    consumable: str
    filters: Sequence[Condition] = ()
    max_results: int | None = None
    next_token: str | None = None


class Consumables:
    """Consumable resources of all scopes."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier

    async def create(self, scope: Scope, draft: ConsumableDraft) -> ConsumableResource:
        """Store the resource.

        Raises:
            InvalidRequest: the draft breaks a rule.
            AlreadyExists: the name is taken.
        """
        check_name(draft.name, "Consumable resource")
        check_tags(draft.tags)
        if draft.resource_type not in (None, *_TYPES):
            raise invalid(f"resourceType should be one of {', '.join(_TYPES)}, got {draft.resource_type[:100]}")
        _check_quantity(draft.quantity or 0, "totalQuantity")
        resource = ConsumableResource(
            scope=scope,
            name=draft.name,
            resource_type=_TYPES[draft.resource_type or "REPLENISHABLE"],
            quantity=draft.quantity or 0,
            tags=draft.tags,
            created_at=self._clock.now(),
        )

        def work(tx: Transaction) -> None:
            if tx.consumable(scope, draft.name) is not None:
                raise AlreadyExists(wrapped=True)
            tx.put_consumable(resource)

        await self._store.write(work)
        self._notifier.notify()
        return resource

    async def update(self, scope: Scope, text: str, update: ConsumableUpdate) -> ConsumableResource:
        """Set, raise or lower the quantity; a call that comes again under its client token changes nothing.

        What jobs hold already stays with them: none starts that asks for more than is left.

        Raises:
            InvalidRequest: the update breaks a rule, or the client token was sent with another one.
            NotFound: there is no such resource.
        """
        _check_update(update)
        now, token = self._clock.now(), update.client_token

        def work(tx: Transaction) -> ConsumableResource:
            resource = find_consumable(tx, scope, text)
            payload = f"{resource.name} {update.operation} {update.quantity}"
            if token is not None:
                earlier = tx.note_call(
                    scope, "UpdateConsumableResource", token, payload, at=now, forget_before=now - TOKEN_LIFE
                )
                if earlier is not None and earlier != payload:
                    raise InvalidRequest(f"The clientToken {token} was used for another update")
                if earlier is not None:
                    return resource
            resource = _updated(resource, update.operation or "SET", update.quantity)
            tx.put_consumable(resource)
            return resource

        resource = await self._store.write(work)
        self._notifier.notify()
        return resource

    async def delete(self, scope: Scope, text: str) -> None:
        """Remove the resource.

        Raises:
            NotFound: there is no such resource.
            Conflict: jobs that have not ended take some of it.
        """

        def work(tx: Transaction) -> None:
            resource = find_consumable(tx, scope, text)
            if tx.is_consumable_awaited(scope, resource.name):
                raise Conflict(f"Cannot delete, jobs that have not ended require consumable resource {resource.name}")
            tx.delete_consumable(scope, resource.name)

        await self._store.write(work)
        self._notifier.notify()

    async def describe(self, scope: Scope, text: str) -> ConsumableView:
        """The resource and what is held of it.

        Raises:
            NotFound: there is no such resource.
        """

        def work(reader: Reader) -> ConsumableView:
            resource = find_consumable(reader, scope, text)
            return ConsumableView(resource=resource, in_use=reader.consumables_in_use(scope).get(resource.name, 0))

        return await self._store.read(work)

    async def list(
        self, scope: Scope, filters: Sequence[Condition], *, max_results: int | None, next_token: str | None
    ) -> Page[ConsumableView]:
        """Resources by name.

        Raises:
            InvalidRequest: a filter is malformed, the page is too large, or the token is not of this call.
        """
        limit = check_page(None, max_results, "ConsumableResources")
        pattern = _pattern_of(filters, "CONSUMABLE_RESOURCE_NAME")
        call = ("consumable resources", scope, pattern)
        after = open_token(next_token, call) or ""

        def work(reader: Reader) -> Sequence[ConsumableView]:
            found: list[ConsumableResource] = []
            cursor: str | None = after
            while cursor is not None and len(found) <= limit:
                chunk = reader.consumables(scope, after=cursor, limit=_CHUNK)
                found += (each for each in chunk if _matches(each.name, pattern))
                cursor = chunk[-1].name if len(chunk) == _CHUNK else None
            in_use = reader.consumables_in_use(scope)
            return [ConsumableView(resource=each, in_use=in_use.get(each.name, 0)) for each in found[: limit + 1]]

        found = await self._store.read(work)
        return page_of(found, limit, call, [each.resource.name for each in found])

    async def list_jobs(self, scope: Scope, query: ConsumerQuery) -> Page[tuple[JobView, int]]:
        """Jobs and array parents that take some of a resource, newest first, each with how much a job of it takes.

        Raises:
            NotFound: there is no such resource.
            InvalidRequest: a filter is malformed, the page is too large, or the token is not of this call.
        """
        limit = check_page(None, query.max_results, "Jobs")
        where = _job_filter(query.filters)
        call = ("jobs of a consumable resource", scope, query.consumable, query.filters)
        cursor = open_token(query.next_token, call)
        before = None if cursor is None else JobKey(int(cursor))

        def work(reader: Reader) -> Sequence[tuple[JobView, int]]:
            name = find_consumable(reader, scope, query.consumable).name
            quantities = dict(reader.jobs_with_consumable(scope, name, where, before=before, limit=limit + 1))
            views = with_reasons(reader, reader.describe_jobs(list(quantities)))
            return [(view, quantities[view.job.key]) for view in views]

        found = await self._store.read(work)
        return page_of(found, limit, call, [str(view.job.key) for view, _ in found])


def find_consumable(reader: ResourceReader, scope: Scope, text: str) -> ConsumableResource:
    """The resource of this name or ARN.

    Raises:
        NotFound: there is none.
    """
    name = resource_name(text, _KIND, scope)
    found = None if name is None else reader.consumable(scope, name)
    if found is None:
        raise NotFound(f"{text[:300] if name is None else scope.arn(_KIND, name)[:300]} does not exist")
    return found


def _check_quantity(quantity: int, what: str) -> None:
    if not 0 <= quantity <= MOST_QUANTITY:
        raise invalid(f"{what} should be between 0 and {MOST_QUANTITY}, got {quantity}")


def _check_update(update: ConsumableUpdate) -> None:
    if update.operation not in (None, *_OPERATIONS):
        raise invalid(f"The operation should be one of {', '.join(_OPERATIONS)}, got {update.operation[:100]}")
    if update.operation is not None and update.quantity is None:
        raise invalid("A quantity is required with an operation")
    _check_quantity(update.quantity or 0, "quantity")


def _updated(resource: ConsumableResource, operation: str, quantity: int | None) -> ConsumableResource:
    """The resource with what there is of it set, raised or lowered; SET forgets what was used up before."""
    if quantity is None:
        return resource
    if operation == "SET":
        return replace(resource, quantity=quantity, used_up=0)
    if operation == "REMOVE" and quantity > resource.total:
        raise invalid(f"Cannot remove {quantity} of {resource.total}")
    changed = resource.quantity + (quantity if operation == "ADD" else -quantity)
    _check_quantity(changed, "totalQuantity")
    return replace(resource, quantity=changed)


def _matches(name: str, pattern: str | None) -> bool:
    if pattern is None:
        return True
    folded = pattern.casefold()
    if folded.endswith("*"):
        return name.casefold().startswith(folded[:-1])
    return name.casefold() == folded


def _pattern_of(filters: Sequence[Condition], name: str) -> str | None:
    """The one value of the one filter, which is called `name`."""
    if not filters:
        return None
    if len(filters) > 1 or len(filters[0].values) != 1 or filters[0].name != name:
        raise invalid(f"Only one filter can be given: {name} with one value")
    return filters[0].values[0]


def _job_filter(filters: Sequence[Condition]) -> JobFilter:
    statuses: frozenset[JobStatus] | None = None
    name: str | None = None
    for condition in filters:
        if condition.name == "JOB_STATUS" and condition.values:
            unknown = [value for value in condition.values if value not in JobStatus.__members__]
            if unknown:
                raise invalid(f"JOB_STATUS should be one of {', '.join(JobStatus)}, got {unknown[0][:100]}")
            statuses = frozenset(map(JobStatus, condition.values))
        elif condition.name == "JOB_NAME" and len(condition.values) == 1:
            name = condition.values[0]
        else:
            raise invalid("Filters are JOB_STATUS with statuses and JOB_NAME with one value")
    return JobFilter(statuses=statuses, name=name)
