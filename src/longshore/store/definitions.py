"""Rows of job definitions: what is a revision's own, and a content that all revisions of equal content share.

Clients register the same thing thousands of times, and each registration is a revision of its own. A content is known
by its digest; none is ever changed, and none removed, as no revision is.
"""

from collections.abc import Sequence
from hashlib import blake2b

from msgspec.json import Decoder, Encoder
from sqlalchemy import and_, bindparam, delete, func, or_, select

from longshore.domain.definition import JobDefinition
from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import Scope
from longshore.store.codec import encode_document
from longshore.store.documents import DOCUMENT_VERSION, SCOPE, decode, decoded, in_scope
from longshore.store.shares import ShareRows
from longshore.store.statements import Row, Search, Statement, insert_into
from longshore.store.tables import definition_contents, job_definitions

#: Form of a row whose content stands elsewhere; a row of form `DOCUMENT_VERSION` holds all of a definition.
_SHARED_VERSION = 2
#: Members that are a revision's own.
_OWN = ("scope", "name", "revision", "status", "tags", "registered_at", "deregistered_at")

_encoder = Encoder()
_members = Decoder(dict[str, object])
_decoder = Decoder(JobDefinition)

_d = job_definitions.c
_DEFINITION = select(_d.version, _d.body).where(in_scope(job_definitions))
_IS_REVISION = and_(_d.name == bindparam("of_name"), _d.revision == bindparam("of_revision"))
_GET = Statement(_DEFINITION.where(_IS_REVISION), *SCOPE, "of_name", "of_revision")
_LATEST_ACTIVE = Statement(
    _DEFINITION.where(_d.name == bindparam("of_name"), _d.status == "ACTIVE").order_by(_d.revision.desc()).limit(1),
    *(*SCOPE, "of_name"),
)
_LAST_REVISION = Statement(
    select(func.max(_d.revision)).where(in_scope(job_definitions), _d.name == bindparam("of_name")),
    *(*SCOPE, "of_name"),
)
_DEFINITIONS = Search(
    _DEFINITION.order_by(_d.name, _d.revision.desc()).limit(bindparam("at_most")),
    *(*SCOPE, "at_most"),
    conditions={
        "of_name": _d.name == bindparam("of_name"),
        "of_status": _d.status == bindparam("of_status"),
        "after_name": _d.name >= bindparam("after_name"),
        "after_revision": or_(_d.name != bindparam("after_name"), _d.revision < bindparam("after_revision")),
    },
)
_INSERT = insert_into(job_definitions)
_DELETE = Statement(
    delete(job_definitions).where(in_scope(job_definitions), _IS_REVISION), *SCOPE, "of_name", "of_revision"
)
_c = definition_contents.c
_GET_CONTENT = Statement(select(_c.body).where(_c.digest == bindparam("of_digest")), "of_digest")
_INSERT_CONTENT = insert_into(definition_contents)


class DefinitionRows(ShareRows):
    """Job definitions."""

    def definition(self, scope: Scope, name: str, revision: int) -> JobDefinition | None:
        row = self.peek(_GET, scope.account_id, scope.region, name, revision)
        return None if row is None else self._definition(row)

    def latest_active_definition(self, scope: Scope, name: str) -> JobDefinition | None:
        row = self.peek(_LATEST_ACTIVE, scope.account_id, scope.region, name)
        return None if row is None else self._definition(row)

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
        return [self._definition(row) for row in rows]

    def _definition(self, row: Row) -> JobDefinition:
        version, body = row
        if version != _SHARED_VERSION:
            return decoded(_decoder, row)
        digest, own = body.split(" ", 1)
        content = self.peek(_GET_CONTENT, digest)
        if content is None:
            raise StoreUnavailable(f"the content {digest} of a job definition is missing")
        return decode(_decoder, f"{content[0][:-1]},{own[1:]}")

    def next_revision(self, scope: Scope, name: str) -> int:
        return (self.row(_LAST_REVISION, scope.account_id, scope.region, name)[0] or 0) + 1

    def put_definition(self, definition: JobDefinition) -> None:
        scope, name, revision = definition.scope, definition.name, definition.revision
        place = (scope.account_id, scope.region, name, revision)
        members = _members.decode(encode_document(definition))
        own = _encoder.encode({member: members.pop(member) for member in _OWN if member in members}).decode()
        content = _encoder.encode(members).decode()
        digest = blake2b(content.encode(), digest_size=16).hexdigest()
        if self.row(_GET_CONTENT, digest) is None:
            self.run(_INSERT_CONTENT, digest, DOCUMENT_VERSION, content)
        self.run(_DELETE, *place)
        self.run(_INSERT, *place, definition.status, _SHARED_VERSION, f"{digest} {own}")
