"""What a training finds when it starts, and why it may not start."""

import errno
import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from longshore.control.ledger import OpenAttempt
from longshore.control.staging import CannotStage, Staged, TrainingSite, local_name
from longshore.domain.ids import AttemptId
from longshore.domain.job import Intent, Part
from longshore.ports.neighbours import NeighbourRefused
from longshore.ports.objects import Access
from tests.unit.control.trainings import ROLE, KeptObjects, a_channel, a_site, a_training, files_in

pytestmark = pytest.mark.anyio

T = TypeVar("T")


async def at_once(ask: Callable[[], Awaitable[T]], /) -> T:
    return await ask()


async def stage(site: TrainingSite, entry: OpenAttempt, *, in_container: bool = False) -> Staged:
    return await site.stage(entry, in_container=in_container, persistently=at_once)


def found(site: TrainingSite, entry: OpenAttempt, channel: str = "train") -> dict[str, bytes]:
    """Files of a channel by name."""
    return files_in(site.folders(entry.attempt.attempt_id).channel(channel))


async def test_objects_of_a_prefix(tmp_path: Path) -> None:
    """All of them are there, over several pages, in folders as their keys have them; markers of folders are not."""
    keys = ["data/train/a.csv", "data/train/b.csv", "data/train/deep/c.csv", "data/train/deep/", "data/other"]
    objects = KeptObjects({f"bucket/{key}": key.encode() for key in keys})
    site, entry = a_site(tmp_path, objects), a_training(InputDataConfig=[a_channel("s3://bucket/data/train")])
    await stage(site, entry)
    assert found(site, entry) == {
        "a.csv": b"data/train/a.csv",
        "b.csv": b"data/train/b.csv",
        "deep/c.csv": b"data/train/deep/c.csv",
    }
    assert objects.accesses == {Access(region=entry.job.spec.scope.region, role_arn=ROLE)}


@pytest.mark.parametrize(
    ("key", "prefix", "name"),
    [
        ("data/a.csv", "data/", "a.csv"),
        ("data/a.csv", "data", "a.csv"),
        ("data/a.csv", "data/a.csv", "a.csv"),
        ("data/a.csv", "data/a", "a.csv"),
        ("data/train/a.csv", "data/tr", "train/a.csv"),
        ("a.csv", "", "a.csv"),
    ],
)
def test_local_names(key: str, prefix: str, name: str) -> None:
    """Names are what is behind the last folder of the prefix."""
    assert local_name(key, prefix) == name


@pytest.mark.parametrize("key", ["data/../../etc/passwd", "data/./a", "data/a//b", "data/a\0b", "data/.."])
def test_keys_that_are_no_paths(key: str) -> None:
    """Nothing is written outside the folder."""
    with pytest.raises(NeighbourRefused, match="no path of a file"):
        local_name(key, "data/")


async def test_manifest(tmp_path: Path) -> None:
    """It lists objects by what follows its prefix."""
    manifest = json.dumps([{"prefix": "s3://bucket/data/"}, "x/a", "b"]).encode()
    objects = KeptObjects(
        {"lists/m.json": manifest, "bucket/data/x/a": b"1", "bucket/data/b": b"2", "bucket/data/c": b"3"}
    )
    channel = a_channel("s3://lists/m.json", S3DataType="ManifestFile")
    site, entry = a_site(tmp_path, objects), a_training(InputDataConfig=[channel])
    await stage(site, entry)
    assert found(site, entry) == {"x/a": b"1", "b": b"2"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'["a"]', b'[{"prefix": "s3://b/"}]', b'[{"prefix": 1}, "a"]'])
async def test_no_manifest(tmp_path: Path, content: bytes) -> None:
    channel = a_channel("s3://lists/m.json", S3DataType="ManifestFile")
    site, entry = a_site(tmp_path, KeptObjects({"lists/m.json": content})), a_training(InputDataConfig=[channel])
    with pytest.raises(CannotStage, match="Data download failed: the manifest s3://lists/m.json is no"):
        await stage(site, entry)


