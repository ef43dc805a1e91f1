"""Servers and runners of different versions, and engines that cannot be had."""

import asyncio
from typing import Any

import pytest
import uvloop

from longshore.engines.process import driver as driver_module
from longshore.engines.process import link as link_module
from longshore.engines.process.driver import ProcessDriver
from longshore.ports.engine import EngineUnavailable, LaunchFailed, LaunchFault, TaskState

pytestmark = pytest.mark.anyio
Site = Any


async def test_idle_runner_of_another_version_makes_room(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is upgraded gets a runner of its own version when nothing runs; what ended is still known."""
    driver = await site.driver()
    spec = site.shell("exit 5")
    await driver.launch([spec])
    (before,) = await site.over(driver, spec)
    await driver.close()
    (old,) = site.runner_pids()
    monkeypatch.setattr(driver_module, "__version__", "99.0")
    later = await site.driver()
    assert old not in site.runner_pids()
    assert await site.over(later, spec) == [before]
    assert "the server is 99.0" in (await later.fingerprint()).version


async def test_busy_runner_of_another_version_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While jobs run the upgraded server works with the old runner, and has another when they have ended."""
    driver = await site.driver()
    gate, wait = site.gate()
    spec = site.shell(f"{wait}; exit 5")
    await driver.launch([spec])
    await driver.close()
    (old,) = site.runner_pids()
    monkeypatch.setattr(driver_module, "__version__", "99.0")
    later = await site.driver()
    assert site.runner_pids() == [old]
    more = site.shell("exit 6")
    await later.launch([more])
    gate.touch()
    assert [each.exit_code for each in await site.over(later, spec, more)] == [5, 6]
    await site.until(lambda: old not in site.runner_pids(), "the old runner leaves")
    assert [each.exit_code for each in await site.over(later, spec, more)] == [5, 6]


async def test_no_common_protocol_is_said_in_plain_words(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both versions are named, and the jobs of the runner go on."""
    driver = await site.driver()
    spec = site.shell("sleep 1; exit 5")
    await driver.launch([spec])
    with monkeypatch.context() as patch:
        patch.setattr(link_module, "SPOKEN", (99,))
        stranger = await site.driver()
        fingerprint = await stranger.fingerprint()
        assert not fingerprint.healthy
        assert "speaks protocol [1]" in fingerprint.problem
        assert "speaks [99]" in fingerprint.problem
        with pytest.raises(EngineUnavailable, match=r"speaks \[99\]"):
            await stranger.discover()
        await stranger.close()
    assert [each.exit_code for each in await site.over(driver, spec)] == [5]


async def test_launch_over_which_runners_die_is_uncertain(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller must look before it tries again; when it looks, nothing was started."""
    monkeypatch.setenv("LONGSHORE_CRASH_POINT", "launch.after-launching-record")
    driver = await site.driver()
    spec = site.shell("exit 5")
    (outcome,) = await driver.launch([spec])
    assert isinstance(outcome, LaunchFailed)
    assert outcome.fault is LaunchFault.UNCERTAIN
    monkeypatch.delenv("LONGSHORE_CRASH_POINT")
    assert await driver.discover() == []
    await driver.launch([spec])
    assert [each.exit_code for each in await site.over(driver, spec)] == [5]


async def test_engine_that_cannot_be_had_says_why(site: Site) -> None:
    """Opening does not fail; everything else does, with the reason, and works when the cause has gone."""
    (site.data / "runner").write_text("in the way")
    driver = await site.driver()
    assert not (await driver.fingerprint()).healthy
    with pytest.raises(EngineUnavailable, match="runner"):
        await driver.launch([site.shell("true")])
    (site.data / "runner").unlink()
    spec = site.shell("exit 1")
    await driver.launch([spec])
    assert [each.state for each in await site.over(driver, spec)] == [TaskState.EXITED]


def test_works_on_the_servers_event_loop(tmp_path: Any) -> None:
    """The server runs on uvloop."""

    async def open_and_close() -> bool:
        driver = ProcessDriver(driver_module.ProcessConfig(data_dir=tmp_path, idle_seconds=0.1))
        await driver.open()
        healthy = (await driver.fingerprint()).healthy
        await driver.close()
        return healthy

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(open_and_close())
