"""The folder that holds everything a server keeps: made, recognised and locked before anything in it is touched."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from longshore.domain.errors import LongshoreError

#: Raised when what is laid out in the folder changes so that an older server must not touch it.
FORMAT = 1
STORE_FILE = "longshore.sqlite3"
_MARKER = "longshore.json"
_LOCK = "lock"


class DataFolderError(LongshoreError):
    """The data folder can't be used; one line that says which and why. Nothing in it was changed."""


class DataFolderInUse(DataFolderError):
    """A server is using the data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """A data folder that is ours until the process ends."""

    path: Path
    #: 32 hex digits: engines mark what they start for this installation with it
    installation_id: str
    #: holds the lock; kept open
    lock_descriptor: int

    def release(self) -> None:
        """Let others have it."""
        os.close(self.lock_descriptor)


def open_data_folder(path: Path) -> DataFolder:
    """Make or recognise the folder at `path` and lock it; it and what is made in it are for its owner alone.

    Raises:
        DataFolderError: it can't be read or written, holds something else, is of a newer version, or is in use.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (path / _MARKER).exists() and any(entry.name != _LOCK for entry in path.iterdir()):
            raise DataFolderError(f"{path}: is not empty and not a Longshore data folder; name another with --data")
        descriptor = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise DataFolderInUse(f"{path}: another Longshore server is using this data folder") from taken
        installation_id = _read_or_write_marker(path / _MARKER)
        os.chmod(path, 0o700)
    except OSError as problem:
        raise DataFolderError(f"{path}: cannot be used as data folder: {problem.strerror}") from problem
    return DataFolder(path=path, installation_id=installation_id, lock_descriptor=descriptor)


def _read_or_write_marker(marker: Path) -> str:
    if not marker.exists():
        installation_id = uuid4().hex
        draft = marker.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, "installation_id": installation_id}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(marker)
        return installation_id
    try:
        document = json.loads(marker.read_text(encoding="utf-8"))
        found, installation_id = document["format"], document["installation_id"]
    except (ValueError, KeyError, TypeError) as problem:
        raise DataFolderError(f"{marker}: is damaged: it should hold JSON with format and installation_id") from problem
    if not isinstance(found, int) or found > FORMAT:
        known = f"format {found}, this one knows {FORMAT}"
        raise DataFolderError(f"{marker.parent}: belongs to a newer Longshore ({known})")
    return str(installation_id)
