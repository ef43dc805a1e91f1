"""Searching the streams of a group, their events interleaved by time.

A place in the whole is (time, stream's name, place in the stream); a token is the place behind the last event that
was looked at, so nothing is kept between pages. Streams are opened in the order of their first events and only when
the merge reaches them, so a page costs by the streams and bytes that it touches; it ends early, with a token, when
that becomes much.
"""

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from longshore.logs.events import EVENT_OVERHEAD_BYTES, FOREVER, PAGE_BYTES, Events
from longshore.logs.records import FoundEvent, LogEvent, SearchPage
from longshore.logs.tokens import parse_key, render_key

_SCAN_BYTES = 16 * 1024 * 1024
_SCAN_EVENTS = 50_000
_SCAN_SECONDS = 2.0
#: Streams that are asked for at a time.
_STREAMS = 2_000

#: (time, stream, place): everything before it was looked at
Key = tuple[int, str, int]


class Streams(Protocol):
    """Where a search finds streams and their events."""

    def spans(self, *, since: int, limit: int) -> tuple[Sequence[tuple[int, str]], int]:
        """Streams with events at or after `since`, about `limit`, and the time before which no other has any.

        Each is (time of its first event, name), ascending; the time is FOREVER when these are all.
        """
        ...

    def open(self, name: str) -> tuple[Events, int] | None:
        """The events of a stream and their end in time; None when it is gone."""
        ...

    def number(self, name: str) -> int:
        """64 bits that stand for the stream."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for."""

    matches: Callable[[str], bool]
    since: int = 0
    until: int = FOREVER
    limit: int = 10_000


def search_page(streams: Streams, search: Search, *, purpose: str, token: str | None) -> SearchPage:
    """One answer of FilterLogEvents. Raises InvalidRequest for a wrong token, and ContentMoved."""
    after: Key = (search.since, "", 0)
    if token is not None:
        time_ms, name, place = parse_key(token, purpose, int, str, int)
        assert isinstance(time_ms, int) and isinstance(name, str) and isinstance(place, int)
        after = max(after, (time_ms, name, place))
    pending, horizon = _candidates(streams, after[0])
    merge = _Merge(streams, pending, after, search.until)
    found: list[FoundEvent] = []
    size = scanned = 0
    ends_at = time.monotonic() + _SCAN_SECONDS
    for looked_at, event in enumerate(merge, 1):
        if event.timestamp >= horizon:
            after = (horizon, "", 0)
            break
        cost = len(event.message) + EVENT_OVERHEAD_BYTES
        if search.matches(event.message):
            if found and size + cost > PAGE_BYTES:
                break
            size += cost
            found.append(_found(event, streams.number(event.stream)))
        after = (event.timestamp, event.stream, event.end)
        scanned += cost
        if (
            len(found) == search.limit
            or scanned > _SCAN_BYTES
            or looked_at == _SCAN_EVENTS
            or time.monotonic() > ends_at
        ):
            break
    else:
        after = (horizon, "", 0)
        if horizon >= search.until:
            return SearchPage(events=tuple(found), next_token=None)
    return SearchPage(events=tuple(found), next_token=render_key(purpose, *after))


def _candidates(streams: Streams, since: int) -> tuple[Sequence[tuple[int, str]], int]:
    limit = _STREAMS
    while True:
        spans, horizon = streams.spans(since=since, limit=limit)
        if horizon > since:
            return spans, horizon
        limit *= 4


class _Merge:
    """Events of many streams behind a key, by (time, name, place)."""

    def __init__(self, streams: Streams, pending: Sequence[tuple[int, str]], after: Key, until: int) -> None:
        self._streams = streams
        self._pending = pending
        self._after = after
        self._until = until

    def __iter__(self) -> Iterator[LogEvent]:
        heap: list[tuple[int, str, int, LogEvent, Iterator[LogEvent]]] = []
        opened = 0
        while heap or opened < len(self._pending):
            while opened < len(self._pending) and (not heap or self._pending[opened][0] <= heap[0][0]):
                events = self._open(self._pending[opened][1])
                opened += 1
                event = next(events, None)
                if event is not None:
                    heapq.heappush(heap, (event.timestamp, event.stream, event.position, event, events))
            if not heap:
                continue
            _, _, _, event, events = heap[0]
            yield event
            following = next(events, None)
            if following is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (following.timestamp, following.stream, following.position, following, events))

    def _open(self, name: str) -> Iterator[LogEvent]:
        opened = self._streams.open(name)
        if opened is None:
            return iter(())
        events, until = opened
        time_ms, last_name, place = self._after
        until = min(until, self._until)
        if name == last_name:
            return events.forward(place, time_ms, until)
        return events.forward(0, time_ms if name > last_name else time_ms + 1, until)


def _found(event: LogEvent, number: int) -> FoundEvent:
    return FoundEvent(
        stream=event.stream,
        timestamp=event.timestamp,
        message=event.message,
        ingested_at=event.ingested_at,
        event_id=f"{number:020d}{event.position:036d}",
    )
