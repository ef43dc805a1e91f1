"""S3, or what speaks like it, reached with the credentials of roles."""

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from longshore.domain.training import ObjectPlace
from longshore.neighbours.aws import AwsNeighbours, neighbour_errors
from longshore.ports.neighbours import NeighbourRefused, NeighbourUnavailable
from longshore.ports.objects import Access, Page

T = TypeVar("T")

#: objects on the way at once: each holds a thread, which nothing else waits for
_CONCURRENCY = 4
_CHUNK_BYTES = 2**20
#: What is larger goes in parts. Source: Amazon S3 user guide, multipart upload limits
_PART_BYTES = 16 * 2**20
_MOST_PARTS = 10_000


class _Stopped(Exception):
    """Nobody waits for it any more."""


class AwsObjects:
    """Implements `ports.objects.Objects`."""

    def __init__(self, aws: AwsNeighbours, *, part_bytes: int = _PART_BYTES) -> None:
        self._aws = aws
        self._part_bytes = part_bytes
        self._threads = ThreadPoolExecutor(_CONCURRENCY, thread_name_prefix="objects")

    async def find(self, prefix: ObjectPlace, access: Access, *, after: str = "") -> Page:
        asked = {"Bucket": prefix.bucket, "Prefix": prefix.key, **({"ContinuationToken": after} if after else {})}
        answer = await self._ask(access, lambda s3: s3.list_objects_v2(**asked))
        keys = [str(entry["Key"]) for entry in answer.get("Contents", ())]
        return Page(keys=keys, next=str(answer["NextContinuationToken"]) if answer.get("IsTruncated") else "")

    async def fetch(self, place: ObjectPlace, to: Path, access: Access) -> None:
        with _until_left() as stopped:
            await self._ask(access, lambda s3: _fetch(s3, place, to, stopped))

    async def store(self, path: Path, place: ObjectPlace, access: Access) -> None:
        size = await asyncio.to_thread(lambda: path.stat().st_size)
        name = {"Bucket": place.bucket, "Key": place.key}
        if size <= self._part_bytes:
            await self._ask(access, lambda s3: s3.put_object(**name, Body=path.read_bytes()))
            return
        length = max(self._part_bytes, -(-size // _MOST_PARTS))
        upload = await self._ask(access, lambda s3: s3.create_multipart_upload(**name)["UploadId"])
        name["UploadId"] = upload
        try:
            parts = [
                await self._ask(access, partial(_store_part, path=path, offset=offset, length=length, name=name))
                for offset in range(0, size, length)
            ]
            await self._ask(access, lambda s3: s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts}))
        except Exception:
            with suppress(NeighbourRefused, NeighbourUnavailable):  # the error that counts is on its way
                await self._ask(access, lambda s3: s3.abort_multipart_upload(**name))
            raise

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)

    async def _ask(self, access: Access, ask: Callable[[Any], T]) -> T:
        client = await self._aws.client_as("s3", access.role_arn, access.region)

        def work() -> T:
            with neighbour_errors():
                return ask(client())

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


@contextmanager
def _until_left() -> Generator[threading.Event]:
    """Set when the block is left, for a thread that may outlast it."""
    left = threading.Event()
    try:
        yield left
    finally:
        left.set()


def _fetch(s3: Any, place: ObjectPlace, to: Path, stopped: threading.Event) -> None:
    body = s3.get_object(Bucket=place.bucket, Key=place.key)["Body"]
    with body, to.open("wb") as file:
        for chunk in body.iter_chunks(_CHUNK_BYTES):
            if stopped.is_set():
                raise _Stopped
            file.write(chunk)


def _store_part(s3: Any, *, path: Path, offset: int, length: int, name: dict[str, str]) -> dict[str, object]:
    number = offset // length + 1
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(length)
    return {"PartNumber": number, "ETag": s3.upload_part(**name, PartNumber=number, Body=data)["ETag"]}
