"""Rules on the containers of a job definition. Source: AWS Batch API, ContainerProperties and the types it holds."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from longshore.domain.container import (
    ContainerProperties,
    EfsVolume,
    EphemeralStorage,
    KeyValue,
    LinuxParameters,
    MountPoint,
    NetworkConfiguration,
    RuntimePlatform,
    Volume,
)
from longshore.domain.ecs import TaskContainerProperties
from longshore.domain.errors import InvalidRequest
from longshore.service.refusals import invalid

_RESERVED = "AWS_BATCH"
_IMAGE = re.compile(r"[A-Za-z0-9_:./#@-]{1,255}")
_USER = re.compile(r"[a-z0-9_][a-z0-9_-]{0,30}")
_VOLUME_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ULIMIT = re.compile("core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack")
_FARGATE_LOG_DRIVERS = frozenset({"awslogs", "splunk"})
_PLATFORM_VERSIONS = (None, "1.3.0", "1.4.0", "LATEST")
_OPERATING_SYSTEMS = (
    "LINUX",
    *(f"WINDOWS_SERVER_{year}_{edition}" for year in (2019, 2022) for edition in ("CORE", "FULL")),
)
_MOUNT_OPTION = re.compile(
    "defaults|r[ow]|(no)?(suid|dev|exec|atime|diratime|relatime|strictatime)|(a|dir)?sync|remount|(no)?mand|"
    "(un)?(r)?bind(able)?|r?(private|shared|slave)|(mode|uid|gid|nr_inodes|nr_blocks|mpol)(=.*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Containers that run together, and what they share, whichever form states them."""

    containers: Sequence[ContainerProperties | TaskContainerProperties]
    volumes: Sequence[Volume]
    has_role: bool
    execution_role_arn: str | None
    platform_version: str | None
    network_configuration: NetworkConfiguration | None
    ephemeral_storage: EphemeralStorage | None
    runtime_platform: RuntimePlatform | None
    #: members that are given and that EC2 does not take, by their wire names
    not_on_ec2: Sequence[str]


def check_container(container: ContainerProperties, *, fargate: bool, of_node: bool = False) -> None:
    """Raises InvalidRequest for a container that neither EC2 nor, with `fargate`, Fargate could be given."""
    if container.instance_type is not None and not of_node:
        raise invalid("instanceType is not applicable for a single-node job.")
    platform = container.fargate_platform_configuration
    task = Task(
        containers=(container,),
        volumes=container.volumes,
        has_role=container.job_role_arn is not None,
        execution_role_arn=container.execution_role_arn,
        platform_version=None if platform is None else platform.platform_version,
        network_configuration=container.network_configuration,
        ephemeral_storage=container.ephemeral_storage,
        runtime_platform=container.runtime_platform,
        not_on_ec2=() if platform is None else ("fargatePlatformConfiguration",),
    )
    check_task(task, fargate=fargate)


def check_task(task: Task, *, fargate: bool) -> None:
    """Raises InvalidRequest for containers that neither EC2 nor, with `fargate`, Fargate could be given."""
    for container in task.containers:
        _check_own(container)
    _check_volumes(task.volumes, has_role=task.has_role)
    names = {volume.name for volume in task.volumes}
    for container in task.containers:
        _check_mounts(container.mount_points, names)
        if container.linux_parameters is not None:
            _check_linux(container.linux_parameters)
    if fargate:
        _check_fargate(task)
    else:
        for member in _members_of_fargate(task):
            raise invalid(f"{member} not applicable for EC2.")


def _check_own(container: ContainerProperties | TaskContainerProperties) -> None:
    check_image(container.image)
    if container.user is not None:
        _check_user(container.user)
    check_environment(container.environment)
    for secret in container.secrets:
        if secret.name.startswith(_RESERVED):
            raise invalid(f"Names of secrets cannot start with {_RESERVED}: {secret.name[:100]}")
    for ulimit in container.ulimits:
        if not _ULIMIT.fullmatch(ulimit.name):
            raise invalid(f"Ulimit {ulimit.name[:100]} is not one of {_ULIMIT.pattern.replace('|', ', ')}")
        if ulimit.soft_limit > ulimit.hard_limit:
            raise invalid(f"The soft limit of ulimit {ulimit.name} is above its hard limit")


def check_image(image: str | None) -> None:
    """Raises InvalidRequest for what cannot be the name of an image."""
    if not image:
        raise invalid("Container image is required.")
    if not _IMAGE.fullmatch(image):
        raise invalid(f"Image '{image[:300]}' does not match regex")


def check_environment(variables: Sequence[KeyValue]) -> None:
    """Raises InvalidRequest for variables without a name and for names that Batch sets itself."""
    for variable in variables:
        if not variable.name or "=" in variable.name:
            raise invalid("Environment variables need a name without =")
        if variable.name.startswith(_RESERVED):
            raise invalid(f"Environment variable names cannot start with {_RESERVED}: {variable.name[:100]}")


def _check_user(user: str) -> None:
    parts = user.split(":")
    if len(parts) > 2 or not all(_USER.fullmatch(part) for part in parts):
        raise invalid(f"User '{user[:100]}' does not match regex")


def _check_volumes(volumes: Sequence[Volume], *, has_role: bool) -> None:
    names: set[str] = set()
    for volume in volumes:
        if not volume.name or not _VOLUME_NAME.fullmatch(volume.name):
            raise invalid("Volumes need a name of 1 to 255 letters, digits, hyphens and underscores")
        if volume.name in names:
            raise invalid(f"Volume {volume.name} is defined more than once")
        names.add(volume.name)
        kinds = (volume.host, volume.efs_volume_configuration, volume.s3files_volume_configuration)
        if sum(kind is not None for kind in kinds) > 1:
            raise invalid(f"Volume {volume.name} can be of one kind only")
        if volume.efs_volume_configuration is not None:
            _check_efs(volume.efs_volume_configuration, has_role=has_role)


