"""AWS Batch without a control loop, driven by a real client: what is accepted stays as it was accepted."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import uvloop
from botocore.config import Config
from starlette.applications import Starlette

from longshore.api.aws.batch.handlers import build_handlers
from longshore.api.aws.exchange import Front
from longshore.api.aws.fronts import build_fronts
from longshore.api.http import FrontDoor
from longshore.api.limits import DoorSettings, Limits
from longshore.api.server import build_server
from longshore.domain.resources import Resources
from longshore.service.services import build_services
from longshore.store.sqlite import InlineStore
from longshore.testing.clock import VirtualClock
from tests.api.batch_service import ACCOUNT, REGION, Batch, choose_process

PATIENCE_SECONDS = 10


@pytest.fixture(scope="session")
def _served() -> Iterator[tuple[dict[str, Front], Any]]:
    """The fronts that a running door asks, to be filled by each test, and a client of that door."""
    fronts: dict[str, Front] = {}
    door = FrontDoor(DoorSettings(account_id=ACCOUNT), fronts=fronts, native=Starlette())
    listener = socket.create_server(("127.0.0.1", 0))
    server = build_server(door, Limits())
    thread = threading.Thread(target=lambda: uvloop.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        client = boto3.client(
            "batch",
            endpoint_url=f"http://127.0.0.1:{listener.getsockname()[1]}",
            region_name=REGION,
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=PATIENCE_SECONDS),
        )
        yield fronts, client
        client.close()
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture
def batch(_served: tuple[dict[str, Front], Any]) -> Iterator[Batch]:
    """AWS Batch with nothing in it; `process` and `fake` are its engines, and `process` is chosen where none is."""
    fronts, client = _served
    store, clock = InlineStore(), VirtualClock()
    asyncio.run(store.open())
    fresh = Batch(client=client, store=store, clock=clock)
    services = build_services(
        store,
        clock,
        fresh.notifier,
        engines={"process", "fake"},
        resolve_engine=choose_process,
        largest_host=Resources(vcpu_milli=8000, memory_mib=16384),
    )
    fronts.clear()
    fronts.update(build_fronts(batch=build_handlers(services), logs={}))
    yield fresh
    asyncio.run(store.close())
