"""Writing the index: groups, the places of finished logs, events that callers put. Belongs to the writer thread."""

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from longshore.domain.errors import AlreadyExists, InvalidRequest, NotFound
from longshore.domain.ids import AttemptId, Scope
from longshore.ports.logs import AttemptLog

DAY_MS = 86_400_000
NO_GROUP = "The specified log group does not exist."
OF_ATTEMPT = "The specified log stream is that of a job's attempt, which alone writes to it."
NO_STREAM = "The specified log stream does not exist."


class Place(IntEnum):
    """Where the events of a stream lie."""

    EVENTS = 0  #: in the table `events`: callers put them
    NOWHERE = 1  #: there are none
    PACK = 2
    FILE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedLog:
    """The row of a sealed attempt."""

    attempt_id: AttemptId
    group_id: int
    name: str
    created_at: int
    first_event_at: int | None
    last_event_at: int | None
    size: int
    place: Place
    segment: int | None = None
    offset: int | None = None
    times_bytes: int | None = None
    event_start: str = ""


@dataclass(frozen=True, slots=True)
class Remains:
    """What is on disk of a stream whose row is to go."""

    stream_id: int
    attempt_id: AttemptId | None
    place: Place
    segment: int
    offset: int
    length: int


_INSERT = """
INSERT OR REPLACE INTO streams (group_id, name, attempt_id, created_at, first_event_at, last_event_at, ingested_at,
    ordered_at, stored_bytes, place, segment, offset, times_bytes, event_start)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

#: Finished logs whose last event is too old, and streams with too old events that callers put. A group without a
#: retention has the default, and without that its bound is NULL: nothing is before it. CROSS JOIN: groups come first.
DUE_LOGS = f"""
SELECT s.id, s.group_id, s.stored_bytes FROM groups g CROSS JOIN streams s ON s.group_id = g.id
    AND s.ordered_at < :now_ms - coalesce(g.retention_days, :default_days) * {DAY_MS}
WHERE s.attempt_id IS NOT NULL LIMIT :limit
"""
DUE_PUT = f"""
SELECT s.id, s.group_id, :now_ms - coalesce(g.retention_days, :default_days) * {DAY_MS} FROM groups g
    CROSS JOIN streams s ON s.group_id = g.id AND s.place = 0
    AND s.first_event_at < :now_ms - coalesce(g.retention_days, :default_days) * {DAY_MS} LIMIT 1
