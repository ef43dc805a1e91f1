"""A front door that verifies signatures, with keys, on the real clock moved by as much as a test wants."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from longshore.api.aws.authentication import Authenticator
from longshore.api.limits import DoorSettings
from longshore.sealing import FileSealer
from longshore.service.credentials import CredentialDesk, Session
from longshore.service.keys import NewKey, create_key, delete_key, switch_key
from longshore.store.sqlite import InlineStore
from longshore.system_clock import SystemClock
from tests.api.front_door.conftest import Desk, Door, open_door

SERVERS_ACCOUNT = "999900001111"


class MovedClock(SystemClock):
    """The system's clock, but for its offset."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return super().now() + self.offset

    def boot_seconds(self) -> float:
        return super().boot_seconds() + self.offset.total_seconds()


class SignedDoor:
    """The door and its keys."""

    def __init__(
        self, door: Door, store: InlineStore, sealer: FileSealer, clock: MovedClock, credentials: CredentialDesk
    ) -> None:
        self.door = door
        self.clock = clock
        self._credentials = credentials
        self._store = store
        self._sealer = sealer

    def make(self, *actions: str, account_id: str | None = None, name: str | None = None) -> NewKey:
        return asyncio.run(
            create_key(self._store, self._sealer, self.clock, name=name, account_id=account_id, actions=actions)
        )

    def switch(self, key: NewKey, *, is_enabled: bool) -> None:
        asyncio.run(switch_key(self._store, key.access_key_id, is_enabled=is_enabled))

    def delete(self, key: NewKey) -> None:
        asyncio.run(delete_key(self._store, key.access_key_id))

    def lend(self, key: NewKey, *, seconds: int) -> Session:
        """A session that ends so long from now."""
        principal = asyncio.run(self._credentials.find(key.access_key_id, None)).principal
        return asyncio.run(self._credentials.lend(principal, timedelta(seconds=seconds)))

    def client(self, service: str, key: NewKey, **options: Any) -> Any:
        return self.door.client(service, key_id=key.access_key_id, secret=key.secret_access_key, **options)


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[SignedDoor]:
    store, sealer, clock = InlineStore(), FileSealer(tmp_path), MovedClock()
    asyncio.run(store.open())
    credentials = CredentialDesk(store, sealer, clock, account_id=SERVERS_ACCOUNT)
    clock.offset = timedelta(minutes=-30)
    verifier = Authenticator(credentials, clock)  # began long ago
    clock.offset = timedelta()
    settings = DoorSettings(account_id=SERVERS_ACCOUNT)
    with open_door(settings, Desk(), credentials=credentials, verifier=verifier) as door:
        yield SignedDoor(door, store, sealer, clock, credentials)
