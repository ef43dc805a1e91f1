"""The operations of AWS Security Token Service that are built."""

from collections.abc import Mapping
from datetime import timedelta

from longshore.api.aws.exchange import Handler, Handlers
from longshore.api.aws.sts.wire.requests import GetCallerIdentityRequest, GetSessionTokenRequest
from longshore.api.aws.sts.wire.responses import GetCallerIdentityResponse, GetSessionTokenResponse
from longshore.api.aws.sts.wire.structures import Credentials
from longshore.domain.errors import AccessDenied, InvalidRequest
from longshore.service.caller import Caller
from longshore.service.credentials import CredentialDesk

#: Source: AWS Security Token Service API, GetSessionToken: 12 hours.
_SESSION_SECONDS = 43_200


async def get_caller_identity(caller: Caller, request: GetCallerIdentityRequest) -> GetCallerIdentityResponse:
    """The key's user; as long as requests are not verified, every caller is the account's root user."""
    principal = caller.principal
    return GetCallerIdentityResponse(
        user_id=principal.key_id if principal else caller.account_id,
        account=caller.account_id,
        arn=principal.arn if principal else f"arn:aws:iam::{caller.account_id}:root",
    )


def build_handlers(credentials: CredentialDesk | None = None) -> Handlers:
    """Handlers over `credentials`; without, there are none to lend."""

    async def get_session_token(caller: Caller, request: GetSessionTokenRequest) -> GetSessionTokenResponse:
        if credentials is None or caller.principal is None:
            raise AccessDenied("Sessions are lent where requests are verified: start the server with --auth sigv4")
        if request.serial_number is not None or request.token_code is not None:
            raise InvalidRequest("MultiFactorAuthentication is not known here: leave SerialNumber and TokenCode out")
        duration = timedelta(seconds=request.duration_seconds or _SESSION_SECONDS)
        session = await credentials.lend(caller.principal, duration)
        return GetSessionTokenResponse(
            credentials=Credentials(
                access_key_id=session.key_id,
                secret_access_key=session.secret,
                session_token=session.token,
                expiration=session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        )

    handlers: Mapping[str, Handler] = {
        "GetCallerIdentity": get_caller_identity,
        "GetSessionToken": get_session_token,
    }
    return handlers
