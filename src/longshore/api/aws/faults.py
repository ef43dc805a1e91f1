"""How errors of ours become errors that AWS clients parse. Every service has its table here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from longshore.domain.errors import (
    AccessDenied,
    AlreadyExists,
    Conflict,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    RequestRefused,
    StoreUnavailable,
)
from longshore.service.caller import Caller
from longshore.service.credentials import ExpiredSession, UnknownKey

_log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)


class MalformedRequest(InvalidRequest):
    """An error occurred during JSON parsing"""


class UnknownOperation(InvalidRequest):
    """There is no such operation."""


class MissingSignature(NotAuthenticated):
    """Missing Authentication Token"""


class IncompleteSignature(NotAuthenticated):
    """The request signature does not conform to AWS standards."""


class WrongSignature(NotAuthenticated):
    """The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
and signing method. Consult the service documentation for details."""


class ExpiredRequest(NotAuthenticated):
    """Request has expired"""


class SignAnew(NotAuthenticated):
    """It is not known whether this request was carried out before: sign it anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error on its way to the caller."""

    status: int
    code: str
    message: str


#: Error class to status and name. The nearest class in an error's ancestry counts; each table ends in `Exception`.
FaultTable: TypeAlias = Mapping[type[Exception], tuple[int, str]]


def _refused_signatures(status: int) -> FaultTable:
    """Source: AWS Batch API and Amazon CloudWatch Logs API, common errors; the services differ in the status."""
    return {
        MissingSignature: (status, "MissingAuthenticationTokenException"),
        IncompleteSignature: (status, "IncompleteSignatureException"),
        UnknownKey: (status, "UnrecognizedClientException"),
        WrongSignature: (status, "InvalidSignatureException"),
        ExpiredSession: (status, "ExpiredTokenException"),
        ExpiredRequest: (400, "RequestExpired"),
        SignAnew: (503, "ServiceUnavailableException"),
        AccessDenied: (status, "AccessDeniedException"),
    }


#: Source: AWS Batch API, common errors: whatever the caller did wrong is a ClientException.
BATCH_FAULTS: FaultTable = {
    **_refused_signatures(403),
    RequestRefused: (400, "ClientException"),
    Exception: (500, "ServerException"),
}

#: Source: Amazon CloudWatch Logs API, errors of its operations; AWS JSON 1.1 protocol for the first two.
LOGS_FAULTS: FaultTable = {
    **_refused_signatures(400),
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
    MissingSignature: (403, "MissingAuthenticationToken"),
    IncompleteSignature: (400, "IncompleteSignature"),
    UnknownKey: (403, "InvalidClientTokenId"),
    WrongSignature: (403, "SignatureDoesNotMatch"),
    ExpiredSession: (403, "ExpiredToken"),
    ExpiredRequest: (400, "RequestExpired"),
    SignAnew: (503, "ServiceUnavailable"),
    AccessDenied: (403, "AccessDenied"),
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
