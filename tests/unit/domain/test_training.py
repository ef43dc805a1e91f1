"""Requests of trainings: what is understood of them, and what is refused."""

import json
from typing import Any

import pytest

from longshore.domain.errors import InvalidRequest
from longshore.domain.ids import AttemptId, Scope
from longshore.domain.training import (
    FileSystemFolder,
    InstanceGroup,
    ObjectPlace,
    TrainingChannel,
    TrainingCheckpoints,
    parse_file_uri,
    parse_object_uri,
    parse_training_request,
)
from tests.unit.control.trainings import a_channel, a_request

SYSTEM = {"FileSystemId": "fs-1", "FileSystemType": "EFS", "FileSystemAccessMode": "rw", "DirectoryPath": "/data"}


def test_whole_request() -> None:
    """All that is acted on is there; members without effect are let pass."""
    request = a_request(
        AlgorithmSpecification={
            "TrainingImage": "trainer:1",
            "TrainingInputMode": "FastFile",
            "ContainerEntrypoint": ["python3", "train.py"],
            "ContainerArguments": ["--fast"],
            "MetricDefinitions": [{"Name": "loss", "Regex": "."}],
        },
        HyperParameters={"depth": "3"},
        Environment={"LEVEL": "debug"},
        InputDataConfig=[
            {**a_channel("s3://b/k", "a", CompressionType="Gzip"), "ContentType": "text/csv", "InputMode": "File"},
            a_channel("s3://b/m", "b", S3DataType="ManifestFile", S3DataDistributionType="ShardedByS3Key"),
            a_channel("file:///data", "c"),
            {"ChannelName": "d", "DataSource": {"FileSystemDataSource": SYSTEM}},
        ],
        OutputDataConfig={"S3OutputPath": "s3://b/out", "CompressionType": "NONE", "KmsKeyId": "key"},
        ResourceConfig={
            "InstanceGroups": [
                {"InstanceGroupName": "one", "InstanceType": "ml.m5.large", "InstanceCount": 2},
                {"InstanceGroupName": "two", "InstanceType": "ml.c5.large", "InstanceCount": 1},
            ]
        },
        CheckpointConfig={"S3Uri": "s3://b/kept"},
        VpcConfig={"Subnets": 1},
    )
    payload = json.dumps(request)
    training = parse_training_request(payload)
    assert training.payload == payload
    assert (training.entrypoint, training.command) == (("python3", "train.py"), ("--fast",))
    assert training.hyper_parameters == {"depth": "3"}
    assert training.environment == {"LEVEL": "debug"}
    assert training.channels == (
        TrainingChannel(name="a", uri="s3://b/k", is_gzip=True, content_type="text/csv"),
        TrainingChannel(name="b", uri="s3://b/m", is_manifest=True, is_sharded=True),
        TrainingChannel(name="c", uri="file:///data"),
        TrainingChannel(
            name="d", file_system=FileSystemFolder(file_system_id="fs-1", directory_path="/data", is_read_only=False)
        ),
    )
    assert (training.output_uri, training.packs_output) == ("s3://b/out", False)
    assert training.instance_groups == (
        InstanceGroup(name="one", instance_type="ml.m5.large", instance_count=2),
        InstanceGroup(name="two", instance_type="ml.c5.large", instance_count=1),
    )
    assert training.instance_count == 3
    assert training.checkpoints == TrainingCheckpoints(uri="s3://b/kept", local_path="/opt/ml/checkpoints")
    assert training.max_runtime_seconds == 3600
    here = Scope(account_id="123456789012", region="eu-west-1")
    arn = training.arn(here, AttemptId("0123"))
    assert arn == "arn:aws:sagemaker:eu-west-1:123456789012:training-job/a-training-0123"


@pytest.mark.parametrize(
    ("own", "command"),
    [({}, ("train",)), ({"ContainerArguments": ["a"]}, ("a",)), ({"ContainerEntrypoint": ["a"]}, ())],
)
def test_command(own: dict[str, Any], command: tuple[str, ...]) -> None:
    """`train`, unless the request says what to run."""
    algorithm = {"TrainingImage": "i", "TrainingInputMode": "File", **own}
    training = parse_training_request(json.dumps(a_request(AlgorithmSpecification=algorithm)))
    assert training.command == command


