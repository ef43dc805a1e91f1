"""What happens to our containers, as it happens: the engine's events and our own launches, for whoever watches."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from longshore.engines.docker.connection import CallRefused, Connection
from longshore.engines.docker.parse import Event
from longshore.ports.engine import EngineUnavailable, Observation

#: Events that come this close together are told as one batch, so that a short job costs one look at it, not two.
_BATCH_SECONDS = 0.01
#: How far back the event stream is asked for when it is opened, so that nothing falls between it and the listing.
_OVERLAP_SECONDS = 2.0

#: An event; a launch that failed; the end of the stream of events; None when the stream begins.
News = Event | Observation | EngineUnavailable | None


class NewsFeed:
    """The news of containers with one label."""

    def __init__(self, connection: Connection, label: str) -> None:
        self._connection = connection
        self._label = label
        self._watchers: set[asyncio.Queue[News]] = set()
        #: time of the last event, in seconds since the epoch; 0 before the first
        self._heard_until = 0.0

    def tell(self, news: Observation) -> None:
        """All who watch hear it."""
        for queue in self._watchers:
            queue.put_nowait(news)

    async def batches(self) -> AsyncGenerator[Sequence[News]]:
        """News from now on, and events since the last that was heard.

        Raises:
            EngineUnavailable: the stream of events has ended; it was in the last batch.
        """
        queue: asyncio.Queue[News] = asyncio.Queue()
        self._watchers.add(queue)
        reader = asyncio.create_task(self._read_events(queue), name="docker events")
        try:
            while True:
                batch = [await queue.get()]
                await asyncio.sleep(_BATCH_SECONDS)
                while not queue.empty():
                    batch.append(queue.get_nowait())
                yield batch
                for news in batch:
                    if isinstance(news, EngineUnavailable):
                        raise news
        finally:
            self._watchers.discard(queue)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read_events(self, queue: asyncio.Queue[News]) -> None:
        """Puts events until the stream breaks; then says so, and is done."""
        since = self._heard_until or time.time() - _OVERLAP_SECONDS
        try:
            async with aclosing(self._connection.events(label=self._label, since=since)) as events:
                async for event in events:
                    if event is not None:
                        self._heard_until = event.time_nano / 1e9
                    queue.put_nowait(event)
            queue.put_nowait(EngineUnavailable("the engine ended its stream of events"))
        except EngineUnavailable as outage:
            queue.put_nowait(outage)
        except CallRefused as refusal:
            queue.put_nowait(EngineUnavailable(f"the engine refuses to tell its events: {refusal.message}"))
