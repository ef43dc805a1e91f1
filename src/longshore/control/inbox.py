"""News for the leader's next turn, and the bell that wakes it."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from longshore.domain.ids import AttemptId
from longshore.ports.engine import LaunchFailed, Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Nothing of these attempts is left with their engine."""

    attempt_ids: Sequence[AttemptId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What this attempt, or part of one, needs for its launch is being fetched."""

    attempt_id: AttemptId


News = Observation | LaunchFailed | Begun | Released

#: For so long at most news waits that is not pressing.
REMINDER_SECONDS = 0.2


def _is_pressing(news: News) -> bool:
    return not isinstance(news, Released)


class Inbox:
    """Where lanes leave news and the API rings; implements `ports.notifier.Notifier`."""

    def __init__(self) -> None:
        self._news: deque[News] = deque()
        self._bell = asyncio.Event()
        self._has_news = asyncio.Event()
        #: rings for news that is not pressing
        self._reminder: asyncio.TimerHandle | None = None
        #: whether the API wrote something, and whether an engine came or went, since the leader last looked
        self.has_writes = True
        self.has_changed_health = True

    def notify(self) -> None:
        """Something that the leader must read was committed."""
        self.has_writes = True
        self._bell.set()

    def put(self, news: Sequence[News]) -> None:
        """Leave news, in order. That attempts are released frees nothing more: it waits a while for other news."""
        self._news.extend(news)
        if any(map(_is_pressing, news)):
            self._bell.set()
            self._has_news.set()
        elif news and self._reminder is None:
            self._reminder = asyncio.get_running_loop().call_later(REMINDER_SECONDS, self._bell.set)

    def ring(self) -> None:
        """Wake the leader without news."""
        self._bell.set()

    def take(self, limit: int) -> list[News]:
        """Up to `limit` news, oldest first; silences the bell, unless there is more."""
        self._bell.clear()
        if self._reminder is not None:
            self._reminder.cancel()
            self._reminder = None
        taken = [self._news.popleft() for _ in range(min(limit, len(self._news)))]
        if self._news:
            self._bell.set()
        return taken

    def put_back(self, news: Sequence[News]) -> None:
        """News of a turn that failed, to be taken again first."""
        self._news.extendleft(reversed(news))

    @property
    def is_pressing(self) -> bool:
        """Whether there is news that should not wait."""
        return any(map(_is_pressing, self._news))

    async def wait(self, timeout_seconds: float | None) -> None:
        """Return when the bell rings or the time is over, and silence the bell."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._bell.wait()
        except TimeoutError:
            pass
        self._bell.clear()

    async def wait_for_news(self, timeout_seconds: float) -> None:
        """Return when there is pressing news or the time is over; the bell stays as it is."""
        self._has_news.clear()
        if self.is_pressing:
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._has_news.wait()
        except TimeoutError:
            pass
