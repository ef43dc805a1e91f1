"""The AWS query protocol: the operation is the form field `Action`, the answer is XML.

Only inputs of plain values and answers of texts and structures of them are spoken; more is not needed so far. Nothing
is asked of allow-lists: what is spoken so, AWS lets every caller do.
Source: Smithy, AWS awsQuery protocol.
"""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import msgspec

from longshore.api.aws.exchange import Answer, Handlers, Request
from longshore.api.aws.faults import Fault, FaultTable, MalformedRequest, UnknownOperation, fault_of
from longshore.api.aws.refusals import explain
from longshore.api.aws.shape import Operation, Shape
from longshore.domain.errors import InvalidRequest
from longshore.service.caller import Caller

_XML = b"text/xml"
_MOST_FIELDS = 200


class QueryFront:
    """A service that speaks the query protocol."""

    def __init__(
        self, namespace: str, operations: Mapping[str, Operation], handlers: Handlers, faults: FaultTable
    ) -> None:
        """`namespace` is that of the answers' XML."""
        unknown = sorted(set(handlers) - set(operations))
        if unknown:
            raise ValueError(f"{namespace} has no operations {', '.join(unknown)}")
        self._namespace = namespace
        self._operations = operations
        self._handlers = handlers
        self._faults = faults

    async def answer(self, request: Request) -> Answer:
        """Carry the request out. Every failure is an answer; nothing but cancellation is raised."""
        name = ""
        try:
            form = _read_form(request.query if request.method == "GET" else request.body)
            name = form.get("Action", "")
            if name not in self._operations or name not in self._handlers:
                raise UnknownOperation(f"Could not find operation {name[:200]!r}")
            output: Any = await self._handlers[name](request.caller, _convert(form, self._operations[name].input))
            body = self._render(name, output, request.caller.request_id)
        except Exception as error:
            return self.refuse(error, request.caller, name)
        return Answer(status=200, content_type=_XML, body=body)

    def refuse(self, error: Exception, caller: Caller, operation: str = "") -> Answer:
        """What `error` is in the service's own form."""
        fault = fault_of(error, self._faults, caller=caller, operation=operation)
        body = self._render_error(fault, caller.request_id)
        return Answer(status=fault.status, content_type=_XML, body=body, error=fault.code)

    def _render(self, name: str, output: Shape, request_id: str) -> bytes:
        result = _elements(msgspec.to_builtins(output))
        return (
            f'<{name}Response xmlns="{self._namespace}"><{name}Result>{result}</{name}Result>'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
        ).encode()

    def _render_error(self, fault: Fault, request_id: str) -> bytes:
        side = "Sender" if fault.status < 500 else "Receiver"
        return (
            f'<ErrorResponse xmlns="{self._namespace}"><Error><Type>{side}</Type><Code>{fault.code}</Code>'
            f"<Message>{escape(fault.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        ).encode()


def _read_form(form: bytes) -> Mapping[str, str]:
    try:
        fields = parse_qs(form.decode("ascii"), errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise MalformedRequest(f"the form cannot be read: {error}") from None
    return {name: values[0] for name, values in fields.items()}


def _convert(form: Mapping[str, str], shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(form, shape, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(explain(str(error), shape)) from None


def _elements(value: object) -> str:
    """`value` as what stands between the tags of an element."""
    if not isinstance(value, dict):
        return escape(str(value))
    members = cast("dict[str, object]", value)
    return "".join(f"<{name}>{_elements(member)}</{name}>" for name, member in members.items())
