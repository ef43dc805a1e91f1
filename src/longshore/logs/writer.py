"""Everything that changes log files or the index. One object, used on one thread."""

from collections.abc import Callable, Iterable, Sequence

from longshore.domain.errors import AlreadyExists, InvalidRequest, NotFound
from longshore.domain.ids import AttemptId, Scope
from longshore.logs.follow import Follower
from longshore.logs.index import DAY_MS, NO_STREAM, OF_ATTEMPT, Index
from longshore.logs.layout import Layout, unlink_quietly
from longshore.logs.live import LiveLog
from longshore.logs.records import PutResult
from longshore.logs.remove import remove_streams
from longshore.logs.schema import open_index
from longshore.logs.seal import Sealer, Spent
from longshore.logs.settings import LogSettings

#: Streams that are removed, and put events that are deleted, between two looks at growing logs.
_BURIED_AT_ONCE = 1_000
_REMEMBERED = 10_000
_TOO_NEW_MS = 2 * 3_600_000
_TOO_OLD_MS = 14 * DAY_MS


class LogWriter:
    """Changes are whole or not at all; OSError and sqlite3.Error are those of the disk."""

    def __init__(self, layout: Layout, settings: LogSettings, follower: Follower, now_ms: Callable[[], int]) -> None:
        """Raises LogIndexRefused when the index is not for this version."""
        layout.prepare()
        self._layout = layout
        self._retention_days = settings.retention_days
        self._follower = follower
        self._now_ms = now_ms
        self._index = Index(open_index(layout.index))
        self._sealer = Sealer(layout, settings, self._index, follower)
        #: running attempts whose streams were deleted
        self._doomed = self._index.doomed()
        self._graves = self._index.has_graves()
        #: the attempts that were sealed last: who still appends to them is late, not wrong
        self._ended: dict[AttemptId, None] = {}
        follower.expect(self._sealer.tidy())

    def close(self) -> None:
        self._sealer.close()
        self._index.close()

    @property
    def idle(self) -> bool:
        """Nothing grows and nothing is to be cleaned up. May be asked on any thread."""
        return not (self._follower.busy or self._graves or self._sealer.has_spent)

    def tick(self) -> None:
        """Look at everything that grows."""
        now_ms = self._now_ms()
        self._take_fresh(now_ms)
        self._follower.poll(now_ms)

    def bury(self) -> None:
        """Remove some of the streams that are in graves."""
        if not self._graves:
            return
        with self._index.transaction(durable=False):
            remains = self._index.buried(_BURIED_AT_ONCE)
            self._graves = bool(remains) or self._index.has_graves()
        if remains:
            remove_streams(self._layout, self._index, remains)

    def expire(self) -> bool:
        """End some of what is older than its group's retention; returns whether there was any. What grows stays."""
        due = (self._now_ms(), self._retention_days, _BURIED_AT_ONCE)
        with self._index.transaction(durable=False):
            buried = self._index.bury_due(*due)
            deleted = 0 if buried else self._index.delete_due(*due)
        self._graves = self._graves or buried > 0
        return buried + deleted > 0

    def append(self, attempt_id: AttemptId, chunks: list[tuple[int, bytes]], cursor: str) -> None:
        live = self._find(attempt_id)
        if live is not None:
            self._follower.append(live, chunks, cursor)

    def cursor(self, attempt_id: AttemptId) -> str:
        live = self._find(attempt_id)
        return "" if live is None else live.cursor

    def seal(self, attempt_ids: Sequence[AttemptId]) -> None:
        now_ms = self._now_ms()
        self._take_fresh(now_ms)
        found = [live for live in map(self._follower.get, dict.fromkeys(attempt_ids)) if live is not None]
        if self._doomed:
            self._forget([live for live in found if live.identity.attempt_id in self._doomed])
            found = [live for live in found if self._follower.get(live.identity.attempt_id) is live]
        self._sealer.seal(found, now_ms)
        self._note_ended(attempt_ids)

    def take_spent(self) -> Spent | None:
        """Files for `sweep`, or None."""
        return self._sealer.take_spent() if self._sealer.has_spent else None

    def note_swept(self, spent: Spent) -> None:
        """These files are deleted."""
        with self._index.transaction(durable=False):
            self._index.forget_swept(spent.attempt_ids)

    def take_back(self, spent: Spent) -> None:
        self._sealer.take_back(spent)

    def has_group(self, scope: Scope, name: str, *, create: bool) -> bool:
        if self._index.group_id(scope, name) is not None:
            return True
        if create:
            with self._index.transaction(durable=True):
                self._index.create_group(scope, name, self._now_ms())
        return create

    def create_group(self, scope: Scope, name: str) -> None:
        with self._index.transaction(durable=True):
            self._index.create_group(scope, name, self._now_ms())

    def set_retention(self, scope: Scope, name: str, days: int | None) -> None:
        with self._index.transaction(durable=True):
            self._index.set_retention(scope, name, days)

    def delete_group(self, scope: Scope, name: str) -> None:
        growing = self._follower.in_group(scope, name)
        with self._index.transaction(durable=True):
            self._index.delete_group(scope, name)
            self._index.doom([live.identity.attempt_id for live in growing])
        self._hide_doomed(growing)
        self._graves = True

    def create_stream(self, scope: Scope, group: str, name: str) -> None:
        with self._index.transaction(durable=True):
            group_id = self._index.require_group(scope, group)
            if self._follower.find(scope, group, name) is not None:
                raise AlreadyExists("The specified log stream already exists")
            self._index.create_stream(group_id, name, self._now_ms())

    def delete_stream(self, scope: Scope, group: str, name: str) -> None:
        group_id = self._index.require_group(scope, group)
        growing = [live for live in self._follower.in_group(scope, group) if live.identity.stream == name]
        if growing:
            with self._index.transaction(durable=True):
                self._index.doom([live.identity.attempt_id for live in growing])
            self._hide_doomed(growing)
            return
        remains = self._index.find_stream(group_id, name)
        if remains is None:
            raise NotFound(NO_STREAM)
        remove_streams(self._layout, self._index, [remains])

    def put_events(self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]) -> PutResult:
        now_ms = self._now_ms()
        with self._index.transaction(durable=True):
            group_id = self._index.require_group(scope, group)
            if self._follower.find(scope, group, stream) is not None:
                raise InvalidRequest(OF_ATTEMPT)
            days = self._index.retention_days(group_id) or self._retention_days
            oldest = now_ms - _TOO_OLD_MS
            kept_since = oldest if days is None else max(oldest, now_ms - days * DAY_MS)
            taken = [(at, text) for at, text in events if kept_since <= at <= now_ms + _TOO_NEW_MS]
            self._index.put_events(group_id, stream, taken, now_ms)
        too_old = sum(at < oldest for at, _ in events)
        expired = sum(at < kept_since for at, _ in events)
        too_new = expired + len(taken)
        return PutResult(
            too_new_from=too_new if too_new < len(events) else None,
            too_old_until=too_old or None,
            expired_until=expired if expired > too_old else None,
        )

    def _take_fresh(self, now_ms: int) -> None:
        """Begin to show logs that were attached, but for those that an earlier process has sealed."""
        fresh = self._follower.fresh()
        if not fresh:
            return
        sealed = {log.attempt_id for log in fresh if self._index.is_sealed(log)}
        self._note_ended(sealed)
        growing = [log for log in fresh if log.attempt_id not in sealed]
        unwanted = {log.attempt_id for log in growing if not log.is_kept} - self._doomed
        if unwanted:
            with self._index.transaction(durable=False):
                self._index.doom(list(unwanted))
            self._doomed |= unwanted
        wanted = {(log.scope, log.group) for log in growing if log.attempt_id not in self._doomed}
        missing = [key for key in wanted if self._index.group_id(*key) is None]
        if missing:
            with self._index.transaction(durable=True):
                for scope, group in missing:
                    self._index.create_group(scope, group, now_ms)
        self._follower.settle(growing, now_ms)
        if self._doomed:
            self._follower.hide([live for live in map(self._follower.get, self._doomed) if live is not None])
        self._follower.dismiss(fresh)

    def _find(self, attempt_id: AttemptId) -> LiveLog | None:
        """The growing log of an attempt; None when it is sealed. Raises LookupError when there is none."""
        self._take_fresh(self._now_ms())
        live = self._follower.get(attempt_id)
        if live is None and attempt_id not in self._ended:
            raise LookupError(f"no log is attached for attempt {attempt_id}")
        return live

    def _forget(self, logs: Sequence[LiveLog]) -> None:
        """Logs that nobody wants have ended."""
        for live in logs:
            unlink_quietly(live.path)
            unlink_quietly(live.index_path)
        attempt_ids = [live.identity.attempt_id for live in logs]
        with self._index.transaction(durable=False):
            self._index.undoom(attempt_ids)
        self._doomed.difference_update(attempt_ids)
        self._follower.drop(logs)

    def _note_ended(self, attempt_ids: Iterable[AttemptId]) -> None:
        self._ended.update(dict.fromkeys(attempt_ids))
        while len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _hide_doomed(self, logs: Sequence[LiveLog]) -> None:
        self._doomed.update(live.identity.attempt_id for live in logs)
        self._follower.hide(logs)
