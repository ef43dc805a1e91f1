"""The runner's memory on disk: an append-only file of checked records, and how it is read back.

A header line names the version. Each record is its length and the CRC-32 of its payload (4 bytes each, little-endian),
then the payload. Records of a batch are written by one `write`. They survive the death of the runner, not that of the
machine: after a restart of the machine no process is left, and an attempt whose end is not on disk was lost with it.
"""

import errno
import os
from binascii import crc32
from collections.abc import Sequence

import msgspec

from longshore.engines.process.crash import crash_point
from longshore.engines.process.wire import Report

HEADER = b"LONGSHORE RUNNER JOURNAL 1\n"
_HEADER_START = b"LONGSHORE RUNNER JOURNAL "
#: size at which the journal is rewritten without what was released, unless more than half of it is still needed
COMPACT_BYTES = 4 * 1024 * 1024


class Launching(msgspec.Struct, frozen=True, tag="launching", array_like=True, gc=False):
    """The attempt is about to be started; written before anything is made for it."""

    id: str
    node: int
    container: str
    log: str
    folder: str


class Started(msgspec.Struct, frozen=True, tag="started", array_like=True, gc=False):
    """It has this process, known by boot, pid and start: between two readings of the boot clock, in its ticks."""

    id: str
    boot: str
    pid: int
    first_tick: int
    last_tick: int
    started_ns: int
    #: folder of its memory cgroup, or empty
    group: str = ""


class Ended(msgspec.Struct, frozen=True, tag="ended", array_like=True, gc=False):
    """It is over; leftovers of it may still be alive."""

    report: Report


class Released(msgspec.Struct, frozen=True, tag="released", array_like=True, gc=False):
    """Nothing is left of it; it is forgotten."""

    id: str


Record = Launching | Started | Ended | Released


class JournalUnreadable(Exception):
    """The file is not a journal that this version can read; the text says why."""


class Journal:
    """Appends in batches; `replay` gives back what was kept."""

    def __init__(self, path: str) -> None:
        """Opens or makes the file. Raises JournalUnreadable, or OSError."""
        self._path = path
        self._encode = msgspec.msgpack.Encoder().encode
        self._pending = bytearray()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        #: bytes of the file that are whole records
        self._size = 0
        self._compact_at = COMPACT_BYTES
        #: what was wrong with the file, for the runner's log
        self.damage = ""

    def replay(self) -> list[Record]:
        """Every whole record, oldest first. A torn end is cut off; a copy of a damaged file is kept beside it."""
        with open(self._fd, "rb", closefd=False) as file:
            data = file.read()
        if not data.startswith(HEADER):
            if len(data) >= len(HEADER):
                what = "of another version" if data.startswith(_HEADER_START) else "foreign"
                raise JournalUnreadable(f"{self._path} is {what}; this runner reads {HEADER.decode().strip()!r}")
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, HEADER, 0)
            self._size = len(HEADER)
            return []
        decode = msgspec.msgpack.Decoder(Record).decode
        records: list[Record] = []
        at = len(HEADER)
        while at + 8 <= len(data):
            size = int.from_bytes(data[at : at + 4], "little")
            payload = data[at + 8 : at + 8 + size]
            if len(payload) < size or crc32(payload) != int.from_bytes(data[at + 4 : at + 8], "little"):
                break
            records.append(decode(payload))
            at += 8 + size
        if at < len(data):
            self.damage = f"{len(data) - at} bytes behind byte {at} of the journal are torn"
            _write_file(self._path + ".damaged", data)
            os.ftruncate(self._fd, at)
        self._size = at
        return records

    def append(self, record: Record) -> None:
        """Part of the next `flush`."""
        payload = self._encode(record)
        self._pending += len(payload).to_bytes(4, "little") + crc32(payload).to_bytes(4, "little") + payload

    def flush(self) -> None:
        """Write what was appended. On OSError nothing of it is in the file, and it stays pending."""
        if not self._pending:
            return
        try:
            written = os.pwrite(self._fd, self._pending, self._size)
            if written < len(self._pending):
                raise OSError(errno.ENOSPC, "short write to the journal: no space left")
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += written
        self._pending.clear()

    def write(self, records: Sequence[Record]) -> None:
        """Write these, after what is pending. On OSError none of these is in the file, nor pending."""
        self.flush()
        for record in records:
            self.append(record)
        try:
            self.flush()
        except OSError:
            self._pending.clear()
            raise

    @property
    def wants_compaction(self) -> bool:
        """Whether it has grown enough to be rewritten."""
        return self._size > self._compact_at

    def compact(self, records: list[Record]) -> None:
        """Replace the file by one that holds `records`, in one step. On OSError the old one stays."""
        assert not self._pending
        for record in records:
            self.append(record)
        content = HEADER + self._pending
        self._pending.clear()
        self._compact_at += COMPACT_BYTES  # should this fail, do not try again with every record
        _write_file(self._path + ".new", content)
        crash_point("compact.before-rename")
        os.rename(self._path + ".new", self._path)
        crash_point("compact.after-rename")
        fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        os.close(self._fd)
        self._fd, self._size = fd, len(content)
        self._compact_at = max(COMPACT_BYTES, 2 * self._size)


def _write_file(path: str, content: bytes) -> None:
    """Make or replace the file, on disk before this returns."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
