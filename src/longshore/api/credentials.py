"""Where the SDKs in jobs fetch the credentials of job roles; who may have them is decided by a token.

Source: AWS SDKs and tools reference guide, container credential provider.
"""

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longshore.ports.neighbours import (
    CredentialsDenied,
    CredentialsDesk,
    NeighbourRefused,
    NeighbourUnavailable,
    RoleCredentials,
)

#: The attempt's id comes behind it.
CREDENTIALS_PATH = "/longshore/credentials/"


class _Lent(msgspec.Struct, rename="pascal"):
    role_arn: str
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: str


class _Problem(msgspec.Struct):
    code: str
    message: str


def credentials_app(desk: CredentialsDesk) -> Starlette:
    """The application: one route, which containers may reach."""

    async def lend(request: Request) -> Response:
        token = request.headers.get("authorization", "")
        try:
            return _answer(200, _render(await desk.credentials(request.path_params["attempt_id"], token)))
        except CredentialsDenied as denied:
            return _answer(403, _Problem(code="AccessDenied", message=str(denied)))
        except NeighbourRefused as refused:
            return _answer(400, _Problem(code="CannotAssumeRole", message=str(refused)))
        except NeighbourUnavailable as away:
            return _answer(503, _Problem(code="ServiceUnavailable", message=str(away)))

    return Starlette(routes=[Route(f"{CREDENTIALS_PATH}{{attempt_id}}", lend, methods=["GET"])])


def _render(lent: RoleCredentials) -> _Lent:
    return _Lent(
        role_arn=lent.role_arn,
        access_key_id=lent.access_key_id,
        secret_access_key=lent.secret_access_key,
        token=lent.token,
        expiration=lent.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _answer(status: int, document: msgspec.Struct) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(document), status, headers=headers, media_type="application/json")
