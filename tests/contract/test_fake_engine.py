"""The fake engine does what every engine must, on virtual time."""

from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from longshore.domain.ids import AttemptId
from longshore.engines.fake import Behaviour, FakeDriver, FakeSite
from longshore.ports.engine import EngineDriver, LaunchSpec
from longshore.testing.builders import a_launch
from longshore.testing.clock import VirtualClock
from longshore.testing.engine_contract import EngineContract, Reopen
from longshore.testing.engine_workload import NativeTask

OTHERS = "another installation"


class Workload:
    """Launches whose behaviour the site looks up here."""

    def __init__(self) -> None:
        self._behaviours: dict[AttemptId, Behaviour] = {}

    def script(self, spec: LaunchSpec) -> Behaviour:
        return self._behaviours[spec.attempt_id]

    def launch(self, behaviour: Behaviour) -> LaunchSpec:
        spec = a_launch(log_path=Path("/nowhere/output"))
        self._behaviours[spec.attempt_id] = behaviour
        return spec

    def exits(self, code: int) -> LaunchSpec:
        return self.launch(Behaviour(exit_code=code))

    def sleeps(self, seconds: float, *, code: int = 0) -> LaunchSpec:
        return self.launch(Behaviour(start_delay_seconds=0.01, duration_seconds=seconds, exit_code=code))

    def prints(self, text: str) -> LaunchSpec:
        return self.launch(Behaviour(output=text.encode()))

    def prints_and_sleeps(self, text: str, seconds: float) -> LaunchSpec:
        return self.launch(Behaviour(output=text.encode(), duration_seconds=seconds))

    def complains(self, text: str) -> LaunchSpec:
        return self.launch(Behaviour(output=text.encode(), exit_code=1))

    def ignores_term(self) -> LaunchSpec:
        return self.launch(Behaviour(output=b"ready\n", duration_seconds=1000, ignores_term=True, processes=3))

    def abandons(self, code: int) -> LaunchSpec:
        return self.launch(Behaviour(exit_code=code, processes=3))

    def killed_by(self, signal: int) -> LaunchSpec:
        return self.launch(Behaviour(exit_code=128 + signal))

    def cannot_start(self) -> LaunchSpec:
        return self.launch(Behaviour(start_failure="no such program"))

    def refused(self) -> LaunchSpec:
        return self.launch(Behaviour(rejection="too odd"))

    def floods(self, lines: int) -> LaunchSpec:
        return self.launch(Behaviour(output=b"".join(b"%d\n" % number for number in range(1, lines + 1))))


class Probe:
    """Looks at the site itself."""

    def __init__(self, site: FakeSite, workload: Workload) -> None:
        self._site = site
        self._workload = workload
        self._decoy = AttemptId(uuid4().hex)

    async def find(self, attempt_id: AttemptId) -> NativeTask | None:
        task = self._site.find(attempt_id, "longshore")
        if task is None:
            return None
        return NativeTask(
            identity=str(task.identity),
            live_tasks=int(task.live),
            live_processes=task.behaviour.processes if task.live else 0,
        )

    async def start_decoy(self) -> AttemptId:
        spec = self._workload.sleeps(1000)
        self._site.accept(spec, OTHERS)
        self._decoy = spec.attempt_id
        return spec.attempt_id

    async def decoy_lives(self) -> bool:
        task = self._site.find(self._decoy, OTHERS)
        return task is not None and task.live


class TestFakeEngine(EngineContract):
    """A site without faults."""

    @pytest.fixture(autouse=True)
    def clock(self) -> VirtualClock:
        self._clock = VirtualClock()
        return self._clock

    @pytest.fixture
    def workload(self) -> Workload:
        return Workload()

    @pytest.fixture
    def site(self, clock: VirtualClock, workload: Workload) -> FakeSite:
        return FakeSite(clock, workload.script)

    @pytest.fixture
    async def driver(self, site: FakeSite, clock: VirtualClock) -> EngineDriver:
        return await opened(site, clock)

    @pytest.fixture
    def reopen(self, site: FakeSite, clock: VirtualClock) -> Reopen:
        return lambda: opened(site, clock)

    @pytest.fixture
    def probe(self, site: FakeSite, workload: Workload) -> Probe:
        return Probe(site, workload)

    async def wait(self, seconds: float) -> None:
        await self._clock.advance(seconds)

    def now(self) -> datetime:
        return self._clock.now()


async def opened(site: FakeSite, clock: VirtualClock) -> EngineDriver:
    """A new driver, as a server that starts makes it."""
    driver = FakeDriver(site, clock)
    await driver.open()
    return driver
