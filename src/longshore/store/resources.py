"""Rows of compute environments, job queues and job definitions: a document each, under its name."""

from collections.abc import Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

from msgspec.json import Decoder
from sqlalchemy import ColumnElement, Integer, Table, Text, and_, bindparam, delete, func, or_, select

from longshore.domain.definition import JobDefinition
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import Scope
from longshore.domain.queue import JobQueue
from longshore.store.codec import encode_document, encode_list
from longshore.store.statements import InList, Row, Session, Statement, insert_into
from longshore.store.tables import compute_environments, job_definitions, job_queues

#: Form of the documents that we write. A version that changes the form adds a step to `_decoded`.
DOCUMENT_VERSION = 1


class _Named(Protocol):
    @property
    def scope(self) -> Scope: ...
    @property
    def name(self) -> str: ...


R = TypeVar("R")
N = TypeVar("N", bound=_Named)


def _decoded(decoder: Decoder[R], row: Row) -> R:
    version, body = row
    if version != DOCUMENT_VERSION:
        raise StoreUnavailable(f"a resource is stored in form {version}; this version reads form {DOCUMENT_VERSION}")
    return decoder.decode(body)


def _in_scope(table: Table) -> ColumnElement[bool]:
    return and_(table.c.account_id == bindparam("of_account"), table.c.region == bindparam("of_region"))


_SCOPE = ("of_account", "of_region")


class _NamedDocuments(Generic[N]):
    """Statements on a table of documents that are known by scope and name."""

    def __init__(self, table: Table, record: type[N]) -> None:
        columns = table.c
        is_it = and_(_in_scope(table), columns.name == bindparam("of_name"))
        page = (
            select(columns.version, columns.body)
            .where(columns.name > bindparam("after"))
            .order_by(columns.name, columns.account_id, columns.region)
            .limit(bindparam("at_most"))
        )
        self._decoder = Decoder(record)
        self._get = Statement(select(columns.version, columns.body).where(is_it), *_SCOPE, "of_name")
        self._page = Statement(page, "after", "at_most")
        self._page_of_scope = Statement(page.where(_in_scope(table)), "after", "at_most", *_SCOPE)
        self._page_of_names = Statement(page.where(InList(columns.name, "names")), "after", "at_most", "names")
        self._page_of_both = Statement(
            page.where(_in_scope(table), InList(columns.name, "names")), "after", "at_most", *_SCOPE, "names"
        )
        self._insert = insert_into(table)
        self._delete = Statement(delete(table).where(is_it), *_SCOPE, "of_name")

    def get(self, session: Session, scope: Scope, name: str) -> N | None:
        row = session.row(self._get, scope.account_id, scope.region, name)
        return None if row is None else _decoded(self._decoder, row)

    def page(
        self, session: Session, scope: Scope | None, names: Collection[str] | None, after: str, limit: int
    ) -> Sequence[N]:
        place = () if scope is None else (scope.account_id, scope.region)
        if names is None:
            statement, wanted = (self._page if scope is None else self._page_of_scope), ()
        else:
            statement, wanted = (self._page_of_names if scope is None else self._page_of_both), (encode_list(names),)
        return [_decoded(self._decoder, row) for row in session.rows(statement, after, limit, *place, *wanted)]

    def put(self, session: Session, record: N) -> None:
        scope = record.scope
        self.delete(session, scope, record.name)
        body = encode_document(record)
        session.run(self._insert, scope.account_id, scope.region, record.name, DOCUMENT_VERSION, body)

    def delete(self, session: Session, scope: Scope, name: str) -> None:
        session.run(self._delete, scope.account_id, scope.region, name)


_ENVIRONMENTS = _NamedDocuments(compute_environments, ComputeEnvironment)
_QUEUES = _NamedDocuments(job_queues, JobQueue)

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
_INSERT_DEFINITION = insert_into(job_definitions)
_DELETE_DEFINITION = Statement(
    delete(job_definitions).where(_in_scope(job_definitions), _IS_REVISION), *_SCOPE, "of_name", "of_revision"
)


def _definition_page(**given: Any) -> Statement:
    """A page of definitions under those of the conditions `name`, `status` and `after` that are given."""
    conditions = {
        "name": _d.name == bindparam("of_name"),
        "status": _d.status == bindparam("of_status"),
        "after": _d.name >= bindparam("after_name"),
    }
    return Statement(_DEFINITION)


class ResourceRows(Session):
    """Environments, queues and definitions."""

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
