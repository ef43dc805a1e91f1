"""The events of one stream, read from any place in both directions, whichever way they are stored."""

from collections.abc import Iterator
from typing import Protocol

from longshore.logs.content import Content
from longshore.logs.joined import OPEN_MS, JoinedReader, compile_start
from longshore.logs.lines import EVENT_BYTES, Line, LineReader
from longshore.logs.lookup import Lookup
from longshore.logs.records import EventPage, LogEvent
from longshore.logs.tokens import parse_place, render_place

#: Behind every time (epoch ms).
FOREVER = 2**62
#: Bytes of messages in a page, 26 for each event added. Source: CloudWatch Logs API, GetLogEvents and PutLogEvents.
PAGE_BYTES = 1024 * 1024
EVENT_OVERHEAD_BYTES = 26
_ROWS = 1_000
_SEQUENCES = 10**9


class Events(Protocol):
    """Events in the order of their places. Times are epoch ms; every method may raise ContentMoved."""

    def forward(self, position: int, since: int, until: int) -> Iterator[LogEvent]:
        """From `position` on, those with since <= time < until."""
        ...

    def backward(self, position: int, since: int, until: int) -> Iterator[LogEvent]:
        """Those before `position` with since <= time < until, the last first."""
        ...

    def seek(self, time_ms: int) -> int:
        """The place before the first event at or after `time_ms`; the end when there is none."""
        ...


class LineEvents:
    """Events of an attempt's log."""

    def __init__(self, name: str, content: Content, event_bytes: int = EVENT_BYTES) -> None:
        self._name = name
        self._times = content.times
        self._lines = _reader(content, event_bytes)

    def forward(self, position: int, since: int, until: int) -> Iterator[LogEvent]:
        if since > 0:
            position = max(position, self.seek(since))
        for line in self._lines.forward(position):
            time_ms = self._times.at(line.start)
            if time_ms >= until:
                return
            if time_ms >= since:
                yield self._event(line, time_ms)

    def backward(self, position: int, since: int, until: int) -> Iterator[LogEvent]:
        if until < FOREVER:
            position = min(position, self.seek(until))
        for line in self._lines.backward(position):
            time_ms = self._times.at(line.start)
            if time_ms < since:
                return
            if time_ms < until:
                yield self._event(line, time_ms)

    def seek(self, time_ms: int) -> int:
        offset = self._times.first_offset(time_ms)
        return self._lines.end() if offset is None else self._lines.align(offset)

    def _event(self, line: Line, time_ms: int) -> LogEvent:
        return LogEvent(
            stream=self._name,
            timestamp=time_ms,
            message=line.message,
            ingested_at=time_ms,
            position=line.start,
            end=line.end,
        )


def _reader(content: Content, event_bytes: int) -> LineReader | JoinedReader:
    lines = LineReader(content, event_bytes)
    if not content.event_start:
        return lines
    is_closed = content.final or content.idle_ms >= OPEN_MS
    begins = compile_start(content.event_start)
    return JoinedReader(lines, begins, block_bytes=max(event_bytes // 4, 1), is_closed=is_closed)


class PutEvents:
    """Events that callers put: ordered by their own times, then as they came."""

    def __init__(self, name: str, lookup: Lookup, stream_id: int) -> None:
        self._name = name
        self._lookup = lookup
        self._stream_id = stream_id

    def forward(self, position: int, since: int, until: int) -> Iterator[LogEvent]:
        low, high = max(_row_key(position), (since, 0)), (until, 0)
        while rows := self._rows(low, high, descending=False):
            for row in rows:
                yield self._event(row)
            low = (rows[-1][0], rows[-1][1] + 1)

    def backward(self, position: int, since: int, until: int) -> Iterator[LogEvent]:
        low, high = (since, 0), min(_row_key(position), (until, 0))
        while rows := self._rows(low, high, descending=True):
            for row in rows:
                yield self._event(row)
            high = (rows[-1][0], rows[-1][1])

    def seek(self, time_ms: int) -> int:
        if time_ms < FOREVER:
            return time_ms * _SEQUENCES
        last = self._lookup.put_events(self._stream_id, low=(0, 0), high=(FOREVER, 0), descending=True, limit=1)
        return self._event(last[0]).end if last else 0

    def _rows(
        self, low: tuple[int, int], high: tuple[int, int], *, descending: bool
    ) -> list[tuple[int, int, int, str]]:
        return list(self._lookup.put_events(self._stream_id, low=low, high=high, descending=descending, limit=_ROWS))

    def _event(self, row: tuple[int, int, int, str]) -> LogEvent:
        timestamp, sequence, ingested_at, message = row
        position = timestamp * _SEQUENCES + sequence
        return LogEvent(
            stream=self._name,
            timestamp=timestamp,
            message=message,
            ingested_at=ingested_at,
            position=position,
            end=position + 1,
        )


def _row_key(position: int) -> tuple[int, int]:
    """Time and number of a place; a place that was made up is kept to what the database can hold."""
    return divmod(min(position, FOREVER * _SEQUENCES), _SEQUENCES)


def read_page(
    events: Events, number: int, *, token: str | None, from_head: bool, since: int, until: int, limit: int
) -> EventPage:
    """One answer of GetLogEvents: at most `limit` events and PAGE_BYTES of them.

    `number` is that of the stream (`tokens`). Where there is nothing to give, the token of the direction that was
    read is the one that was passed in, so that a client sees the end; read again, it gives what came meanwhile.
    Raises InvalidRequest for a token that is not of this stream, and ContentMoved.
    """
    if token is not None:
        position, forward = parse_place(token, number)
    else:
        forward = from_head
        position = events.seek(since if forward else until)
    page: list[LogEvent] = []
    size = 0
    for event in (events.forward if forward else events.backward)(position, since, until):
        size += len(event.message) + EVENT_OVERHEAD_BYTES
        if page and size > PAGE_BYTES:
            break
        page.append(event)
        if len(page) == limit:
            break
    if not forward:
        page.reverse()
    return EventPage(
        events=tuple(page),
        forward_token=render_place(number, page[-1].end if page else position, forward=True),
        backward_token=render_place(number, page[0].position if page else position, forward=False),
    )
