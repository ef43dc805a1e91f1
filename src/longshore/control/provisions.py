"""What a container is given that others have: values of secrets, its role, volumes, data, a way into a registry.

All of it is fetched just before the launch, held in memory until the engine has it, and fetched again for a launch that
is repeated; the store and the logs see references only.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from longshore.control.job_roles import JobRoles
from longshore.control.ledger import OpenAttempt
from longshore.control.network_volumes import UnknownFileSystem, on_this_machine
from longshore.control.patience import persist
from longshore.control.staging import CannotStage, TrainingSite
from longshore.domain.container import ContainerSettings
from longshore.domain.ids import AttemptId
from longshore.domain.secret import Keeper, SecretReference, parse_secret
from longshore.ports.clock import Clock
from longshore.ports.engine import GivenFolder, RegistryLogin
from longshore.ports.neighbours import NeighbourRefused, Neighbours, NeighbourUnavailable

T = TypeVar("T")

_NO_NEIGHBOURS = "the settings aws.* name no endpoint to ask"


class CannotProvide(Exception):
    """The container must not be started; the text is AWS's reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What one container is given."""

    #: values of secrets, and where the credentials of its role are
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    #: with network volumes as folders of this machine
    settings: ContainerSettings
    folders: tuple[GivenFolder, ...] = ()
    #: empty: as the engine names it
    host_name: str = ""
    registry: RegistryLogin | None = None


