"""Rows of environments, queues, policies and definitions: a document each, under its name."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Generic, Protocol, TypeVar

from msgspec.json import Decoder
from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, func, or_, select

from longshore.domain.consumable import ConsumableResource
from longshore.domain.definition import JobDefinition
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import Scope
from longshore.domain.policy import SchedulingPolicy
from longshore.domain.queue import JobQueue, QueueFront
from longshore.domain.quota import QuotaShare, stored_name
from longshore.domain.service_environment import ServiceEnvironment
from longshore.store.codec import encode_document, encode_list
from longshore.store.shares import ShareRows
from longshore.store.statements import InList, Row, Search, Session, Statement, insert_into
from longshore.store.tables import (
    compute_environments,
    consumable_resources,
    job_definitions,
    job_queues,
    queue_fronts,
    quota_shares,
    scheduling_policies,
    service_environments,
)

#: Form of the documents that we write. A version that changes the form adds a step to `_decoded`.
DOCUMENT_VERSION = 1


class _Named(Protocol):
    @property
    def scope(self) -> Scope: ...
    @property
    def name(self) -> str: ...


_ALL = 1_000_000

R = TypeVar("R")
N = TypeVar("N", bound=_Named)


def _decoded(decoder: Decoder[R], row: Row) -> R:
    version, body = row
    if version != DOCUMENT_VERSION:
        raise StoreUnavailable(f"a resource is stored in form {version}; this version reads form {DOCUMENT_VERSION}")
    return _decode(decoder, body)


@lru_cache(maxsize=256)
def _decode(decoder: Decoder[Any], body: str) -> Any:
    """Records don't change, and each submission reads the same few."""
    return decoder.decode(body)


def _in_scope(table: Table) -> ColumnElement[bool]:
    return and_(table.c.account_id == bindparam("of_account"), table.c.region == bindparam("of_region"))


_SCOPE = ("of_account", "of_region")


class _NamedDocuments(Generic[N]):
    """Statements on a table of documents that are known by scope and name."""

    def __init__(self, table: Table, record: type[N]) -> None:
        columns = table.c
        is_it = and_(_in_scope(table), columns.name == bindparam("of_name"))
        page = select(columns.version, columns.body).where(columns.name > bindparam("after"))
        self._decoder = Decoder(record)
        self._get = Statement(select(columns.version, columns.body).where(is_it), *_SCOPE, "of_name")
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
        self._delete = Statement(delete(table).where(is_it), *_SCOPE, "of_name")

    def get(self, session: Session, scope: Scope, name: str) -> N | None:
        row = session.peek(self._get, scope.account_id, scope.region, name)
        return None if row is None else _decoded(self._decoder, row)

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
        return [_decoded(self._decoder, row) for row in rows]

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

_d = job_definitions.c
_definition_decoder = Decoder(JobDefinition)
_DEFINITION = select(_d.version, _d.body).where(_in_scope(job_definitions))
_IS_REVISION = and_(_d.name == bindparam("of_name"), _d.revision == bindparam("of_revision"))
_GET_DEFINITION = Statement(_DEFINITION.where(_IS_REVISION), *_SCOPE, "of_name", "of_revision")
_LATEST_ACTIVE = Statement(
    _DEFINITION.where(_d.name == bindparam("of_name"), _d.status == "ACTIVE").order_by(_d.revision.desc()).limit(1),
    *(*_SCOPE, "of_name"),
)
_LAST_REVISION = Statement(
    select(func.max(_d.revision)).where(_in_scope(job_definitions), _d.name == bindparam("of_name")),
    *(*_SCOPE, "of_name"),
)
_DEFINITIONS = Search(
    _DEFINITION.order_by(_d.name, _d.revision.desc()).limit(bindparam("at_most")),
    *(*_SCOPE, "at_most"),
    conditions={
        "of_name": _d.name == bindparam("of_name"),
        "of_status": _d.status == bindparam("of_status"),
        "after_name": _d.name >= bindparam("after_name"),
        "after_revision": or_(_d.name != bindparam("after_name"), _d.revision < bindparam("after_revision")),
    },
)
_INSERT_DEFINITION = insert_into(job_definitions)
_DELETE_DEFINITION = Statement(
    delete(job_definitions).where(_in_scope(job_definitions), _IS_REVISION), *_SCOPE, "of_name", "of_revision"
)


class ResourceRows(ShareRows):
    """Environments, queues, policies, consumable resources and definitions."""

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

    def definition(self, scope: Scope, name: str, revision: int) -> JobDefinition | None:
        row = self.peek(_GET_DEFINITION, scope.account_id, scope.region, name, revision)
        return None if row is None else _decoded(_definition_decoder, row)

    def latest_active_definition(self, scope: Scope, name: str) -> JobDefinition | None:
        row = self.peek(_LATEST_ACTIVE, scope.account_id, scope.region, name)
        return None if row is None else _decoded(_definition_decoder, row)

    def definitions(
        self,
        scope: Scope,
        *,
        name: str | None = None,
        status: str | None = None,
        after: tuple[str, int] | None = None,
        limit: int = 100,
    ) -> Sequence[JobDefinition]:
        rows = _DEFINITIONS.rows(
            self,
            *(scope.account_id, scope.region, limit),
            of_name=name,
            of_status=status,
            after_name=None if after is None else after[0],
            after_revision=None if after is None else after[1],
        )
        return [_decoded(_definition_decoder, row) for row in rows]

    def next_revision(self, scope: Scope, name: str) -> int:
        return (self.row(_LAST_REVISION, scope.account_id, scope.region, name)[0] or 0) + 1

    def put_definition(self, definition: JobDefinition) -> None:
        scope, name, revision = definition.scope, definition.name, definition.revision
        place = (scope.account_id, scope.region, name, revision)
        self.run(_DELETE_DEFINITION, *place)
        self.run(_INSERT_DEFINITION, *place, definition.status, DOCUMENT_VERSION, encode_document(definition))
