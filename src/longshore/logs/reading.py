"""What readers ask, answered on a reader thread: the index knows finished logs, the follower growing ones."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from longshore.domain.errors import NotFound, StoreUnavailable
from longshore.domain.ids import Scope
from longshore.logs.content import Content, ContentMoved
from longshore.logs.events import FOREVER, Events, LineEvents, PutEvents, read_page
from longshore.logs.follow import Follower
from longshore.logs.index import NO_STREAM, Place
from longshore.logs.lookup import Lookup
from longshore.logs.records import EventPage, SearchPage, StreamRecord
from longshore.logs.search import Search, search_page
from longshore.logs.settings import LogSettings
from longshore.logs.tokens import parse_key, render_key, stream_number

_TRIES = 6

Answer = TypeVar("Answer")


class Reader:
    """One for each reader thread."""

    def __init__(self, lookup: Lookup, follower: Follower, settings: LogSettings) -> None:
        self.lookup = lookup
        self._follower = follower
        self._settings = settings

    def list_streams(
        self, scope: Scope, group: str, *, prefix: str, by_time: bool, descending: bool, limit: int, token: str | None
    ) -> tuple[list[StreamRecord], str | None]:
        """Streams by name or by the time of the last event, and the token for more. Raises NotFound, InvalidRequest."""
        group_id = self.lookup.require_group(scope, group)
        purpose = f"streams:{scope.account_id}:{scope.region}:{group}:{prefix}:{by_time}:{descending}"
        after: tuple[int, str] | None = None
        if token is not None:
            time_ms, name = parse_key(token, purpose, int, str)
            assert isinstance(time_ms, int) and isinstance(name, str)
            after = (time_ms, name)
        key = _time_key if by_time else _name_key
        # Growing ones first: what is sealed between the two questions is then in the second answer, and in both at
        # worst.
        growing = self._follower.list_streams(scope, group)
        if by_time:
            sealed = self.lookup.streams_by_time(group_id, after=after, descending=descending, limit=limit + 1)
        else:
            last = None if after is None else after[1]
            sealed = self.lookup.streams_by_name(
                group_id, prefix=prefix, after=last, descending=descending, limit=limit + 1
            )
        growing = [
            r for r in growing if r.name.startswith(prefix) and (after is None or _is_behind(key(r), after, descending))
        ]
        growing.sort(key=key, reverse=descending)
        merged = heapq.merge(sealed, growing, key=key, reverse=descending)
        records = list(itertools.islice(_first_of_each(merged), limit + 1))
        if len(records) <= limit:
            return records, None
        del records[limit:]
        return records, render_key(purpose, *key(records[-1]))

    def get_events(
        self,
        scope: Scope,
        group: str,
        stream: str,
        *,
        token: str | None,
        from_head: bool,
        since: int,
        until: int,
        limit: int,
    ) -> EventPage:
        """A page of one stream. Raises NotFound, InvalidRequest."""
        number = stream_number(scope, group, stream)

        def read(streams: "_GroupStreams") -> EventPage:
            opened = streams.open(stream)
            if opened is None:
                raise NotFound(NO_STREAM)
            return read_page(opened[0], number, token=token, from_head=from_head, since=since, until=until, limit=limit)

        return self._retrying(scope, group, read)

    def search(
        self,
        scope: Scope,
        group: str,
        search: Search,
        *,
        names: Sequence[str] | None,
        prefix: str,
        settled_at: int,
        token: str | None,
    ) -> SearchPage:
        """Events of the streams in `names`, or of all that begin with `prefix`. Raises NotFound, InvalidRequest.

        While any of them grows, attempts' events after `settled_at` are left for later: another stream may still get an
        earlier one, which a client that goes on from the newest time it has seen would miss.
        """
        purpose = f"search:{scope.account_id}:{scope.region}:{group}"

        def read(streams: "_GroupStreams") -> SearchPage:
            streams.restrict(names, prefix, settled_at)
            return search_page(streams, search, purpose=purpose, token=token)

        return self._retrying(scope, group, read)

    def _retrying(self, scope: Scope, group: str, read: Callable[["_GroupStreams"], Answer]) -> Answer:
        """Read until nothing was moved or left out under our hands."""
        for _ in range(_TRIES):
            group_id = self.lookup.require_group(scope, group)
            streams = _GroupStreams(self.lookup, self._follower, self._settings, scope, group, group_id)
            try:
                answer = read(streams)
            except ContentMoved:
                continue
            if not streams.changed():
                return answer
        raise StoreUnavailable("The log changes faster than it can be read; try again.")


class _GroupStreams:
    """The streams of one group, for one reading."""

    def __init__(
        self, lookup: Lookup, follower: Follower, settings: LogSettings, scope: Scope, group: str, group_id: int
    ) -> None:
        self._lookup = lookup
        self._follower = follower
        self._settings = settings
        self._scope = scope
        self._group = group
        self._group_id = group_id
        self._names: Sequence[str] | None = None
        self._prefix = ""
        self._growing: list[StreamRecord] = []
        self._settled_until = FOREVER
        #: growing logs that were read, as they were then
        self._read: dict[str, Content] = {}

    def restrict(self, names: Sequence[str] | None, prefix: str, settled_at: int) -> None:
        self._names, self._prefix = names, prefix
        growing = self._follower.list_streams(self._scope, self._group)
        self._growing = [r for r in growing if (r.name in names if names is not None else r.name.startswith(prefix))]
        if self._growing:
            self._settled_until = settled_at + 1

    def spans(self, *, since: int, limit: int) -> tuple[Sequence[tuple[int, str]], int]:
        """Raises NotFound when one of the names is none."""
        spans = {(r.first_event_at, r.name) for r in self._growing if r.first_event_at is not None}
        growing = {record.name for record in self._growing}
        if self._names is None:
            sealed = self._lookup.spans(self._group_id, prefix=self._prefix, since=since, until=FOREVER, limit=limit)
            spans.update((first, name) for first, name in sealed if name not in growing)
            if len(sealed) == limit:
                return sorted(span for span in spans if span <= sealed[-1]), sealed[-1][0]
            return sorted(spans), FOREVER
        for name in set(self._names) - growing:
            found = self._lookup.find(self._group_id, name)
            if found is None:
                raise NotFound(NO_STREAM)
            if found.record.first_event_at is not None:
                spans.add((found.record.first_event_at, name))
        return sorted(spans), FOREVER

    def open(self, name: str) -> tuple[Events, int] | None:
        growing = self._follower.find(self._scope, self._group, name)
        if growing is not None:
            self._read[name] = growing[1]
            return LineEvents(name, growing[1], self._settings.event_bytes), self._settled_until
        found = self._lookup.find(self._group_id, name)
        if found is None:
            return None
        if found.place is Place.EVENTS:
            return PutEvents(name, self._lookup, found.stream_id), FOREVER
        return LineEvents(name, self._lookup.content(found), self._settings.event_bytes), self._settled_until

    def number(self, name: str) -> int:
        return stream_number(self._scope, self._group, name)

    def changed(self) -> bool:
        """Whether what was read of growing logs may have been given up while it was read."""
        for name, content in self._read.items():
            growing = self._follower.find(self._scope, self._group, name)
            if growing is not None:
                now = growing[1]
            else:
                found = self._lookup.find(self._group_id, name)
                if found is None:
                    return True
                now = self._lookup.content(found)
            if now.hole != content.hole or now.size < content.size:
                return True
        return False


def _name_key(record: StreamRecord) -> tuple[int, str]:
    return 0, record.name


def _time_key(record: StreamRecord) -> tuple[int, str]:
    return record.ordered_at, record.name


def _is_behind(key: tuple[int, str], after: tuple[int, str], descending: bool) -> bool:
    return key < after if descending else key > after


def _first_of_each(records: Iterable[StreamRecord]) -> Iterable[StreamRecord]:
    seen: set[str] = set()
    for record in records:
        if record.name not in seen:
            seen.add(record.name)
            yield record