async def test_gzip(tmp_path: Path) -> None:
    """Objects are unpacked, and lose the ending that says that they are packed."""
    objects = KeptObjects({"bucket/a.csv.gz": gzip.compress(b"1,2"), "bucket/b": gzip.compress(b"3")})
    channel = a_channel("s3://bucket/", CompressionType="Gzip")
    site, entry = a_site(tmp_path, objects), a_training(InputDataConfig=[channel])
    await stage(site, entry)
    assert found(site, entry) == {"a.csv": b"1,2", "b": b"3"}


@pytest.mark.parametrize("content", [b"plain", gzip.compress(b"cut off" * 100)[:-9]], ids=["plain", "cut off"])
async def test_not_gzip(tmp_path: Path, content: bytes) -> None:
    channel = a_channel("s3://bucket/", CompressionType="Gzip")
    site, entry = a_site(tmp_path, KeptObjects({"bucket/a": content})), a_training(InputDataConfig=[channel])
    with pytest.raises(CannotStage, match="a is not compressed with gzip"):
        await stage(site, entry)


async def test_shards(tmp_path: Path) -> None:
    """Each object goes to one node, over the borders of pages."""
    objects = KeptObjects({f"bucket/{i}": b"" for i in range(7)})
    channel = a_channel("s3://bucket/", S3DataDistributionType="ShardedByS3Key")
    whole = a_training(InputDataConfig=[channel], ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 3})
    site = a_site(tmp_path, objects)
    taken: list[str] = []
    for entry in as_nodes(whole, 3):
        await stage(site, entry)
        taken += found(site, entry)
    assert sorted(taken) == [str(i) for i in range(7)]
    assert taken != sorted(taken)


def as_nodes(whole: OpenAttempt, count: int, *, addresses: tuple[str, ...] = ("", "", "")) -> list[OpenAttempt]:
    """The parts of an attempt, one for each node."""
    known = whole.attempt
    parts = tuple(
        Part(
            attempt_id=AttemptId(f"{index:032x}"),
            job_key=known.job_key,
            number=1,
            environment_name=known.environment_name,
            host_id=known.host_id,
            resources=known.resources,
            intent=Intent.LAUNCH,
            opened_at=known.opened_at,
            node=index,
            container="algo",
            address=addresses[index],
        )
        for index in range(count)
    )
    attempt = replace(known, parts=parts)
    return [replace(whole, attempt=part, whole=attempt) for part in parts]


async def test_files_and_variables_of_the_contract(tmp_path: Path) -> None:
    """A container finds all below /opt/ml, and nothing there hides what its image has."""
    objects = KeptObjects({"bucket/a": b"1"})
    entry = a_training(
        InputDataConfig=[{**a_channel("s3://bucket/"), "ContentType": "text/csv"}],
        HyperParameters={"depth": "3", "name": "x", "layers": "[1, 2]"},
        CheckpointConfig={"S3Uri": "s3://kept/here"},
    )
    site = a_site(tmp_path, objects)
    staged = await stage(site, entry, in_container=True)
    root = site.folders(entry.attempt.attempt_id).root
    given = {folder.target: folder.source for folder in staged.folders}
    assert given == {
        "/opt/ml/input": root / "input",
        "/opt/ml/model": root / "model",
        "/opt/ml/output": root / "output",
        "/opt/ml/checkpoints": root / "checkpoints",
    }
    read = {path.name: json.loads(path.read_text()) for path in (root / "input" / "config").iterdir()}
    assert read == {
        "hyperparameters.json": {"depth": "3", "name": "x", "layers": "[1, 2]"},
        "inputdataconfig.json": {
            "train": {
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
                "ContentType": "text/csv",
            }
        },
        "resourceconfig.json": {
            "current_host": "algo-1",
            "current_instance_type": "ml.m5.large",
            "current_group_name": "homogeneousCluster",
            "hosts": ["algo-1"],
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": ["algo-1"]}
            ],
            "network_interface_name": "eth0",
        },
    }
    variables = staged.environment
    assert variables["TRAINING_JOB_NAME"] == "a-training"
    assert variables["TRAINING_JOB_ARN"].endswith(f":training-job/a-training-{entry.attempt.attempt_id}")
    assert json.loads(variables["SM_HPS"]) == {"depth": 3, "name": "x", "layers": [1, 2]}
    assert (variables["SM_HP_DEPTH"], variables["SM_HP_NAME"]) == ("3", "x")
    assert variables["SM_CHANNEL_TRAIN"] == "/opt/ml/input/data/train"
    assert variables["SM_MODEL_DIR"] == "/opt/ml/model"
    assert variables["SM_OUTPUT_DATA_DIR"] == "/opt/ml/output/data"
    assert (variables["SM_CURRENT_HOST"], variables["SM_HOSTS"]) == ("algo-1", '["algo-1"]')
    assert variables["SM_NUM_GPUS"] == "0"
    assert variables["LONGSHORE_CHECKPOINT_DIR"] == "/opt/ml/checkpoints"


