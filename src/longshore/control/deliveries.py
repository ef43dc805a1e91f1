"""What a training leaves: its model and output, stored where its request says before anybody hears of its end.

A delivery is repeated until the outcome is stored: whatever is stored twice is the same. It counts on the folders of
the attempt, which stay until the attempt is released.
"""

import asyncio
import errno
import gzip
import os
import stat
import tarfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, TypeVar, cast

from longshore.control.ledger import OpenAttempt
from longshore.control.patience import persist
from longshore.control.staging import Persistence, TrainingSite, in_thread, pour
from longshore.control.training_contract import MOST_REASON_CHARACTERS, StagedFolders
from longshore.domain.ids import AttemptId
from longshore.domain.job import Intent, Part, StopCause
from longshore.domain.lifecycle.trainings import ended_in_time
from longshore.domain.training import ObjectPlace, TrainingRequest, parse_object_uri
from longshore.ports.clock import Clock
from longshore.ports.engine import Observation, TaskState
from longshore.ports.neighbours import NeighbourRefused, NeighbourUnavailable
from longshore.ports.objects import Access

T = TypeVar("T")

#: How long what was trained is kept on offer to a place that is away.
PATIENCE_SECONDS = 3600.0
#: packed at once: each holds a thread that others want, and a processor
_CONCURRENCY = 1
_COMPRESSION = 6


