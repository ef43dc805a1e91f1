"""Documents in rows: JSON texts, each with the version of its form beside it."""

from functools import lru_cache
from typing import Any, TypeVar

from msgspec.json import Decoder
from sqlalchemy import ColumnElement, Table, and_, bindparam

from longshore.domain.errors import StoreUnavailable
from longshore.store.statements import Row

#: Form of the documents that we write. A version that changes the form adds a step to `decoded`.
DOCUMENT_VERSION = 1
#: Parameters of `in_scope`.
SCOPE = ("of_account", "of_region")

R = TypeVar("R")


def decoded(decoder: Decoder[R], row: Row) -> R:
    """The record of a row of version and body. Raises StoreUnavailable for a form that we can't read."""
    version, body = row
    if version != DOCUMENT_VERSION:
        raise StoreUnavailable(f"a resource is stored in form {version}; this version reads form {DOCUMENT_VERSION}")
    return decode(decoder, body)


@lru_cache(maxsize=256)
def decode(decoder: Decoder[Any], body: str) -> Any:
    """Records don't change, and each submission reads the same few."""
    return decoder.decode(body)


def in_scope(table: Table) -> ColumnElement[bool]:
    """The rows of one scope."""
    return and_(table.c.account_id == bindparam("of_account"), table.c.region == bindparam("of_region"))
