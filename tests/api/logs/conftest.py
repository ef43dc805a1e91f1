"""A front door with CloudWatch Logs alone, in a thread of its own, and a fresh log store behind it for each test."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import uvloop
from botocore.config import Config
from starlette.applications import Starlette

from longshore.api.aws.exchange import Front
from longshore.api.aws.fronts import build_fronts
from longshore.api.aws.logs.handlers import logs_handlers
from longshore.api.http import FrontDoor
from longshore.api.limits import DoorSettings, Limits
from longshore.api.server import build_server
from longshore.logs.store import LogStore
from tests.api.logs.logs_service import ACCOUNT, PATIENCE_SECONDS, REGION, Logs

#: The fronts that the running door asks, a client of that door, its address and its event loop.
Served = tuple[dict[str, Front], Any, str, asyncio.AbstractEventLoop]


@pytest.fixture(scope="session")
def _served() -> Iterator[Served]:
    fronts: dict[str, Front] = {}
    door = FrontDoor(DoorSettings(account_id=ACCOUNT), fronts=fronts, native=Starlette())
    listener = socket.create_server(("127.0.0.1", 0))
    server = build_server(door, Limits())
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve(sockets=[listener])))
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = boto3.client(
        "logs",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=PATIENCE_SECONDS),
    )
    try:
        yield fronts, client, url, loop
    finally:
        client.close()
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()
        assert not thread.is_alive()
        loop.close()


@pytest.fixture
def logs(_served: Served, tmp_path: Path) -> Iterator[Logs]:
    fronts, client, url, loop = _served

    async def fresh() -> LogStore:
        store = LogStore(tmp_path / "logs")
        await store.open()
        return store

    store = asyncio.run_coroutine_threadsafe(fresh(), loop).result(PATIENCE_SECONDS)
    fronts.clear()
    fronts.update(build_fronts(batch={}, logs=logs_handlers(store)))
    fresh_logs = Logs(client=client, url=url, store=store, loop=loop)
    yield fresh_logs
    fresh_logs.call(store.close())