ALGORITHM = {"TrainingImage": "i", "TrainingInputMode": "File"}


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"TrainingJobName": None}, "TrainingJobName is missing"),
        ({"TrainingJobName": "a_b"}, "TrainingJobName must be"),
        ({"TrainingJobName": "../x"}, "TrainingJobName must be"),
        ({"TrainingJobName": 1}, "TrainingJobName: expected `str`, got `int`"),
        ({"RoleArn": None}, "RoleArn is missing"),
        ({"AlgorithmSpecification": None}, "AlgorithmSpecification is missing"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "AlgorithmSpecification.TrainingImage must name"),
        ({"AlgorithmSpecification": {"TrainingImage": "i"}}, "AlgorithmSpecification.TrainingInputMode is missing"),
        (
            {"AlgorithmSpecification": {**ALGORITHM, "TrainingInputMode": "Pipe"}},
            "AlgorithmSpecification.TrainingInputMode must be File or FastFile; Pipe is not built",
        ),
        (
            {"AlgorithmSpecification": {**ALGORITHM, "ContainerEntrypoint": "train"}},
            "AlgorithmSpecification.ContainerEntrypoint: expected `array`, got `str`",
        ),
        ({"HyperParameters": {"depth": 3}}, "HyperParameters[...]: expected `str`, got `int`"),
        ({"Environment": {"a b": ""}}, "Environment: 'a b' must be"),
        ({"OutputDataConfig": {}}, "OutputDataConfig.S3OutputPath is missing"),
        ({"OutputDataConfig": {"S3OutputPath": "/tmp"}}, "OutputDataConfig.S3OutputPath must be a URI like s3://"),
        (
            {"OutputDataConfig": {"S3OutputPath": "s3://b", "CompressionType": "ZIP"}},
            "OutputDataConfig.CompressionType",
        ),
        ({"ResourceConfig": {}}, "ResourceConfig must have InstanceType and InstanceCount, or InstanceGroups"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0}}, "InstanceCount must be at least 1"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "StoppingCondition.MaxRuntimeInSeconds must be"),
        ({"CheckpointConfig": {"S3Uri": "s3://b", "LocalPath": "here"}}, "CheckpointConfig.LocalPath must be"),
        ({"CheckpointConfig": {"S3Uri": "s3://b", "LocalPath": "/a/../.."}}, "CheckpointConfig.LocalPath must be"),
        ({"InputDataConfig": [{"ChannelName": "a"}]}, "InputDataConfig[0].DataSource is missing"),
        ({"InputDataConfig": [{"ChannelName": "a", "DataSource": {}}]}, "InputDataConfig[a].DataSource must have one"),
        ({"InputDataConfig": [a_channel("s3://b", "..")]}, "InputDataConfig[..].ChannelName must be"),
        ({"InputDataConfig": [a_channel("s3://b", "a/b")]}, "InputDataConfig[a/b].ChannelName must be"),
        ({"InputDataConfig": [a_channel("s3://b"), a_channel("s3://c")]}, "each with a name of its own"),
        ({"InputDataConfig": [a_channel("s3://b", str(i)) for i in range(21)]}, "InputDataConfig must have 20"),
        ({"InputDataConfig": [a_channel("http://b")]}, "S3DataSource.S3Uri must be a URI"),
        (
            {"InputDataConfig": [a_channel("s3://b", S3DataType="AugmentedManifestFile")]},
            "S3DataType must be S3Prefix or ManifestFile; AugmentedManifestFile is not built",
        ),
        ({"InputDataConfig": [a_channel("s3://b", S3DataDistributionType="x")]}, "S3DataDistributionType must be"),
        ({"InputDataConfig": [a_channel("file:///a", S3DataType="ManifestFile")]}, "a file:// URI is for S3Prefix"),
        ({"InputDataConfig": [{**a_channel("s3://b"), "RecordWrapperType": "RecordIO"}]}, "RecordWrapperType must be"),
        ({"InputDataConfig": [{**a_channel("s3://b"), "InputMode": "Pipe"}]}, "InputDataConfig[train].InputMode must"),
    ],
)
def test_refused(members: dict[str, Any], told: str) -> None:
    """The text names the member and what would be right."""
    request = {name: value for name, value in a_request(**members).items() if value is not None}
    with pytest.raises(InvalidRequest) as refusal:
        parse_training_request(json.dumps(request))
    assert refusal.value.message.startswith("serviceRequestPayload: ")
    assert told in refusal.value.message


@pytest.mark.parametrize("payload", ["", "{", "[]", "null", '"x"', "\ud800", r'{"TrainingJobName": "\u0000"}'])
def test_no_object(payload: str) -> None:
    with pytest.raises(InvalidRequest, match="^serviceRequestPayload: "):
        parse_training_request(payload)


def test_uris() -> None:
    """Keys are taken as they stand; paths of this machine are absolute."""
    assert parse_object_uri("s3://b/a%20b?c#d") == ObjectPlace(bucket="b", key="a%20b?c#d")
    assert parse_object_uri("s3://b") == ObjectPlace(bucket="b", key="")
    assert parse_object_uri("s3:///a") is None
    assert str(parse_file_uri("file:///a%20b")) == "/a b"
    assert parse_file_uri("file://host/a") is None
    assert parse_file_uri("file:///a%00b") is None
    assert parse_object_uri("s3://[b") == ObjectPlace(bucket="[b", key="")
    assert parse_file_uri("s3://b/a") is None
