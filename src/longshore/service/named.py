"""Queues and environments as callers name them, by name or ARN: found, found fit for a change, listed page by page."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from longshore.domain.environment import ComputeEnvironment
from longshore.domain.errors import Conflict, NotFound
from longshore.domain.ids import Scope, resource_name
from longshore.domain.queue import JobQueue
from longshore.domain.service_environment import ServiceEnvironment
from longshore.ports.store import Reader, Store
from longshore.service.paging import Page, check_page, open_token, page_of

T = TypeVar("T", ComputeEnvironment, ServiceEnvironment, JobQueue)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedQuery:
    """Which of them to list: those of `names`, each a name or an ARN, or all."""

    names: Sequence[str] | None = None
    max_results: int | None = None
    next_token: str | None = None


def find(look: Callable[[Scope, str], T | None], kind: str, scope: Scope, text: str) -> T | None:
    """What `text`, a name or an ARN of that kind, means in `scope`; None when there is no such thing."""
    name = resource_name(text, kind, scope)
    return None if name is None else look(scope, name)


def find_to_change(look: Callable[[Scope, str], T | None], kind: str, scope: Scope, text: str) -> T:
    """What `text` means in `scope`.

    Raises:
        NotFound: there is no such thing.
        Conflict: it is being deleted.
    """
    found = find(look, kind, scope, text)
    if found is None:
        raise NotFound(f"{arn_of(kind, scope, text)} does not exist")
    if found.status == "DELETING":
        raise Conflict("Cannot update, resource is being modified")
    return found


def arn_of(kind: str, scope: Scope, text: str) -> str:
    """The ARN that `text`, a name or an ARN, stands for, whether or not there is such a thing."""
    return text if text.startswith("arn:") else scope.arn(kind, text)


async def list_page(
    store: Store,
    list_from: Callable[[Reader, Collection[str] | None, str, int], Sequence[T]],
    kind: str,
    scope: Scope,
    query: NamedQuery,
    what: str,
) -> Page[T]:
    """A page by name; unknown names are left out. `list_from` takes names, a name to go on behind and a limit.

    Raises:
        InvalidRequest: too much is asked for, or the token is not of this call; `what`: see `check_page`.
    """
    limit = check_page(query.names, query.max_results, what)
    call = (kind, scope, query.names)
    after = open_token(query.next_token, call) or ""
    names = None
    if query.names:
        names = [name for text in query.names if (name := resource_name(text, kind, scope)) is not None]
    found = await store.read(lambda reader: list_from(reader, names, after, limit + 1))
    return page_of(found, limit, call, [each.name for each in found])
