"""What containers write is read byte by byte, while they run and afterwards, and does no harm however much it is."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web

from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.driver import DockerDriver
from longshore.engines.docker.log_stream import LOST_OUTPUT
from longshore.engines.docker.parse import ATTEMPT_LABEL, INSTALLATION_LABEL
from longshore.ports.engine import EngineUnavailable, Handle, TaskState
from tests.integration.docker.conftest import MakeBench
from tests.integration.docker.workbench import a_job

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


async def test_odd_bytes_and_long_lines(make_bench: MakeBench) -> None:
    """Bytes that are no text, lines longer than Docker's pieces or just as long, no newline at the end."""
    bench = await make_bench()
    line = "head -c {0} /dev/zero | tr '\\0' x"
    script = "; echo; ".join([r"printf 'a\000\377\r\033[1mb'", line.format(16_384), line.format(40_000), "printf end"])
    spec = a_job(script)
    assert (await bench.run(spec)).exit_code == 0
    expected = b"a\x00\xff\r\x1b[1mb\n" + b"x" * 16_384 + b"\n" + b"x" * 40_000 + b"\nend"
    assert await bench.output(spec.attempt_id) == expected


async def test_reading_along(make_bench: MakeBench) -> None:
    """Read again and again while it is written, on both streams, every line comes once, and stays in order."""
    bench = await make_bench()
    spec = a_job("for i in 1 2 3 4 5 6; do seq ${i}00001 ${i}30000; echo err $i >&2; sleep 0.3; done")
    handle = await bench.launch(spec)
    text, cursor, reads = b"", "", 0
    while True:
        over = (await bench.observe(spec.attempt_id)).state is TaskState.EXITED
        async for chunk in bench.driver.read_logs(handle, cursor=cursor):
            text, cursor = text + chunk.data, chunk.cursor
        reads += 1
        if over:
            break
        await asyncio.sleep(0.1)
    assert reads > 2
    lines = text.decode().split("\n")
    errors = [line for line in lines if line.startswith("err")]
    assert errors == [f"err {i}" for i in range(1, 7)]
    numbers = [line for line in lines if line and not line.startswith("err")]
    assert numbers == [str(i * 100_000 + j) for i in range(1, 7) for j in range(1, 30_001)]


async def test_more_than_is_kept(make_bench: MakeBench) -> None:
    """A job that writes more than the engine keeps loses the oldest, which the output says; the driver stays prompt."""
    bench = await make_bench(log_mib=1)
    spec = a_job("echo first; sleep 1; seq 1 2000000; echo last; sleep 1")
    handle = await bench.launch(spec)
    await bench.until(spec.attempt_id, TaskState.RUNNING)
    begin: list[str] = []
    while not begin:
        begin = [chunk.cursor async for chunk in bench.driver.read_logs(handle, cursor="")]
        await asyncio.sleep(0.05)
    slowest = 0.0
    while (await bench.observe(spec.attempt_id)).state is TaskState.RUNNING:
        asked_at = asyncio.get_running_loop().time()
        assert (await bench.driver.fingerprint()).healthy
        slowest = max(slowest, asyncio.get_running_loop().time() - asked_at)
        await asyncio.sleep(0.05)
    assert slowest < 2
    text = await bench.output(spec.attempt_id, begin[0])
    assert text.startswith(LOST_OUTPUT)
    assert text.count(LOST_OUTPUT) == 1
    assert text.endswith(b"\n1999999\n2000000\nlast\n")
    assert len(text) < 2 * 2**20
    numbers = [int(line) for line in text.removeprefix(LOST_OUTPUT).split()[1:-1]]
    assert numbers == list(range(numbers[0], 2_000_001))


async def test_nothing_to_read(make_bench: MakeBench) -> None:
    """Of what never ran, or is not known, there is no output."""
    bench = await make_bench()
    failed = a_job("true", image="localhost:1/absent")
    await bench.run(failed)
    assert await bench.output(failed.attempt_id) == b""
    assert await bench.output(a_job("true").attempt_id) == b""
    ended = a_job("true")
    await bench.run(ended)
    await bench.driver.release([Handle(attempt_id=ended.attempt_id)])
    assert await bench.output(ended.attempt_id) == b""


@pytest.mark.parametrize(("status", "is_gone"), [(404, True), (409, True), (500, False)])
async def test_output_of_a_container_that_is_being_removed(tmp_path: Path, status: int, is_gone: bool) -> None:
    """The engine answers 409 then: there is nothing more to read, and no outage. A stub, as it takes but a moment."""
    spec = a_job("true")
    config = DockerConfig(installation_id=uuid4().hex, socket=f"unix://{tmp_path}/docker.sock")

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/version":
            return web.json_response({"Version": "28.0.0", "ApiVersion": "1.48"})
        if request.path.endswith("/json"):
            labels = {INSTALLATION_LABEL: config.installation_id, ATTEMPT_LABEL: spec.attempt_id}
            state = {"Status": "removing", "StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "2026-01-01T00:00:01Z"}
            return web.json_response({"Id": "c0ffee", "State": state, "Config": {"Labels": labels}})
        assert request.path == "/v1.48/containers/c0ffee/logs"
        return web.json_response({"message": "container is marked for removal"}, status=status)

    stub = web.Application()
    stub.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(stub)
    await runner.setup()
    await web.UnixSite(runner, f"{tmp_path}/docker.sock").start()
    driver = DockerDriver(config)
    await driver.open()
    try:
        chunks = driver.read_logs(Handle(attempt_id=spec.attempt_id), cursor="")
        if is_gone:
            assert [chunk async for chunk in chunks] == []
        else:
            with pytest.raises(EngineUnavailable, match="marked for removal"):
                await anext(chunks)
    finally:
        await driver.close()
        await runner.cleanup()