async def test_a_plain_process_learns_where_folders_are(tmp_path: Path) -> None:
    """It has no mounts."""
    site, entry = (
        a_site(tmp_path, KeptObjects({"bucket/a": b"1"})),
        a_training(InputDataConfig=[a_channel("s3://bucket")]),
    )
    variables = (await stage(site, entry)).environment
    assert files_in(Path(variables["SM_CHANNEL_TRAIN"])) == {"a": b"1"}
    for name in ("SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR"):
        assert files_in(Path(variables[name])) == {}
    assert "hyperparameters.json" in files_in(Path(variables["SM_INPUT_CONFIG_DIR"]))


async def test_nodes_of_plain_processes_reach_each_other_by_address(tmp_path: Path) -> None:
    """Containers do it by name."""
    whole = a_training(ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2})
    second = as_nodes(whole, 2, addresses=("127.1.0.1", "127.1.0.2", ""))[1]
    variables = (await stage(a_site(tmp_path, KeptObjects()), second)).environment
    assert (variables["SM_HOSTS"], variables["SM_CURRENT_HOST"]) == ('["127.1.0.1","127.1.0.2"]', "127.1.0.2")
    staged = await stage(a_site(tmp_path / "docker", KeptObjects()), second, in_container=True)
    assert (staged.environment["SM_HOSTS"], staged.host_name) == ('["algo-1","algo-2"]', "algo-2")


async def test_folders_of_this_machine(tmp_path: Path) -> None:
    """A `file://` URI and a file system are seen where they are, and only where the operator has opened them."""
    shared, closed = tmp_path / "shared", tmp_path / "closed"
    (shared / "data").mkdir(parents=True)
    closed.mkdir()
    (shared / "data" / "a").write_text("1")
    (shared / "link").symlink_to(closed)
    system = {"FileSystemId": "fs-1", "FileSystemType": "EFS", "FileSystemAccessMode": "rw", "DirectoryPath": "/data"}
    channels = [
        a_channel(f"file://{shared}/data"),
        {"ChannelName": "system", "DataSource": {"FileSystemDataSource": system}},
        a_channel(f"file://{shared}/data/a", "one"),
    ]
    site = a_site(tmp_path, KeptObjects(), open_paths=[shared], file_systems={"fs-1": shared})
    for key, in_container in ((1, False), (2, True)):
        entry = a_training(key, InputDataConfig=channels)
        staged = await stage(site, entry, in_container=in_container)
        mounted = {f.target: (f.source, f.is_read_only) for f in staged.folders if "/data/" in f.target}
        assert mounted == {
            "/opt/ml/input/data/train": (shared / "data", True),
            "/opt/ml/input/data/system": (shared / "data", False),
        }
        assert found(site, entry, "one") == {"a": b"1"}
        if not in_container:
            assert files_in(Path(staged.environment["SM_CHANNEL_SYSTEM"])) == {"a": b"1"}
    for uri in (f"file://{closed}", f"file://{shared}/../closed", f"file://{shared}/link", "file:///etc/passwd"):
        with pytest.raises(CannotStage, match="not under any folder of the setting docker.host_paths"):
            await stage(site, a_training(3, InputDataConfig=[a_channel(uri)]))
    for path, why in (("/../closed", "No such file"), ("/nowhere", "No such file")):
        source = {"FileSystemDataSource": {**system, "DirectoryPath": path}}
        with pytest.raises(CannotStage, match=why):
            await stage(site, a_training(3, InputDataConfig=[{"ChannelName": "c", "DataSource": source}]))
    source = {"FileSystemDataSource": {**system, "FileSystemId": "fs-2"}}
    with pytest.raises(CannotStage, match="fs-2"):
        await stage(site, a_training(3, InputDataConfig=[{"ChannelName": "c", "DataSource": source}]))


