"""The machine's clock agrees with the machine."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from longshore.system_clock import SystemClock


def test_now_is_aware_utc() -> None:
    """The wall clock reads the present, in UTC."""
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


def test_boot_clock_is_the_kernels() -> None:
    """The boot clock reads seconds since boot, and the boot has a name that stays."""
    clock = SystemClock()
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= clock.boot_seconds() <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert clock.boot_id() == SystemClock().boot_id()
    UUID(clock.boot_id())


@pytest.mark.anyio
async def test_sleep_lasts_as_long_as_it_says() -> None:
    """A sleep is no shorter than asked on the boot clock, but for its grain."""
    clock = SystemClock()
    before = clock.boot_seconds()
    await clock.sleep(0.02)
    assert clock.boot_seconds() - before >= 0.019
