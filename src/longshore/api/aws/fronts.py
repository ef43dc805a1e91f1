"""The services of the AWS side, by the name that signatures give them."""

from collections.abc import Mapping

from longshore.api.aws.batch.wire.operations import OPERATIONS as BATCH
from longshore.api.aws.exchange import Front, Handlers
from longshore.api.aws.faults import BATCH_FAULTS, LOGS_FAULTS, STS_FAULTS
from longshore.api.aws.logs.wire.operations import OPERATIONS as LOGS
from longshore.api.aws.protocols.json_target import JsonTargetFront
from longshore.api.aws.protocols.query import QueryFront
from longshore.api.aws.protocols.rest_json import RestJsonFront
from longshore.api.aws.sts.handlers import build_handlers as build_sts_handlers
from longshore.api.aws.sts.wire.operations import OPERATIONS as STS

#: `X-Amz-Target` up to the point, and the service that it means.
TARGETS: Mapping[str, str] = {"Logs_20140328": "logs"}

#: Operations, by `X-Amz-Target`, that AWS takes longer bodies for than our limit for all. A put of log events holds
#: 1,048,576 bytes of UTF-8 and 10,000 events; a byte is up to six as JSON (`\\u0000`), and each event has its frame.
LARGE_BODIES: Mapping[bytes, int] = {b"Logs_20140328.PutLogEvents": 8 * 2**20}


def build_fronts(*, batch: Handlers, logs: Handlers, sts: Handlers | None = None) -> Mapping[str, Front]:
    """The fronts over these handlers, by service.

    Raises:
        ValueError: a handler is for an operation that its service does not have.
    """
    return {
        "batch": RestJsonFront("AWS Batch", BATCH, batch, BATCH_FAULTS),
        "logs": JsonTargetFront("Logs_20140328", LOGS, logs, LOGS_FAULTS),
        "sts": QueryFront("https://sts.amazonaws.com/doc/2011-06-15/", STS, sts or build_sts_handlers(), STS_FAULTS),
    }
