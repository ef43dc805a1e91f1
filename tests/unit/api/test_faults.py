"""Errors of ours and the errors that clients are told."""

import pytest
from structlog.testing import capture_logs

from longshore.api.aws.faults import BATCH_FAULTS, LOGS_FAULTS, STS_FAULTS, MalformedRequest, UnknownOperation, fault_of
from longshore.domain.errors import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    InvalidTransition,
    NotFound,
    StoreUnavailable,
)
from longshore.service.caller import Caller

CALLER = Caller(account_id="000000000000", region="us-east-1", request_id="an-id")


@pytest.mark.parametrize(
    ("error", "batch", "logs", "sts"),
    [
        (InvalidRequest("m"), (400, "ClientException"), (400, "InvalidParameterException"), (400, "ValidationError")),
        (NotFound("m"), (400, "ClientException"), (400, "ResourceNotFoundException"), (400, "ValidationError")),
        (
            AlreadyExists("m"),
            (400, "ClientException"),
            (400, "ResourceAlreadyExistsException"),
            (400, "ValidationError"),
        ),
        (Conflict("m"), (400, "ClientException"), (400, "OperationAbortedException"), (400, "ValidationError")),
        (MalformedRequest("m"), (400, "ClientException"), (400, "SerializationException"), (400, "ValidationError")),
        (UnknownOperation("m"), (400, "ClientException"), (400, "UnknownOperationException"), (400, "InvalidAction")),
        (
            StoreUnavailable("m"),
            (500, "ServerException"),
            (500, "ServiceUnavailableException"),
            (500, "InternalFailure"),
        ),
    ],
)
def test_each_error_has_its_name_in_each_service(
    error: Exception, batch: tuple[int, str], logs: tuple[int, str], sts: tuple[int, str]
) -> None:
    for table, expected in ((BATCH_FAULTS, batch), (LOGS_FAULTS, logs), (STS_FAULTS, sts)):
        fault = fault_of(error, table, caller=CALLER, operation="SubmitJob")
        assert (fault.status, fault.code) == expected
        assert fault.message == "m"


def test_a_wrapped_text_carries_the_request_id() -> None:
    fault = fault_of(InvalidRequest("bad", wrapped=True), BATCH_FAULTS, caller=CALLER, operation="SubmitJob")
    assert fault.message == "Error executing request, Exception : bad, RequestId: an-id"


def test_only_batch_wraps() -> None:
    fault = fault_of(InvalidRequest("bad", wrapped=True), LOGS_FAULTS, caller=CALLER, operation="PutLogEvents")
    assert (fault.code, fault.message) == ("InvalidParameterException", "bad")


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), InvalidTransition("secret")])
def test_a_bug_is_logged_with_its_cause_and_not_told(error: Exception) -> None:
    with capture_logs() as logged:
        fault = fault_of(error, BATCH_FAULTS, caller=CALLER, operation="SubmitJob")
    assert (fault.status, fault.code) == (500, "ServerException")
    assert "an-id" in fault.message
    assert "secret" not in fault.message
    assert logged == [
        {
            "event": "request_failed",
            "log_level": "error",
            "operation": "SubmitJob",
            "request_id": "an-id",
            "exc_info": error,
        }
    ]


def test_a_store_that_is_full_is_told_and_noted() -> None:
    with capture_logs() as logged:
        fault_of(StoreUnavailable("the disk is full"), BATCH_FAULTS, caller=CALLER, operation="SubmitJob")
    assert [(entry["event"], entry["reason"]) for entry in logged] == [("request_not_stored", "the disk is full")]