"""


class Index:
    """The one writer of the index database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._group_ids: dict[tuple[Scope, str], int] = {}

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self, *, durable: bool) -> Generator[None]:
        """All or nothing. `durable`: it outlives a power failure when this returns, else a little later."""
        if durable:
            self._connection.execute("PRAGMA synchronous = FULL")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._group_ids.clear()
                raise
        finally:
            if durable:
                self._connection.execute("PRAGMA synchronous = NORMAL")

    def group_id(self, scope: Scope, name: str) -> int | None:
        known = self._group_ids.get((scope, name))
        if known is None:
            row = self._connection.execute(
                "SELECT id FROM groups WHERE account_id = ? AND region = ? AND name = ?",
                (scope.account_id, scope.region, name),
            ).fetchone()
            if row is None:
                return None
            known = self._group_ids[scope, name] = int(row[0])
        return known

    def require_group(self, scope: Scope, name: str) -> int:
        """Raises NotFound."""
        group_id = self.group_id(scope, name)
        if group_id is None:
            raise NotFound(NO_GROUP)
        return group_id

    def create_group(self, scope: Scope, name: str, now_ms: int) -> int:
        """Raises AlreadyExists."""
        if self.group_id(scope, name) is not None:
            raise AlreadyExists("The specified log group already exists")
        cursor = self._connection.execute(
            "INSERT INTO groups (account_id, region, name, created_at) VALUES (?, ?, ?, ?)",
            (scope.account_id, scope.region, name, now_ms),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def set_retention(self, scope: Scope, name: str, days: int | None) -> None:
        """None: that of the settings. Raises NotFound."""
        group_id = self.require_group(scope, name)
        self._connection.execute("UPDATE groups SET retention_days = ? WHERE id = ?", (days, group_id))

    def retention_days(self, group_id: int) -> int | None:
        row = self._connection.execute("SELECT retention_days FROM groups WHERE id = ?", (group_id,)).fetchone()
        return None if row is None else row[0]

    def delete_group(self, scope: Scope, name: str) -> None:
        """Gone for callers; its streams wait in a grave for `buried`. Raises NotFound."""
        group_id = self.require_group(scope, name)
        self._connection.execute("DELETE FROM groups WHERE id = ?", (group_id,))
        self._connection.execute("INSERT INTO graves VALUES (?)", (group_id,))
        del self._group_ids[scope, name]

    def create_stream(self, group_id: int, name: str, now_ms: int) -> None:
        """Raises AlreadyExists."""
        try:
            cursor = self._connection.execute(
                "INSERT INTO streams (group_id, name, created_at, ordered_at, stored_bytes, place)"
                " VALUES (?, ?, ?, ?, 0, ?)",
                (group_id, name, now_ms, now_ms, Place.EVENTS),
            )
        except sqlite3.IntegrityError as error:
            raise AlreadyExists("The specified log stream already exists") from error
        self._connection.execute("DELETE FROM events WHERE stream_id = ?", (cursor.lastrowid,))

    def find_stream(self, group_id: int, name: str) -> Remains | None:
        return next(self._remains("group_id = ? AND name = ?", (group_id, name)), None)

    def put_events(self, group_id: int, name: str, events: Sequence[tuple[int, str]], now_ms: int) -> None:
        """Add (epoch ms, message), times ascending. Raises NotFound, InvalidRequest for the stream of an attempt."""
        row = self._connection.execute(
            "SELECT id, place, put_count FROM streams WHERE group_id = ? AND name = ?", (group_id, name)
        ).fetchone()
        if row is None:
            raise NotFound(NO_STREAM)
        stream_id, place, count = row
        if place != Place.EVENTS:
            raise InvalidRequest(OF_ATTEMPT)
        if not events:
            return
        self._connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            (
                (stream_id, timestamp, count + number, now_ms, message)
                for number, (timestamp, message) in enumerate(events)
            ),
        )
        first, last = events[0][0], events[-1][0]
        size = sum(len(message.encode()) for _, message in events)
        self._connection.execute(
            "UPDATE streams SET first_event_at = min(coalesce(first_event_at, :first), :first), "
            "last_event_at = max(coalesce(last_event_at, :last), :last), "
            "ordered_at = max(coalesce(last_event_at, :last), :last), "
            "ingested_at = :now, stored_bytes = stored_bytes + :size, put_count = put_count + :count WHERE id = :id",
            {"first": first, "last": last, "now": now_ms, "size": size, "count": len(events), "id": stream_id},
        )
        self._count_bytes(group_id, size)

    def add_finished(self, logs: Sequence[FinishedLog]) -> None:
        """Finished logs, each in the place of whatever had its name."""
        self._connection.executemany(_INSERT, map(_finished_row, logs))
        self._connection.executemany(
            "INSERT OR REPLACE INTO unswept VALUES (?, ?)", ((bytes.fromhex(x.attempt_id), int(x.place)) for x in logs)
        )
        sizes: dict[int, int] = {}
        for log in logs:
            sizes[log.group_id] = sizes.get(log.group_id, 0) + log.size
        for group_id, size in sizes.items():
            if size:
                self._count_bytes(group_id, size)

    def is_sealed(self, log: AttemptLog) -> bool:
        group_id = self.group_id(log.scope, log.group)
        row = self._connection.execute(
            "SELECT attempt_id FROM streams WHERE group_id = ? AND name = ?", (group_id, log.stream)
        ).fetchone()
        return row is not None and row[0] == bytes.fromhex(log.attempt_id)

    def unswept(self) -> dict[AttemptId, Place]:
        """Sealed attempts whose sources were perhaps not cleaned up, and where their bytes are."""
        rows = self._connection.execute("SELECT attempt_id, place FROM unswept")
        return {AttemptId(key.hex()): Place(place) for key, place in rows}

    def forget_swept(self, attempt_ids: Sequence[AttemptId]) -> None:
        """Nothing of these is left but what the index names."""
        rows = ((bytes.fromhex(attempt_id),) for attempt_id in attempt_ids)
        self._connection.executemany("DELETE FROM unswept WHERE attempt_id = ?", rows)

    def doomed(self) -> set[AttemptId]:
        return {AttemptId(key.hex()) for (key,) in self._connection.execute("SELECT attempt_id FROM doomed")}

    def doom(self, attempt_ids: Sequence[AttemptId]) -> None:
        """The logs of these running attempts are not wanted."""
        rows = ((bytes.fromhex(attempt_id),) for attempt_id in attempt_ids)
        self._connection.executemany("INSERT OR IGNORE INTO doomed VALUES (?)", rows)

    def undoom(self, attempt_ids: Sequence[AttemptId]) -> None:
        """They have ended, and their logs are gone."""
        rows = ((bytes.fromhex(attempt_id),) for attempt_id in attempt_ids)
        self._connection.executemany("DELETE FROM doomed WHERE attempt_id = ?", rows)

    def buried(self, limit: int) -> list[Remains]:
        """Some streams of deleted groups, or some that were too old. A grave without any is closed."""
        row = self._connection.execute("SELECT group_id FROM graves LIMIT 1").fetchone()
        if row is None:
            return []
        remains = list(self._remains("group_id = ? LIMIT ?", (row[0], limit)))
        if not remains:
            self._connection.execute("DELETE FROM graves WHERE group_id = ?", row)
        return remains

    def bury_due(self, now_ms: int, default_days: int | None, limit: int) -> int:
        """Finished logs that are too old go into a grave of their group's; gives how many."""
        values = {"now_ms": now_ms, "default_days": default_days, "limit": limit}
        rows: list[tuple[int, int, int]] = self._connection.execute(DUE_LOGS, values).fetchall()
        # One of the same name that lies there already is of the same attempt, at the same place.
        self._connection.executemany(
            "UPDATE OR REPLACE streams SET group_id = -group_id WHERE id = ?", ((row[0],) for row in rows)
        )
        sizes: dict[int, int] = {}
        for _, group_id, size in rows:
            sizes[group_id] = sizes.get(group_id, 0) + size
        for group_id, size in sizes.items():
            self._connection.execute("INSERT OR IGNORE INTO graves VALUES (?)", (-group_id,))
            self._count_bytes(group_id, -size)
        return len(rows)

    def delete_due(self, now_ms: int, default_days: int | None, limit: int) -> int:
        """Events of one stream that callers put and that are too old are gone; gives how many."""
        values = {"now_ms": now_ms, "default_days": default_days}
        due = self._connection.execute(DUE_PUT, values).fetchone()
        if due is None:
            return 0
        stream_id, group_id, before_ms = due
        rows: list[tuple[int, int, int]] = self._connection.execute(
            "SELECT timestamp, sequence, length(CAST(message AS BLOB)) FROM events WHERE stream_id = ?"
            " AND timestamp < ? ORDER BY timestamp, sequence LIMIT ?",
            (stream_id, before_ms, limit),
        ).fetchall()
        timestamp, sequence, _ = rows[-1]
        self._connection.execute(
            "DELETE FROM events WHERE stream_id = ? AND (timestamp, sequence) <= (?, ?)",
            (stream_id, timestamp, sequence),
        )
        size = sum(row[2] for row in rows)
        self._connection.execute(
            "UPDATE streams SET first_event_at = (SELECT min(timestamp) FROM events WHERE stream_id = streams.id),"
            " stored_bytes = stored_bytes - ? WHERE id = ?",
            (size, stream_id),
        )
        self._connection.execute(
            "UPDATE streams SET last_event_at = NULL, ordered_at = created_at WHERE id = ? AND first_event_at IS NULL",
            (stream_id,),
        )
        self._count_bytes(group_id, -size)
        return len(rows)

    def has_graves(self) -> bool:
        return self._connection.execute("SELECT 1 FROM graves").fetchone() is not None

    def delete_streams(self, stream_ids: Sequence[int]) -> None:
        rows = [(stream_id,) for stream_id in stream_ids]
        self._connection.executemany(
            "UPDATE groups SET stored_bytes = groups.stored_bytes - s.stored_bytes FROM streams s"
            " WHERE s.id = ? AND groups.id = s.group_id",
            rows,
        )
        self._connection.executemany("DELETE FROM events WHERE stream_id = ?", rows)
        self._connection.executemany("DELETE FROM streams WHERE id = ?", rows)

    def _count_bytes(self, group_id: int, size: int) -> None:
        self._connection.execute("UPDATE groups SET stored_bytes = stored_bytes + ? WHERE id = ?", (size, group_id))

    def _remains(self, where: str, values: tuple[object, ...]) -> Iterator[Remains]:
        rows = self._connection.execute(
            "SELECT id, attempt_id, place, coalesce(segment, 0), coalesce(offset, 0), "
            f"stored_bytes + coalesce(times_bytes, 0) FROM streams WHERE {where}",
            values,
        )
        for stream_id, key, place, segment, offset, length in rows:
            yield Remains(
                stream_id, None if key is None else AttemptId(key.hex()), Place(place), segment, offset, length
            )


def _finished_row(log: FinishedLog) -> tuple[object, ...]:
    last = log.last_event_at
    return (
        log.group_id,
        log.name,
        bytes.fromhex(log.attempt_id),
        log.created_at,
        log.first_event_at,
        last,
        last,
        log.created_at if last is None else last,
        log.size,
        int(log.place),
        log.segment,
        log.offset,
        log.times_bytes,
        log.event_start or None,
    )
