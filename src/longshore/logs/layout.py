"""Where the log store keeps its files, and how they are opened.

Names of files come from attempt ids and numbers of our own, never from the names of groups, streams or jobs.

    index.sqlite3            groups, streams, events put by callers
    live/<attempt>.log       output of a running attempt; its size only grows
    live/<attempt>.idx       when which byte was there (`sidecar`)
    sealed/<yz>/<attempt>.*  the same pair, for finished logs that are too large to pack
    packs/<number>.pack      finished small logs, one behind another
"""

import os
from dataclasses import dataclass
from pathlib import Path

from longshore.domain.ids import AttemptId, is_attempt_id

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below the folder of the logs. They are strings: the hot path makes thousands a second."""

    root: str

    def prepare(self) -> None:
        """Make the folders, for our user only."""
        for folder in ("", "live", "sealed", "packs"):
            os.makedirs(os.path.join(self.root, folder), mode=0o700, exist_ok=True)

    @property
    def index(self) -> str:
        return f"{self.root}/index.sqlite3"

    def live_path(self, attempt_id: AttemptId) -> Path:
        """Raises ValueError for what is not an attempt id: it would be a path of the caller's making."""
        if not is_attempt_id(attempt_id):
            raise ValueError(f"not an attempt id: {attempt_id!r}")
        return Path(self.live_log(attempt_id))

    def live_log(self, attempt_id: AttemptId) -> str:
        return f"{self.root}/live/{attempt_id}.log"

    def live_index(self, attempt_id: AttemptId) -> str:
        return f"{self.root}/live/{attempt_id}.idx"

    def sealed_log(self, attempt_id: AttemptId) -> str:
        return f"{self.root}/sealed/{attempt_id[-2:]}/{attempt_id}.log"

    def sealed_index(self, attempt_id: AttemptId) -> str:
        return f"{self.root}/sealed/{attempt_id[-2:]}/{attempt_id}.idx"

    def pack(self, segment: int) -> str:
        return f"{self.root}/packs/{segment:08d}.pack"

    def live_attempts(self) -> set[AttemptId]:
        """Attempts that have a file under `live/`, of either kind."""
        names = (name.partition(".")[0] for name in os.listdir(f"{self.root}/live"))
        return {AttemptId(name) for name in names if is_attempt_id(name)}

    def pack_segments(self) -> list[int]:
        """Numbers of the pack files, ascending."""
        names = (name.partition(".")[0] for name in os.listdir(f"{self.root}/packs"))
        return sorted(int(name) for name in names if name.isdecimal())


def open_to_read(path: str) -> int:
    """A descriptor; raises FileNotFoundError. A link in the place of a file is refused."""
    return os.open(path, _READ)


def open_to_append(path: str) -> int:
    """A descriptor that writes at the end, of a file that is made (0600) when it is missing."""
    return os.open(path, _APPEND, 0o600)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however many calls that takes; raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def append_whole(path: str, data: bytes) -> None:
    """Add `data` to a file, or leave the file as it was and raise OSError."""
    descriptor = open_to_append(path)
    try:
        before = os.fstat(descriptor).st_size
        try:
            write_whole(descriptor, data)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)


def cut_file(path: str, size: int) -> None:
    """Give up what a file holds behind `size`; quiet when there is no file. A link is refused."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def replace_file(path: str, data: bytes) -> None:
    """Put `data` in the place of what a file held: a crash leaves the one or the other."""
    fresh = f"{path}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_whole(descriptor, data)
    finally:
        os.close(descriptor)
    os.replace(fresh, path)


def read_file(path: str) -> bytes | None:
    """All of a small file, or None when there is none."""
    try:
        descriptor = open_to_read(path)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:
        return file.read()


def unlink_quietly(path: str) -> None:
    """Afterwards there is no such file."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
