"""Training jobs: requests in the form of SageMaker's CreateTrainingJob, as far as they are acted on.

Source: Amazon SageMaker API, CreateTrainingJob; its developer guide, how training information is provided.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote

from msgspec import Struct, ValidationError
from msgspec.json import Decoder

from longshore.domain.errors import InvalidRequest
from longshore.domain.ids import AttemptId, Scope

#: What hyperparameters, channels, output and checkpoints are below, as the container sees them.
CONTRACT_ROOT = "/opt/ml"
CHECKPOINTS = f"{CONTRACT_ROOT}/checkpoints"

_JOB_NAME = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")
_CHANNEL_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}")
_OBJECT_URI = re.compile(r"s3://([^/]+)/*(.*)", re.DOTALL)
_FILE_URI = re.compile(r"file://(?:localhost)?(/.*)", re.DOTALL)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_CHANNELS = 20
_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")
_MISFIT = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPlace:
    """Objects of one bucket whose keys begin with `key`."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystemFolder:
    """A folder of a network file system."""

    file_system_id: str
    directory_path: str
    is_read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingChannel:
    """One named input. Exactly one of `uri` and `file_system` is set."""

    name: str
    #: `s3://bucket/prefix`, or `file:///path` of this machine
    uri: str | None = None
    #: `uri` names a list of objects, not a prefix
    is_manifest: bool = False
    #: each node gets a share of the objects, not all of them
    is_sharded: bool = False
    #: objects are unpacked on the way
    is_gzip: bool = False
    content_type: str | None = None
    file_system: FileSystemFolder | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCheckpoints:
    """A folder that is fetched before a training and stored after it."""

    uri: str
    local_path: str = CHECKPOINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceGroup:
    """Instances of one type."""

    name: str
    instance_type: str
    instance_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """A training: a container, what it is given, and where what it leaves goes."""

    #: the request as it was submitted
    payload: str
    training_job_name: str
    training_image: str
    role_arn: str
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    hyper_parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    channels: tuple[TrainingChannel, ...] = ()
    #: `s3://bucket/prefix`, or `file:///path` of this machine
    output_uri: str
    packs_output: bool = True
    checkpoints: TrainingCheckpoints | None = None
    #: at least one; one without a name where the request has no groups
    instance_groups: tuple[InstanceGroup, ...]
    max_runtime_seconds: int | None = None

    @property
    def instance_count(self) -> int:
        """Nodes of the training."""
        return sum(group.instance_count for group in self.instance_groups)

    @property
    def command(self) -> tuple[str, ...]:
        """What follows the entry point: `train` unless the request has words of its own."""
        return self.arguments if self.entrypoint or self.arguments else ("train",)

    def arn(self, scope: Scope, attempt_id: AttemptId) -> str:
        """What SageMaker would call an attempt at it."""
        name = f"{self.training_job_name}-{attempt_id}"
        return f"arn:aws:sagemaker:{scope.region}:{scope.account_id}:training-job/{name}"


def parse_object_uri(uri: str) -> ObjectPlace | None:
    """The place that an `s3://` URI names; None for one of another form."""
    found = _OBJECT_URI.fullmatch(uri)
    return ObjectPlace(bucket=found[1], key=found[2]) if found else None


def parse_file_uri(uri: str) -> PurePosixPath | None:
    """The absolute path that a `file://` URI names; None for one of another form."""
    found = _FILE_URI.fullmatch(uri)
    path = unquote(found[1]) if found else ""
    return PurePosixPath(path) if path and "\0" not in path else None


class _AlgorithmSpecification(Struct, rename="pascal"):
    training_input_mode: str
    training_image: str | None = None
    container_entrypoint: tuple[str, ...] = ()
    container_arguments: tuple[str, ...] = ()


class _S3DataSource(Struct, rename="pascal"):
    s3_data_type: str
    s3_uri: str
    s3_data_distribution_type: str = "FullyReplicated"
    instance_group_names: tuple[str, ...] = ()


class _FileSystemDataSource(Struct, rename="pascal"):
    file_system_id: str
    directory_path: str
    file_system_access_mode: Literal["ro", "rw"]


class _DataSource(Struct, rename="pascal"):
    s3_data_source: _S3DataSource | None = None
    file_system_data_source: _FileSystemDataSource | None = None