@pytest.mark.parametrize(
    ("objects", "members", "why"),
    [
        (KeptObjects(), {"InputDataConfig": [a_channel("s3://b/none")]}, "no S3 objects found under s3://b/none"),
        (None, {}, "the setting aws.s3_endpoint names no endpoint"),
        (KeptObjects(), {"OutputDataConfig": {"S3OutputPath": "file:///etc"}}, "not under any folder"),
        (KeptObjects(), {"CheckpointConfig": {"S3Uri": "file:///etc"}}, "not under any folder"),
    ],
)
async def test_what_is_not_there(
    tmp_path: Path, objects: KeptObjects | None, members: dict[str, Any], why: str
) -> None:
    """A training that could not get or store its data does not start."""
    with pytest.raises(CannotStage, match=f"^Data download failed: .*{why}"):
        await stage(a_site(tmp_path, objects), a_training(**members))


async def test_refused_and_full(tmp_path: Path) -> None:
    """The reason is the neighbour's, or the disk's."""
    objects = KeptObjects({"b/a": b""})
    entry = a_training(InputDataConfig=[a_channel("s3://b/")])
    objects.refusal = "AccessDenied: no"
    with pytest.raises(CannotStage, match="Data download failed: AccessDenied: no"):
        await stage(a_site(tmp_path, objects), entry)
    objects.refusal, objects.failure = "", OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(CannotStage, match="Data download failed: No space left on device"):
        await stage(a_site(tmp_path, objects), entry)


async def test_a_stage_is_made_once(tmp_path: Path) -> None:
    """It is begun anew until it is whole, and then stays as it is: a container may be at work in it."""
    objects = KeptObjects({"b/a": b"1"})
    site, entry = a_site(tmp_path, objects), a_training(InputDataConfig=[a_channel("s3://b/")])
    objects.refusal = "AccessDenied: no"
    with pytest.raises(CannotStage):
        await stage(site, entry)
    folders = site.folders(entry.attempt.attempt_id)
    (folders.model / "of an unfinished stage").touch()
    objects.refusal = ""
    first = await stage(site, entry)
    assert list(folders.model.iterdir()) == []
    (folders.model / "model").write_text("weights")
    objects.objects["b/a"] = b"2"
    assert await stage(site, entry) == first
    assert found(site, entry) == {"a": b"1"}
    assert (folders.model / "model").read_text() == "weights"


async def test_checkpoints_come_back(tmp_path: Path) -> None:
    """Those that an earlier attempt has stored; none is no error."""
    objects = KeptObjects({"kept/here/epoch-1/w": b"1", "kept/hereafter": b""})
    site, entry = (
        a_site(tmp_path, objects),
        a_training(CheckpointConfig={"S3Uri": "s3://kept/here", "LocalPath": "/ckpt"}),
    )
    staged = await stage(site, entry)
    path = Path(staged.environment["LONGSHORE_CHECKPOINT_DIR"])
    assert files_in(path) == {"epoch-1/w": b"1"}
    assert any(folder.target == "/ckpt" and folder.source == path for folder in staged.folders)


async def test_removal(tmp_path: Path) -> None:
    """Nothing is left, but for what was only lent; again is no error."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "a").touch()
    site = a_site(tmp_path, KeptObjects(), open_paths=[shared])
    entry = a_training(InputDataConfig=[a_channel(f"file://{shared}")])
    await stage(site, entry)
    for _ in range(2):
        await site.remove(entry.attempt.attempt_id)
        assert not site.folders(entry.attempt.attempt_id).root.exists()
    assert (shared / "a").exists()
