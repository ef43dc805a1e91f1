"""The REST-JSON protocol: operations are told apart by method and path, members come in path, query and body.

Source: Smithy, AWS restJson1 protocol.
"""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qs, unquote

from longshore.api.aws.codec import Decoder, encode, encode_error, parse
from longshore.api.aws.exchange import Answer, Handler, Handlers, Request
from longshore.api.aws.faults import FaultTable, UnknownOperation, fault_of
from longshore.api.aws.shape import Operation, Shape
from longshore.domain.errors import InvalidRequest
from longshore.service.caller import Caller

_JSON = b"application/json"
#: More query parameters than any operation takes.
_MOST_PARAMETERS = 200


class _Route:
    """One operation, ready to be carried out."""

    def __init__(self, operation: Operation, handler: Handler | None) -> None:
        self.operation = operation
        self.handler = handler
        self.decoder = Decoder(operation.input, refuse_nul=True)
        #: The member that stands at the end of the path, if any, and what comes before it.
        self.prefix, _, label = operation.path.partition("{")
        self.label = label.rstrip("}")

    def read(self, request: Request) -> Shape:
        """The operation's input out of the whole request."""
        if not self.label:
            return self.decoder.decode(request.body)
        members = parse(request.body)
        if not isinstance(members, dict):
            return self.decoder.convert(members)
        located: dict[str, object] = {self.label: _unquoted(request.path.removeprefix(self.prefix))}
        if self.operation.query:
            sent = _parameters(request.query)
            located |= {name: sent[name] for name in self.operation.query if name in sent}
        return self.decoder.convert(cast("dict[str, object]", members) | located)


class RestJsonFront:
    """A service that speaks REST-JSON."""

    def __init__(
        self, service: str, operations: Mapping[str, Operation], handlers: Handlers, faults: FaultTable
    ) -> None:
        """`service` is its name for people."""
        unknown = sorted(set(handlers) - set(operations))
        if unknown:
            raise ValueError(f"{service} has no operations {', '.join(unknown)}")
        self._service = service
        self._faults = faults
        routes = [_Route(operation, handlers.get(name)) for name, operation in operations.items()]
        self._exact = {(route.operation.method, route.operation.path): route for route in routes if not route.label}
        self._labelled = [route for route in routes if route.label]

    async def answer(self, request: Request) -> Answer:
        """Carry the request out. Every failure is an answer; nothing but cancellation is raised."""
        name = request.path
        try:
            route = self._exact.get((request.method, request.path)) or self._find_labelled(request)
            name = route.operation.name
            if route.handler is None:
                raise InvalidRequest(f"{name} is not built yet in this version of Longshore")
            request.authorise(name)
            output: Any = await route.handler(request.caller, route.read(request))
            body = b"{}" if output is None else encode(output)
        except Exception as error:
            return self.refuse(error, request.caller, name)
        return Answer(status=200, content_type=_JSON, body=body)

    def refuse(self, error: Exception, caller: Caller, operation: str = "") -> Answer:
        """What `error` is in the service's own form."""
        fault = fault_of(error, self._faults, caller=caller, operation=operation)
        body = encode_error(fault.code, fault.message)
        return Answer(status=fault.status, content_type=_JSON, body=body, error=fault.code)

    def _find_labelled(self, request: Request) -> _Route:
        for route in self._labelled:
            if request.method == route.operation.method and request.path.startswith(route.prefix):
                return route
        raise UnknownOperation(f"{self._service} has no operation at {request.method} {request.path[:200]}")


def _parameters(query: bytes) -> dict[str, list[str]]:
    try:
        text = query.decode("ascii")
        return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise InvalidRequest(f"the query cannot be read: {error}", wrapped=True) from None


def _unquoted(label: str) -> str:
    try:
        return unquote(label, errors="strict")
    except UnicodeDecodeError:
        raise InvalidRequest("the path is not UTF-8", wrapped=True) from None
