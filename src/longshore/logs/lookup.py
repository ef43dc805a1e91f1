"""Reading the index: groups, streams, where the events of a stream are. One object for each reader thread."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore.domain.errors import NotFound
from longshore.domain.ids import AttemptId, Scope
from longshore.logs.content import Content, ContentMoved, InFile, InMemory
from longshore.logs.index import NO_GROUP, Place
from longshore.logs.layout import Layout, read_file
from longshore.logs.pack import read_packed
from longshore.logs.records import GroupRecord, StreamRecord
from longshore.logs.schema import open_for_reading
from longshore.logs.sidecar import parse
from longshore.logs.times import ChunkTimes

_STREAM = "name, created_at, first_event_at, last_event_at, ingested_at, stored_bytes"
_PLACE = "id, attempt_id, place, segment, offset, times_bytes, event_start"


@dataclass(frozen=True, slots=True)
class Found:
    """A stream of the index, and where its events are."""

    record: StreamRecord
    stream_id: int
    attempt_id: AttemptId | None
    place: Place
    segment: int
    offset: int
    times_bytes: int
    event_start: str


class Lookup:
    """Reads what is committed at the moment of each call."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._connection = open_for_reading(layout.index)

    def close(self) -> None:
        self._connection.close()

    def require_group(self, scope: Scope, name: str) -> int:
        """The group's number. Raises NotFound."""
        row = self._connection.execute(
            "SELECT id FROM groups WHERE account_id = ? AND region = ? AND name = ?",
            (scope.account_id, scope.region, name),
        ).fetchone()
        if row is None:
            raise NotFound(NO_GROUP)
        return int(row[0])

    def groups(self, scope: Scope, *, prefix: str, pattern: str, after: str, limit: int) -> list[GroupRecord]:
        """Groups by name, behind `after`, that begin with `prefix` and hold `pattern` (in any case)."""
        rows = self._connection.execute(
            "SELECT name, created_at, retention_days, stored_bytes FROM groups WHERE account_id = :account"
            " AND region = :region AND name > :after AND substr(name, 1, length(:prefix)) = :prefix"
            " AND instr(lower(name), lower(:pattern)) > 0 ORDER BY name LIMIT :limit",
            {
                "account": scope.account_id,
                "region": scope.region,
                "after": after,
                "prefix": prefix,
                "pattern": pattern,
                "limit": limit,
            },
        )
        return [
            GroupRecord(scope=scope, name=name, created_at=created, retention_days=days, stored_bytes=size)
            for name, created, days, size in rows
        ]

    def streams_by_name(
        self, group_id: int, *, prefix: str, after: str | None, descending: bool, limit: int
    ) -> list[StreamRecord]:
        """Streams that begin with `prefix`, behind the one named `after` in the order asked for."""
        low = f"{_STREAM} FROM streams WHERE group_id = ? AND name >= ? AND substr(name, 1, length(?)) = ?"
        values: list[str | int] = [group_id, prefix, prefix, prefix]
        upper = _behind(prefix)
        if upper is not None:
            low += " AND name < ?"
            values.append(upper)
        if after is not None:
            low += f" AND name {'<' if descending else '>'} ?"
            values.append(after)
        order = "DESC" if descending else "ASC"
        rows = self._connection.execute(f"SELECT {low} ORDER BY name {order} LIMIT ?", (*values, limit))
        return [_record(row) for row in rows]

    def streams_by_time(
        self, group_id: int, *, after: tuple[int, str] | None, descending: bool, limit: int
    ) -> list[StreamRecord]:
        """Streams by the time of their last event, behind (time, name)."""
        sign, order = ("<", "DESC") if descending else (">", "ASC")
        where = "group_id = ?" if after is None else f"group_id = ? AND (ordered_at, name) {sign} (?, ?)"
        rows = self._connection.execute(
            f"SELECT {_STREAM} FROM streams WHERE {where} ORDER BY ordered_at {order}, name {order} LIMIT ?",
            (group_id, *(after or ()), limit),
        )
        return [_record(row) for row in rows]

    def spans(self, group_id: int, *, prefix: str, since: int, until: int, limit: int) -> list[tuple[int, str]]:
        """Streams with events that may lie in [since, until): (time of the first event, name), ascending."""
        rows = self._connection.execute(
            "SELECT first_event_at, name FROM streams WHERE group_id = ? AND ordered_at >= ? AND first_event_at < ?"
            " AND substr(name, 1, length(?)) = ? ORDER BY first_event_at, name LIMIT ?",
            (group_id, since, until, prefix, prefix, limit),
        )
        return rows.fetchall()

    def find(self, group_id: int, name: str) -> Found | None:
        row = self._connection.execute(
            f"SELECT {_STREAM}, {_PLACE} FROM streams WHERE group_id = ? AND name = ?", (group_id, name)
        ).fetchone()
        if row is None:
            return None
        stream_id, key, place, segment, offset, times_bytes, event_start = row[6:]
        return Found(
            _record(row[:6]),
            stream_id,
            None if key is None else AttemptId(key.hex()),
            Place(place),
            segment or 0,
            offset or 0,
            times_bytes or 0,
            event_start or "",
        )

    def content(self, found: Found) -> Content:
        """The bytes of a sealed log. Raises ContentMoved when the stream was deleted meanwhile."""
        record, layout = found.record, self._layout
        begin = record.first_event_at or 0
        match found.place:
            case Place.PACK:
                try:
                    data = read_packed(
                        layout.pack(found.segment), found.offset, record.stored_bytes + found.times_bytes
                    )
                except FileNotFoundError as error:
                    raise ContentMoved from error
                tail = data[record.stored_bytes :]
                times = ChunkTimes.from_bytes(tail) if tail else ChunkTimes.single(begin)
                storage = InMemory(data[: record.stored_bytes])
                return Content(
                    storage=storage, size=record.stored_bytes, times=times, final=True, event_start=found.event_start
                )
            case Place.FILE if found.attempt_id is not None:
                sidecar = read_file(layout.sealed_index(found.attempt_id))
                if sidecar is None:
                    sidecar = read_file(layout.live_index(found.attempt_id)) or b""
                state = parse(sidecar, record.stored_bytes)
                return Content(
                    storage=InFile((layout.sealed_log(found.attempt_id), layout.live_log(found.attempt_id))),
                    size=record.stored_bytes,
                    hole=state.hole,
                    times=state.times if state.times else ChunkTimes.single(begin),
                    final=True,
                    event_start=found.event_start,
                )
            case _:
                return Content(storage=InMemory(b""), size=0, times=ChunkTimes(), final=True)

    def put_events(
        self, stream_id: int, *, low: tuple[int, int], high: tuple[int, int], descending: bool, limit: int
    ) -> Sequence[tuple[int, int, int, str]]:
        """Events that callers put, low <= (time, number) < high: their time, number, time taken in, and text."""
        order = "DESC" if descending else "ASC"
        return self._connection.execute(
            "SELECT timestamp, sequence, ingested_at, message FROM events WHERE stream_id = ?"
            " AND (timestamp, sequence) >= (?, ?) AND (timestamp, sequence) < (?, ?)"
            f" ORDER BY timestamp {order}, sequence {order} LIMIT ?",
            (stream_id, *low, *high, limit),
        ).fetchall()


def _record(row: tuple[str, int, int | None, int | None, int | None, int]) -> StreamRecord:
    name, created, first, last, ingested, size = row
    return StreamRecord(
        name=name,
        created_at=created,
        first_event_at=first,
        last_event_at=last,
        ingested_at=ingested,
        stored_bytes=size,
    )


def _behind(prefix: str) -> str | None:
    """The least text that is behind all that begin with `prefix`; None when there is no such."""
    if not prefix or prefix[-1] >= "\ud7ff":
        return None
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
