"""The Docker engine keeps the engine contract, on a real engine."""

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from longshore.domain.ids import AttemptId
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.driver import DockerDriver
from longshore.ports.engine import EngineDriver, EngineUnavailable, LaunchSpec, TaskState
from longshore.testing.engine_calls import launched, output
from longshore.testing.engine_contract import Reopen
from longshore.testing.engine_workload import EngineProbe, EngineWorkload, NativeTask, ShellWorkload
from longshore.testing.part_contract import PartContract

pytestmark = pytest.mark.docker

SOCKET = os.environ.get("LONGSHORE_DOCKER_SOCKET", "/var/run/docker.sock")
IMAGE = "longshore-test/busybox:1"


def _asking(address: str) -> str:
    """A script that writes what the server at `address` says, once there is one."""
    return f"for i in $(seq 100); do nc {address} 7000 < /dev/null 2>&- && exit 0; sleep 0.1; done; exit 1"


class ContainerWorkload(ShellWorkload):
    """Commands of containers are process 1 of their PID namespace."""

    def killed_by(self, signal: int) -> LaunchSpec:
        return self.launch("sh", "-c", f"sh -c 'kill -{signal} $$; sleep 1000'; exit $?")


class DockerProbe:
    """Looks at the engine through its API, without the driver."""

    def __init__(self, session: aiohttp.ClientSession, installation_id: str) -> None:
        self._session = session
        self._installation_id = installation_id
        self._decoy: str = ""

    async def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> Any:
        """The decoded answer; None for an empty one. Raises aiohttp.ClientResponseError."""
        async with self._session.request(method, f"http://docker/{path}", params=params, json=body) as response:
            response.raise_for_status()
            text = await response.text()
            return json.loads(text) if text else None

    async def containers(self, *labels: str) -> list[dict[str, str]]:
        """All containers with these labels, in any state."""
        found = await self.call("GET", "containers/json", params={"all": "1", "filters": json.dumps({"label": labels})})
        return found

    async def find(self, attempt_id: AttemptId) -> NativeTask | None:
        found = await self.containers(f"longshore.attempt={attempt_id}")
        if not found:
            return None
        live = [each for each in found if each["State"] in {"running", "paused"}]
        processes = 0
        for each in live:
            try:
                top = await self.call("GET", f"containers/{each['Id']}/top")
            except aiohttp.ClientResponseError:
                continue  # it ended just now
            processes += len(top["Processes"] or ())
        return NativeTask(
            identity=" ".join(sorted(each["Id"] for each in found)), live_tasks=len(live), live_processes=processes
        )

    async def start_decoy(self) -> AttemptId:
        attempt_id = AttemptId(uuid4().hex)
        # The name that the driver would give it, and all of its labels but for the end of the installation's id.
        labels = {
            "longshore.installation": self._installation_id[:-1] + "-",
            "longshore.attempt": attempt_id,
            "longshore.test": self._installation_id,
        }
        body = {"Image": IMAGE, "Cmd": ["sleep", "1000"], "Labels": labels, "HostConfig": {"NetworkMode": "none"}}
        name = f"longshore-{self._installation_id[:8]}-{attempt_id}"
        created = await self.call("POST", "containers/create", params={"name": name}, body=body)
        self._decoy = created["Id"]
        await self.call("POST", f"containers/{self._decoy}/start")
        return attempt_id

    async def decoy_lives(self) -> bool:
        found = await self.call("GET", f"containers/{self._decoy}/json")
        return found["State"]["Status"] == "running"

    async def remove_all(self) -> None:
        """Nothing of this test is left."""
        ours = await self.containers(f"longshore.installation={self._installation_id}")
        decoys = await self.containers(f"longshore.test={self._installation_id}")
        for each in [*ours, *decoys]:
            await self.call("DELETE", f"containers/{each['Id']}", params={"force": "1", "v": "1"})
        label = {"filters": json.dumps({"label": [f"longshore.installation={self._installation_id}"]})}
        for network in await self.call("GET", "networks", params=label):
            await self.call("DELETE", f"networks/{network['Id']}")
        for volume in (await self.call("GET", "volumes", params=label))["Volumes"] or ():
            await self.call("DELETE", f"volumes/{volume['Name']}")


class TestDockerEngine(PartContract):
    poll_seconds = 0.05
    patience_seconds = 60.0

    @pytest.fixture
    def config(self) -> DockerConfig:
        return DockerConfig(installation_id=uuid4().hex, socket=f"unix://{SOCKET}")

    @pytest.fixture
    async def probe(self, config: DockerConfig) -> AsyncIterator[EngineProbe]:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(SOCKET)) as session:
            probe = DockerProbe(session, config.installation_id)
            yield probe
            await probe.remove_all()

    @pytest.fixture
    async def drivers(self, config: DockerConfig, probe: EngineProbe) -> AsyncIterator[list[DockerDriver]]:
        drivers = [DockerDriver(config)]
        await drivers[0].open()
        yield drivers
        with suppress(EngineUnavailable):
            # What is just being created would otherwise be there only after everything was removed.
            await drivers[-1].release(await drivers[-1].discover())
        for driver in drivers:
            await driver.close()

    @pytest.fixture
    def driver(self, drivers: list[DockerDriver]) -> EngineDriver:
        return drivers[0]

    @pytest.fixture
    def reopen(self, drivers: list[DockerDriver], config: DockerConfig) -> Reopen:
        async def reopen() -> EngineDriver:
            # To the engine, a driver that closes is as good as one that was killed: it tells it nothing. Opened again,
            # it has no work under way; the contract asks it once more.
            await drivers[-1].close()
            await drivers[-1].open()
            drivers.append(DockerDriver(config))
            await drivers[-1].open()
            return drivers[-1]

        return reopen

    @pytest.fixture
    def workload(self, tmp_path: Path) -> EngineWorkload:
        return ContainerWorkload(tmp_path, image=IMAGE)

    @pytest.mark.parametrize("node_count", [1, 2])
    async def test_containers_of_a_node_are_one_machine_to_the_network(
        self, driver: EngineDriver, workload: ShellWorkload, whole_id: AttemptId, node_count: int
    ) -> None:
        """They reach each other on localhost, also when the first of them has ended, and have one address.

        Another node has localhost to itself, and reaches them by their address.
        """
        parts = {
            "first": self.part(workload, whole_id, "exit 0"),
            "server": self.part(workload, whole_id, "while :; do echo hello | nc -l -p 7000; done"),
            "client": self.part(workload, whole_id, _asking("127.0.0.1")),
            "other": self.part(workload, whole_id, "nc -w 1 127.0.0.1 7000 < /dev/null", node=1),
        }
        parts = {name: replace(spec, node_count=node_count) for name, spec in parts.items()}
        assert await self.run_part(driver, parts["first"]) == (0, b"")
        server = await launched(driver, parts["server"])
        serving = await self.until_in(driver, server, {TaskState.RUNNING})
        client = await launched(driver, parts["client"])
        asking = await self.until_in(driver, client, {TaskState.RUNNING, TaskState.EXITED})
        assert asking.state is TaskState.EXITED or asking.address == serving.address
        assert (await self.finished(driver, client)).exit_code == 0
        assert await output(driver, parts["client"], client) == b"hello\n"
        if node_count == 2:
            assert (await self.run_part(driver, parts["other"]))[0] == 1
            by_address = self.part(workload, whole_id, _asking(serving.address), node=1)
            assert await self.run_part(driver, by_address) == (0, b"hello\n")
