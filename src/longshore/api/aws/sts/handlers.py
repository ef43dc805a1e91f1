"""The operations of AWS Security Token Service that are built."""

from longshore.api.aws.exchange import Handlers
from longshore.api.aws.sts.wire.requests import GetCallerIdentityRequest
from longshore.api.aws.sts.wire.responses import GetCallerIdentityResponse
from longshore.service.caller import Caller


async def get_caller_identity(caller: Caller, request: GetCallerIdentityRequest) -> GetCallerIdentityResponse:
    """Every caller is the account's root user, as long as requests are not verified."""
    return GetCallerIdentityResponse(
        user_id=caller.account_id, account=caller.account_id, arn=f"arn:aws:iam::{caller.account_id}:root"
    )


HANDLERS: Handlers = {"GetCallerIdentity": get_caller_identity}