class _Channel(Struct, rename="pascal"):
    channel_name: str
    data_source: _DataSource
    content_type: str | None = None
    compression_type: Literal["None", "Gzip"] = "None"
    record_wrapper_type: str = "None"
    input_mode: str | None = None


class _OutputDataConfig(Struct, rename={"output_path": "S3OutputPath", "compression_type": "CompressionType"}):
    output_path: str
    compression_type: Literal["GZIP", "NONE"] = "GZIP"


class _InstanceGroup(Struct, rename="pascal"):
    instance_group_name: str
    instance_type: str
    instance_count: int


class _ResourceConfig(Struct, rename="pascal"):
    instance_type: str | None = None
    instance_count: int | None = None
    instance_groups: tuple[_InstanceGroup, ...] = ()


class _StoppingCondition(Struct, rename="pascal"):
    max_runtime_in_seconds: int | None = None


class _CheckpointConfig(Struct, rename="pascal"):
    s3_uri: str
    local_path: str = CHECKPOINTS


class _Request(Struct, rename="pascal"):
    training_job_name: str
    role_arn: str
    algorithm_specification: _AlgorithmSpecification
    output_data_config: _OutputDataConfig
    resource_config: _ResourceConfig
    input_data_config: tuple[_Channel, ...] = ()
    hyper_parameters: dict[str, str] = {}
    environment: dict[str, str] = {}
    stopping_condition: _StoppingCondition | None = None
    checkpoint_config: _CheckpointConfig | None = None


_decoder = Decoder(_Request)


def parse_training_request(payload: str) -> TrainingRequest:
    """The training that the JSON text of a CreateTrainingJob request asks for. Members without effect are let pass.

    Raises:
        InvalidRequest: a member that is acted on is missing or does not fit; the text names it.
    """
    if "\\u0000" in payload:
        raise _refusal("no text in it may have a character with code 0")
    try:
        request = _decoder.decode(payload)
    except ValidationError as misfit:
        raise _refusal(_told(str(misfit))) from misfit
    except ValueError as malformed:
        raise _refusal(f"it must be a JSON object: {malformed}") from malformed
    algorithm, output, checkpoints = (
        request.algorithm_specification,
        request.output_data_config,
        request.checkpoint_config,
    )
    if not _JOB_NAME.fullmatch(request.training_job_name):
        raise _refusal("TrainingJobName must be 1 to 63 letters, digits and hyphens, with no hyphen at either end")
    if not algorithm.training_image:
        raise _refusal(
            "AlgorithmSpecification.TrainingImage must name the image; algorithms by name are not known here"
        )
    _check_mode("AlgorithmSpecification.TrainingInputMode", algorithm.training_input_mode)
    _check_place("OutputDataConfig.S3OutputPath", output.output_path)
    if checkpoints is not None:
        _check_place("CheckpointConfig.S3Uri", checkpoints.s3_uri)
        if not PurePosixPath(checkpoints.local_path).is_absolute() or ".." in checkpoints.local_path.split("/"):
            raise _refusal("CheckpointConfig.LocalPath must be an absolute path")
    for name in request.environment:
        if not _VARIABLE.fullmatch(name):
            raise _refusal(f"Environment: {name!r} must be letters, digits and underscores, with no digit first")
    channels = tuple(map(_channel, request.input_data_config))
    if len(channels) > _MOST_CHANNELS or len({channel.name for channel in channels}) < len(channels):
        raise _refusal(f"InputDataConfig must have {_MOST_CHANNELS} channels at most, each with a name of its own")
    stopping = request.stopping_condition
    seconds = stopping.max_runtime_in_seconds if stopping else None
    if seconds is not None and seconds < 1:
        raise _refusal("StoppingCondition.MaxRuntimeInSeconds must be at least 1")
    return TrainingRequest(
        payload=payload,
        training_job_name=request.training_job_name,
        training_image=algorithm.training_image,
        role_arn=request.role_arn,
        entrypoint=algorithm.container_entrypoint,
        arguments=algorithm.container_arguments,
        hyper_parameters=request.hyper_parameters,
        environment=request.environment,
        channels=channels,
        output_uri=output.output_path,
        packs_output=output.compression_type == "GZIP",
        checkpoints=checkpoints and TrainingCheckpoints(uri=checkpoints.s3_uri, local_path=checkpoints.local_path),
        instance_groups=_instance_groups(request.resource_config),
        max_runtime_seconds=seconds,
    )