class Provider:
    """Fetches what containers need."""

    def __init__(
        self,
        *,
        neighbours: Neighbours | None = None,
        roles: JobRoles | None = None,
        file_systems: Mapping[str, Path] | None = None,
        trainings: TrainingSite | None = None,
        clock: Clock,
        patience_seconds: float = 30.0,
    ) -> None:
        """`patience_seconds`: how long a neighbour that is away is asked again."""
        self.trainings = trainings
        self._neighbours = neighbours
        self._roles = roles
        self._file_systems = file_systems or {}
        self._clock = clock
        self._patience_seconds = patience_seconds

    async def provide(self, entry: OpenAttempt, *, pulls_images: bool) -> Provision:
        """What the container of the attempt needs on an engine that pulls images or not. Raises CannotProvide."""
        properties = entry.container.properties
        try:
            settings = on_this_machine(properties, self._file_systems)
        except UnknownFileSystem as unknown:
            raise CannotProvide(str(unknown)) from unknown
        environment: dict[str, str] = {}
        for secret in properties.secrets:
            environment[secret.name] = await self._value(entry, secret.value_from)
        options = properties.log_configuration.secret_options if properties.log_configuration else ()
        for option in options:
            await self._value(entry, option.value_from)
        registry = await self._registry(entry) if pulls_images else None
        environment |= await self._role(entry)
        if entry.job.spec.training is None:
            return Provision(environment=environment, settings=settings, registry=registry)
        if self.trainings is None:
            raise CannotProvide("there is no place for trainings here")
        try:
            staged = await self.trainings.stage(entry, in_container=pulls_images, persistently=self._persistently)
        except CannotStage as problem:
            raise CannotProvide(str(problem)) from problem
        return Provision(
            environment={**environment, **staged.environment},
            settings=settings,
            folders=staged.folders,
            host_name=staged.host_name,
            registry=registry,
        )

    async def _value(self, entry: OpenAttempt, value_from: str) -> str:
        reference = parse_secret(value_from)
        if reference is None:
            raise CannotProvide(_cannot_pull(f"invalid valueFrom {value_from}"))
        return await self._fetch(entry, reference)

    async def _fetch(self, entry: OpenAttempt, reference: SecretReference) -> str:
        neighbours = self._neighbours
        if neighbours is None:
            raise CannotProvide(_cannot_pull(_unable(reference, _NO_NEIGHBOURS)))
        region, role_arn = entry.job.spec.scope.region, entry.container.properties.execution_role_arn
        try:
            value = await self._persistently(
                lambda: neighbours.fetch_secret(reference, region=region, role_arn=role_arn)
            )
        except (NeighbourRefused, NeighbourUnavailable) as problem:
            raise CannotProvide(_cannot_pull(_unable(reference, str(problem)))) from problem
        if "\0" in value:
            raise CannotProvide(_cannot_pull(_unable(reference, "no variable can hold a character with code 0")))
        return value

    async def _registry(self, entry: OpenAttempt) -> RegistryLogin | None:
        given = entry.container.properties.repository_credentials
        if given is None:
            return None
        name = given.credentials_parameter
        reference = parse_secret(name) if name.startswith("arn:") else None
        value = await self._fetch(entry, reference or SecretReference(keeper=Keeper.SECRETS_MANAGER, id=name))
        try:
            members = json.loads(value)
            return RegistryLogin(username=str(members["username"]), password=str(members["password"]))
        except (ValueError, KeyError, TypeError):
            # The error quotes the secret.
            raise CannotProvide(_cannot_pull(f"{name} is no JSON object with username and password")) from None

    async def _role(self, entry: OpenAttempt) -> Mapping[str, str]:
        roles, role_arn = self._roles, entry.container.properties.job_role_arn
        if roles is None or not role_arn:
            return {}
        try:
            return await self._persistently(lambda: roles.variables(entry))
        except (NeighbourRefused, NeighbourUnavailable) as problem:
            raise CannotProvide(
                f"ECS was unable to assume the role '{role_arn}' that was provided for this task. Please verify that "
                f"the role being passed has the proper trust relationship and permissions: {problem}"
            ) from problem

    async def _persistently(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await persist(ask, self._clock, lambda: self._patience_seconds)


def needs_provision(entry: OpenAttempt) -> bool:
    """Whether anything must be fetched or found before the launch."""
    properties = entry.container.properties
    logging = properties.log_configuration
    return bool(
        entry.job.spec.training is not None
        or properties.secrets
        or properties.repository_credentials
        or properties.job_role_arn
        or (logging and logging.secret_options)
        or any(volume.efs_volume_configuration or volume.s3files_volume_configuration for volume in properties.volumes)
    )


def _cannot_pull(what: str) -> str:
    # Source: Amazon ECS developer guide, stopped tasks error messages.
    return f"ResourceInitializationError: unable to pull secrets or registry auth: {what}"


def _unable(reference: SecretReference, why: str) -> str:
    # Reasons are 255 characters long at most: a whole ARN would take the place of the cause.
    secret = "secrets" if reference.keeper is Keeper.PARAMETER_STORE else "secret"
    name = reference.id.rpartition(":")[2]
    return f"execution resource retrieval failed: unable to retrieve {secret} from {reference.keeper}: {name}: {why}"


class Provisions:
    """The provisions that are on their way. None is kept once it was taken."""

    def __init__(self, provider: Provider, ready: Callable[[OpenAttempt], None], *, pulls_images: bool) -> None:
        """`ready` is told of each attempt that can go on."""
        self._provide = partial(provider.provide, pulls_images=pulls_images)
        self._ready = ready
        self._tasks: dict[AttemptId, asyncio.Task[Provision]] = {}

    def take(self, entry: OpenAttempt) -> Provision | None:
        """What its container is given; None: it is being fetched. Raises CannotProvide."""
        if not needs_provision(entry):
            return Provision(settings=entry.container.properties)
        attempt_id = entry.attempt.attempt_id
        task = self._tasks.get(attempt_id)
        if task is None:
            task = asyncio.create_task(self._provide(entry), name=f"provide {attempt_id}")
            self._tasks[attempt_id] = task
            task.add_done_callback(lambda done: self._tell(done, entry))
        if not task.done():
            return None
        del self._tasks[attempt_id]
        return task.result()

    def _tell(self, task: asyncio.Task[Provision], entry: OpenAttempt) -> None:
        if self._tasks.get(entry.attempt.attempt_id) is task:
            self._ready(entry)
        elif not task.cancelled():
            task.exception()  # nobody asks for it any more

    def drop(self, attempt_id: AttemptId) -> None:
        """It is not needed any more."""
        task = self._tasks.pop(attempt_id, None)
        if task is None:
            return
        if task.done():
            task.exception()
        else:
            task.cancel()

    async def close(self) -> None:
        """Drop all."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
