"""Putting finished logs away.

A log goes to a pack file or, when it is large, to a file of its own under `sealed/`; an empty one leaves only its
row. The order is: bytes in the pack, row committed, then the source moved or put on the list of the spent. A kill
between any two of these leaves the source under `live/`, and the next start either finds its row and finishes, or
finds none and the log is sealed again.

The sources of packed logs are deleted in batches about once a second, after a sync of the pack file and of the index,
so that no attempt waits for the disk and yet no log exists only in memory. After a power failure the rows of the last
second may be missing; the sources of all logs that had any output are then still there.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from longshore.domain.ids import AttemptId
from longshore.logs.content import InFile
from longshore.logs.follow import Follower
from longshore.logs.index import FinishedLog, Index, Place
from longshore.logs.layout import Layout, unlink_quietly
from longshore.logs.live import LiveLog
from longshore.logs.pack import PackWriter
from longshore.logs.schema import checkpoint
from longshore.logs.settings import LogSettings

#: Logs, and bytes of them, that are sealed in one transaction.
_BATCH_LOGS = 128
_BATCH_BYTES = 8 * 1024 * 1024

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Batch:
    """What one transaction will seal."""

    logs: list[LiveLog]
    packed: list[bytes]
    packed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """Sources that are no longer needed once what replaces them is on the disk."""

    paths: Sequence[str]
    attempt_ids: Sequence[AttemptId]
    #: of the newest pack file, -1 when nothing needs a sync; closed by `sweep`
    descriptor: int
    index_path: str


class Sealer:
    """Belongs to the writer thread."""

    def __init__(self, layout: Layout, settings: LogSettings, index: Index, follower: Follower) -> None:
        self._layout = layout
        self._settings = settings
        self._index = index
        self._follower = follower
        self._pack = PackWriter(layout, settings.pack_segment_bytes)
        self._spent: list[str] = []
        self._done: list[AttemptId] = []
        self._unsynced = False
        self._folders: set[str] = set()

    def close(self) -> None:
        self._pack.close()

    def seal(self, logs: Sequence[LiveLog], now_ms: int) -> None:
        """Seal them, some at a time. Raises OSError or sqlite3.Error; those that are not sealed then are as before."""
        for batch in self._batches(logs, now_ms):
            self._seal_batch(batch, now_ms)

    def tidy(self) -> set[AttemptId]:
        """Finish what a kill cut short; gives the attempts that have files and are not sealed."""
        sealed = self._index.unswept()
        for attempt_id, place in sealed.items():
            self._put_away(attempt_id, place, has_index=True)
        return self._layout.live_attempts() - sealed.keys()

    @property
    def has_spent(self) -> bool:
        return bool(self._done)

    def take_spent(self) -> Spent:
        """Hand over what `sweep` may delete. Raises OSError."""
        descriptor = self._pack.duplicate() if self._unsynced else -1
        spent = Spent(self._spent, self._done, descriptor, self._layout.index)
        self._spent, self._done, self._unsynced = [], [], False
        return spent

    def take_back(self, spent: Spent) -> None:
        """The sweep did not happen: it must be tried again."""
        self._spent.extend(spent.paths)
        self._done.extend(spent.attempt_ids)
        self._unsynced = True

    def _batches(self, logs: Sequence[LiveLog], now_ms: int) -> Iterator[_Batch]:
        batch = _Batch([], [])
        for live in logs:
            self._follower.finish(live, now_ms)
            data = b""
            if live.hole is None and live.size <= self._settings.pack_limit_bytes:
                data = InFile((live.path,)).read(0, live.size) if live.size else b""
                if len(data) != live.size:
                    raise OSError(f"{live.path} holds {len(data)} bytes of {live.size}")
                if len(live.times) > 1:
                    data += live.times.to_bytes()
            else:
                live.write_final_index()
            batch.logs.append(live)
            batch.packed.append(data)
            batch.packed_bytes += len(data)
            if len(batch.logs) >= _BATCH_LOGS or batch.packed_bytes >= _BATCH_BYTES:
                yield batch
                batch = _Batch([], [])
        if batch.logs:
            yield batch

    def _seal_batch(self, batch: _Batch, now_ms: int) -> None:
        segment, offset = self._pack.append(b"".join(batch.packed)) if batch.packed_bytes else (0, 0)
        begin = offset
        rows: list[FinishedLog] = []
        try:
            with self._index.transaction(durable=False):
                for live, data in zip(batch.logs, batch.packed, strict=True):
                    rows.append(self._row(live, segment, offset, len(data), now_ms))
                    offset += len(data)
                self._index.add_finished(rows)
        except BaseException:
            if batch.packed_bytes:
                self._pack.take_back(begin)
            raise
        for row, live in zip(rows, batch.logs, strict=True):
            self._put_away(row.attempt_id, row.place, has_index=live.has_sidecar)
        self._follower.drop(batch.logs)

    def _row(self, live: LiveLog, segment: int, offset: int, length: int, now_ms: int) -> FinishedLog:
        identity, times = live.identity, live.times.times
        group_id = self._index.group_id(identity.scope, identity.group)
        if group_id is None:
            group_id = self._index.create_group(identity.scope, identity.group, now_ms)
        place = Place.PACK if length else Place.FILE if live.size else Place.NOWHERE
        return FinishedLog(
            attempt_id=identity.attempt_id,
            group_id=group_id,
            name=identity.stream,
            created_at=live.created_at,
            first_event_at=times[0] if times else None,
            last_event_at=times[-1] if times else None,
            size=live.size,
            place=place,
            segment=segment if length else None,
            offset=offset if length else None,
            times_bytes=length - live.size if length else None,
            event_start=identity.event_start,
        )

    def _put_away(self, attempt_id: AttemptId, place: Place, *, has_index: bool) -> None:
        """What a sealed log leaves under `live/`. One that cannot be moved is read where it is until the next start."""
        if place is Place.FILE:
            try:
                self._move(attempt_id)
            except OSError as error:
                _log.warning("log_not_moved", attempt_id=attempt_id, error=str(error))
                return
        else:
            self._unsynced = self._unsynced or place is Place.PACK
            self._spent.append(self._layout.live_log(attempt_id))
            if has_index:
                self._spent.append(self._layout.live_index(attempt_id))
        self._done.append(attempt_id)

    def _move(self, attempt_id: AttemptId) -> None:
        layout = self._layout
        target = layout.sealed_log(attempt_id)
        folder = os.path.dirname(target)
        if folder not in self._folders:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._folders.add(folder)
        for source, place in (
            (layout.live_log(attempt_id), target),
            (layout.live_index(attempt_id), layout.sealed_index(attempt_id)),
        ):
            if os.path.exists(source):
                os.rename(source, place)


def sweep(spent: Spent) -> None:
    """Sync what replaces the spent files, then delete them; it may wait long. Raises OSError, sqlite3.Error."""
    if spent.descriptor >= 0:
        try:
            os.fsync(spent.descriptor)
        finally:
            os.close(spent.descriptor)
    checkpoint(spent.index_path)
    for path in spent.paths:
        unlink_quietly(path)
