"""A fresh desk for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.api.native.native_desk import Desk


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """An idle server."""
    desk = Desk()
    await desk.open()
    yield desk
    await desk.close()
