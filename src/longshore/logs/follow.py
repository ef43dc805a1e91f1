"""The set of growing logs: who they are, and looking at their sizes ten times a second."""

import threading
from collections.abc import Iterable, Sequence

from longshore.domain.ids import AttemptId, Scope
from longshore.logs.content import Content
from longshore.logs.layout import Layout
from longshore.logs.live import LiveLog
from longshore.logs.records import StreamRecord
from longshore.logs.settings import LogSettings
from longshore.ports.logs import AttemptLog


class Follower:
    """Growing logs by attempt and by name.

    `attach`, `find` and `list_streams` may be called from any thread; all else belongs to the writer thread. A log
    that was attached is not shown before `settle` has looked whether an earlier process knew it.
    """

    def __init__(self, layout: Layout, settings: LogSettings) -> None:
        self._layout = layout
        self._settings = settings
        self._lock = threading.Lock()
        self._fresh: dict[AttemptId, AttemptLog] = {}
        self._logs: dict[AttemptId, LiveLog] = {}
        self._names: dict[tuple[Scope, str], dict[str, LiveLog]] = {}
        #: attempts that may have files of an earlier process
        self._left_over: set[AttemptId] = set()

    def expect(self, attempt_ids: Iterable[AttemptId]) -> None:
        """These attempts have files that were there before this process."""
        self._left_over.update(attempt_ids)

    def attach(self, identities: Sequence[AttemptLog]) -> None:
        """Take on logs; those that are here already stay as they are."""
        with self._lock:
            for identity in identities:
                if identity.attempt_id not in self._logs:
                    self._fresh[identity.attempt_id] = identity

    @property
    def busy(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self._logs or self._fresh)

    def fresh(self) -> list[AttemptLog]:
        """Logs that were attached and are not shown yet: `settle` or `dismiss` them."""
        with self._lock:
            return list(self._fresh.values())

    def dismiss(self, identities: Sequence[AttemptLog]) -> None:
        """These are taken care of."""
        with self._lock:
            for identity in identities:
                self._fresh.pop(identity.attempt_id, None)

    def settle(self, identities: Sequence[AttemptLog], now_ms: int) -> None:
        """Begin to index and show these logs."""
        for identity in identities:
            live = LiveLog(identity, self._layout, self._settings, now_ms)
            if identity.attempt_id in self._left_over:
                self._left_over.discard(identity.attempt_id)
                live.resume(now_ms)
            with self._lock:
                self._logs[identity.attempt_id] = live
                self._names.setdefault((identity.scope, identity.group), {})[identity.stream] = live

    def poll(self, now_ms: int) -> None:
        """Look at all sizes."""
        for live in list(self._logs.values()):
            with self._lock:
                live.poll(now_ms)

    def finish(self, live: LiveLog, now_ms: int) -> None:
        """Look at one that has ended; afterwards all of it is indexed."""
        with self._lock:
            live.poll(now_ms, last=True)

    def get(self, attempt_id: AttemptId) -> LiveLog | None:
        return self._logs.get(attempt_id)

    def append(self, live: LiveLog, chunks: list[tuple[int, bytes]], cursor: str) -> None:
        """Raises OSError when they cannot be kept."""
        with self._lock:
            live.append(chunks, cursor)

    def drop(self, logs: Iterable[LiveLog]) -> None:
        """These are sealed: they are read from elsewhere now."""
        with self._lock:
            for live in logs:
                self._logs.pop(live.identity.attempt_id, None)
        self.hide(logs)

    def hide(self, logs: Iterable[LiveLog]) -> None:
        """Show these no more, though they go on."""
        with self._lock:
            for live in logs:
                streams = self._names.get((live.identity.scope, live.identity.group))
                if streams is not None and streams.get(live.identity.stream) is live:
                    del streams[live.identity.stream]
                    if not streams:
                        del self._names[live.identity.scope, live.identity.group]

    def in_group(self, scope: Scope, group: str) -> list[LiveLog]:
        with self._lock:
            return list(self._names.get((scope, group), {}).values())

    def find(self, scope: Scope, group: str, stream: str) -> tuple[StreamRecord, Content] | None:
        """What readers may see of a growing log now."""
        with self._lock:
            live = self._names.get((scope, group), {}).get(stream)
            return None if live is None else (_record(live), live.content())

    def list_streams(self, scope: Scope, group: str) -> list[StreamRecord]:
        with self._lock:
            return [_record(live) for live in self._names.get((scope, group), {}).values()]


def _record(live: LiveLog) -> StreamRecord:
    times = live.times.times
    return StreamRecord(
        name=live.identity.stream,
        created_at=live.created_at,
        first_event_at=times[0] if times else None,
        last_event_at=times[-1] if times else None,
        ingested_at=times[-1] if times else None,
        stored_bytes=live.size,
    )
