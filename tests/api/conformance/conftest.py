"""One server for the whole suite. Every test has regions of its own, so that none sees another's resources."""

from collections.abc import Iterator

import pytest

from tests.api.conformance import examples
from tests.api.conformance.gaps import FILLED, GAPS, prune
from tests.api.conformance.wire import Wire
from tests.api.conformance.world import EXAMPLES, OPEN_FOLDER, World
from tests.integration.live import LiveServer, live_server

assert examples and EXAMPLES


@pytest.fixture(scope="session")
def conforming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The server that is asked."""
    with live_server(
        tmp_path_factory.mktemp("conformance"), settings={"LONGSHORE_DOCKER_HOST_PATHS": OPEN_FOLDER}
    ) as server:
        server.start()
        yield server


@pytest.fixture
def wire(conforming: LiveServer) -> Iterator[Wire]:
    wire = Wire(conforming.port)
    yield wire
    wire.close()


@pytest.fixture
def world(wire: Wire) -> World:
    return World(wire=wire)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--prune-gaps", action="store_true", help="take out of gaps.toml what is no gap any more")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note which gaps are filled: their tests pass although they were to fail."""
    name = report.nodeid.rpartition("[")[2].removesuffix("]").rpartition("-")[2]
    if report.failed and "[XPASS(strict)]" in str(report.longrepr):
        for kind, names in GAPS.items():
            if name in names:
                FILLED[kind].add(name)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--prune-gaps", default=False):
        print(f"\n{prune()} gaps are filled and left the list")
