"""Servers and runners that die: every attempt is run at most once and ends with what really happened, or as lost."""

import asyncio
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from longshore.engines.process.crash import CRASH_POINTS
from longshore.engines.process.runner.journal import HEADER, Journal, Started
from longshore.ports.engine import EngineUnavailable, Handle, StopRequest, TaskState

pytestmark = pytest.mark.anyio
Site = Any

#: deaths after which the outcome of an attempt may not be known to anyone
MAY_LOSE = {"launch.after-log", "launch.after-spawn", "exit.before-record"}


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("point", [each for each in CRASH_POINTS if not each.startswith("compact.")])
async def test_runner_dies_at_a_journal_boundary(site: Site, point: str, nth: int) -> None:
    """No attempt is run twice or forgotten, no exit code is invented, nothing is left behind."""
    site.start_runner(f"{point}:{nth}")
    (doomed,) = site.runner_pids()
    driver = await site.driver()
    marks = site.logs / "marks"
    marks.mkdir()
    specs = [site.shell(f"echo x >> {marks}/{code}; sleep 0.2; exit {code}") for code in (7, 8)]
    for spec in specs:
        (outcome,) = await driver.launch([spec])
        assert isinstance(outcome, Handle), outcome
        await site.over(driver, spec)  # one by one, so that each point but the last is passed once for each
    seen = await site.over(driver, *specs)
    await driver.release([Handle(attempt_id=spec.attempt_id) for spec in specs])
    for code, each in zip((7, 8), seen, strict=True):
        starts = (marks / str(code)).read_text() if (marks / str(code)).exists() else ""
        assert starts in ("", "x\n")
        if each.state is TaskState.EXITED:
            assert (starts, each.exit_code) == ("x\n", code)
            assert each.started_at is not None
            assert each.stopped_at is not None
            assert each.started_at < each.stopped_at
        else:
            assert (each.state, each.exit_code) == (TaskState.LOST, None)
            assert point in MAY_LOSE
    # The two are released together: the point behind that is passed once.
    assert (doomed in site.runner_pids()) is (nth == 2 and point == "release.after-record")
    assert await driver.discover() == []
    assert site.folders() == []
    assert [site.processes(spec) for spec in specs] == [[], []]


async def test_runner_killed_while_jobs_run(site: Site) -> None:
    """Jobs go on through the death of the runner, and the next one knows how they ended, by code and by signal."""
    driver = await site.driver()
    gate, wait = site.gate()
    specs = [
        site.shell(f"{wait}; echo done; exit 7"),
        site.shell(f"{wait}; kill -9 $$"),
        site.shell(f"(setsid sleep 1000 &) ; {wait}; exit 3"),
        site.shell("sleep 1000"),
    ]
    await driver.launch(specs)
    before = await driver.observe([Handle(attempt_id=spec.attempt_id) for spec in specs])
    await asyncio.sleep(0.3)
    site.kill_runner()
    handle = Handle(attempt_id=specs[3].attempt_id)
    await driver.stop([StopRequest(handle=handle, grace_seconds=5)])
    opened_at = datetime.now(UTC)
    gate.touch()
    seen = await site.over(driver, *specs)
    over_at = datetime.now(UTC)
    assert [each.exit_code for each in seen] == [7, 137, 3, 143]
    assert [each.started_at for each in seen] == [each.started_at for each in before]
    for each in seen[:3]:
        assert each.stopped_at is not None
        assert opened_at <= each.stopped_at <= over_at
    assert site.log(specs[0]) == "done\n"
    assert [site.processes(spec) for spec in specs] == [[], [], [], []]


async def test_job_that_ended_while_no_runner_was_there(site: Site) -> None:
    """It is lost, or exact where its death could still be seen; what it left is killed, finished ones stay exact."""
    driver = await site.driver()
    ending = site.logs / "ending"
    finished, ends = site.shell("exit 4"), site.shell(f"(setsid sleep 1000 &); sleep 0.5; touch {ending}; exit 7")
    await driver.launch([finished, ends])
    (first,) = await site.over(driver, finished)
    await driver.close()
    site.kill_runner()
    await site.until(ending.exists, "the job ends")
    await asyncio.sleep(0.2)
    later = await site.driver()
    seen = await site.over(later, finished, ends)
    assert seen[0] == first
    assert (seen[1].state, seen[1].exit_code) in {(TaskState.LOST, None), (TaskState.EXITED, 7)}
    assert site.processes(ends) == []