class Deliveries:
    """The deliveries of one engine's trainings that are on their way, and those done whose attempt is not released."""

    def __init__(self, site: TrainingSite | None, clock: Clock, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._site = site
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._open: dict[AttemptId, OpenAttempt] = {}
        self._tasks: dict[AttemptId, asyncio.Task[Observation]] = {}
        self._done: asyncio.Queue[asyncio.Task[Observation]] = asyncio.Queue()
        self._packing = asyncio.Semaphore(_CONCURRENCY)

    def follow(self, entry: OpenAttempt) -> None:
        """Note an open attempt as it is now."""
        if entry.job.spec.training is None:
            return
        attempt_id = entry.attempt.attempt_id
        if entry.attempt.has_ended:
            self._open.pop(attempt_id, None)
        else:
            self._open[attempt_id] = entry

    def hold(self, observation: Observation) -> bool:
        """Whether this news must wait: a training's end, until what it left is stored. Then `next` has it."""
        attempt_id = observation.attempt_id
        if attempt_id not in self._open or self._site is None:
            return False
        task = self._tasks.get(attempt_id)
        if task is not None:
            return True  # what is on its way, or came of it, is the last word
        if observation.state is not TaskState.EXITED:
            return False
        task = asyncio.create_task(self._deliver(observation, self._site), name=f"deliver {attempt_id}")
        self._tasks[attempt_id] = task
        task.add_done_callback(self._done.put_nowait)
        return True

    async def next(self) -> Observation:
        """The end of a training that may be told, as its container and its delivery came to it."""
        while True:
            task = await self._done.get()
            if not task.cancelled():
                return task.result()

    async def release(self, attempt_id: AttemptId) -> None:
        """Nothing is left of the training on this machine."""
        self._open.pop(attempt_id, None)
        if (task := self._tasks.pop(attempt_id, None)) is not None:
            await _cancel(task)
        if self._site is not None:
            await self._site.remove(attempt_id)

    async def close(self) -> None:
        """Drop all; they are repeated when the attempts are observed again."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            await _cancel(task)

    async def _deliver(self, observation: Observation, site: TrainingSite) -> Observation:
        """`observation` with the reason why the training failed, if it did."""
        entry = self._open[observation.attempt_id]
        training = entry.job.spec.training
        assert training is not None and observation.exit_code is not None, observation
        attempt_id, folders = observation.attempt_id, site.folders(observation.attempt_id)
        has_succeeded = observation.exit_code == 0
        reason = "" if has_succeeded else failure_text(folders) or observation.reason
        stopped_at = observation.stopped_at or self._clock.now()
        # One that is stopped may have saved what it had. Source: SageMaker API, StopTrainingJob
        keeps_model = has_succeeded or self._is_stopped(attempt_id, stopped_at)

        async def persistently(ask: Callable[[], Awaitable[T]]) -> T:
            return await persist(
                ask, self._clock, lambda: 0.0 if self._is_stopped(attempt_id, stopped_at) else self._patience_seconds
            )

        access = Access(region=entry.job.spec.scope.region, role_arn=training.role_arn)
        try:
            if not isinstance(entry.attempt, Part) or entry.attempt.node == 0:  # what the main node leaves counts
                await self._store(_Delivery(site, training, folders, access, persistently), keeps_model)
        except (NeighbourRefused, NeighbourUnavailable) as problem:
            reason = reason or f"Artifact upload failed: {problem}"
        except OSError as problem:
            reason = reason or f"Artifact upload failed: {problem.strerror or problem}"
        return replace(observation, reason=reason[:MOST_REASON_CHARACTERS])

    def _is_stopped(self, attempt_id: AttemptId, stopped_at: datetime) -> bool:
        """Its end was asked for, or its time was over when its container ended: nobody waits for it patiently."""
        entry = self._open.get(attempt_id)
        if entry is None or entry.attempt.intent is not Intent.STOP:
            return entry is None
        whole = entry.whole or entry.attempt
        is_late = whole.stop_cause is StopCause.TIMED_OUT
        return not (is_late and ended_in_time(entry.job.spec, whole, stopped_at))

    async def _store(self, delivery: "_Delivery", keeps_model: bool) -> None:
        if keeps_model and not delivery.has_model:
            raise NotADirectoryError(errno.ENOTDIR, "the folder of the model is gone")
        await delivery.store_checkpoints()
        async with self._packing:
            output = await delivery.pack("output.tar.gz", "output", "data")
            model = None
            if keeps_model and delivery.training.packs_output:
                model = await delivery.pack("model.tar.gz", "model", keeps_empty=True)
        if output is not None:
            await delivery.store(output, output.name)
        if model is not None:
            await delivery.store(model, model.name)
        elif keeps_model:
            await delivery.store_files("model")


class _Delivery:
    """One attempt's."""

    def __init__(
        self,
        site: TrainingSite,
        training: TrainingRequest,
        folders: StagedFolders,
        access: Access,
        persistently: Persistence,
    ) -> None:
        self.training = training
        self._site = site
        self._folders = folders
        self._access = access
        self._persistently = persistently

    @property
    def has_model(self) -> bool:
        """Whether there is a folder with it, which may be empty."""
        return _own_folder(self._folders.root, "model") is not None

    async def pack(self, name: str, *below: str, keeps_empty: bool = False) -> Path | None:
        """The folder as an archive; None where it holds nothing, unless that is kept."""
        folder = _own_folder(self._folders.root, *below)
        if folder is None or not (keeps_empty or any(folder.iterdir())):
            return None
        archive = self._folders.packed / name
        await in_thread(partial(_pack, folder, archive))
        return archive

    async def store(self, path: Path, name: str) -> None:
        """The file is among what the training left, as `name`."""
        await self._store(path, self.training.output_uri, f"{self.training.training_job_name}/output/{name}")

    async def store_files(self, name: str) -> None:
        """The files of a folder are among what the training left, one by one."""
        folder = _own_folder(self._folders.root, name)
        for path in _files(folder) if folder else ():
            await self.store(path, f"{name}/{path.relative_to(self._folders.root / name)}")

    async def store_checkpoints(self) -> None:
        checkpoints = self.training.checkpoints
        if checkpoints is None or parse_object_uri(checkpoints.uri) is None:
            return
        folder = _own_folder(self._folders.root, "checkpoints")
        for path in _files(folder) if folder else ():
            await self._store(path, checkpoints.uri, str(path.relative_to(self._folders.checkpoints)))

    async def _store(self, path: Path, uri: str, name: str) -> None:
        place = parse_object_uri(uri)
        if place is not None:
            key = f"{place.key.rstrip('/')}/{name}".lstrip("/")
            to = ObjectPlace(bucket=place.bucket, key=key)
            await self._persistently(lambda: self._site.objects.store(path, to, self._access))
            return
        folder = self._site.open_path(uri)
        assert folder is not None, uri
        target = folder / name
        if not target.parent.resolve().is_relative_to(folder):
            raise NeighbourRefused(f"{target.parent} leads out of {folder}")
        target.parent.mkdir(parents=True, exist_ok=True)
        await in_thread(partial(_save, path, target))


async def _cancel(task: asyncio.Task[Observation]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def failure_text(folders: StagedFolders) -> str:
    """What the container wrote for us; it may have put anything in the place of the file."""
    output = _own_folder(folders.root, "output")
    if output is None:
        return ""
    try:
        descriptor = os.open(output / "failure", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return file.read(4 * MOST_REASON_CHARACTERS).decode(errors="replace").strip()


def _own_folder(root: Path, *below: str) -> Path | None:
    """The folder, if it is still one: a container may have put a link in its place that leads to files of ours."""
    folder = root
    for name in below:
        folder /= name
        try:
            if not stat.S_ISDIR(folder.lstat().st_mode):
                return None
        except FileNotFoundError:
            return None
    return folder


def _files(folder: Path) -> Iterator[Path]:
    """Plain files in it, links not followed."""

    def fail(problem: OSError) -> None:
        raise problem

    for inside, _, names in os.walk(folder, onerror=fail):
        for name in sorted(names):
            path = Path(inside, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _pack(folder: Path, archive: Path, stopped: threading.Event) -> None:
    """The folder's files, folders and links are in the archive; they belong to nobody there."""

    def taken(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            return None
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with archive.open("wb") as file:
        guarded = cast(BinaryIO, _Guarded(file, stopped))
        with (
            gzip.GzipFile(fileobj=guarded, mode="wb", compresslevel=_COMPRESSION, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            for name in sorted(os.listdir(folder)):
                tar.add(folder / name, arcname=name, filter=taken)


class _Guarded:
    """A file that takes no more when nobody waits for it."""

    def __init__(self, file: BinaryIO, stopped: threading.Event) -> None:
        self._file = file
        self._stopped = stopped

    def write(self, data: bytes) -> int:
        if self._stopped.is_set():
            raise OSError("nobody waits for it any more")
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _save(path: Path, target: Path, stopped: threading.Event) -> None:
    """The file is at `target`, whole, on the disk."""
    with NamedTemporaryFile(dir=target.parent, prefix=".longshore-", delete=False) as file:
        try:
            with path.open("rb") as source:
                pour(source, cast(BinaryIO, file), stopped)
            if stopped.is_set():
                raise OSError("nobody waits for it any more")
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(file.name)
            raise
