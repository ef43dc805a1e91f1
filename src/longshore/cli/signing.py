"""Signing what commands ask, for servers that verify requests."""

from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.session import Session

from longshore.cli.errors import Failure

#: The service that signatures for Longshore's own API are made for.
_SERVICE = "longshore"
_ANY_REGION = "us-east-1"


class Signer:
    """Signs with the credentials that the AWS tools would use: of the environment, or of a profile."""

    def __init__(self) -> None:
        """Raises Failure when there are none."""
        session: Any = Session()
        try:
            # No role of the machine: asking for one takes seconds where there is none, and it is none of Longshore's.
            session.get_component("credential_provider").remove("iam-role")
            credentials = session.get_credentials()
            region = session.get_config_variable("region")
        except BotoCoreError as problem:
            raise Failure(f"the credentials cannot be read: {problem}") from problem
        if credentials is None:
            raise Failure(
                "the server wants signed requests: give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of a key made by"
                " `longshore keys create`, or a profile with them, or ask it through its Unix socket"
            )
        self._signer: Any = SigV4Auth(credentials.get_frozen_credentials(), _SERVICE, region or _ANY_REGION)

    def sign(self, url: str, headers: Mapping[str, str], body: bytes | None = None) -> dict[str, str]:
        """The headers of a GET of `url`, or of a POST of a body to it, signed."""
        request: Any = AWSRequest(
            method="GET" if body is None else "POST", url=url, headers=dict(headers), data=body or b""
        )
        self._signer.add_auth(request)
        return dict(request.headers)
