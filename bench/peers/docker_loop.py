"""A bare loop over Docker's API: create, start, wait, read the logs, remove."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import aiodocker


def run(image: str, command: Sequence[str], count: int, *, width: int) -> float:
    """Seconds that it took to run so many containers, so many at once."""
    return asyncio.run(_run(image, command, count, width))


async def _run(image: str, command: Sequence[str], count: int, width: int) -> float:
    config: dict[str, Any] = {
        "Image": image,
        "Cmd": list(command),
        "HostConfig": {"NetworkMode": "bridge", "LogConfig": {"Type": "local", "Config": {}}},  # as ours are
    }
    left = iter(range(count))
    async with aiodocker.Docker() as docker:

        async def work() -> None:
            for _ in left:
                container: Any = await docker.containers.create(config)
                await container.start()
                ended = await container.wait()
                assert ended["StatusCode"] == 0, ended
                await container.log(stdout=True, stderr=True)
                await container.delete()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(width)))
        return time.perf_counter() - began
