"""The event loop of virtual time."""

import asyncio
from time import monotonic

import pytest

from longshore.testing.simulation.loop import BEGINS_AT, LoopClock, Standstill, run_virtually


def test_waiting_takes_no_time() -> None:
    """A day passes at once, and whoever sleeps wakes when it is time, never before."""

    async def sleep() -> list[float]:
        clock = LoopClock()

        async def note_after(seconds: float) -> float:
            await clock.sleep(seconds)
            return clock.boot_seconds()

        return await asyncio.gather(*(note_after(seconds) for seconds in (86400.0, 0.1, 0.2, 1 / 3)))

    began = monotonic()
    woken = run_virtually(sleep)
    assert monotonic() - began < 10
    for seconds, at in zip((86400.0, 0.1, 0.2, 1 / 3), woken, strict=True):
        assert 0 <= at - (BEGINS_AT + seconds) <= 2e-6


def test_time_outs_are_virtual() -> None:
    """As asyncio's own go by the loop."""

    async def wait() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return LoopClock().boot_seconds()

    assert run_virtually(wait) == BEGINS_AT + 30


def test_a_wall_clock_that_jumps() -> None:
    """The boot clock takes no notice."""

    async def jump() -> tuple[float, float]:
        clock = LoopClock()
        before = clock.now()
        clock.jump_wall(-3600)
        return (clock.now() - before).total_seconds(), clock.boot_seconds()

    assert run_virtually(jump) == (-3600, BEGINS_AT)


def test_nothing_is_due_ever() -> None:
    """That everybody waits for somebody else is told."""

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Standstill):
        run_virtually(wait)