def _channel(given: _Channel) -> TrainingChannel:
    where = f"InputDataConfig[{given.channel_name}]"
    if not _CHANNEL_NAME.fullmatch(given.channel_name):
        raise _refusal(f"{where}.ChannelName must be 1 to 64 letters, digits, dots, hyphens and underscores")
    if given.input_mode:
        _check_mode(f"{where}.InputMode", given.input_mode)
    if given.record_wrapper_type != "None":
        raise _refusal(f"{where}.RecordWrapperType must be None: records are not wrapped here")
    source, folder = given.data_source.s3_data_source, given.data_source.file_system_data_source
    if (source is None) == (folder is None):
        raise _refusal(f"{where}.DataSource must have one of S3DataSource and FileSystemDataSource")
    name, content_type, is_gzip = given.channel_name, given.content_type, given.compression_type == "Gzip"
    if folder is not None:
        if is_gzip:
            raise _refusal(f"{where}.CompressionType must be None for a file system, which is not copied")
        place = FileSystemFolder(
            file_system_id=folder.file_system_id,
            directory_path=folder.directory_path,
            is_read_only=folder.file_system_access_mode == "ro",
        )
        return TrainingChannel(name=name, content_type=content_type, file_system=place)
    assert source is not None
    at = f"{where}.DataSource.S3DataSource"
    if source.s3_data_type not in ("S3Prefix", "ManifestFile"):
        raise _refusal(f"{at}.S3DataType must be S3Prefix or ManifestFile; {source.s3_data_type} is not built")
    if source.s3_data_distribution_type not in ("FullyReplicated", "ShardedByS3Key"):
        raise _refusal(f"{at}.S3DataDistributionType must be FullyReplicated or ShardedByS3Key")
    if source.instance_group_names:
        raise _refusal(f"{at}.InstanceGroupNames must be absent: every node gets each channel here")
    _check_place(f"{at}.S3Uri", source.s3_uri)
    is_manifest, is_sharded = source.s3_data_type == "ManifestFile", source.s3_data_distribution_type[0] == "S"
    if parse_file_uri(source.s3_uri) is not None and (is_manifest or is_sharded or is_gzip):
        raise _refusal(f"{at}: a file:// URI is for S3Prefix and FullyReplicated, without compression")
    return TrainingChannel(
        name=name,
        uri=source.s3_uri,
        is_manifest=is_manifest,
        is_sharded=is_sharded,
        is_gzip=is_gzip,
        content_type=content_type,
    )


def _instance_groups(given: _ResourceConfig) -> tuple[InstanceGroup, ...]:
    groups = tuple(
        InstanceGroup(
            name=group.instance_group_name, instance_type=group.instance_type, instance_count=group.instance_count
        )
        for group in given.instance_groups
    )
    if not groups:
        if given.instance_type is None or given.instance_count is None:
            raise _refusal("ResourceConfig must have InstanceType and InstanceCount, or InstanceGroups")
        groups = (InstanceGroup(name="", instance_type=given.instance_type, instance_count=given.instance_count),)
    if any(group.instance_count < 1 for group in groups):
        raise _refusal("ResourceConfig.InstanceCount must be at least 1")
    return groups


def _check_mode(where: str, mode: str) -> None:
    """FastFile gives a container the same files as File, some of them later."""
    if mode not in ("File", "FastFile"):
        raise _refusal(f"{where} must be File or FastFile; {mode} is not built")


def _check_place(where: str, uri: str) -> None:
    if parse_object_uri(uri) is None and parse_file_uri(uri) is None:
        raise _refusal(f"{where} must be a URI like s3://bucket/prefix or file:///path")


def _told(misfit: str) -> str:
    """What the decoder says, with the member first."""
    if missing := _MISSING.fullmatch(misfit):
        name, parent = missing[1], missing[2]
        return f"{parent}.{name} is missing" if parent else f"{name} is missing"
    found = _MISFIT.fullmatch(misfit)
    return f"{found[2]}: {found[1].lower()}" if found and found[2] else misfit


def _refusal(text: str) -> InvalidRequest:
    return InvalidRequest(f"serviceRequestPayload: {text}")
