"""Pages of a listing, and the tokens between them: opaque to callers, and of use in the call that gave them only."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, TypeVar

from longshore.domain.errors import InvalidRequest
from longshore.service.refusals import invalid

T = TypeVar("T")

_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some entries of a listing; without a token they are the last."""

    items: Sequence[T]
    next_token: str | None = None


def seal_token(call: Sequence[object], cursor: str) -> str:
    """A token that goes on behind `cursor` in `call`: the arguments that decide what is listed."""
    return base64.urlsafe_b64encode(_digest(call, cursor) + cursor.encode()).decode()


def open_token(token: str | None, call: Sequence[object]) -> str | None:
    """The cursor in `token`; None for none.

    Raises:
        InvalidRequest: it is no token of ours, or belongs to another call.
    """
    if token is None:
        return None
    try:
        sealed = base64.b64decode(token, altchars=b"-_", validate=True)
        digest, cursor = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest("The nextToken is not valid") from None
    if digest != _digest(call, cursor):
        raise InvalidRequest("The nextToken is not valid: it is damaged, or belongs to a call with other arguments")
    return cursor


def page_of(found: Sequence[T], limit: int, call: Sequence[object], cursors: Sequence[str]) -> Page[T]:
    """The first `limit` of `found`, which holds one more if there are more; `cursors` go with `found`."""
    if len(found) <= limit:
        return Page(items=found)
    return Page(items=found[:limit], next_token=seal_token(call, cursors[limit - 1]))


def check_page(names: Sequence[str] | None, max_results: int | None, what: str) -> int:
    """How many entries a page of a Describe call holds; `what` is the wire name of its list, capitalised.

    Raises:
        InvalidRequest: too many names or too large a page, or both names and a page size.
    """
    if names:
        if max_results is not None:
            raise invalid(f"{what} and MaxResults cannot both be set")
        if len(names) > 100:
            raise invalid(f"{what} cannot have more than 100 entries, got {len(names)}")
    if max_results is not None and not 1 <= max_results <= 100:
        raise invalid(f"MaxResults should be between 1 and 100, got {max_results}")
    return 100 if max_results is None else max_results


def _digest(call: Sequence[object], cursor: str) -> bytes:
    return blake2b(repr((*call, cursor)).encode(), digest_size=_DIGEST_BYTES).digest()
