"""The engine hangs, is killed and comes back; what can be known afterwards is exact, and nothing runs twice."""

import asyncio
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.driver import DockerDriver
from longshore.engines.docker.leftovers import processes_of
from longshore.ports.engine import EngineUnavailable, Handle, StopRequest, TaskState
from tests.integration.docker.workbench import OwnEngine, Workbench, a_job

pytestmark = [pytest.mark.docker, pytest.mark.anyio, pytest.mark.timeout(180)]


async def first_failure(bench: Workbench) -> str:
    """Watch until that breaks."""
    try:
        async for _ in bench.driver.watch():
            pass
    except EngineUnavailable as outage:
        return str(outage)
    raise AssertionError("watch ended without a word")


async def test_no_engine(tmp_path: Path) -> None:
    """Without an engine the driver opens, says what is wrong, and raises nothing but EngineUnavailable."""
    driver = DockerDriver(DockerConfig(installation_id="0123456789", socket=f"unix://{tmp_path}/docker.sock"))
    await driver.open()
    try:
        fingerprint = await driver.fingerprint()
        assert not fingerprint.healthy
        assert f"{tmp_path}/docker.sock" in fingerprint.problem
        assert "No such file or directory" in fingerprint.problem
        spec = a_job("true")
        handle = Handle(attempt_id=spec.attempt_id)
        for call in (
            driver.launch([spec]),
            driver.observe([handle]),
            driver.stop([StopRequest(handle=handle, grace_seconds=1)]),
            driver.release([handle]),
            driver.discover(),
            anext(driver.watch()),
            anext(driver.read_logs(handle, cursor="")),
        ):
            with pytest.raises(EngineUnavailable):
                await call
    finally:
        await driver.close()


async def test_what_answers_is_no_engine(tmp_path: Path) -> None:
    """Something else on the socket is told as such."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        writer.close()

    server = await asyncio.start_unix_server(answer, tmp_path / "socket")
    driver = DockerDriver(DockerConfig(installation_id="0123456789", socket=f"unix://{tmp_path}/socket"))
    await driver.open()
    try:
        assert "no Docker engine" in (await driver.fingerprint()).problem
    finally:
        await driver.close()
        server.close()


async def test_hung_engine(own_engine: OwnEngine, own_bench: Workbench) -> None:
    """One that takes calls and never answers is unhealthy within seconds; when it wakes up, all goes on, once."""
    bench = own_bench
    before, caught, later = a_job("sleep 4; exit 5"), a_job("echo once"), a_job("exit 6")
    await bench.launch(before)
    await bench.until(before.attempt_id, TaskState.RUNNING)
    await bench.launch(caught)
    own_engine.send(signal.SIGSTOP)
    try:
        asked_at = time.monotonic()
        fingerprint = await bench.driver.fingerprint()
        assert not fingerprint.healthy
        assert "does not answer" in fingerprint.problem
        for call in (bench.driver.observe([Handle(attempt_id=before.attempt_id)]), bench.driver.launch([later])):
            with pytest.raises(EngineUnavailable):
                await call
        assert time.monotonic() - asked_at < 10
    finally:
        own_engine.send(signal.SIGCONT)
    assert (await bench.driver.fingerprint()).healthy
    assert (await bench.until(before.attempt_id, TaskState.EXITED)).exit_code == 5
    assert (await bench.until(caught.attempt_id, TaskState.EXITED)).exit_code == 0
    assert await bench.output(caught.attempt_id) == b"once\n"
    assert (await bench.run(later)).exit_code == 6


async def test_killed_engine(own_engine: OwnEngine, own_bench: Workbench) -> None:
    """What ended while dockerd was dead has its code and time; so has what dockerd ends when it comes back."""
    bench = own_bench
    ends, traps = a_job("sleep 2; exit 7"), a_job('trap "exit 9" TERM; sleep 1000 & wait')
    watching = asyncio.create_task(first_failure(bench))
    for spec in (ends, traps):
        await bench.launch(spec)
        await bench.until(spec.attempt_id, TaskState.RUNNING)
    own_engine.stop(signal.SIGKILL)
    assert await asyncio.wait_for(watching, 10)
    assert not (await bench.driver.fingerprint()).healthy
    await asyncio.sleep(3)
    own_engine.start()
    ended = await bench.until(ends.attempt_id, TaskState.EXITED)
    assert ended.exit_code == 7
    assert ended.stopped_at is not None
    assert ended.started_at is not None
    assert abs(ended.stopped_at - ended.started_at - timedelta(seconds=2)) < timedelta(seconds=0.5)
    trapped = await bench.until(traps.attempt_id, TaskState.EXITED)
    assert trapped.exit_code == 9
    # A fresh watch tells first what there is, so that nothing of the outage is missed.
    async for batch in bench.driver.watch():
        assert {(seen.attempt_id, seen.exit_code) for seen in batch} == {(ends.attempt_id, 7), (traps.attempt_id, 9)}
        break


async def test_everything_killed(own_engine: OwnEngine, own_bench: Workbench) -> None:
    """When nobody was left to see the end, the attempt is lost, and has no exit code: the engine's is invented."""
    bench = own_bench
    dies, ended = a_job("sleep 1000"), a_job("exit 255")
    assert (await bench.run(ended)).exit_code == 255
    await bench.launch(dies)
    await bench.until(dies.attempt_id, TaskState.RUNNING)
    own_engine.kill_everything()
    own_engine.start()
    assert bench.container(dies.attempt_id)["State"]["ExitCode"] == 255
    lost = await bench.until(dies.attempt_id, TaskState.LOST)
    assert lost.exit_code is None
    assert (await bench.observe(ended.attempt_id)).exit_code == 255
    await bench.driver.release([Handle(attempt_id=dies.attempt_id)])
    assert (await bench.observe(dies.attempt_id)).state is TaskState.GONE


async def test_accepted_launches_outlast_an_outage(own_engine: OwnEngine, own_bench: Workbench) -> None:
    """Whatever was accepted runs when the engine is back, once; a stop that was asked for is done."""
    bench = own_bench
    specs, stays = [a_job("echo once; sleep 0.1") for _ in range(20)], a_job("sleep 1000")
    await bench.launch(stays)
    await bench.until(stays.attempt_id, TaskState.RUNNING)
    for spec in specs:
        await bench.launch(spec)
    await bench.driver.stop([StopRequest(handle=Handle(attempt_id=stays.attempt_id), grace_seconds=3)])
    await asyncio.sleep(0.5)
    own_engine.stop(signal.SIGKILL)
    await asyncio.sleep(1)
    own_engine.start()
    outputs: set[bytes] = set()
    for spec in specs:
        # LOST where dockerd died in the middle of the start.
        seen = await bench.until(spec.attempt_id, TaskState.EXITED, TaskState.LOST)
        outputs.add(await bench.output(spec.attempt_id))
        # The engine itself stops what runs when it comes back without live-restore.
        assert seen.exit_code in ({None} if seen.state is TaskState.LOST else {0, 143, 137})
        give_up_at = time.monotonic() + 5
        while left := processes_of(bench.container(spec.attempt_id)["Id"]):
            assert time.monotonic() < give_up_at, (seen, left)
            await asyncio.sleep(0.05)
    assert outputs <= {b"once\n", b""}
    assert (await bench.until(stays.attempt_id, TaskState.EXITED)).exit_code in {143, 137}
    label = f"label=longshore.installation={bench.config.installation_id}"
    assert len(own_engine.docker("ps", "--all", "--quiet", "--filter", label).split()) == 21
