"""Virtual time: a clock that stands still until a test moves it."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count


class VirtualClock:
    """`ports.clock.Clock` whose boot clock moves by `advance` alone and whose wall clock can also jump.

    Sleepers wake in the order of their deadlines, those with one deadline in the order in which they lay down, each at
    exactly its time. Same calls, same order of everything, as long as nothing runs in other threads.
    """

    def __init__(self, *, now: datetime = datetime(2026, 1, 1, tzinfo=UTC), boot_seconds: float = 1000.0) -> None:
        self._boot_seconds = boot_seconds
        self._boot_at = now - timedelta(seconds=boot_seconds)
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        #: called before each jump of the wall clock, for those who must first stamp what has happened until now
        self.before_jump: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return self._boot_at + timedelta(seconds=self._boot_seconds)

    def boot_id(self) -> str:
        return "00000000-0000-4000-8000-000000000001"

    def boot_seconds(self) -> float:
        return self._boot_seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._boot_seconds + seconds, next(self._numbers), wake))
        await wake

    def next_wake_at(self) -> float | None:
        """The boot clock reading at which the first sleeper is due; None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back where `seconds` is negative; the boot clock takes no notice."""
        for callback in self.before_jump:
            callback()
        self._boot_at += timedelta(seconds=seconds)

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and let everybody who wakes meanwhile run until all of them wait again."""
        await self.advance_to(self._boot_seconds + seconds)

    async def advance_to(self, boot_seconds: float) -> None:
        """As `advance`, to a reading of the boot clock; a reading of the past moves nothing."""
        await self.settle()
        while (due := self.next_wake_at()) is not None and due <= boot_seconds:
            self._boot_seconds = max(self._boot_seconds, due)
            _, _, wake = heapq.heappop(self._sleepers)
            wake.set_result(None)
            await self.settle()
        self._boot_seconds = max(self._boot_seconds, boot_seconds)

    async def settle(self) -> None:
        """Return when every other task of this loop waits for something."""
        # After sleep(0) we are behind everything that was ready; when nothing became ready meanwhile, all wait. The
        # queue is asyncio's own: there is no public way to ask, and a fixed number of rounds would be a guess.
        ready = vars(asyncio.get_running_loop())["_ready"]
        await asyncio.sleep(0)
        while ready:  # noqa: ASYNC110 - there is no event to wait for: this is how tasks that are ready get to run
            await asyncio.sleep(0)
