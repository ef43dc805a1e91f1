"""A log store without threads for each test."""

from pathlib import Path

import pytest

from tests.unit.logs.log_house import LogHouse


@pytest.fixture
def house(tmp_path: Path) -> LogHouse:
    return LogHouse(tmp_path)
