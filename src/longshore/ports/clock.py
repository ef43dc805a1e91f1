"""Time as the core sees it: a wall clock for what people read, a boot clock for durations."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks. Never compute a duration from `now()`: the wall clock may jump."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...

    def boot_id(self) -> str:
        """Identifies this boot of the machine; boot clock readings of another boot mean nothing."""
        ...

    def boot_seconds(self) -> float:
        """Seconds since boot, suspended time included; never goes back within one boot."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after about `seconds` on the boot clock."""
        ...
