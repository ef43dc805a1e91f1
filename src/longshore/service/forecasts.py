"""When waiting jobs are likely to start, for all who ask: one forecast at a time, and none more often than it is worth.

A forecast is worked out beside the event loop, in a thread of its own, and for so long at most; while one is asked for
again and again, it takes a fifth of a processor at most.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from longshore.ports.clock import Clock
from longshore.ports.overview import Overview
from longshore.scheduling.forecast.outlook import DRAWS, Forecast, Outlook, forecast

#: The most that one forecast takes. What is not reached by then is "later".
MOST_SECONDS = 1.5
#: The part of it that the first draw may take: it looks far, and the others as far as there is time, so that more is
#: told of jobs that start soon.
_FIRST = 0.4
#: A forecast serves for so much longer than it took.
_WORTH = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foresight:
    """A copy of the present and what is likely to come of it."""

    at: datetime
    outlook: Outlook
    forecast: Forecast


class Forecasts:
    """Forecasts of one server."""

    def __init__(self, overview: Overview, clock: Clock) -> None:
        self._overview = overview
        self._clock = clock
        self._lock = asyncio.Lock()
        self._latest: Foresight | None = None
        self._made_at = float("-inf")
        self._took_seconds = 0.0

    async def latest(self, *, within_seconds: float = 0.5) -> Foresight | None:
        """A forecast of a present not longer ago than that, if it is worth the work; None while nothing is known.

        Raises:
            StoreUnavailable: the present can't be read now.
        """
        async with self._lock:
            began = self._clock.boot_seconds()
            if self._latest is not None and began - self._made_at <= max(within_seconds, self._took_seconds * _WORTH):
                return self._latest
            outlook = await self._overview.outlook()
            if outlook is not None:
                self._latest = await self._look_ahead(outlook, DRAWS)
                self._made_at = self._clock.boot_seconds()
                self._took_seconds = self._made_at - began
            return self._latest

    async def compare(self, first: Outlook, second: Outlook) -> tuple[Foresight, Foresight]:
        """Two presents carried on as often; one at a time."""
        async with self._lock:
            one = await self._look_ahead(first, DRAWS)
            return one, await self._look_ahead(second, len(one.forecast.starts))

    async def present(self) -> Outlook | None:
        """A copy of the present alone; None while nothing is known."""
        return await self._overview.outlook()

    async def _look_ahead(self, outlook: Outlook, draws: int) -> Foresight:
        at, began = self._clock.now(), self._clock.boot_seconds()

        def is_over(draw: int) -> bool:
            part = _FIRST + (1 - _FIRST) * draw / max(draws - 1, 1)
            return self._clock.boot_seconds() - began >= MOST_SECONDS * part

        found = await asyncio.to_thread(forecast, outlook, draws=draws, is_over=is_over)
        return Foresight(at=at, outlook=outlook, forecast=found)
