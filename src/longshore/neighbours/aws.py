"""Secrets Manager, Parameter Store and STS, or what speaks like them. Nothing that they say is logged or stored."""

import asyncio
import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, IncompleteReadError

from longshore.domain.secret import Keeper, SecretReference
from longshore.neighbours.config import AWS, NeighbourConfig
from longshore.ports.clock import Clock
from longshore.ports.neighbours import NeighbourRefused, NeighbourUnavailable, RoleCredentials

T = TypeVar("T")

#: calls in flight at once: each holds a thread
_CONCURRENCY = 8
#: credentials of execution roles are renewed so long before they expire
_RENEWED_BEFORE = timedelta(minutes=10)
#: what a role allows at least, and a chain of roles at most. Source: AWS STS API, AssumeRole
_SESSION_SECONDS = 3600
_MOST_CLIENTS = 64
_TIMES = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
#: Source: botocore, data/_retry.json
_PASSING = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
#: Objects take longer; what speaks like S3 may know neither host names for buckets nor checksums at the end of a body.
_OBJECTS = Config(
    connect_timeout=2,
    read_timeout=20,
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
_SERVICES = {Keeper.SECRETS_MANAGER: "secretsmanager", Keeper.PARAMETER_STORE: "ssm"}


class AwsNeighbours:
    """Implements `ports.neighbours.Neighbours`."""

    def __init__(self, config: NeighbourConfig, clock: Clock) -> None:
        self._endpoints: Mapping[str, str | None] = {
            "secretsmanager": config.secrets_endpoint,
            "ssm": config.ssm_endpoint,
            "sts": config.sts_endpoint,
            "s3": config.s3_endpoint,
        }
        self._clock = clock
        self._calls = asyncio.Semaphore(_CONCURRENCY)
        self._making = threading.Lock()
        self._clients: dict[tuple[str, str, str], tuple[RoleCredentials | None, Any]] = {}
        self._lent: dict[str, RoleCredentials] = {}
        self._session = botocore.session.Session()

    @property
    def lends_roles(self) -> bool:
        return self._endpoints["sts"] is not None

    async def fetch_secret(self, reference: SecretReference, *, region: str, role_arn: str | None) -> str:
        client = await self.client_as(_SERVICES[reference.keeper], role_arn, reference.region or region)
        if reference.keeper is Keeper.SECRETS_MANAGER:
            return await self._call(lambda: _ask_secrets_manager(client(), reference))
        return await self._call(lambda: _ask_parameter_store(client(), reference))

    async def client_as(self, service: str, role_arn: str | None, region: str) -> Callable[[], Any]:
        """What gives a client in the name of the role, or where there is none in ours, to a thread that has the time.

        Raises:
            NeighbourRefused, NeighbourUnavailable: there is no such service, or the role can't be had.
        """
        if self._endpoints[service] is None:
            setting = {"secretsmanager": "secrets"}.get(service, service)
            raise NeighbourRefused(f"the setting aws.{setting}_endpoint names no endpoint")
        role = await self._execution_role(role_arn, region) if role_arn and self.lends_roles else None
        return partial(self._client, service, region, role)

    async def assume_role(self, role_arn: str, *, session_name: str, region: str) -> RoleCredentials:
        if not self.lends_roles:
            raise NeighbourRefused("the setting aws.sts_endpoint names no endpoint")

        def ask() -> RoleCredentials:
            answer = self._client("sts", region, None).assume_role(
                RoleArn=role_arn, RoleSessionName=session_name, DurationSeconds=_SESSION_SECONDS
            )["Credentials"]
            return RoleCredentials(
                role_arn=role_arn,
                access_key_id=answer["AccessKeyId"],
                secret_access_key=answer["SecretAccessKey"],
                token=answer["SessionToken"],
                expires_at=answer["Expiration"].astimezone(UTC),
            )

        return await self._call(ask)

    async def _execution_role(self, role_arn: str, region: str) -> RoleCredentials:
        """Kept in memory while it lasts: thousands of children start with one role."""
        known = self._lent.get(role_arn)
        if known is None or _is_ending(known, self._clock.now()):
            known = await self.assume_role(role_arn, session_name="longshore-launch", region=region)
            now = self._clock.now()
            self._lent = {arn: lent for arn, lent in self._lent.items() if lent.expires_at > now} | {role_arn: known}
        return known

    async def _call(self, ask: Callable[[], T]) -> T:
        async with self._calls:
            with neighbour_errors():
                return await asyncio.to_thread(ask)

    def _client(self, service: str, region: str, role: RoleCredentials | None) -> Any:
        """Clients may be used by any thread, and take long to make. Those of past credentials go."""
        key = service, region, role.role_arn if role else ""
        with self._making:
            found = self._clients.get(key)
            if found is not None and (role is None or found[0] is role):
                return found[1]
            endpoint = self._endpoints[service]
            create = cast(Callable[..., Any], self._session.create_client)  # pyright: ignore[reportUnknownMemberType]
            client = create(
                service,
                region_name=region,
                endpoint_url=None if endpoint == AWS else endpoint,
                config=_OBJECTS if service == "s3" else _TIMES,
                aws_access_key_id=role.access_key_id if role else None,
                aws_secret_access_key=role.secret_access_key if role else None,
                aws_session_token=role.token if role else None,
            )
            self._clients[key] = role, client
            while len(self._clients) > _MOST_CLIENTS:
                del self._clients[next(iter(self._clients))]
            return client


@contextmanager
def neighbour_errors() -> Generator[None]:
    """Errors of botocore are those of the port in here."""
    try:
        yield
    except ClientError as refusal:
        answer = cast(Mapping[str, Mapping[str, object]], refusal.response)
        code, message = answer["Error"]["Code"], answer["Error"]["Message"]
        status = cast(int, answer["ResponseMetadata"]["HTTPStatusCode"])
        kind = NeighbourUnavailable if status >= 500 or code in _PASSING else NeighbourRefused
        raise kind(f"{code}: {message}") from refusal
    except (ConnectionError, HTTPClientError, IncompleteReadError) as problem:
        raise NeighbourUnavailable(str(problem)) from problem
    except BotoCoreError as problem:
        raise NeighbourRefused(str(problem)) from problem


def _is_ending(credentials: RoleCredentials, now: datetime) -> bool:
    return credentials.expires_at - now < _RENEWED_BEFORE


def _ask_secrets_manager(client: Any, reference: SecretReference) -> str:
    asked = {"SecretId": reference.id}
    if reference.version_stage:
        asked["VersionStage"] = reference.version_stage
    if reference.version_id:
        asked["VersionId"] = reference.version_id
    text = client.get_secret_value(**asked).get("SecretString")
    if not isinstance(text, str):
        raise NeighbourRefused("it is binary; only text can be a variable")
    if not reference.json_key:
        return text
    try:
        members: object = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict) or reference.json_key not in members:
        # The text of the secret must not get into the message.
        raise NeighbourRefused(f"retrieved secret from Secrets Manager did not contain json key {reference.json_key}")
    value = cast(dict[str, object], members)[reference.json_key]
    return value if isinstance(value, str) else json.dumps(value)


def _ask_parameter_store(client: Any, reference: SecretReference) -> str:
    answer = client.get_parameters(Names=[reference.id], WithDecryption=True)
    if not answer["Parameters"]:
        raise NeighbourRefused("invalid ssm parameters")
    return str(answer["Parameters"][0]["Value"])
