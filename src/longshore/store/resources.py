"""Rows of environments, queues, policies and consumable resources: a document each, under its name."""

from collections.abc import Collection, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec.json import Decoder
from sqlalchemy import Table, and_, bindparam, delete, select

from longshore.domain.consumable import ConsumableResource
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import Scope
from longshore.domain.policy import SchedulingPolicy
from longshore.domain.queue import JobQueue, QueueFront
from longshore.domain.quota import QuotaShare, stored_name
from longshore.domain.service_environment import ServiceEnvironment
from longshore.store.codec import encode_document, encode_list
from longshore.store.definitions import DefinitionRows
from longshore.store.documents import DOCUMENT_VERSION, SCOPE, decoded, in_scope
from longshore.store.statements import InList, Search, Session, Statement, insert_into
from longshore.store.tables import (
    compute_environments,
    consumable_resources,
    job_queues,
    queue_fronts,
    quota_shares,
    scheduling_policies,
    service_environments,
)


class _Named(Protocol):
    @property
    def scope(self) -> Scope: ...
    @property
    def name(self) -> str: ...


_ALL = 1_000_000

N = TypeVar("N", bound=_Named)


class _NamedDocuments(Generic[N]):
    """Statements on a table of documents that are known by scope and name."""

    def __init__(self, table: Table, record: type[N]) -> None:
        columns = table.c
        is_it = and_(in_scope(table), columns.name == bindparam("of_name"))
        page = select(columns.version, columns.body).where(columns.name > bindparam("after"))
        self._decoder = Decoder(record)
        self._get = Statement(select(columns.version, columns.body).where(is_it), *SCOPE, "of_name")
        self._page = Search(
            page.order_by(columns.name, columns.account_id, columns.region).limit(bindparam("at_most")),
            *("after", "at_most"),
            conditions={
                "of_account": columns.account_id == bindparam("of_account"),
                "of_region": columns.region == bindparam("of_region"),
                "names": InList(columns.name, "names"),
            },
        )
        self._insert = insert_into(table)
        self._delete = Statement(delete(table).where(is_it), *SCOPE, "of_name")

    def get(self, session: Session, scope: Scope, name: str) -> N | None:
        row = session.peek(self._get, scope.account_id, scope.region, name)
        return None if row is None else decoded(self._decoder, row)

    def page(
        self, session: Session, scope: Scope | None, names: Collection[str] | None, after: str, limit: int
    ) -> Sequence[N]:
        rows = self._page.rows(
            session,
            *(after, limit),
            of_account=None if scope is None else scope.account_id,
            of_region=None if scope is None else scope.region,
            names=None if names is None else encode_list(names),
        )
        return [decoded(self._decoder, row) for row in rows]

    def put(self, session: Session, record: N) -> None:
        scope = record.scope
        self.delete(session, scope, record.name)
        body = encode_document(record)
        session.run(self._insert, scope.account_id, scope.region, record.name, DOCUMENT_VERSION, body)

    def delete(self, session: Session, scope: Scope, name: str) -> None:
        session.run(self._delete, scope.account_id, scope.region, name)


_ENVIRONMENTS = _NamedDocuments(compute_environments, ComputeEnvironment)
_SERVICE_ENVIRONMENTS = _NamedDocuments(service_environments, ServiceEnvironment)
_QUEUES = _NamedDocuments(job_queues, JobQueue)
_FRONTS = _NamedDocuments(queue_fronts, QueueFront)
_CONSUMABLES = _NamedDocuments(consumable_resources, ConsumableResource)
_QUOTA_SHARES = _NamedDocuments(quota_shares, QuotaShare)
_POLICIES = _NamedDocuments(scheduling_policies, SchedulingPolicy)


