"""Making, listing, switching and deleting access keys; done by whoever may write the data folder."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from longshore.domain.access_key import AccessKey, check_key
from longshore.domain.errors import NotFound
from longshore.ports.clock import Clock
from longshore.ports.sealing import Sealer
from longshore.ports.store import Reader, Store, Transaction
from longshore.service.documents import Document

#: Ids of ours are told from those of AWS (AKIA..., ASIA...) at a glance, and never taken for them by scanners.
LASTING, TEMPORARY = "LSAK", "LSTK"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class KeyRow(Document, frozen=True):
    """One access key; its secret is never shown again."""

    access_key_id: str
    name: str
    #: None: the account that is the server's setting
    account_id: str | None
    #: None: everything
    actions: tuple[str, ...] | None
    is_enabled: bool
    created_at: datetime


class KeyTable(Document, frozen=True):
    """All access keys, oldest first."""

    keys: tuple[KeyRow, ...]


class NewKey(Document, frozen=True):
    """An access key that was made just now."""

    access_key_id: str
    secret_access_key: str
    key: KeyRow


def new_key_id(kind: str) -> str:
    """An id that nobody else has: `kind` and 80 bits of chance."""
    return kind + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def new_secret() -> str:
    """240 bits of chance in 40 characters."""
    return secrets.token_urlsafe(30)


def purpose_of(key_id: str) -> str:
    """What the secret of this key is sealed for, so that it opens for no other."""
    return f"access key {key_id}"


async def create_key(
    store: Store, sealer: Sealer, clock: Clock, *, name: str | None, account_id: str | None, actions: Sequence[str]
) -> NewKey:
    """A new key, enabled; without `actions` it may do everything, without `name` it is called by its id.

    Raises:
        InvalidRequest: the name, the account or an action is malformed.
    """
    key_id, secret, now = new_key_id(LASTING), new_secret(), clock.now()
    key = AccessKey(
        id=key_id,
        name=name or key_id,
        account_id=account_id,
        actions=tuple(actions) or None,
        is_enabled=True,
        created_at=now.replace(microsecond=now.microsecond // 1000 * 1000),  # as it is stored
        sealed_secret=sealer.seal(secret.encode(), purpose=purpose_of(key_id)),
    )
    check_key(key.name, account_id, actions)
    await store.write(lambda tx: tx.put_access_key(key))
    return NewKey(access_key_id=key_id, secret_access_key=secret, key=_row(key))


async def list_keys(store: Store) -> KeyTable:
    """All keys."""
    return KeyTable(keys=tuple(map(_row, await store.read(lambda reader: reader.access_keys()))))


async def switch_key(store: Store, key_id: str, *, is_enabled: bool) -> None:
    """Requests with the key are taken, or refused, from now on. Raises NotFound."""

    def switch(tx: Transaction) -> None:
        tx.put_access_key(replace(_find(tx, key_id), is_enabled=is_enabled))

    await store.write(switch)


async def delete_key(store: Store, key_id: str) -> None:
    """Requests with the key, and with what was lent from it, are refused for ever. Raises NotFound."""
    await store.write(lambda tx: tx.delete_access_key(_find(tx, key_id).id))


def _find(reader: Reader, key_id: str) -> AccessKey:
    key = reader.access_key(key_id)
    if key is None:
        raise NotFound(f"there is no access key {key_id[:100]}")
    return key


def _row(key: AccessKey) -> KeyRow:
    return KeyRow(
        access_key_id=key.id,
        name=key.name,
        account_id=key.account_id,
        actions=key.actions,
        is_enabled=key.is_enabled,
        created_at=key.created_at,
    )
