"""Virtual time for code that uses asyncio as it is: an event loop whose clock jumps to whatever is due next.

When every task waits, the time of the loop becomes that of its next timer; so `asyncio.sleep` and `asyncio.timeout`
work unchanged, thousands of seconds pass in one, and the same calls give the same order of everything.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

#: Reading of the boot clock at which every run begins.
BEGINS_AT = 1000.0


class Standstill(Exception):
    """Every task waits for another, and nothing is due ever."""


class _SkippingSelector(selectors.SelectSelector):
    """Watches no file: to wait is to let virtual time pass."""

    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Standstill
        self._skip(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop of virtual time, in seconds since the boot of an imagined machine."""

    def __init__(self) -> None:
        self._seconds = BEGINS_AT
        super().__init__(_SkippingSelector(self._pass))

    def time(self) -> float:
        return self._seconds

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        # Time goes in microseconds, and no timer fires early: who wakes up finds that the time has come.
        if when > self._seconds:
            when = max(ceil(when * 1e6), round(self._seconds * 1e6) + 1) / 1e6
        return super().call_at(when, callback, *args, context=context)

    def _pass(self, seconds: float) -> None:
        self._seconds = round(self._seconds + seconds, 6)


class LoopClock:
    """`ports.clock.Clock` over the running `VirtualLoop`; its wall clock can jump."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        #: how often the machine was booted
        self.boots = 1
        self._boot_at = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=BEGINS_AT)

    def now(self) -> datetime:
        return self._boot_at + timedelta(seconds=self.boot_seconds())

    def boot_id(self) -> str:
        return f"00000000-0000-4000-8000-{self.boots:012x}"

    def boot_seconds(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back where `seconds` is negative; the boot clock takes no notice."""
        self._boot_at += timedelta(seconds=seconds)


def run_virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run `main` to its end in a loop of virtual time of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
