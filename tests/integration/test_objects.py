"""Objects beside a real server that speaks like S3."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from longshore.domain.training import ObjectPlace
from longshore.neighbours.aws import AwsNeighbours
from longshore.neighbours.config import NeighbourConfig
from longshore.neighbours.objects import AwsObjects
from longshore.ports.neighbours import NeighbourRefused, NeighbourUnavailable
from longshore.ports.objects import Access
from longshore.system_clock import SystemClock
from tests.integration.live import REGION, free_port
from tests.integration.neighbours import Neighbours

pytestmark = pytest.mark.anyio

ROLE = "arn:aws:iam::123456789012:role/training"
ACCESS = Access(region=REGION, role_arn=ROLE)
PART_BYTES = 5 * 2**20  # the least that S3 takes for a part but the last


@pytest.fixture
def s3(neighbours: Neighbours) -> Any:
    return neighbours.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"bucket-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    return name


def objects_at(url: str, **endpoints: str | None) -> AwsObjects:
    config = replace(NeighbourConfig(s3_endpoint=url, sts_endpoint=url), **endpoints)
    return AwsObjects(AwsNeighbours(config, SystemClock()), part_bytes=PART_BYTES)


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's, in which it asks for roles."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "server")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "server")


@pytest.fixture
def objects(neighbours: Neighbours) -> Iterator[AwsObjects]:
    made = objects_at(neighbours.url)
    yield made
    asyncio.run(made.close())


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


async def test_pages(objects: AwsObjects, s3: Any, bucket: str) -> None:
    """All keys of a prefix, over the borders of pages; odd ones as they are."""
    keys = [f"data/{number:04}" for number in range(1005)] + ["data/a b+c%20d\u00e9&<>"]
    for key in [*keys, "other"]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    page = await objects.find(ObjectPlace(bucket=bucket, key="data/"), ACCESS)
    found = list(page.keys)
    assert page.next
    page = await objects.find(ObjectPlace(bucket=bucket, key="data/"), ACCESS, after=page.next)
    assert (found + list(page.keys), page.next) == (keys, "")


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, 2 * PART_BYTES + 1])
async def test_there_and_back(objects: AwsObjects, s3: Any, bucket: str, tmp_path: Path, size: int) -> None:
    """What is stored is what was there, in parts where it is large; so is what is fetched."""
    content = (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]
    place = ObjectPlace(bucket=bucket, key="a b/model.tar.gz")
    for _ in range(2):
        await objects.store(put(tmp_path / "from", content), place, ACCESS)
    assert s3.get_object(Bucket=bucket, Key=place.key)["Body"].read() == content
    await objects.fetch(place, tmp_path / "to", ACCESS)
    assert content_of(tmp_path / "to") == content
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def content_of(path: Path) -> bytes:
    return path.read_bytes()


async def test_refusals(objects: AwsObjects, bucket: str, tmp_path: Path) -> None:
    """What is not there is refused, with its own words; of what could not be stored nothing is left."""
    with pytest.raises(NeighbourRefused, match="NoSuchKey"):
        await objects.fetch(ObjectPlace(bucket=bucket, key="none"), tmp_path / "to", ACCESS)
    for name in ("no-such-bucket", "no bucket"):
        with pytest.raises(NeighbourRefused, match="NoSuchBucket|Invalid bucket name"):
            await objects.find(ObjectPlace(bucket=name, key=""), ACCESS)
        with pytest.raises(NeighbourRefused, match="NoSuchBucket|Invalid bucket name"):
            await objects.store(put(tmp_path / "x", b""), ObjectPlace(bucket=name, key="x"), ACCESS)


async def test_nobody_there(tmp_path: Path) -> None:
    """Whoever is away may come back; who was never named won't."""
    place = ObjectPlace(bucket="b", key="k")
    away = objects_at(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NeighbourUnavailable):
        await away.fetch(place, tmp_path / "to", ACCESS)
    await away.close()
    unnamed = objects_at("http://127.0.0.1:1", s3_endpoint=None)
    with pytest.raises(NeighbourRefused, match="the setting aws.s3_endpoint names no endpoint"):
        await unnamed.fetch(place, tmp_path / "to", ACCESS)
    await unnamed.close()


async def test_files_that_cannot_be(objects: AwsObjects, s3: Any, bucket: str, tmp_path: Path) -> None:
    """The trouble of this machine is told as it is."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    place = ObjectPlace(bucket=bucket, key="k")
    with pytest.raises(FileNotFoundError):
        await objects.fetch(place, tmp_path / "none" / "to", ACCESS)
    with pytest.raises(FileNotFoundError):
        await objects.store(tmp_path / "none", place, ACCESS)
