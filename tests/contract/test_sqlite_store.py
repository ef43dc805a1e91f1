"""The stores on SQLite keep the store contract, and what SQLite alone can show."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshore.store.sqlite import InlineStore, SqliteStore
from longshore.testing.store_contract import Reopen, StoreContract


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(tmp_path / "store.db")
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    async def reopen(self, store: SqliteStore, tmp_path: Path) -> AsyncIterator[Reopen]:
        again = SqliteStore(tmp_path / "store.db")

        async def reopen() -> SqliteStore:
            await store.close()
            await again.open()
            return again

        yield reopen
        await again.close()


class TestInlineStore(StoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[InlineStore]:
        store = InlineStore()
        await store.open()
        yield store
        await store.close()

    @pytest.fixture
    def reopen(self, store: InlineStore) -> Reopen:
        async def reopen() -> InlineStore:
            again = InlineStore(store.image())
            await again.open()
            return again

        return reopen
