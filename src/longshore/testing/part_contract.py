"""What every driver must do for parts of one attempt; to be inherited beside `EngineContract`."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from longshore.domain.container import ContainerSettings, MountPoint, Volume
from longshore.domain.ids import AttemptId
from longshore.ports.engine import EngineDriver, Handle, LaunchSpec, TaskState
from longshore.testing.engine_calls import launched, output
from longshore.testing.engine_contract import EngineContract
from longshore.testing.engine_workload import ShellWorkload

#: The shared volume, mounted or standing somewhere else.
_FOLDER = "cd ${LONGSHORE_VOLUME_SHARED:-/shared} && "
_SHARING = ContainerSettings(
    volumes=(Volume(name="shared"),), mount_points=(MountPoint(source_volume="shared", container_path="/shared"),)
)


class PartContract(EngineContract):
    """The duties of the engine port, for parts too."""

    @pytest.fixture
    def whole_id(self) -> AttemptId:
        """An attempt that parts belong to."""
        return AttemptId(uuid4().hex)

    def part(self, workload: ShellWorkload, whole_id: AttemptId, script: str, *, node: int = 0) -> LaunchSpec:
        """A part that runs `script` in the volume that it shares with the other container of its node."""
        spec = workload.launch("sh", "-c", _FOLDER + script)
        container = replace(spec.container, settings=_SHARING)
        return replace(spec, whole_id=whole_id, node=node, node_count=2, container_count=2, container=container)

    async def run_part(self, driver: EngineDriver, spec: LaunchSpec) -> tuple[int | None, bytes]:
        """Exit code and output of a part that ends by itself."""
        handle = await launched(driver, spec)
        return (await self.finished(driver, handle)).exit_code, await output(driver, spec, handle)

    async def test_parts_of_a_node_share_volumes(
        self, driver: EngineDriver, workload: ShellWorkload, whole_id: AttemptId
    ) -> None:
        """What one wrote another reads, also when the first has ended; another node has a volume of its own."""
        specs = [
            self.part(workload, whole_id, "echo one > file"),
            self.part(workload, whole_id, "cat file"),
            self.part(workload, whole_id, "test ! -e file", node=1),
        ]
        assert await self.run_part(driver, specs[0]) == (0, b"")
        assert await self.run_part(driver, specs[1]) == (0, b"one\n")
        assert await self.run_part(driver, specs[2]) == (0, b"")
        await driver.release([Handle(attempt_id=spec.attempt_id, whole_id=whole_id) for spec in specs])
        assert await self.run_part(driver, self.part(workload, whole_id, "test ! -e file")) == (0, b"")

    async def test_attempts_share_nothing(self, driver: EngineDriver, workload: ShellWorkload) -> None:
        """Volumes of one name are two when they belong to two attempts."""
        whole_ids = [AttemptId(uuid4().hex) for _ in range(2)]
        assert await self.run_part(driver, self.part(workload, whole_ids[0], "echo one > file")) == (0, b"")
        assert await self.run_part(driver, self.part(workload, whole_ids[1], "test ! -e file")) == (0, b"")

    async def test_parts_launched_at_once_have_one_network(
        self, driver: EngineDriver, workload: ShellWorkload, whole_id: AttemptId
    ) -> None:
        """All of them start; where the engine chooses the addresses it tells them, and no two are the same."""
        specs = [self.part(workload, whole_id, "exec sleep 1000", node=node) for node in range(2)]
        handles = await asyncio.gather(*(launched(driver, spec) for spec in specs))
        seen = [await self.until_in(driver, handle, {TaskState.RUNNING}) for handle in handles]
        if not driver.capabilities().wants_addresses:
            assert all(each.address for each in seen)
            assert len({each.address for each in seen}) == len(seen)

    async def test_discover_knows_parts(
        self, driver: EngineDriver, workload: ShellWorkload, whole_id: AttemptId
    ) -> None:
        """They are found by their own ids."""
        spec = self.part(workload, whole_id, "exec sleep 1000")
        handle = await launched(driver, spec)
        await self.until_in(driver, handle, {TaskState.RUNNING})
        assert spec.attempt_id in {found.attempt_id for found in await driver.discover()}
