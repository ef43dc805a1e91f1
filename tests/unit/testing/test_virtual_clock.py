"""Virtual time moves only when it is told to, and in order."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from longshore.testing.clock import VirtualClock

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(now=NOON, boot_seconds=50.0)


async def test_time_stands_still_until_it_is_moved(clock: VirtualClock) -> None:
    """Both clocks move by what they are advanced, and by nothing else."""
    await asyncio.sleep(0.01)
    assert (clock.now(), clock.boot_seconds()) == (NOON, 50.0)
    await clock.advance(2.5)
    assert (clock.now(), clock.boot_seconds()) == (NOON + timedelta(seconds=2.5), 52.5)


async def test_sleepers_wake_at_their_times_and_in_order(clock: VirtualClock) -> None:
    """Each sleeper sees exactly its deadline on the clock, also one that lies down during the advance."""
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.boot_seconds()))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sleeper("late", 3.0))
        tasks.create_task(sleeper("first", 1.0, 1.0))
        tasks.create_task(sleeper("second", 1.0))
        await clock.advance(2.5)
        assert woken == [("first", 51.0), ("second", 51.0), ("first", 52.0)]
        await clock.advance(0.5)
    assert woken[3:] == [("late", 53.0)]


async def test_advance_waits_for_work_that_follows_a_waking(clock: VirtualClock) -> None:
    """What a sleeper sets off runs to its end before the clock goes on."""
    seen: list[float] = []

    async def worker() -> None:
        await clock.sleep(1.0)
        for _ in range(100):
            await asyncio.sleep(0)
        seen.append(clock.boot_seconds())

    task = asyncio.create_task(worker())
    await clock.advance(10.0)
    assert seen == [51.0]
    await task


async def test_cancelled_sleeper_is_forgotten(clock: VirtualClock) -> None:
    """A sleep that is cancelled neither wakes nor holds up the others."""
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.settle()
    assert clock.next_wake_at() == 51.0
    task.cancel()
    await clock.settle()
    assert clock.next_wake_at() is None
    await clock.advance(5.0)
    assert task.cancelled()


async def test_wall_clock_jumps_alone(clock: VirtualClock) -> None:
    """A jump of the wall clock, either way, does not touch the boot clock or the sleepers, and is announced before."""
    announced: list[datetime] = []
    clock.before_jump.append(lambda: announced.append(clock.now()))
    task = asyncio.create_task(clock.sleep(1.0))
    await clock.settle()
    clock.jump_wall(3600)
    clock.jump_wall(-7200)
    assert announced == [NOON, NOON + timedelta(hours=1)]
    assert (clock.now(), clock.boot_seconds()) == (NOON - timedelta(hours=1), 50.0)
    assert not task.done()
    await clock.advance(1.0)
    assert task.done()
