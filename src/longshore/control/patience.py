"""How what is away is asked again, but not for ever."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from longshore.ports.clock import Clock
from longshore.ports.neighbours import NeighbourUnavailable

T = TypeVar("T")

#: between two tries
_PAUSE_SECONDS = 1.0


async def persist(ask: Callable[[], Awaitable[T]], clock: Clock, patience_seconds: Callable[[], float]) -> T:
    """What `ask` returns once somebody answers; `patience_seconds`, which may change, counts from the first failure.

    Raises:
        NeighbourUnavailable: nobody did.
    """
    failed_at: float | None = None
    while True:
        try:
            return await ask()
        except NeighbourUnavailable:
            failed_at = clock.boot_seconds() if failed_at is None else failed_at
            if clock.boot_seconds() + _PAUSE_SECONDS > failed_at + patience_seconds():
                raise
        await clock.sleep(_PAUSE_SECONDS)
