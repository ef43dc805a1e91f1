"""Use cases on compute environments: create, describe, update, delete."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import uuid4

from longshore.domain.environment import ComputeEnvironment, State
from longshore.domain.errors import AlreadyExists, Conflict
from longshore.domain.ids import Scope
from longshore.domain.queue import JobQueue
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import Reader, ResourceReader, Store, Transaction
from longshore.service.engine_choice import EngineChoice
from longshore.service.environment_rules import check_cluster, check_resources, check_role_change, merge_resources
from longshore.service.named import NamedQuery, find, find_to_change, list_page
from longshore.service.naming import check_name, check_tags
from longshore.service.paging import Page
from longshore.service.quotas import Quotas, check_quota
from longshore.service.refusals import invalid

_KIND = "compute-environment"
_HEALTHY = "ComputeEnvironment Healthy"
_RESOURCES = "computeResources"
_POLICY = "updatePolicy"
_ROLE = "serviceRole"
_UNMANAGED_VCPUS = "unmanagedvCpus"
_CLUSTER = "eksConfiguration"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDraft:
    """A compute environment that is to be created."""

    name: str
    type: Literal["MANAGED", "UNMANAGED"]
    state: State = "ENABLED"
    #: members that are stored and shown as they were given, by wire name
    document: Mapping[str, Any]
    tags: Mapping[str, str]


class Environments:
    """Compute environments of all scopes."""

    def __init__(
        self, store: Store, clock: Clock, notifier: Notifier, *, engines: EngineChoice, quotas: Quotas
    ) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._engines = engines
        self._most = quotas.compute_environments

    async def create(self, scope: Scope, draft: EnvironmentDraft) -> ComputeEnvironment:
        """Store the environment, VALID at once, with its engine resolved for good.

        Raises:
            InvalidRequest: the draft breaks a rule, or there are as many as may be.
            AlreadyExists: the name is taken.
        """
        check_name(draft.name, "Compute environment")
        check_tags(draft.tags)
        _check_kind(draft.type, draft.document)
        engine = await self._engines.choose(draft.tags)
        environment = _with_capacity(
            ComputeEnvironment(
                scope=scope,
                name=draft.name,
                uuid=str(uuid4()),
                type=draft.type,
                state=draft.state,
                status="VALID",
                status_reason=_HEALTHY,
                engine=engine,
                document=draft.document,
                tags=draft.tags,
                created_at=self._clock.now(),
            )
        )

        def work(tx: Transaction) -> None:
            if tx.environment(scope, draft.name) is not None:
                raise AlreadyExists(wrapped=True)
            check_quota(tx.environments(scope, limit=self._most), self._most, "compute environments")
            tx.put_environment(environment)

        await self._store.write(work)
        self._notifier.notify()
        return environment

    async def update(
        self, scope: Scope, text: str, *, state: State | None, document: Mapping[str, Any]
    ) -> ComputeEnvironment:
        """Merge `document`, by wire names, into what is stored; members it does not hold stay.

        Raises:
            NotFound: there is no such environment.
            Conflict: it is being deleted.
            InvalidRequest: what would come out breaks a rule.
        """

        def work(tx: Transaction) -> ComputeEnvironment:
            present = find_to_change(tx.environment, _KIND, scope, text)
            merged = {**present.document, **document}
            if _POLICY in document:
                merged[_POLICY] = {**present.document.get(_POLICY, {}), **document[_POLICY]}
            if _CLUSTER in document:
                if _CLUSTER not in present.document:
                    raise invalid("A compute environment that was created without an eksConfiguration has none")
                merged[_CLUSTER] = {**present.document[_CLUSTER], **document[_CLUSTER]}
            if _RESOURCES in document and _RESOURCES in present.document:
                merged[_RESOURCES] = merge_resources(present.document[_RESOURCES], document[_RESOURCES])
            check_role_change(present.document.get(_ROLE), merged.get(_ROLE))
            _check_kind(present.type, merged)
            changed = _with_capacity(replace(present, state=state or present.state, document=merged))
            tx.put_environment(changed)
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
            present = find(tx.environment, _KIND, scope, text)
            if present is None:
                return
            if present.status == "DELETING":
                raise Conflict("Cannot delete, resource is being modified")
            if present.state != "DISABLED":
                raise Conflict("Cannot delete, state must be DISABLED")
            if any(present.name in queue.environment_names for queue in all_queues(tx, scope)):
                raise Conflict("Cannot delete, found existing JobQueue relationship")
            if has_attempts(tx, scope, present.name):
                tx.put_environment(replace(present, status="DELETING"))
            else:
                tx.delete_environment(scope, present.name)

        await self._store.write(work)
        self._notifier.notify()

    async def describe(self, scope: Scope, query: NamedQuery) -> Page[ComputeEnvironment]:
        """Environments by name; unknown names or ARNs are left out.

        Raises:
            InvalidRequest: too much is asked for, or the token is not of this call.
        """

        def list_from(
            reader: Reader, names: Collection[str] | None, after: str, limit: int
        ) -> Sequence[ComputeEnvironment]:
            return reader.environments(scope, names=names, after=after, limit=limit)

        return await list_page(self._store, list_from, _KIND, scope, query, "ComputeEnvironments")


def _check_kind(kind: str, document: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for a document that does not go with `kind`, MANAGED or UNMANAGED."""
    resources = document.get(_RESOURCES)
    if kind == "MANAGED":
        if resources is None:
            raise invalid("ComputeResources is required for a MANAGED compute environment.")
        if _UNMANAGED_VCPUS in document:
            raise invalid("unmanagedvCpus is for UNMANAGED compute environments only.")
        check_resources(resources)
        check_cluster(document.get(_CLUSTER), resources)
        return
    if _CLUSTER in document:
        raise invalid("eksConfiguration is for MANAGED compute environments only.")
    if resources is not None:
        raise invalid("ComputeResources is for MANAGED compute environments only.")
    if document.get(_UNMANAGED_VCPUS, 0) < 0:
        raise invalid("unmanagedvCpus should be at least 0.")


def _with_capacity(environment: ComputeEnvironment) -> ComputeEnvironment:
    """The environment with what its document says of capacity."""
    resources = environment.document.get(_RESOURCES)
    if resources is None:
        return environment
    return replace(environment, resource_type=resources["type"], max_vcpus=resources["maxvCpus"])


def all_queues(reader: ResourceReader, scope: Scope) -> Iterator[JobQueue]:
    """Queues of `scope`, those that are being deleted included."""
    after = ""
    while page := reader.queues(scope, after=after):
        yield from page
        after = page[-1].name


def has_attempts(reader: Reader, scope: Scope, environment_name: str) -> bool:
    """Whether anything is left of attempts in the environment."""
    keys = {each.job_key for each in reader.open_attempts() if each.environment_name == environment_name}
    return any(job.spec.scope == scope for job in reader.load_jobs(keys).values())
