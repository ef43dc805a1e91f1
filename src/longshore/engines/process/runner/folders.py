"""Working folders of attempts: made fresh, and removed with all that the attempt left in them.

Most are as they were made when their attempt is released: they are kept for the next one, since file systems are slow
to give out what was just deleted (ext4 searches past such inodes for seconds). Others are moved aside and swept by a
child process, so that a million files hold nobody up. Sweeping follows no link and enters no mount: each folder is
first moved into the trash by name, which the kernel refuses for mount points, and what is in the trash is never deeper
than one folder.
"""

import os
import stat
import tempfile
import time
from contextlib import suppress
from hashlib import blake2b
from itertools import count

_TRASH = ".trash"
_SPARE = ".spare"
_MAX_SPARE = 64
#: of a folder that never held much
_SMALL_BYTES = 4096


class Folders:
    """The folders of one data folder's attempts."""

    def __init__(self, data: str) -> None:
        self._root = f"{data}/scratch"
        # Other users cannot enter the data folder: folders of their jobs are beside it, in one that can be passed
        # through but not listed.
        name = blake2b(os.fsencode(os.path.realpath(data)), digest_size=8).hexdigest()
        self._foreign_root = f"{tempfile.gettempdir()}/longshore-{os.geteuid()}-{name}"
        self._sweeper: int | None = None
        self._has_trash = True
        self._spare: list[str] = []

    def open(self) -> None:
        """Make what must be there."""
        for folder in (self._root, f"{self._root}/{_TRASH}", f"{self._root}/{_SPARE}"):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self._spare = [f"{self._root}/{_SPARE}/{name}" for name in os.listdir(f"{self._root}/{_SPARE}")]

    def path(self, attempt_id: str, *, foreign: bool) -> str:
        """Where the folder of an attempt is, or will be; `foreign`: of one that runs as another user."""
        return f"{self._foreign_root if foreign else self._root}/{attempt_id}"

    def make(self, path: str, owner: tuple[int, int] | None) -> None:
        """Make an attempt's folder, empty, for this user and group. Raises OSError."""
        if self._spare and owner is None:
            os.rename(self._spare.pop(), path)
            return
        if path.startswith(self._foreign_root):
            self._open_foreign_root()
        os.mkdir(path, 0o700)
        if owner is not None:
            os.chown(path, *owner)

    def _open_foreign_root(self) -> None:
        with suppress(FileExistsError):
            os.mkdir(self._foreign_root, 0o711)
            os.mkdir(f"{self._foreign_root}/{_TRASH}", 0o700)
        found = os.lstat(self._foreign_root)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{self._foreign_root} is not a folder of ours")

    def remove(self, path: str) -> None:
        """Afterwards there is no such folder; what was in it may take a while to go. Repeatable. Raises OSError."""
        root, name = os.path.split(path)
        try:
            if len(self._spare) < _MAX_SPARE and root == self._root and _is_as_made(path):
                spare = f"{root}/{_SPARE}/{name}"
                os.rename(path, spare)
                self._spare.append(spare)
            else:
                os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError:
            with suppress(PermissionError):
                _open_up(path)  # a folder that its owner may not write cannot be moved
            os.rename(path, f"{root}/{_TRASH}/{name}-{time.monotonic_ns()}")
            self._has_trash = True

    def sweep(self) -> None:
        """Start the sweeper if none runs and there is trash that none has seen."""
        if self._sweeper is None and self._has_trash:
            self._sweeper = os.fork()
            if self._sweeper == 0:
                _leave_runner()
                for root in self._roots():
                    _empty(f"{root}/{_TRASH}")
                os._exit(0)
            self._has_trash = False

    def sweeper_pids(self) -> tuple[int, ...]:
        """Children that sweep."""
        return () if self._sweeper is None else (self._sweeper,)

    def swept(self, pid: int) -> bool:
        """Note that this child has ended; whether it was the sweeper."""
        if pid != self._sweeper:
            return False
        self._sweeper = None
        return True

    def remove_unknown(self, known: set[str]) -> None:
        """Remove every folder whose path is not known."""
        for root in self._roots():
            for name in os.listdir(root):
                path = f"{root}/{name}"
                if name not in (_TRASH, _SPARE) and path not in known:
                    self.remove(path)

    def close(self) -> None:
        """Remove the folder for other users' jobs, if nothing is in it."""
        with suppress(OSError):
            os.rmdir(f"{self._foreign_root}/{_TRASH}")
            os.rmdir(self._foreign_root)

    def _roots(self) -> list[str]:
        return [root for root in (self._root, self._foreign_root) if os.path.isdir(f"{root}/{_TRASH}")]


def _is_as_made(path: str) -> bool:
    """Whether an attempt's folder is as if no attempt had ever been in it."""
    found = os.lstat(path)
    return (
        found.st_mode == stat.S_IFDIR | 0o700
        and (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
        and found.st_size <= _SMALL_BYTES
        and not os.listxattr(path, follow_symlinks=False)
        and not _has_entries(path)
    )


def _leave_runner() -> None:
    """In a child: let go of the runner's descriptors, the lock above all."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.setsid()


def _has_entries(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is not None


def _open_up(path: str) -> None:
    """Let us change what is in this folder; never through a link."""
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)


def _empty(trash: str) -> None:
    """Remove all that is in the trash, but for what the system will not let go."""
    names = count()
    stuck: set[str] = set()
    while left := [name for name in os.listdir(trash) if name not in stuck]:
        for name in left:
            try:
                _flatten(f"{trash}/{name}", trash, names)
                os.rmdir(f"{trash}/{name}")
            except OSError:
                stuck.add(name)


def _flatten(folder: str, trash: str, names: "count[int]") -> None:
    """Empty a folder: files go, folders in it are moved up into the trash."""
    _open_up(folder)
    fd = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in os.listdir(fd):
            try:
                os.unlink(name, dir_fd=fd)
            except IsADirectoryError:
                with suppress(PermissionError):
                    _open_up(f"/proc/self/fd/{fd}/{name}")
                os.rename(name, f"{trash}/{os.getpid()}-{next(names)}", src_dir_fd=fd)
    finally:
        os.close(fd)
