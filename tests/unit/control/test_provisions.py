"""What containers are given that others have, and what happens when they have it not."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from longshore.control.job_roles import JobRoles, LendingSettings
from longshore.control.ledger import OpenAttempt
from longshore.control.provisions import CannotProvide, Provider, needs_provision
from longshore.domain.container import (
    ContainerProperties,
    EfsAuthorization,
    EfsVolume,
    HostVolume,
    LogConfiguration,
    RepositoryCredentials,
    S3FilesVolume,
    Secret,
    Volume,
)
from longshore.domain.ids import AttemptId
from longshore.domain.secret import SecretReference
from longshore.ports.neighbours import (
    CredentialsDenied,
    NeighbourRefused,
    NeighbourUnavailable,
    RoleCredentials,
)
from longshore.testing.builders import a_job, a_job_spec
from longshore.testing.clock import VirtualClock
from tests.unit.control.openings import an_open_attempt

pytestmark = pytest.mark.anyio

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:it-AbCdEf"
ROLE = "arn:aws:iam::123456789012:role/job"
KEY = bytes(32)


class Neighbours:
    """Knows what it is told to know; is away as often as it is told to be."""

    lends_roles = True

    def __init__(self, clock: VirtualClock, **secrets: str) -> None:
        self.clock = clock
        self.secrets = secrets
        self.away = 0
        self.refuses = False
        self.asked: list[tuple[str, str, str | None]] = []
        self.lent = 0

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise NeighbourUnavailable("nobody there")
        if self.refuses:
            raise NeighbourRefused("AccessDenied: no")

    async def fetch_secret(self, reference: SecretReference, *, region: str, role_arn: str | None) -> str:
        self.asked.append((reference.id, reference.region or region, role_arn))
        self._answer()
        return self.secrets[reference.id.rpartition(":")[2].partition("-")[0]]

    async def assume_role(self, role_arn: str, *, session_name: str, region: str) -> RoleCredentials:
        self._answer()
        self.lent += 1
        return RoleCredentials(
            role_arn=role_arn,
            access_key_id=f"key{self.lent}",
            secret_access_key="hidden",
            token="hidden",
            expires_at=self.clock.now() + timedelta(hours=1),
        )


def an_entry(**container: Any) -> OpenAttempt:
    properties = ContainerProperties(image="busybox", command=("true",), **container)
    return an_open_attempt(a_job(replace(a_job_spec(), container=properties)))


def roles(them: Neighbours, *entries: OpenAttempt) -> JobRoles:
    known = {entry.attempt.attempt_id: entry for entry in entries}
    settings = LendingSettings(key=KEY, urls={entry.engine: "http://127.0.0.1:1/" for entry in entries})
    return JobRoles(them, settings, them.clock, known.get)


async def refusal(provider: Provider, entry: OpenAttempt) -> str:
    with pytest.raises(CannotProvide) as refused:
        await provider.provide(entry, pulls_images=True)
    return str(refused.value)


async def test_secrets_are_variables() -> None:
    """Fetched as the execution role, in the region of the secret or else of the job; and not shown."""
    clock = VirtualClock()
    them = Neighbours(clock, it="hush", plain="secret")
    secrets = (Secret(name="IT", value_from=ARN), Secret(name="PLAIN", value_from="plain"))
    entry = an_entry(secrets=secrets, execution_role_arn=ROLE)
    assert needs_provision(entry)
    given = await Provider(neighbours=them, clock=clock).provide(entry, pulls_images=True)
    assert given.environment == {"IT": "hush", "PLAIN": "secret"}
    assert them.asked == [(ARN, "eu-west-1", ROLE), ("plain", "us-east-1", ROLE)]
    assert "hush" not in repr(given)


async def test_a_neighbour_that_is_away_for_a_moment() -> None:
    """It is asked again, for a bounded time."""
    clock = VirtualClock()
    them = Neighbours(clock, it="hush")
    provider = Provider(neighbours=them, clock=clock, patience_seconds=5)
    entry = an_entry(secrets=(Secret(name="IT", value_from=ARN),))
    them.away = 3
    providing = asyncio.create_task(provider.provide(entry, pulls_images=True))
    await clock.advance(4)
    assert (await providing).environment == {"IT": "hush"}
    them.away = 1000
    refusing = asyncio.create_task(refusal(provider, entry))
    await clock.advance(6)
    assert (await refusing).endswith("unable to retrieve secret from asm: it-AbCdEf: nobody there")


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (ARN, "execution resource retrieval failed: unable to retrieve secret from asm: it-AbCdEf: AccessDenied: no"),
        ("p", "execution resource retrieval failed: unable to retrieve secrets from ssm: p: AccessDenied: no"),
        (f"{ARN}:key", f"invalid valueFrom {ARN}:key"),
    ],
)
async def test_a_secret_that_can_not_be_had(secret: str, reason: str) -> None:
    """AWS's text, and the neighbour's behind it; also for the secrets of a log driver."""
    clock = VirtualClock()
    them = Neighbours(clock)
    them.refuses = True
    provider = Provider(neighbours=them, clock=clock)
    text = f"ResourceInitializationError: unable to pull secrets or registry auth: {reason}"
    given = (Secret(name="S", value_from=secret),)
    assert await refusal(provider, an_entry(secrets=given)) == text
    logging = LogConfiguration(log_driver="awslogs", secret_options=given)
    assert await refusal(provider, an_entry(log_configuration=logging)) == text


async def test_nobody_to_ask() -> None:
    """A server without settings resolves nothing, and says so; a role is no obstacle there."""
    provider = Provider(clock=VirtualClock())
    assert "name no endpoint" in await refusal(provider, an_entry(secrets=(Secret(name="S", value_from="p"),)))
    assert (await provider.provide(an_entry(job_role_arn=ROLE), pulls_images=True)).environment == {}


async def test_the_way_into_a_registry() -> None:
    """User and password from a secret; nothing of it is in the reason when it has neither."""
    clock = VirtualClock()
    them = Neighbours(clock, registry=json.dumps({"username": "u", "password": "hush"}))
    provider = Provider(neighbours=them, clock=clock)
    entry = an_entry(repository_credentials=RepositoryCredentials(credentials_parameter="registry"))
    login = (await provider.provide(entry, pulls_images=True)).registry
    assert login is not None
    assert (login.username, login.password) == ("u", "hush")
    assert "hush" not in repr(login)
    assert (await provider.provide(entry, pulls_images=False)).registry is None
    them.secrets["registry"] = '"hush"'
    assert "hush" not in await refusal(provider, entry)


async def test_credentials_are_lent_and_renewed() -> None:
    """To the holder of the token while the attempt is open; new ones before SDKs ask for them."""
    clock = VirtualClock()
    them = Neighbours(clock)
    entry = an_entry(job_role_arn=ROLE)
    desk = roles(them, entry)
    attempt_id = entry.attempt.attempt_id
    variables = await desk.variables(entry)
    assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == f"http://127.0.0.1:1/{attempt_id}"
    token = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
    assert (await desk.credentials(attempt_id, token)).access_key_id == "key1"
    await clock.advance(41 * 60)
    assert (await desk.credentials(attempt_id, token)).access_key_id == "key2"
    await clock.advance(41 * 60)
    them.away = 1
    assert (await desk.credentials(attempt_id, token)).access_key_id == "key2"
    await clock.advance(20 * 60)
    them.away = 1
    with pytest.raises(NeighbourUnavailable):
        await desk.credentials(attempt_id, token)
    with pytest.raises(CredentialsDenied):
        await desk.credentials(attempt_id, "ü")
    with pytest.raises(CredentialsDenied):
        await roles(them).credentials(attempt_id, token)


async def test_tokens_are_the_same_after_a_restart_and_differ_between_attempts() -> None:
    clock = VirtualClock()
    entry = an_entry(job_role_arn=ROLE)
    other = replace(entry, attempt=replace(entry.attempt, attempt_id=AttemptId("f" * 32)))
    name = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
    tokens = [(await roles(Neighbours(clock), each).variables(each))[name] for each in (entry, entry, other)]
    assert tokens[0] == tokens[1] != tokens[2]


async def test_a_role_that_can_not_be_assumed() -> None:
    clock = VirtualClock()
    them = Neighbours(clock)
    them.refuses = True
    entry = an_entry(job_role_arn=ROLE)
    provider = Provider(neighbours=them, roles=roles(them, entry), clock=clock)
    assert (await refusal(provider, entry)).startswith(f"ECS was unable to assume the role '{ROLE}'")


async def test_network_volumes_are_folders(tmp_path: Path) -> None:
    """The folder of the file system, and below it; nothing outside."""
    (tmp_path / "fs" / "data").mkdir(parents=True)
    (tmp_path / "fs" / "out").symlink_to("/")
    provider = Provider(file_systems={"fs-1": tmp_path / "fs"}, clock=VirtualClock())

    def entry(root: str | None, file_system: str = "fs-1", point: str | None = None) -> OpenAttempt:
        access = None if point is None else EfsAuthorization(access_point_id=point)
        efs = EfsVolume(file_system_id=file_system, root_directory=root, authorization_config=access)
        return an_entry(volumes=(Volume(name="v", efs_volume_configuration=efs),))

    for root, folder in ((None, "fs"), ("/", "fs"), ("data", "fs/data"), ("/../data/", "fs/data")):
        [volume] = (await provider.provide(entry(root), pulls_images=True)).settings.volumes
        assert volume.efs_volume_configuration is None
        assert volume.host is not None
        assert volume.host.source_path == str(tmp_path / folder)
    failed = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
    assert await refusal(provider, entry("/out")) == f"{failed}/out leads out of the file system"
    assert (await refusal(provider, entry("/nope"))).endswith("No such file or directory")
    assert (await refusal(provider, entry(None, "fs-2"))).startswith(f'{failed}Failed to resolve "fs-2"')
    assert (await refusal(provider, entry(None, point="fsap-1"))).startswith(f"{failed}the access point fsap-1")


async def test_s3_files_volumes_are_folders_of_this_machine(tmp_path: Path) -> None:
    """By the last part of the ARN of the file system, or of the access point."""
    (tmp_path / "fs" / "data").mkdir(parents=True)
    (tmp_path / "point").mkdir()
    folders = {"fs-1": tmp_path / "fs", "fsap-1": tmp_path / "point"}
    provider = Provider(file_systems=folders, clock=VirtualClock())
    arn = "arn:aws:s3files:us-east-1:000000000000:file-system/fs-1"

    def entry(file_system_arn: str, **members: str) -> OpenAttempt:
        s3files = S3FilesVolume(file_system_arn=file_system_arn, **members)  # pyright: ignore[reportArgumentType]
        return an_entry(volumes=(Volume(name="v", s3files_volume_configuration=s3files),))

    for members, folder in (
        ({}, "fs"),
        ({"root_directory": "data"}, "fs/data"),
        ({"access_point_arn": f"{arn}/access-point/fsap-1"}, "point"),
    ):
        found = (await provider.provide(entry(arn, **members), pulls_images=True)).settings.volumes
        assert found == (Volume(name="v", host=HostVolume(source_path=str(tmp_path / folder))),)
    assert 'Failed to resolve "fs-2"' in await refusal(provider, entry(arn.replace("fs-1", "fs-2")))


def test_what_needs_nothing_waits_for_nothing() -> None:
    assert not needs_provision(an_entry())
