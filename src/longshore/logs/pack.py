"""Pack files: finished small logs one behind another, so that a million of them are not a million files.

A pack file is a header (magic, version) and then bytes; which belong to what is said by the index alone. Bytes are
added before the index names them and a file is never changed in place, so a crash leaves at most some that nothing
names.
"""

import os
import struct

from longshore.logs.layout import Layout, open_to_append, open_to_read, write_whole

_HEADER = struct.pack("<4sHH", b"LSPK", 1, 0)


class PackWriter:
    """Adds to the newest pack file; belongs to the writer thread."""

    def __init__(self, layout: Layout, segment_bytes: int) -> None:
        self._layout = layout
        self._segment_bytes = segment_bytes
        self._segment = max(layout.pack_segments(), default=0)
        self._descriptor = -1
        self._size = 0

    def append(self, data: bytes) -> tuple[int, int]:
        """Where `data` lies now: segment and offset. Raises OSError, and then nothing was added."""
        if self._descriptor < 0 or self._size > self._segment_bytes:
            self._open_next()
        offset = self._size
        try:
            write_whole(self._descriptor, data)
        except OSError:
            os.ftruncate(self._descriptor, offset)
            raise
        self._size += len(data)
        return self._segment, offset

    def take_back(self, offset: int) -> None:
        """Undo the appends from `offset` on, which the index does not name."""
        os.ftruncate(self._descriptor, offset)
        self._size = offset

    def duplicate(self) -> int:
        """A descriptor of the newest file, to be synced and closed by the caller; files before it are synced.

        Raises OSError.
        """
        if self._descriptor < 0:
            self._open_next()
        return os.dup(self._descriptor)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open_next(self) -> None:
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
            self.close()
            self._segment += 1
        elif not self._segment or os.stat(self._layout.pack(self._segment)).st_size > self._segment_bytes:
            self._segment += 1
        descriptor = open_to_append(self._layout.pack(self._segment))
        size = os.fstat(descriptor).st_size
        if size < len(_HEADER):
            os.ftruncate(descriptor, 0)
            write_whole(descriptor, _HEADER)
            size = len(_HEADER)
        self._descriptor, self._size = descriptor, size


def read_packed(path: str, offset: int, length: int) -> bytes:
    """Bytes of a pack file. Raises FileNotFoundError."""
    descriptor = open_to_read(path)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)
