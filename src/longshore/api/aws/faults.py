"""How errors of ours become errors that AWS clients parse. Every service has its table here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from longshore.domain.errors import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    NotFound,
    RequestRefused,
    StoreUnavailable,
)
from longshore.service.caller import Caller

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class MalformedRequest(InvalidRequest):
    """An error occurred during JSON parsing"""


class UnknownOperation(InvalidRequest):
    """There is no such operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error on its way to the caller."""

    status: int
    code: str
    message: str


#: Error class to status and name. The nearest class in an error's ancestry counts; each table ends in `Exception`.
FaultTable: TypeAlias = Mapping[type[Exception], tuple[int, str]]

#: Source: AWS Batch API, common errors: whatever the caller did wrong is a ClientException.
BATCH_FAULTS: FaultTable = {
    RequestRefused: (400, "ClientException"),
    Exception: (500, "ServerException"),
}

#: Source: Amazon CloudWatch Logs API, errors of its operations; AWS JSON 1.1 protocol for the first two.
LOGS_FAULTS: FaultTable = {
    MalformedRequest: (400, "SerializationException"),
    UnknownOperation: (400, "UnknownOperationException"),
    NotFound: (400, "ResourceNotFoundException"),
    AlreadyExists: (400, "ResourceAlreadyExistsException"),
    Conflict: (400, "OperationAbortedException"),
    RequestRefused: (400, "InvalidParameterException"),
    Exception: (500, "ServiceUnavailableException"),
}

#: Source: AWS Security Token Service API, common errors.
STS_FAULTS: FaultTable = {
    UnknownOperation: (400, "InvalidAction"),
    RequestRefused: (400, "ValidationError"),
    Exception: (500, "InternalFailure"),
}


def fault_of(error: Exception, table: FaultTable, *, caller: Caller, operation: str) -> Fault:
    """The fault that `error` is for the caller. What is not the caller's doing is also logged."""
    status, code = next(table[kind] for kind in type(error).__mro__ if kind in table)
    match error:
        case RequestRefused():
            is_wrapped = error.wrapped and table is BATCH_FAULTS  # no other service has this envelope
            message = wrapped(error.message, caller.request_id) if is_wrapped else error.message
        case StoreUnavailable():
            _log.warning("request_not_stored", operation=operation, request_id=caller.request_id, reason=error.message)
            message = error.message
        case _:
            _log.error("request_failed", operation=operation, request_id=caller.request_id, exc_info=error)
            message = f"Longshore failed; its log has the cause under request id {caller.request_id}"
    return Fault(status=status, code=code, message=message)


def wrapped(text: str, request_id: str) -> str:
    """`text` in the envelope that AWS Batch puts around most of its validation failures."""
    return f"Error executing request, Exception : {text}, RequestId: {request_id}"