class ResourceRows(DefinitionRows):
    """Environments, queues, policies and consumable resources beside definitions."""

    def environment(self, scope: Scope, name: str) -> ComputeEnvironment | None:
        return _ENVIRONMENTS.get(self, scope, name)

    def environments(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ComputeEnvironment]:
        return _ENVIRONMENTS.page(self, scope, names, after, limit)

    def put_environment(self, environment: ComputeEnvironment) -> None:
        _ENVIRONMENTS.put(self, environment)

    def delete_environment(self, scope: Scope, name: str) -> None:
        _ENVIRONMENTS.delete(self, scope, name)

    def service_environment(self, scope: Scope, name: str) -> ServiceEnvironment | None:
        return _SERVICE_ENVIRONMENTS.get(self, scope, name)

    def service_environments(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ServiceEnvironment]:
        return _SERVICE_ENVIRONMENTS.page(self, scope, names, after, limit)

    def put_service_environment(self, environment: ServiceEnvironment) -> None:
        _SERVICE_ENVIRONMENTS.put(self, environment)

    def delete_service_environment(self, scope: Scope, name: str) -> None:
        _SERVICE_ENVIRONMENTS.delete(self, scope, name)

    def queue(self, scope: Scope, name: str) -> JobQueue | None:
        return _QUEUES.get(self, scope, name)

    def queues(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[JobQueue]:
        return _QUEUES.page(self, scope, names, after, limit)

    def put_queue(self, queue: JobQueue) -> None:
        _QUEUES.put(self, queue)

    def delete_queue(self, scope: Scope, name: str) -> None:
        _QUEUES.delete(self, scope, name)
        _FRONTS.delete(self, scope, name)
        self.forget_share_uses(self.share_uses(scope, name))
        for share in self.quota_shares(scope, name, limit=_ALL):
            self.delete_quota_share(share)

    def quota_share(self, scope: Scope, queue_name: str, share_name: str) -> QuotaShare | None:
        return _QUOTA_SHARES.get(self, scope, stored_name(queue_name, share_name))

    def quota_shares(
        self, scope: Scope | None, queue_name: str | None = None, *, after: str = "", limit: int = 100
    ) -> Sequence[QuotaShare]:
        if queue_name is None:
            return _QUOTA_SHARES.page(self, scope, None, after, limit)
        found = _QUOTA_SHARES.page(self, scope, None, stored_name(queue_name, after), limit)
        return [share for share in found if share.queue_name == queue_name]

    def put_quota_share(self, share: QuotaShare) -> None:
        _QUOTA_SHARES.put(self, share)

    def delete_quota_share(self, share: QuotaShare) -> None:
        _QUOTA_SHARES.delete(self, share.scope, share.name)

    def queue_front(self, scope: Scope, name: str) -> QueueFront | None:
        return _FRONTS.get(self, scope, name)

    def queue_fronts(self) -> Sequence[QueueFront]:
        return _FRONTS.page(self, None, None, "", _ALL)

    def put_queue_front(self, front: QueueFront) -> None:
        _FRONTS.put(self, front)

    def consumable(self, scope: Scope, name: str) -> ConsumableResource | None:
        return _CONSUMABLES.get(self, scope, name)

    def consumables(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ConsumableResource]:
        return _CONSUMABLES.page(self, scope, names, after, limit)

    def put_consumable(self, resource: ConsumableResource) -> None:
        _CONSUMABLES.put(self, resource)

    def delete_consumable(self, scope: Scope, name: str) -> None:
        _CONSUMABLES.delete(self, scope, name)

    def scheduling_policy(self, scope: Scope, name: str) -> SchedulingPolicy | None:
        return _POLICIES.get(self, scope, name)

    def scheduling_policies(
        self, scope: Scope | None, *, names: Collection[str] | None = None, after: str = "", limit: int = 100
    ) -> Sequence[SchedulingPolicy]:
        return _POLICIES.page(self, scope, names, after, limit)

    def put_scheduling_policy(self, policy: SchedulingPolicy) -> None:
        _POLICIES.put(self, policy)

    def delete_scheduling_policy(self, scope: Scope, name: str) -> None:
        _POLICIES.delete(self, scope, name)
