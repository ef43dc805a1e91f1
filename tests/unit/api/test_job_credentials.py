"""The door for jobs that ask for the credentials of their role."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from starlette.applications import Starlette

from longshore.api.aws.signature import SignedRequest
from longshore.api.credentials import credentials_app
from longshore.api.http import FrontDoor
from longshore.api.limits import DoorSettings
from longshore.ports.neighbours import CredentialsDenied, NeighbourRefused, NeighbourUnavailable, RoleCredentials
from longshore.service.caller import Principal

pytestmark = pytest.mark.anyio

LENT = RoleCredentials(
    role_arn="arn:aws:iam::123456789012:role/job",
    access_key_id="ASIA",
    secret_access_key="hush",
    token="session",
    expires_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


class Desk:
    """Lends, or fails as it is told to."""

    def __init__(self, problem: Exception | None) -> None:
        self._problem = problem

    async def credentials(self, attempt_id: str, token: str) -> RoleCredentials:
        assert (attempt_id, token) == ("a1", "t0")
        if self._problem:
            raise self._problem
        return LENT


class Nobody:
    """Knows no signature."""

    async def check(self, request: SignedRequest) -> Callable[[bytes], Awaitable[Principal]]:
        raise AssertionError("jobs do not sign this")

    async def verify_scraper(self, authorization: bytes) -> None:
        raise AssertionError("not here")


async def ask(desk: Desk, **headers: str) -> httpx.Response:
    """As an SDK does, at a server that verifies signatures."""
    door = FrontDoor(
        DoorSettings(), fronts={}, native=Starlette(), verifier=Nobody(), job_credentials=credentials_app(desk)
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=door), base_url="http://127.0.0.1:1") as client:
        return await client.get("/longshore/credentials/a1", headers={"Authorization": "t0", **headers})


async def test_credentials_in_the_form_of_the_contract() -> None:
    """Without a signature; not to be kept by anybody on the way."""
    answer = await ask(Desk(None))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "RoleArn": "arn:aws:iam::123456789012:role/job",
        "AccessKeyId": "ASIA",
        "SecretAccessKey": "hush",
        "Token": "session",
        "Expiration": "2026-01-02T03:04:05Z",
    }


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (CredentialsDenied("no"), 403),
        (NeighbourRefused("no"), 400),
        (NeighbourUnavailable("no"), 503),
    ],
)
async def test_no_credentials(problem: Exception, status: int) -> None:
    answer = await ask(Desk(problem))
    assert (answer.status_code, answer.json()["message"]) == (status, "no")


async def test_web_pages_get_none() -> None:
    assert (await ask(Desk(None), Origin="http://example.org")).status_code == 403
