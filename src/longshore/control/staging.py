"""What a training is given before it starts: its channels and files, in folders of its attempt.

The folders of an attempt are made anew until all is in them, and not touched after that: the launch follows, and is
repeated after a crash.
"""

import asyncio
import gzip
import json
import os
import shutil
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar, cast

import structlog

from longshore.control.ledger import OpenAttempt
from longshore.control.network_volumes import UnknownFileSystem, folder_of
from longshore.control.training_contract import (
    GIVEN,
    Cluster,
    StagedFolders,
    config_files,
    host_name,
    variables,
)
from longshore.domain.container import EfsVolume
from longshore.domain.ids import AttemptId
from longshore.domain.job import Part
from longshore.domain.training import (
    CONTRACT_ROOT,
    ObjectPlace,
    TrainingChannel,
    TrainingRequest,
    parse_file_uri,
    parse_object_uri,
)
from longshore.ports.engine import GivenFolder
from longshore.ports.neighbours import NeighbourRefused, NeighbourUnavailable
from longshore.ports.objects import Access, Objects

T = TypeVar("T")

_log = structlog.get_logger(__name__)

#: asked for at once by one attempt
_CONCURRENCY = 8
_MOST_MANIFEST_BYTES = 16 * 2**20
_CHUNK_BYTES = 2**20


class Persistence(Protocol):
    """Asks again while a neighbour is away."""

    async def __call__(self, ask: Callable[[], Awaitable[T]], /) -> T: ...


class CannotStage(Exception):
    """The training must not be started; the text is SageMaker's reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What the container of a training is given."""

    environment: Mapping[str, str]
    folders: tuple[GivenFolder, ...]
    #: of its node
    host_name: str


class TrainingSite:
    """Where trainings get from and go to: folders of attempts, objects, and what of this machine is open to jobs."""

    def __init__(
        self,
        root: Path,
        *,
        objects: Objects | None = None,
        file_systems: Mapping[str, Path] | None = None,
        open_paths: Sequence[Path] = (),
    ) -> None:
        """`open_paths`: folders of this machine that jobs may name, each with all that is in it."""
        self._root = root.absolute()
        self._objects = objects
        self.file_systems = file_systems or {}
        self._open_paths = open_paths

    def folders(self, attempt_id: AttemptId) -> StagedFolders:
        """Where those of the attempt are, or would be."""
        return StagedFolders(self._root / attempt_id)

    @property
    def objects(self) -> Objects:
        """Raises NeighbourRefused where there are none."""
        if self._objects is None:
            raise NeighbourRefused("the setting aws.s3_endpoint names no endpoint")
        return self._objects

    def open_path(self, uri: str) -> Path | None:
        """The path of this machine that a `file://` URI names, links followed; None for other URIs.

        Raises:
            NeighbourRefused: the operator has not opened it to jobs.
        """
        named = parse_file_uri(uri)
        if named is None:
            return None
        path = Path(named).resolve()
        if not any(path.is_relative_to(folder.resolve()) for folder in self._open_paths):
            raise NeighbourRefused(f"{named} is not under any folder of the setting docker.host_paths")
        return path

    async def remove(self, attempt_id: AttemptId) -> None:
        """Nothing of the attempt is left, as far as we may remove it. Repeatable."""
        root = self.folders(attempt_id).root
        await asyncio.to_thread(_remove, root)

    async def stage(self, entry: OpenAttempt, *, in_container: bool, persistently: Persistence) -> Staged:
        """All that the training needs is there. Raises CannotStage.

        `in_container`: it sees the folders where they are mounted, not where they are.
        """
        training = entry.job.spec.training
        assert training is not None, entry
        folders = self.folders(entry.attempt.attempt_id)
        cluster = _cluster_of(entry, training, in_container=in_container)
        work = _Staging(self, entry, training, folders, cluster, persistently)
        try:
            if self.open_path(training.output_uri) is None:
                _ = self.objects  # a training that could store nothing does not start
            mounted = work.mounted_channels()
            if not await asyncio.to_thread(folders.marker.exists):
                await asyncio.to_thread(_make_folders, folders, config_files(training, cluster))
                await work.fetch_all(mounted)
                for name, folder in mounted.items():
                    if in_container:
                        folders.channel(name).mkdir()
                    else:
                        folders.channel(name).symlink_to(folder.source)
                folders.marker.touch()
            checkpoints = work.checkpoints()
        except (NeighbourRefused, NeighbourUnavailable) as problem:
            raise CannotStage(_download_failed(str(problem))) from problem
        except OSError as problem:
            raise CannotStage(_download_failed(problem.strerror or str(problem))) from problem
        given = [GivenFolder(source=folders.root / name, target=f"{CONTRACT_ROOT}/{name}") for name in GIVEN]
        environment = dict(
            variables(
                training,
                training.arn(entry.job.spec.scope, entry.whole_id or entry.attempt.attempt_id),
                entry.attempt,
                cluster,
                root=CONTRACT_ROOT if in_container else str(folders.root),
            )
        )
        if checkpoints is not None:
            given.append(checkpoints)
            environment["LONGSHORE_CHECKPOINT_DIR"] = checkpoints.target if in_container else str(checkpoints.source)
        name = host_name(cluster.index)
        return Staged(environment=environment, folders=(*given, *mounted.values()), host_name=name)


