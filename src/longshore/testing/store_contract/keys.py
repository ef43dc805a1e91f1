"""Access keys."""

from dataclasses import replace

import pytest

from longshore.domain.access_key import AccessKey
from longshore.ports.store import Store
from longshore.testing.job_builders import moment

A_KEY = AccessKey(
    id="LSAKABCDEFGHIJKLMNOP",
    name="alice@example.com",
    account_id="111122223333",
    actions=("batch:*", "logs:Get*"),
    is_enabled=True,
    created_at=moment(1),
    sealed_secret="1.c2VhbGVk",
)


@pytest.mark.anyio
class KeyContract:
    """Who may sign requests."""

    async def test_key_is_kept_whole(self, store: Store) -> None:
        """Every member comes back; no list is another thing than an empty one."""
        anything, nothing = replace(A_KEY, id="B", account_id=None, actions=None), replace(A_KEY, id="C", actions=())
        for key in (A_KEY, anything, nothing):
            await store.write(lambda tx, key=key: tx.put_access_key(key))
            assert await store.read(lambda reader, key=key: reader.access_key(key.id)) == key
        assert await store.read(lambda reader: reader.access_key("unknown")) is None

    async def test_keys_are_listed_oldest_first(self, store: Store) -> None:
        younger, older = replace(A_KEY, id="A", created_at=moment(2)), replace(A_KEY, id="B")
        for key in (younger, older):
            await store.write(lambda tx, key=key: tx.put_access_key(key))
        assert await store.read(lambda reader: reader.access_keys()) == [older, younger]

    async def test_key_is_replaced_and_deleted(self, store: Store) -> None:
        """Deleting one that is gone changes nothing."""
        disabled = replace(A_KEY, is_enabled=False)
        await store.write(lambda tx: tx.put_access_key(A_KEY))
        await store.write(lambda tx: tx.put_access_key(disabled))
        assert await store.read(lambda reader: reader.access_keys()) == [disabled]
        for _ in range(2):
            await store.write(lambda tx: tx.delete_access_key(A_KEY.id))
            assert await store.read(lambda reader: reader.access_keys()) == []
