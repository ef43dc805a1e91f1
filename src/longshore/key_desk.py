"""Keys without a server's help: `longshore keys` writes them into the data folder's store itself.

One way serves with a running server and without one, and the first key needs no other key. Who may write the folder
may make keys; a server asks the store at each request, so that a change counts at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from longshore.data_folder import STORE_FILE, DataFolderError, DataFolderInUse, open_data_folder
from longshore.ports.sealing import Sealer
from longshore.ports.store import Store
from longshore.sealing import FileSealer
from longshore.store.sqlite import SqliteStore

T = TypeVar("T")


def at_desk(data: Path, work: Callable[[Store, Sealer], Awaitable[T]], *, may_make: bool = False) -> T:
    """What `work` returns, on the store of the data folder; the folder is made if it may be.

    Raises:
        LongshoreError: the folder cannot be used; or what `work` raises.
    """
    if not may_make and not (data / STORE_FILE).exists():
        raise DataFolderError(f"{data}: there is no data folder of a Longshore server; name another with --data")

    async def run() -> T:
        try:
            folder = open_data_folder(data)
        except DataFolderInUse:
            folder = None
        store = SqliteStore(data / STORE_FILE, may_migrate=folder is not None)
        try:
            await store.open()
        finally:
            if folder is not None:
                folder.release()
        try:
            return await work(store, FileSealer(data))
        finally:
            await store.close()

    return asyncio.run(run())
