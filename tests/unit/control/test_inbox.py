"""When news wakes the leader."""

import asyncio

from longshore.control.inbox import REMINDER_SECONDS, Inbox, Released
from longshore.testing.builders import an_attempt_id
from longshore.testing.simulation.loop import LoopClock, run_virtually


def test_releases_wait_a_little_and_not_for_ever() -> None:
    """That an attempt is released wakes an idle leader, but not at once."""

    async def wait() -> float:
        inbox, clock = Inbox(), LoopClock()
        began = clock.boot_seconds()
        inbox.put([Released(attempt_ids=[an_attempt_id(1)])])
        await inbox.wait(None)
        assert len(inbox.take(10)) == 1
        return clock.boot_seconds() - began

    assert round(run_virtually(wait), 3) == REMINDER_SECONDS


def test_what_a_turn_left_is_not_forgotten() -> None:
    """Releases beyond what one turn takes wake the leader again, with no other news."""

    async def drain() -> int:
        inbox = Inbox()
        inbox.put([Released(attempt_ids=[an_attempt_id(number)]) for number in range(1, 4)])
        turns = 0
        async with asyncio.timeout(10 * REMINDER_SECONDS):
            left = 3
            while left:
                await inbox.wait(None)
                left -= len(inbox.take(2))
                turns += 1
        return turns

    assert run_virtually(drain) == 2
