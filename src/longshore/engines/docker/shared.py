"""What parts of one attempt have in common at the engine: a network for its nodes, a holder for each, volumes."""

import asyncio
from collections.abc import Awaitable

from longshore.domain.ids import AttemptId
from longshore.engines.docker.connection import CallRefused, Connection
from longshore.engines.docker.holder import HOLDER_IMAGE, holder_archive
from longshore.engines.docker.parse import WHOLE_LABEL, Inspected, attempt_of
from longshore.engines.docker.render import Shared, shared_name
from longshore.ports.engine import EngineUnavailable


class SharedThings:
    """Makes them before the first part that needs them, and removes them after the last."""

    def __init__(self, connection: Connection, installation_id: str) -> None:
        self._connection = connection
        self._installation_id = installation_id
        self._making = asyncio.Lock()  # of two networks of one name that are made at once the engine may make both

    async def provide(self, shared: Shared) -> None:
        """All of it is there, and the holder runs.

        Raises:
            EngineUnavailable: the engine has no more networks; others will go.
            CallRefused: there can be no such holder.
        """
        async with self._making:
            if shared.network:
                try:
                    await self._connection.create_network(shared.network, shared.labels)
                except CallRefused as refusal:
                    raise EngineUnavailable(f"the engine makes no network: {refusal.message}") from refusal
            if shared.holder:
                await self._have_holder(shared)

    async def _have_holder(self, shared: Shared) -> None:
        try:
            await self._connection.create(shared.holder, shared.holder_body)
        except CallRefused as refusal:
            if refusal.status == 404 and HOLDER_IMAGE in refusal.message:
                await self._import_image()
                await self._connection.create(shared.holder, shared.holder_body)
            elif refusal.status != 409:
                raise
        if shared.holder_folders:
            await self._connection.put_folders(shared.holder, shared.holder_folders)
        await self._connection.start(shared.holder)

    async def _import_image(self) -> None:
        architecture = (await self._connection.info()).architecture
        archive = holder_archive(architecture)
        if archive is None:
            raise CallRefused(0, f"containers of one task cannot share a network on {architecture} processors")
        await self._connection.import_image(HOLDER_IMAGE, archive)

    async def address(self, part: Inspected) -> str:
        """At which other nodes reach this part while it runs; empty where nobody can tell."""
        if not part.joins:
            return part.address
        holder = await self._connection.inspect(part.joins)
        return "" if holder is None else holder.address

    async def remove(self, whole_id: AttemptId) -> None:
        """Nothing of it is left, but for what parts that are still there hold. Raises EngineUnavailable."""
        try:
            found = await self._connection.list(f"{WHOLE_LABEL}={whole_id}")
            if not any(attempt_of(each.labels, self._installation_id) for each in found):
                for each in found:
                    if any(name.startswith(f"/{self._name(whole_id)}") for name in each.names or ()):
                        await self._quietly(self._connection.remove(each.id))
            await self._quietly(self._connection.remove_network(self._name(whole_id)))
            for name in await self._connection.volumes(f"{WHOLE_LABEL}={whole_id}"):
                if name.startswith(self._name(whole_id)):
                    await self._quietly(self._connection.remove_volume(name))
        except CallRefused as refusal:
            raise EngineUnavailable(f"the engine cannot list what parts share now: {refusal.message}") from refusal

    def _name(self, whole_id: AttemptId) -> str:
        return shared_name(self._installation_id, whole_id)

    async def _quietly(self, removal: Awaitable[None]) -> None:
        try:
            await removal
        except CallRefused as refusal:
            if refusal.status not in (403, 404, 409):  # in use, not there, in use
                raise EngineUnavailable(f"the engine cannot remove it now: {refusal.message}") from refusal
