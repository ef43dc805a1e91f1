"""The clock of this machine."""

import asyncio
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path


class SystemClock:
    """`ports.clock.Clock` on Linux. Source: clock_gettime(2), random(4)."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot_id(self) -> str:
        return _boot_id()

    def boot_seconds(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        # The event loop's own clock stands still while the machine is suspended, so a sleep that spans a suspension
        # lasts longer on the boot clock; a loop that wakes late only does its work late.
        await asyncio.sleep(seconds)


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
