"""Workbenches on the engine of this machine, and on a second engine that may be killed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from longshore.engines.docker.config import DockerConfig
from tests.integration.docker.workbench import DOCKER_SOCKET, Engine, OwnEngine, Workbench

IMAGE_SCRIPT = Path(__file__).parents[2] / "parts" / "docker-image.sh"
MakeBench = Callable[..., Awaitable[Workbench]]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine of this machine."""
    return Engine(DOCKER_SOCKET)


@pytest.fixture
async def make_bench(engine: Engine) -> AsyncIterator[MakeBench]:
    """Makes workbenches on the engine of this machine; keywords are settings of the driver."""
    benches: list[Workbench] = []

    async def make(**settings: Any) -> Workbench:
        config = DockerConfig(installation_id=uuid4().hex, socket=f"unix://{engine.socket}", **settings)
        benches.append(Workbench(engine, config))
        await benches[-1].driver.open()
        return benches[-1]

    yield make
    for each in benches:
        # What is just being created would otherwise be there only after everything was removed.
        await each.driver.release(await each.driver.discover())
        await each.driver.close()
        engine.remove_all(each.config.installation_id)


@pytest.fixture(scope="module")
def own_engine() -> Iterator[OwnEngine]:
    """A second engine with the tests' image; needs root."""
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        pytest.skip("a second Docker engine needs root and dockerd")
    # Paths of Unix sockets are short, and containerd has its sockets in here.
    folder = Path(tempfile.mkdtemp(prefix="lsd"))
    engine = OwnEngine(folder)
    try:
        engine.start()
        environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.socket}"}
        subprocess.run(["sh", str(IMAGE_SCRIPT)], env=environment, check=True, capture_output=True, timeout=60)
        yield engine
    finally:
        try:
            engine.stop()
        finally:
            engine.kill_helpers()
            mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
            for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), reverse=True):
                subprocess.run(["umount", "--lazy", mount], check=False)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def own_bench(own_engine: OwnEngine) -> AsyncIterator[Workbench]:
    """A workbench on the second engine, with short time limits."""
    config = DockerConfig(
        installation_id=uuid4().hex, socket=f"unix://{own_engine.socket}", network="host", call_seconds=2.0
    )
    workbench = Workbench(own_engine, config)
    await workbench.driver.open()
    yield workbench
    await workbench.driver.close()
    own_engine.remove_all(config.installation_id)
