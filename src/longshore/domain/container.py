"""What a container is to be, and how a submission changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Attribute names equal the API's member names in snake case, so that the API's structs convert by attribute; rules on
# them stand in `service/`. Lists default to empty, since the API answers with empty lists.


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """An environment variable or log option."""

    name: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A variable whose value is fetched when the container starts."""

    name: str
    value_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequirement:
    """One of VCPU, MEMORY (MiB) and GPU, as text."""

    type: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostVolume:
    """A path of the host; absent: an anonymous volume."""

    source_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EfsAuthorization:
    """How an EFS volume is authorised."""

    access_point_id: str | None = None
    iam: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EfsVolume:
    """A network volume."""

    file_system_id: str
    root_directory: str | None = None
    transit_encryption: str | None = None
    transit_encryption_port: int | None = None
    authorization_config: EfsAuthorization | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3FilesVolume:
    """A volume on S3 Files."""

    file_system_arn: str
    root_directory: str | None = None
    transit_encryption_port: int | None = None
    access_point_arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """Something that mount points name."""

    name: str | None = None
    host: HostVolume | None = None
    efs_volume_configuration: EfsVolume | None = None
    s3files_volume_configuration: S3FilesVolume | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPoint:
    """Where a volume appears in the container."""

    container_path: str | None = None
    read_only: bool | None = None
    source_volume: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """A resource limit of the container's processes, by its name in `docker run --ulimit`."""

    name: str
    hard_limit: int
    soft_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device node given to the container."""

    host_path: str
    container_path: str | None = None
    #: of READ, WRITE, MKNOD; absent: all
    permissions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tmpfs:
    """A memory-backed mount; size in MiB."""

    container_path: str
    size: int
    mount_options: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxParameters:
    """Linux-specific settings; sizes in MiB."""

    devices: tuple[Device, ...] = ()
    init_process_enabled: bool | None = None
    shared_memory_size: int | None = None
    tmpfs: tuple[Tmpfs, ...] = ()
    max_swap: int | None = None
    swappiness: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfiguration:
    """Where output goes."""

    log_driver: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    secret_options: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfiguration:
    """Fargate only."""

    assign_public_ip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FargatePlatformConfiguration:
    """Fargate only."""

    platform_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EphemeralStorage:
    """Fargate only."""

    size_in_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePlatform:
    """Operating system family and processor architecture."""

    operating_system_family: str | None = None
    cpu_architecture: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryCredentials:
    """Secret that opens a private image registry."""

    credentials_parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSettings:
    """What an engine honours for each container of a task by itself."""

    user: str | None = None
    privileged: bool | None = None
    readonly_root_filesystem: bool | None = None
    ulimits: tuple[Ulimit, ...] = ()
    mount_points: tuple[MountPoint, ...] = ()
    linux_parameters: LinuxParameters | None = None
    log_configuration: LogConfiguration | None = None
    secrets: tuple[Secret, ...] = ()
    repository_credentials: RepositoryCredentials | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSettings(OwnSettings):
    """What an engine honours beside image, command, environment and resources."""

    volumes: tuple[Volume, ...] = ()
    job_role_arn: str | None = None
    execution_role_arn: str | None = None
    instance_type: str | None = None
    network_configuration: NetworkConfiguration | None = None
    fargate_platform_configuration: FargatePlatformConfiguration | None = None
    ephemeral_storage: EphemeralStorage | None = None
    runtime_platform: RuntimePlatform | None = None
    enable_execute_command: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerProperties(ContainerSettings):
    """A container as a definition or a job states it. Source: AWS Batch API, ContainerProperties."""

    image: str | None = None
    command: tuple[str, ...] = ()
    environment: tuple[KeyValue, ...] = ()
    resource_requirements: tuple[ResourceRequirement, ...] = ()
    #: deprecated, EC2 only, beside `resource_requirements`
    vcpus: int | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOverrides:
    """What SubmitJob may change of a container. Source: AWS Batch API, ContainerOverrides."""

    command: tuple[str, ...] = ()
    environment: tuple[KeyValue, ...] = ()
    resource_requirements: tuple[ResourceRequirement, ...] = ()
    vcpus: int | None = None
    memory: int | None = None
    instance_type: str | None = None
