"""A launch that is cut off is taken up where it stopped, and a container is never started twice."""

import asyncio
from collections.abc import Iterator
from typing import cast

import msgspec
import pytest

from longshore.domain.ids import AttemptId
from longshore.engines.docker import launching
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.connection import CallRefused, Connection, EngineUnreachable
from longshore.engines.docker.launching import Launch, Launches
from longshore.engines.docker.parse import Inspected
from longshore.engines.docker.shared import SharedThings
from longshore.ports.engine import EngineUnavailable, Observation, RegistryLogin, TaskState

pytestmark = pytest.mark.anyio

CONFIG = DockerConfig(installation_id="0123456789abcdef")
ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")
NEVER, TIME = "0001-01-01T00:00:00Z", "2026-01-02T03:04:05Z"


class ScriptedEngine:
    """Answers each kind of call with the next of its script, and with the last for ever after."""

    def __init__(self, **scripts: list[object]) -> None:
        self.calls: list[str] = []
        self._scripts = {name: list(script) for name, script in scripts.items()}

    def answer(self, name: str) -> object:
        self.calls.append(name)
        script = self._scripts.get(name, [None])
        outcome = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def create(self, name: str, body: object) -> object:
        return self.answer("create")

    async def start(self, container: str) -> object:
        return self.answer("start")

    async def inspect(self, container: str) -> object:
        return self.answer("inspect")

    async def remembers(self, container: str, event: str, *, since: object) -> object:
        return self.answer("remembers")

    async def remove(self, container: str) -> object:
        return self.answer("remove")

    async def pull(self, image: str, login: RegistryLogin | None) -> object:
        return self.answer("pull")


def container(
    status: str, *, started: str = NEVER, error: str = "", installation: str = "0123456789abcdef"
) -> Inspected:
    return msgspec.convert(
        {
            "Id": "c0ffee",
            "Created": TIME,
            "State": {"Status": status, "StartedAt": started, "FinishedAt": NEVER, "Error": error},
            "Config": {"Labels": {"longshore.installation": installation, "longshore.attempt": ATTEMPT}},
        },
        Inspected,
    )


CREATED, RUNNING = container("created"), container("running", started=TIME)
AWAY = EngineUnavailable("away")


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(launching, "_SETTLE_SECONDS", 0)
    yield


async def outcome(engine: ScriptedEngine, *, stop: bool = False) -> list[Observation]:
    """What the launch came to: nothing to tell when the container has started."""
    failures: list[Observation] = []
    connection = cast(Connection, engine)
    launches = Launches(connection, CONFIG, SharedThings(connection, CONFIG.installation_id), failures.append)
    launches.begin(Launch(attempt_id=ATTEMPT, image="image", body={}))
    if stop:
        await launches.abandon(ATTEMPT)
    under_way = [task for task in asyncio.all_tasks() if task.get_name() == f"launch {ATTEMPT}"]
    if under_way:
        await asyncio.wait(under_way, timeout=10)
    assert launches.pending(ATTEMPT) is None
    return failures


async def test_create_and_start() -> None:
    """Two calls, no more."""
    engine = ScriptedEngine(create=["c0ffee"])
    assert await outcome(engine) == []
    assert engine.calls == ["create", "start"]


async def test_pull_outlasts_an_outage() -> None:
    """A pull that is cut off is begun again."""
    missing = CallRefused(404, "No such image: image:latest")
    engine = ScriptedEngine(create=[missing, "c0ffee"], pull=[AWAY, None])
    assert await outcome(engine) == []
    assert engine.calls == ["create", "pull", "pull", "create", "start"]


async def test_image_that_does_not_come_with_its_pull() -> None:
    """The attempt fails instead of pulling for ever."""
    engine = ScriptedEngine(create=[CallRefused(404, "No such image: image")])
    (failure,) = await outcome(engine)
    assert failure.state is TaskState.FAILED_TO_START
    assert engine.calls == ["create", "pull", "create"]


async def test_create_that_was_cut_off() -> None:
    """The container that came of it is found by its name and started."""
    engine = ScriptedEngine(create=[AWAY, CallRefused(409, "in use")], inspect=[CREATED], remembers=[True])
    assert await outcome(engine) == []
    assert engine.calls.count("start") == 1


@pytest.mark.parametrize("found", [RUNNING, container("exited", started=TIME)])
async def test_start_that_was_cut_off_and_done(found: Inspected) -> None:
    """What runs or ran is not started again."""
    engine = ScriptedEngine(create=["c0ffee"], start=[AWAY], inspect=[found])
    assert await outcome(engine) == []
    assert engine.calls == ["create", "start", "inspect"]


async def test_start_that_was_cut_off_and_not_done() -> None:
    """An engine that has been there since the container was made knows that it never ran."""
    engine = ScriptedEngine(create=["c0ffee"], start=[AWAY, None], inspect=[CREATED], remembers=[True])
    assert await outcome(engine) == []
    assert engine.calls.count("start") == 2


async def test_start_that_was_cut_off_by_the_engines_death() -> None:
    """It may have run, and nobody knows: the attempt is lost, and not started again."""
    engine = ScriptedEngine(create=["c0ffee"], start=[AWAY, None], inspect=[CREATED], remembers=[False])
    (failure,) = await outcome(engine)
    assert (failure.state, failure.exit_code) == (TaskState.LOST, None)
    assert engine.calls.count("start") == 1


async def test_start_that_was_never_sent() -> None:
    """When nobody took the call, it is made again without a question."""
    engine = ScriptedEngine(create=["c0ffee"], start=[EngineUnreachable("refused"), None])
    assert await outcome(engine) == []
    assert engine.calls == ["create", "start", "start"]


async def test_start_that_is_refused() -> None:
    """The reason is the engine's; if the container runs all the same, it has started."""
    refusal = CallRefused(400, "exec: not found")
    failed = ScriptedEngine(create=["c0ffee"], start=[refusal], inspect=[container("created", error="exec: not found")])
    (failure,) = await outcome(failed)
    assert failure.reason == "CannotStartContainerError: Error response from daemon: exec: not found"
    runs = ScriptedEngine(create=["c0ffee"], start=[refusal], inspect=[RUNNING])
    assert await outcome(runs) == []


async def test_stop_on_the_way_up() -> None:
    """Nothing is started any more, and nothing is left."""
    engine = ScriptedEngine(create=["c0ffee"], inspect=[CREATED])
    (failure,) = await outcome(engine, stop=True)
    assert failure.state is TaskState.FAILED_TO_START
    assert "stopped before" in failure.reason
    assert engine.calls == ["inspect", "remove"]
    stranger = ScriptedEngine(inspect=[container("created", installation="another")])
    await outcome(stranger, stop=True)
    assert stranger.calls == ["inspect"]
