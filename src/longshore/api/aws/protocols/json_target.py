"""The AWS JSON protocol: one path, and the operation named by the header `X-Amz-Target`.

Source: Smithy, AWS awsJson1_1 protocol.
"""

from collections.abc import Mapping
from typing import Any

from longshore.api.aws.codec import Decoder, encode, encode_error
from longshore.api.aws.exchange import Answer, Handlers, Request
from longshore.api.aws.faults import FaultTable, UnknownOperation, fault_of
from longshore.api.aws.shape import Operation
from longshore.service.caller import Caller

_JSON = b"application/x-amz-json-1.1"


class JsonTargetFront:
    """A service that speaks AWS JSON 1.1."""

    def __init__(
        self, target_prefix: str, operations: Mapping[str, Operation], handlers: Handlers, faults: FaultTable
    ) -> None:
        """`target_prefix` is what stands before the point of `X-Amz-Target`."""
        unknown = sorted(set(handlers) - set(operations))
        if unknown:
            raise ValueError(f"{target_prefix} has no operations {', '.join(unknown)}")
        self._prefix = target_prefix
        self._faults = faults
        self._decoders = {name: Decoder(operation.input) for name, operation in operations.items()}
        self._handlers = handlers

    async def answer(self, request: Request) -> Answer:
        """Carry the request out. Every failure is an answer; nothing but cancellation is raised."""
        target = request.headers.get(b"x-amz-target", b"").decode("latin-1")
        prefix, _, name = target.rpartition(".")
        try:
            if request.method != "POST" or prefix != self._prefix or name not in self._decoders:
                raise UnknownOperation(f"there is no operation {target[:200] or '(X-Amz-Target is missing)'}")
            if name not in self._handlers:
                raise UnknownOperation(f"{name} is not built yet in this version of Longshore")
            request.authorise(name)
            output: Any = await self._handlers[name](request.caller, self._decoders[name].decode(request.body))
            body = b"" if output is None else encode(output)
        except Exception as error:
            return self.refuse(error, request.caller, target)
        return Answer(status=200, content_type=_JSON, body=body)

    def refuse(self, error: Exception, caller: Caller, operation: str = "") -> Answer:
        """What `error` is in the service's own form."""
        fault = fault_of(error, self._faults, caller=caller, operation=operation)
        body = encode_error(fault.code, fault.message)
        return Answer(status=fault.status, content_type=_JSON, body=body, error=fault.code)
