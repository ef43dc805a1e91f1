"""Trainings for tests of control, and a place for their objects."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from longshore.control.ledger import OpenAttempt
from longshore.control.staging import TrainingSite
from longshore.domain.training import ObjectPlace, parse_training_request
from longshore.ports.neighbours import NeighbourRefused, NeighbourUnavailable
from longshore.ports.objects import Access, Page
from longshore.testing.builders import a_job, a_job_spec
from tests.unit.control.openings import an_open_attempt

ROLE = "arn:aws:iam::123456789012:role/training"


def a_request(**members: Any) -> dict[str, Any]:
    """A CreateTrainingJob request for one instance, with these members in place of its own."""
    return {
        "TrainingJobName": "a-training",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "trainer:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://models/out/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **members,
    }


def a_channel(uri: str, name: str = "train", **members: Any) -> dict[str, Any]:
    """A channel of objects; `members` are those of its S3DataSource, but for CompressionType."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, **members}
    compression = source.pop("CompressionType", "None")
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "CompressionType": compression}


def a_training(key: int = 1, **members: Any) -> OpenAttempt:
    """The first attempt of a service job with that request."""
    training = parse_training_request(json.dumps(a_request(**members)))
    return an_open_attempt(a_job(replace(a_job_spec(key), container=None, training=training)))


class KeptObjects:
    """Implements `ports.objects.Objects` in memory; is away as often as it is told to be."""

    def __init__(self, objects: Mapping[str, bytes] | None = None, *, page_size: int = 2) -> None:
        """`objects`: content by `bucket/key`."""
        self.objects = dict(objects or {})
        self.accesses: set[Access] = set()
        self.away = 0
        self.refusal = ""
        self.failure: OSError | None = None
        self.stored: list[str] = []
        self._page_size = page_size

    def _answer(self, access: Access) -> None:
        self.accesses.add(access)
        if self.away:
            self.away -= 1
            raise NeighbourUnavailable("nobody there")
        if self.refusal:
            raise NeighbourRefused(self.refusal)
        if self.failure is not None:
            raise self.failure

    async def find(self, prefix: ObjectPlace, access: Access, *, after: str = "") -> Page:
        self._answer(access)
        keys = sorted(name.partition("/")[2] for name in self.objects if name.partition("/")[0] == prefix.bucket)
        keys = [key for key in keys if key.startswith(prefix.key) and key > after]
        more = len(keys) > self._page_size
        return Page(keys=keys[: self._page_size], next=keys[self._page_size - 1] if more else "")

    async def fetch(self, place: ObjectPlace, to: Path, access: Access) -> None:
        put(to, b"half of it")
        self._answer(access)
        put(to, self.objects[f"{place.bucket}/{place.key}"])

    async def store(self, path: Path, place: ObjectPlace, access: Access) -> None:
        self._answer(access)
        self.objects[f"{place.bucket}/{place.key}"] = content_of(path)
        self.stored.append(place.key)

    async def close(self) -> None:
        return


def a_site(folder: Path, objects: KeptObjects | None = None, **options: Any) -> TrainingSite:
    """One with its attempts in `folder/training`."""
    return TrainingSite(folder / "training", objects=objects, **options)


def put(path: Path, content: bytes) -> None:
    """The file holds that."""
    path.write_bytes(content)


def content_of(path: Path) -> bytes:
    """What the file holds."""
    return path.read_bytes()


def files_in(folder: Path) -> dict[str, bytes]:
    """Content of all files by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
