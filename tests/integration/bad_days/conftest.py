"""A server of its own for each test, not started yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.docker.conftest import engine, own_engine
from tests.integration.live import LiveServer, live_server

__all__ = ["engine", "own_engine"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path) as server:
        yield server
