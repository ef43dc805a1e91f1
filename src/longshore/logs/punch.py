"""Giving the disk space of a stretch of a file back while the file is being written.

`fallocate` with FALLOC_FL_PUNCH_HOLE works on ext4, XFS, Btrfs, tmpfs, overlays of these, and NFS 4.2. Where it does
not, the stretch keeps its space, the caller is told once in the server's log, and the cap of a stream holds for
readers only. Source: Linux fallocate(2).
"""

import ctypes
import errno
import os

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS}

_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_fallocate.restype = ctypes.c_int


def punch(path: str, start: int, end: int) -> bool:
    """Free bytes `start` to `end`, which read as zeros from then on; the file's size stays.

    False when the file system cannot do it. Raises OSError for everything else, FileNotFoundError among it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, start, end - start) == 0:
            return True
        code = ctypes.get_errno()
        if code in _UNSUPPORTED:
            return False
        raise OSError(code, os.strerror(code), path)
    finally:
        os.close(descriptor)
