"""What passes between the door and the fronts: a request, its answer, and who handles an operation."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from longshore.service.caller import Caller

#: Header that names a submission; signed, like all headers that change what is done.
CLIENT_TOKEN = b"x-longshore-client-token"
#: Carries out one operation: its input structure in, its output structure out (None where the operation has none).
Handler: TypeAlias = Callable[[Caller, Any], Awaitable[Any]]
#: Operation name to handler. Operations that are not in it are answered as not built.
Handlers: TypeAlias = Mapping[str, Handler]


@dataclass(slots=True, kw_only=True)
class Request:
    """One request whose body has been read."""

    method: str
    #: As sent, percent-encoded, without the query.
    path: str
    query: bytes
    #: Header names in lower case.
    headers: Mapping[bytes, bytes]
    body: bytes
    caller: Caller
    #: the name that signatures give the service
    service: str = ""

    def authorise(self, operation: str) -> None:
        """Raises AccessDenied when the caller may not do it."""
        self.caller.authorise(f"{self.service}:{operation}")


@dataclass(slots=True, kw_only=True)
class Answer:
    """What is sent back."""

    status: int
    content_type: bytes
    body: bytes
    #: The error's name, sent as `x-amzn-ErrorType`; empty on success.
    error: str = ""


class Front(Protocol):
    """One service of the AWS side."""

    async def answer(self, request: Request) -> Answer:
        """Carry the request out. Every failure is an answer; nothing but cancellation is raised."""
        ...

    def refuse(self, error: Exception, caller: Caller, operation: str = "") -> Answer:
        """What `error` is in the service's own form."""
        ...
