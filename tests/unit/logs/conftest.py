"""A log store without threads for each test."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.logs.log_house import LogHouse


@pytest.fixture
def house(tmp_path: Path) -> Iterator[LogHouse]:
    with closing(LogHouse(tmp_path)) as house:
        yield house
