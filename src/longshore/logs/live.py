"""One growing log: its file, what is known of it, and what is written down so that a restart knows it too.

Everything here runs on the log store's writer thread. Readers take `content()` under the follower's lock.
"""

import os
import stat

import structlog

from longshore.logs import sidecar
from longshore.logs.content import Content, InFile
from longshore.logs.layout import Layout, append_whole, cut_file, read_file, replace_file
from longshore.logs.punch import punch
from longshore.logs.settings import LogSettings
from longshore.logs.times import ChunkTimes
from longshore.ports.logs import AttemptLog

#: Size at which a sidecar is written anew without what is void in it.
_SIDECAR_LIMIT = 1024 * 1024

_log = structlog.get_logger(__name__)


class LiveLog:
    """The log of an attempt that is not sealed yet."""

    __slots__ = (
        "_sealed_path",
        "_settings",
        "_sidecar_size",
        "_unpunchable",
        "_unwritten",
        "created_at",
        "cursor",
        "handed",
        "hole",
        "identity",
        "index_path",
        "looked_at",
        "path",
        "size",
        "times",
    )

    def __init__(self, identity: AttemptLog, layout: Layout, settings: LogSettings, now_ms: int) -> None:
        self.identity = identity
        self.path = layout.live_log(identity.attempt_id)
        self.index_path = layout.live_index(identity.attempt_id)
        self.created_at = now_ms
        #: when its size was asked for last
        self.looked_at = now_ms
        #: bytes that are indexed
        self.size = 0
        self.hole: tuple[int, int] | None = None
        self.times = ChunkTimes()
        #: output is handed to `append`, not written by the attempt itself
        self.handed = False
        self.cursor = ""
        self._sealed_path = layout.sealed_log(identity.attempt_id)
        self._settings = settings
        self._sidecar_size = 0
        #: frames that are not in the sidecar because writing failed
        self._unwritten = False
        self._unpunchable = False

    def content(self) -> Content:
        """What readers may see now; only while the follower's lock is held."""
        storage = InFile((self.path, self._sealed_path))
        return Content(
            storage=storage,
            size=self.size,
            hole=self.hole,
            times=self.times.copy(),
            final=False,
            idle_ms=self.looked_at - self.times.times[-1] if self.times else 0,
            event_start=self.identity.event_start,
        )

    def resume(self, now_ms: int) -> None:
        """Take up what an earlier process knew."""
        size = self._file_size()
        data = read_file(self.index_path)
        if data is not None:
            state = sidecar.parse(data, size)
            self.created_at = state.created_at or self.created_at
            self.times, self.size, self.hole, self.cursor = state.times, state.size, state.hole, state.cursor
            self._sidecar_size = len(data)
            self._unwritten = True  # whatever was damaged in it is not built upon
            if state.committed is not None:
                self.handed = True
                cut_file(self.path, state.committed)
            if self.hole is not None:
                self._punch(*self.hole)
        self.poll(now_ms)

    def poll(self, now_ms: int, *, last: bool = False) -> None:
        """Index what was written since the last time; what is found at the `last` time is not written down here."""
        self.looked_at = now_ms
        if self.handed:
            return
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            if last and self.size:
                self._shrink(0)
            return
        if found.st_size == self.size or not stat.S_ISREG(found.st_mode):
            return
        if found.st_size < self.size:
            self._shrink(found.st_size)
            return
        time_ms = self.times.add(self.size, min(found.st_mtime_ns // 1_000_000, now_ms))
        self.size = found.st_size
        if not last:
            self._note(sidecar.frame(sidecar.SEEN, self.size, time_ms))
        self.enforce_cap()

    def append(self, chunks: list[tuple[int, bytes]], cursor: str) -> None:
        """Add (epoch ms, bytes) and the cursor behind them, both or neither. Raises OSError."""
        if not self.handed:
            # Bytes that are here came from an append that was cut short by a crash: the engine gives them again.
            self._begin_handed()
        data = b"".join(part for _, part in chunks)
        if not data and cursor == self.cursor:
            return
        times, size = self.times.copy(), self.size
        frames: list[bytes] = []
        for time_ms, part in chunks:
            if part:
                time_ms = times.add(size, time_ms)
                size += len(part)
                frames.append(sidecar.frame(sidecar.SEEN, size, time_ms))
        frames.append(sidecar.frame(sidecar.COMMIT, size, 0, cursor.encode()[: sidecar.MAX_CURSOR]))
        try:
            append_whole(self.path, data)
            self._write_sidecar(b"".join(frames), sure=True)
        except OSError:
            cut_file(self.path, self.size)
            raise
        self.times, self.size, self.cursor = times, size, cursor
        if self._sidecar_size > _SIDECAR_LIMIT:
            self._rewrite_sidecar()
        self.enforce_cap()

    def enforce_cap(self) -> None:
        """Leave out the middle of a log that is too long, and give its disk space back."""
        settings = self._settings
        head = settings.stream_cap_bytes // 2 // settings.event_bytes * settings.event_bytes
        end = -((head - self.size) // settings.event_bytes) * settings.event_bytes
        freed = self.hole[1] if self.hole is not None else head
        if end <= freed:
            return
        # First said, then done: a reader that meets the zeros finds that the hole has grown and looks again.
        self.times.cut_out(head, end)
        self.hole = (head, end)
        self._note(sidecar.frame(sidecar.HOLE, head, end))
        self._punch(freed, end)

    def write_final_index(self) -> None:
        """Afterwards the sidecar holds all that is known. Raises OSError."""
        self._rewrite_sidecar(sure=True)

    @property
    def has_sidecar(self) -> bool:
        return self._sidecar_size > 0

    def _file_size(self) -> int:
        try:
            return os.lstat(self.path).st_size
        except FileNotFoundError:
            return 0

    def _begin_handed(self) -> None:
        cut_file(self.path, 0)
        self.size, self.hole, self.times = 0, None, ChunkTimes()
        self.handed = True
        try:
            self._rewrite_sidecar(sure=True)
        except OSError:
            self.handed = False
            raise

    def _shrink(self, size: int) -> None:
        """The attempt truncated its own output: what is gone is gone, what comes is indexed from there."""
        _log.warning(
            "log_truncated_by_attempt", attempt_id=self.identity.attempt_id, size_bytes=size, was_bytes=self.size
        )
        if self.hole is not None and size < self.hole[1]:
            self.hole = None
        self.times.cut_off(size)
        self.size = size
        self._rewrite_sidecar()

    def _note(self, frames: bytes) -> None:
        if self._sidecar_size + len(frames) > _SIDECAR_LIMIT:
            self._rewrite_sidecar()
        else:
            self._write_sidecar(frames)

    def _write_sidecar(self, frames: bytes, *, sure: bool = False) -> None:
        """Add frames; when that fails, raise OSError if `sure`, else keep them in memory and try again next time."""
        if self._unwritten:
            self._rewrite_sidecar(sure=sure)
            if not sure:
                return
        try:
            if not self._sidecar_size:
                frames = sidecar.HEADER + sidecar.frame(sidecar.CREATED, self.created_at, 0) + frames
            append_whole(self.index_path, frames)
            self._sidecar_size += len(frames)
        except OSError as error:
            self._failed(error, sure)

    def _rewrite_sidecar(self, *, sure: bool = False) -> None:
        state = sidecar.SidecarState(
            created_at=self.created_at,
            size=self.size,
            times=self.times,
            hole=self.hole,
            committed=self.size if self.handed else None,
            cursor=self.cursor,
        )
        data = sidecar.render(state)
        try:
            replace_file(self.index_path, data)
        except OSError as error:
            self._failed(error, sure)
        else:
            self._sidecar_size, self._unwritten = len(data), False

    def _failed(self, error: OSError, sure: bool) -> None:
        if sure:
            raise error
        if not self._unwritten:
            _log.warning("log_index_not_written", attempt_id=self.identity.attempt_id, error=str(error))
        self._unwritten = True

    def _punch(self, start: int, end: int) -> None:
        if self._unpunchable:
            return
        try:
            self._unpunchable = not punch(self.path, start, end)
        except OSError as error:
            _log.warning("log_space_not_freed", attempt_id=self.identity.attempt_id, error=str(error))
            return
        if self._unpunchable:
            _log.warning("log_cap_not_enforced", attempt_id=self.identity.attempt_id, reason="no hole punching here")