def _check_mounts(mounts: Sequence[MountPoint], names: Collection[str | None]) -> None:
    for mount in mounts:
        if not mount.source_volume or not mount.container_path:
            raise invalid("Mount points need a sourceVolume and a containerPath")
        if mount.source_volume not in names:
            raise invalid(
                f"Mount point {mount.container_path[:100]} names an unknown volume {mount.source_volume[:100]}"
            )


def _check_efs(volume: EfsVolume, *, has_role: bool) -> None:
    port = volume.transit_encryption_port
    if port is not None and not 0 <= port <= 65_535:
        raise invalid("transitEncryptionPort should be between 0 and 65535")
    if volume.root_directory is not None and len(volume.root_directory) > 4096:
        raise invalid("rootDirectory cannot be longer than 4096 characters")
    access = volume.authorization_config
    if access is None:
        return
    if access.access_point_id is not None and volume.root_directory not in (None, "/"):
        raise invalid("rootDirectory should be / or left out with an EFS access point")
    if access.iam == "ENABLED" and not has_role:
        raise invalid("jobRoleArn is required for EFS IAM authorization")
    if (access.iam == "ENABLED" or access.access_point_id is not None) and volume.transit_encryption != "ENABLED":
        raise invalid("transitEncryption should be ENABLED with EFS IAM authorization or an access point")


def _check_linux(parameters: LinuxParameters) -> None:
    if parameters.swappiness is not None and not 0 <= parameters.swappiness <= 100:
        raise invalid("swappiness should be between 0 and 100")
    if parameters.max_swap is not None and parameters.max_swap < 0:
        raise invalid("maxSwap should be at least 0")
    if parameters.shared_memory_size is not None and parameters.shared_memory_size < 1:
        raise invalid("sharedMemorySize should be at least 1")
    for tmpfs in parameters.tmpfs:
        if tmpfs.size < 1:
            raise invalid("The size of a tmpfs should be at least 1")
        for option in tmpfs.mount_options or ():
            if not _MOUNT_OPTION.fullmatch(option):
                raise invalid(f"Mount option {option[:100]} of a tmpfs is not valid")


def _check_fargate(task: Task) -> None:
    for container in task.containers:
        if container.privileged:
            raise InvalidRequest("Fargate requires that the 'privileged' setting be 'false' at the container level.")
        for member in _members_of_ec2(container):
            raise invalid(f"{member} is not applicable for Fargate.")
    if any(volume.host is not None and volume.host.source_path for volume in task.volumes):
        raise invalid("host.sourcePath is not applicable for Fargate.")
    if task.execution_role_arn is None:
        raise invalid("executionRoleArn is required for Fargate.")
    if task.platform_version not in _PLATFORM_VERSIONS:
        raise invalid(f"platformVersion should be 1.3.0, 1.4.0 or LATEST, got {task.platform_version[:100]}")
    has_efs = any(volume.efs_volume_configuration is not None for volume in task.volumes)
    if has_efs and task.platform_version == "1.3.0":
        raise invalid("EFS is supported for Fargate platform version 1.4.0")
    if task.ephemeral_storage is not None and not 21 <= task.ephemeral_storage.size_in_gib <= 200:
        raise invalid("ephemeralStorage should be between 21 and 200 GiB")
    if task.runtime_platform is not None:
        _check_platform(task, task.runtime_platform)


def _check_platform(task: Task, platform: RuntimePlatform) -> None:
    family = platform.operating_system_family or "LINUX"
    if family not in _OPERATING_SYSTEMS:
        raise invalid(f"operatingSystemFamily should be one of {', '.join(_OPERATING_SYSTEMS)}, got {family[:100]}")
    if platform.cpu_architecture not in (None, "X86_64", "ARM64"):
        raise invalid(f"cpuArchitecture should be X86_64 or ARM64, got {platform.cpu_architecture[:100]}")
    if family == "LINUX":
        return
    if platform.cpu_architecture == "ARM64":
        raise invalid("Windows containers need the cpuArchitecture X86_64")
    if any(volume.efs_volume_configuration is not None for volume in task.volumes):
        raise invalid("efsVolumeConfiguration is not applicable for Windows containers")
    for container in task.containers:
        if container.linux_parameters or container.user is not None or container.readonly_root_filesystem is not None:
            raise invalid("linuxParameters, user and readonlyRootFilesystem are not applicable for Windows containers")


def _members_of_ec2(container: ContainerProperties | TaskContainerProperties) -> Iterator[str]:
    """Members that Fargate does not take, by their wire names."""
    if container.ulimits:
        yield "ulimits"
    linux = container.linux_parameters
    if linux is not None:
        members = {
            "devices": linux.devices,
            "tmpfs": linux.tmpfs,
            "sharedMemorySize": linux.shared_memory_size is not None,
            "maxSwap": linux.max_swap is not None,
            "swappiness": linux.swappiness is not None,
        }
        yield from (name for name, given in members.items() if given)
    log = container.log_configuration
    if log is not None and log.log_driver not in _FARGATE_LOG_DRIVERS:
        yield f"logDriver {log.log_driver}"


def _members_of_fargate(task: Task) -> Iterator[str]:
    """Members that EC2 does not take, by their wire names."""
    if task.network_configuration is not None:
        yield "networkConfiguration"
    yield from task.not_on_ec2
    if task.ephemeral_storage is not None:
        yield "ephemeralStorage"
