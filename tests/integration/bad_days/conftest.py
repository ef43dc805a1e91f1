"""A server of its own for each test, not started yet."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import longshore
from tests.integration.docker.conftest import engine, own_engine
from tests.integration.live import LiveServer, live_server

__all__ = ["engine", "own_engine"]

OTHER_VERSION = "99.0.0"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path) as server:
        yield server


@pytest.fixture
def other_version(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH: this package, but of another version."""
    package = tmp_path / "other" / "longshore"
    shutil.copytree(Path(longshore.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    text = (package / "__init__.py").read_text()
    (package / "__init__.py").write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{OTHER_VERSION}"', text))
    return package.parent