async def test_server_killed_while_jobs_run(site: Site) -> None:
    """A server that is killed takes no job with it; the next one has their exact ends, told or not yet told."""
    program = f"""
import asyncio, sys
from pathlib import Path
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.driver import ProcessDriver
from longshore.testing.builders import a_launch

async def main():
    driver = ProcessDriver(ProcessConfig(data_dir=Path({str(site.data)!r}), idle_seconds=10))
    await driver.open()
    logs = Path({str(site.logs)!r})
    specs = [
        a_launch("sh", "-c", f"sleep {{delay}}; echo {{code}}; exit {{code}}", log_path=logs / str(code))
        for code, delay in ((1, 0), (2, 0.3), (3, 1.5))
    ]
    await driver.launch(specs)
    print(*(spec.attempt_id for spec in specs), flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""
    server = start(sys.executable, "-c", program)
    assert server.stdout is not None
    ids = (await asyncio.to_thread(server.stdout.readline)).split()
    server.send_signal(signal.SIGKILL)
    server.wait()
    server.stdout.close()
    await asyncio.sleep(0.5)
    driver = await site.driver()
    assert {handle.attempt_id for handle in await driver.discover()} == set(ids)
    deadline = time.monotonic() + 20
    while True:
        seen = await driver.observe([Handle(attempt_id=each) for each in ids])
        if all(each.state is TaskState.EXITED for each in seen):
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert [each.exit_code for each in seen] == [1, 2, 3]
    assert [(site.logs / str(code)).read_text() for code in (1, 2, 3)] == ["1\n", "2\n", "3\n"]


async def test_watch_ends_when_the_runner_dies_and_can_be_called_again(site: Site) -> None:
    """Who watches learns that it may have missed something; the second watch is on the next runner."""
    driver = await site.driver()

    async def listen() -> None:
        async for _ in driver.watch():
            pass

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0.1)
    (old,) = site.runner_pids()
    site.kill_runner()
    with pytest.raises(EngineUnavailable):
        await asyncio.wait_for(listener, 10)
    watch = driver.watch()
    news = asyncio.ensure_future(anext(aiter(watch)))
    await site.until(lambda: bool(site.runner_pids()) and old not in site.runner_pids(), "another runner")
    await asyncio.sleep(0.3)
    spec = site.shell("exit 2")
    await driver.launch([spec])
    assert {each.attempt_id for each in await asyncio.wait_for(news, 10)} == {spec.attempt_id}


async def test_one_runner_for_many_drivers(site: Site) -> None:
    """Drivers that open at once share one runner."""
    drivers = await asyncio.gather(*(site.driver() for _ in range(4)))
    assert len(site.runner_pids()) == 1
    assert all([(await driver.fingerprint()).healthy for driver in drivers])


async def test_runner_leaves_when_nobody_needs_it(site: Site) -> None:
    """Without a server and without live jobs it goes by itself; not before the last job ended."""
    driver = await site.driver()
    gate, wait = site.gate()
    spec = site.shell(f"{wait}; exit 6")
    await driver.launch([spec])
    await driver.close()
    await asyncio.sleep(site.config.idle_seconds + 0.5)
    assert site.runner_pids()
    gate.touch()
    await site.until(lambda: not site.runner_pids(), "the runner leaves")
    later = await site.driver()
    (seen,) = await site.over(later, spec)
    assert seen.exit_code == 6


async def test_runner_leaves_with_its_data_folder(site: Site) -> None:
    """When the data folder is taken away, the runner kills what it runs and goes."""
    driver = await site.driver()
    spec = site.shell("sleep 1000")
    await driver.launch([spec])
    pids = site.runner_pids()
    await driver.close()
    site.data.rename(site.data.with_name("elsewhere"))
    await site.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the runner leaves")
    assert site.processes(spec) == []


async def test_foreign_journal_is_refused(site: Site) -> None:
    """A journal of a later version is left alone, and the engine says what is wrong."""
    (site.data / "runner").mkdir(mode=0o700)
    journal = site.data / "runner" / "journal"
    journal.write_bytes(b"LONGSHORE RUNNER JOURNAL 99\nsomething")
    driver = await site.driver()
    fingerprint = await driver.fingerprint()
    assert fingerprint.healthy is False
    assert "another version" in fingerprint.problem
    with pytest.raises(EngineUnavailable, match="another version"):
        await driver.launch([site.shell("true")])
    assert journal.read_bytes() == b"LONGSHORE RUNNER JOURNAL 99\nsomething"


async def test_torn_journal_is_cut(site: Site) -> None:
    """Half a record at the end, as a death in the middle of a write leaves it, costs that record only."""
    driver = await site.driver()
    spec = site.shell("exit 9")
    await driver.launch([spec])
    (before,) = await site.over(driver, spec)
    await driver.close()
    site.kill_runner()
    await site.until(lambda: not site.runner_pids(), "the runner is dead")
    with (site.data / "runner" / "journal").open("ab") as journal:
        journal.write(b"\x40\x00\x00\x00torn")
    later = await site.driver()
    assert await site.over(later, spec) == [before]
    assert (site.data / "runner" / "journal.damaged").exists()


async def test_attempts_of_an_earlier_boot_are_lost(site: Site) -> None:
    """After a restart of the machine a running attempt is lost, whatever has its pid now; nobody else is harmed."""
    driver = await site.driver()
    spec = site.shell("sleep 1000")
    await driver.launch([spec])
    await driver.close()
    (main,) = await site.until_started(spec)
    site.kill_runner()
    await site.until(lambda: not site.runner_pids(), "the runner is dead")
    path = site.data / "runner" / "journal"
    rewrite_boot(path)
    bystander = start("sleep", "1000")
    later = await site.driver()
    (seen,) = await site.over(later, spec)
    assert (seen.state, seen.exit_code, seen.reason) == (TaskState.LOST, None, "the machine was restarted")
    assert bystander.poll() is None
    bystander.kill()
    bystander.communicate()
    assert main not in site.processes(spec)


def start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def rewrite_boot(path: Path) -> None:
    """Put another boot id into the records of a journal."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    journal = Journal(str(path))
    records = journal.replay()
    path.write_bytes(HEADER)
    journal = Journal(str(path))
    journal.replay()
    for record in records:
        if isinstance(record, Started):
            assert record.boot == boot
            other = "0" * 8 + boot[8:]
            record = Started(
                record.id, other, record.pid, record.first_tick, record.last_tick, record.started_ns, record.group
            )
        journal.append(record)
    journal.flush()