@dataclass(frozen=True, slots=True)
class _Staging:
    """One attempt's."""

    site: TrainingSite
    entry: OpenAttempt
    training: TrainingRequest
    folders: StagedFolders
    cluster: Cluster
    persistently: Persistence

    @property
    def access(self) -> Access:
        return Access(region=self.entry.job.spec.scope.region, role_arn=self.training.role_arn)

    def mounted_channels(self) -> Mapping[str, GivenFolder]:
        """Channels that are folders of this machine, by name; they are not copied."""
        return {
            channel.name: GivenFolder(
                source=folder,
                target=f"{CONTRACT_ROOT}/input/data/{channel.name}",
                is_read_only=channel.file_system is None or channel.file_system.is_read_only,
            )
            for channel in self.training.channels
            if (folder := self._folder(channel)) is not None
        }

    def _folder(self, channel: TrainingChannel) -> Path | None:
        if (system := channel.file_system) is not None:
            volume = EfsVolume(file_system_id=system.file_system_id, root_directory=system.directory_path)
            try:
                return Path(folder_of(volume, self.site.file_systems))
            except UnknownFileSystem as unknown:
                raise NeighbourRefused(f"channel {channel.name}: {unknown}") from unknown
        path = self.site.open_path(channel.uri or "")
        return path if path is not None and path.is_dir() else None

    def checkpoints(self) -> GivenFolder | None:
        """The folder of checkpoints; one of this machine is not copied."""
        asked = self.training.checkpoints
        if asked is None:
            return None
        path = self.site.open_path(asked.uri)
        if path is not None and not path.is_dir():
            raise NeighbourRefused(f"{asked.uri} is no folder")
        return GivenFolder(source=path or self.folders.checkpoints, target=asked.local_path)

    async def fetch_all(self, mounted: Mapping[str, GivenFolder]) -> None:
        """What is not mounted is in its folder."""
        for channel in self.training.channels:
            if channel.name in mounted:
                continue
            folder = self.folders.channel(channel.name)
            folder.mkdir()
            assert channel.uri is not None
            if (path := self.site.open_path(channel.uri)) is not None:
                await in_thread(partial(_copy, path, folder / path.name))
            elif channel.is_manifest:
                await self._fetch_manifest(channel, folder)
            elif not await self._fetch_prefix(channel.uri, folder, channel):
                raise NeighbourRefused(f"no S3 objects found under {channel.uri} for the channel {channel.name}")
        checkpoints = self.training.checkpoints
        if checkpoints is not None and self.site.open_path(checkpoints.uri) is None:
            await self._fetch_prefix(checkpoints.uri.rstrip("/") + "/", self.folders.checkpoints)

    async def _fetch_prefix(self, uri: str, folder: Path, channel: TrainingChannel | None = None) -> int:
        """Returns how many objects there are for all nodes together."""
        prefix, count = _object_place(uri), 0
        async for page in self._pages(prefix):
            keys = [key for key in page if not key.endswith("/")]
            own = self._share(keys, channel, count)
            count += len(keys)
            names = {local_name(key, prefix.key): key for key in own}
            await self._fetch_each(prefix.bucket, names, folder, is_gzip=channel is not None and channel.is_gzip)
        return count

    async def _pages(self, prefix: ObjectPlace) -> AsyncIterator[Sequence[str]]:
        token = ""
        while True:
            page = await self.persistently(partial(self.site.objects.find, prefix, self.access, after=token))
            yield page.keys
            if not (token := page.next):
                return

    def _share(self, keys: Sequence[str], channel: TrainingChannel | None, before: int) -> Sequence[str]:
        """Of keys that come behind `before` others, those of this node."""
        if channel is None or not channel.is_sharded:
            return keys
        count = len(self.cluster.hosts)
        return keys[(self.cluster.index - before) % count :: count]

    async def _fetch_manifest(self, channel: TrainingChannel, folder: Path) -> None:
        """A list: first an object with the prefix of all keys, then the rest of each.

        Source: SageMaker API, S3DataSource.
        """
        assert channel.uri is not None
        place, manifest = _object_place(channel.uri), self.folders.packed / f"{channel.name}.manifest"
        await self.persistently(lambda: self.site.objects.fetch(place, manifest, self.access))
        if manifest.stat().st_size > _MOST_MANIFEST_BYTES:
            raise NeighbourRefused(f"the manifest {channel.uri} has more than {_MOST_MANIFEST_BYTES} bytes")
        prefix, names = _parse_manifest(channel.uri, manifest.read_bytes())
        keys = {checked_name(name): prefix.key + name for name in self._share(names, channel, 0)}
        await self._fetch_each(prefix.bucket, keys, folder, is_gzip=channel.is_gzip)

    async def _fetch_each(self, bucket: str, names: Mapping[str, str], folder: Path, *, is_gzip: bool) -> None:
        """`names`: key by the name of the file."""
        left = iter(names.items())

        async def fetch_some() -> None:
            for name, key in left:
                await self._fetch(ObjectPlace(bucket=bucket, key=key), folder / name, is_gzip)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_CONCURRENCY):
                    group.create_task(fetch_some())
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _fetch(self, place: ObjectPlace, path: Path, is_gzip: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        await self.persistently(lambda: self.site.objects.fetch(place, path, self.access))
        if is_gzip:
            await in_thread(partial(_unpack, path))


def _cluster_of(entry: OpenAttempt, training: TrainingRequest, *, in_container: bool) -> Cluster:
    """Containers find each other by name; plain processes have an address each where there are several."""
    part = entry.attempt
    hosts = tuple(map(host_name, range(training.instance_count)))
    index = 0
    if isinstance(part, Part):
        assert entry.whole is not None, entry
        index = part.node
        addresses = tuple(each.address for each in entry.whole.parts)
        if not in_container and all(addresses):
            hosts = addresses
    return Cluster(hosts=hosts, index=index, interface="eth0" if in_container else "lo")


def local_name(key: str, prefix: str) -> str:
    """Where the object of a key is in its channel's folder: behind the prefix, as far as that ends with a folder."""
    if key != prefix and (prefix.endswith("/") or not prefix or key[len(prefix)] == "/"):
        return checked_name(key[len(prefix) :].lstrip("/"))
    return checked_name(key[prefix.rfind("/") + 1 :])


def checked_name(name: str) -> str:
    """`name`, which stays in its folder. Raises NeighbourRefused for another."""
    if "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise NeighbourRefused(f"the key of an object is no path of a file: {name!r}")
    return name


def _object_place(uri: str) -> ObjectPlace:
    place = parse_object_uri(uri)
    if place is None:
        raise NeighbourRefused(f"{uri!r} is no URI of objects")
    return place


def _parse_manifest(uri: str, content: bytes) -> tuple[ObjectPlace, Sequence[str]]:
    try:
        items: object = json.loads(content)
    except (ValueError, RecursionError):
        items = None
    if isinstance(items, list):
        first, *rest = cast(list[object], items) or [None]
        prefix = cast(dict[str, object], first).get("prefix") if isinstance(first, dict) else None
        place = parse_object_uri(prefix) if isinstance(prefix, str) else None
        names = [name for name in rest if isinstance(name, str)]
        if place is not None and names and len(names) == len(rest):
            return place, names
    raise NeighbourRefused(f'the manifest {uri} is no JSON list of an object {{"prefix": "s3://..."}} and then names')


def _download_failed(why: str) -> str:
    return f"Data download failed: {why}"


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Do `work` beside all else; when nobody waits for it any more it is told so by the event."""
    stopped = threading.Event()
    try:
        return await asyncio.to_thread(work, stopped)
    finally:
        stopped.set()


def pour(source: BinaryIO | gzip.GzipFile, target: BinaryIO, stopped: threading.Event) -> None:
    """All of `source` is in `target`, unless nobody waits for it any more."""
    while (chunk := source.read(_CHUNK_BYTES)) and not stopped.is_set():
        target.write(chunk)


def _copy(path: Path, to: Path, stopped: threading.Event) -> None:
    with path.open("rb") as source, to.open("wb") as target:
        pour(source, target, stopped)


def _unpack(path: Path, stopped: threading.Event) -> None:
    """The file holds what was packed in it, under its name without `.gz`."""
    packed = path.with_name(f"{path.name}.packed")
    path.rename(packed)
    try:
        with gzip.open(packed) as source, path.with_name(path.name.removesuffix(".gz")).open("wb") as target:
            pour(source, target, stopped)
    except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
        raise NeighbourRefused(f"{path.name} is not compressed with gzip: {problem}") from problem
    packed.unlink()


def _make_folders(folders: StagedFolders, files: Mapping[str, object]) -> None:
    """The folders are new, and hold the files of the contract."""
    _remove(folders.root)
    for folder in (folders.config, folders.channel("x").parent, folders.packed):
        folder.mkdir(parents=True)
    # Who enters them was let through the folders above, or mounted them: containers may run as anybody.
    for folder in (folders.model, folders.output, folders.output / "data", folders.checkpoints):
        folder.mkdir()
        folder.chmod(0o777)
    for name, content in files.items():
        (folders.config / name).write_text(json.dumps(content))


def _remove(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        with suppress(OSError):
            os.chmod(folder, 0o700)  # what its owner may not enter could not be emptied
    shutil.rmtree(root, ignore_errors=True)
    if root.exists():
        _log.warning("training_folder_left", path=str(root))
