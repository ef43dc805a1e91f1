"""The bytes of one log as readers see them: a size, perhaps a stretch that was left out, and when what was there."""

import os
from dataclasses import dataclass
from typing import Protocol

from longshore.logs.layout import open_to_read
from longshore.logs.times import ChunkTimes


class ContentMoved(Exception):
    """The bytes are no longer where they were found: look the stream up again."""


class Storage(Protocol):
    """Where bytes lie."""

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes. Raises ContentMoved."""
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """The bytes of a small log, read whole."""

    data: bytes

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


@dataclass(frozen=True, slots=True)
class InFile:
    """Bytes of a file that may be moved while it is read: the first of `paths` that exists counts."""

    paths: tuple[str, ...]

    def read(self, offset: int, length: int) -> bytes:
        for path in self.paths:
            try:
                descriptor = open_to_read(path)
            except FileNotFoundError:
                continue
            try:
                return os.pread(descriptor, length, offset)
            finally:
                os.close(descriptor)
        raise ContentMoved


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One log, as it was at one moment."""

    storage: Storage
    #: bytes that count; the storage may hold more by now
    size: int
    #: start and end of the bytes that were left out
    hole: tuple[int, int] | None = None
    times: ChunkTimes
    #: nothing is added any more: the last line is whole, with or without its newline
    final: bool
    #: of one that grows: how long nothing was added
    idle_ms: int = 0
    #: as in `AttemptLog`
    event_start: str = ""

    def read(self, start: int, end: int) -> bytes:
        """The bytes between two offsets, as far as the size goes. Raises ContentMoved."""
        return self.storage.read(start, min(end, self.size) - start)
