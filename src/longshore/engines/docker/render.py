"""A launch as the body of the engine's create call. Pure: what must be asked of the host is handed in."""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import PurePosixPath

from longshore.domain.container import ContainerSettings, LinuxParameters, MountPoint, Volume
from longshore.domain.pods import PodFolder, PodSettings
from longshore.engines.docker.config import DockerConfig
from longshore.engines.docker.holder import HOLDER_COMMAND, HOLDER_IMAGE
from longshore.engines.docker.parse import (
    ATTEMPT_LABEL,
    CONTAINER_LABEL,
    INSTALLATION_LABEL,
    JOB_LABEL,
    NODE_LABEL,
    TAG_LABEL_PREFIX,
    VERSION_LABEL,
    WHOLE_LABEL,
    EngineInfo,
)
from longshore.ports.engine import ContainerLaunch, GivenFolder, LaunchSpec

HANDLE_VERSION = 1

#: Of what only containers of pods are told. `size_limit` holds for folders in memory.
POD_MEMBERS = frozenset(
    {
        *("allow_privilege_escalation", "capabilities", "fs_group", "image_pull_policy", "medium", "run_as_non_root"),
        *("seccomp_profile", "size_limit"),
    }
)

MIB = 2**20
#: Docker refuses less. AWS Batch allows 4 MiB.
_LEAST_MEMORY_MIB = 6
#: What the kernel takes as `cpu.shares`.
_LEAST_SHARES, _MOST_SHARES = 2, 262_144
_LOG_FILES = 4
_PERMISSIONS = {"READ": "r", "WRITE": "w", "MKNOD": "m"}

Json = dict[str, object]
#: A host path with symbolic links and `..` resolved.
ResolvePath = Callable[[str], str]


class SpecRejected(Exception):
    """The launch can never be honoured as it is; the text says why and names the setting that decides it."""


def container_name(installation_id: str, attempt_id: str) -> str:
    """The one name that the container of an attempt can have: the engine sees to it that there are never two."""
    return f"longshore-{installation_id[:8]}-{attempt_id}"


def shared_name(installation_id: str, whole_id: str) -> str:
    """The name of the network that the parts of an attempt share, and the beginning of the names of their volumes."""
    return f"longshore-{installation_id[:8]}-{whole_id}"


def shared_labels(installation_id: str, whole_id: str) -> dict[str, str]:
    """What marks networks and volumes as ours."""
    return {INSTALLATION_LABEL: installation_id, WHOLE_LABEL: whole_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What must be there before a container that is a part of an attempt."""

    #: what marks it as ours
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    #: for the nodes of one attempt; empty: there is but one
    network: str = ""
    #: name of the container whose network all containers of the node are in; empty: the only one has its own
    holder: str = ""
    holder_body: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)
    #: folders of the holder that every user of the node's containers may write to
    holder_folders: tuple[str, ...] = ()


def shared_of(spec: LaunchSpec, config: DockerConfig) -> Shared:
    """What the container of this launch needs of its like."""
    if spec.whole_id is None:
        return Shared()
    name = shared_name(config.installation_id, spec.whole_id)
    labels = shared_labels(config.installation_id, spec.whole_id)
    network = name if spec.node_count > 1 else ""
    pod = spec.container.pod
    folders = pod.folders if pod is not None else ()
    if spec.container_count == 1 and not folders:
        return Shared(labels=labels, network=network)
    places = [_volume_source(spec, config, folder.volume) for folder in folders]
    body: Json = {
        "Image": HOLDER_IMAGE,
        "Entrypoint": [HOLDER_COMMAND],
        "Labels": labels,
        "HostConfig": {
            "NetworkMode": network or config.network,
            "CapDrop": ["ALL"],
            "LogConfig": {"Type": "none"},
            # what is in memory stays there for as long as one container has it mounted
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": place,
                    "Target": f"/{place}",
                    "VolumeOptions": _folder_options(folder, labels),
                }
                for place, folder in zip(places, folders, strict=True)
            ],
        },
    }
    return Shared(
        labels=labels,
        network=network,
        holder=f"{name}-{spec.node}",
        holder_body=body,
        holder_folders=tuple(places),
    )


def _folder_options(folder: PodFolder, labels: Mapping[str, str]) -> Json:
    options: Json = {"Labels": labels, "NoCopy": True}
    if folder.in_memory:
        size = f",size={folder.most_bytes}" if folder.most_bytes is not None else ""
        options["DriverConfig"] = {
            "Name": "local",
            "Options": {"type": "tmpfs", "device": "tmpfs", "o": f"mode=0777{size}"},
        }
    return options


def _network_mode(spec: LaunchSpec, config: DockerConfig) -> str:
    shared = shared_of(spec, config)
    return f"container:{shared.holder}" if shared.holder else shared.network or config.network


def render_create(spec: LaunchSpec, config: DockerConfig, info: EngineInfo, resolve: ResolvePath) -> Json:
    """The body that creates the attempt's container. Raises SpecRejected.

    Source: Docker Engine API, ContainerCreate; AWS Batch API, ContainerProperties.
    """
    container = spec.container
    settings = container.settings
    labels = {
        INSTALLATION_LABEL: config.installation_id,
        ATTEMPT_LABEL: spec.attempt_id,
        JOB_LABEL: spec.job_id,
        NODE_LABEL: str(spec.node),
        CONTAINER_LABEL: container.name,
        VERSION_LABEL: str(HANDLE_VERSION),
        **({WHOLE_LABEL: spec.whole_id} if spec.whole_id is not None else {}),
        **{f"{TAG_LABEL_PREFIX}{key}": value for key, value in spec.tags.items()},
    }
    body: Json = {
        "Image": container.image,
        "Env": [f"{name}={value}" for name, value in container.environment.items()],
        "Labels": labels,
        "HostConfig": _host_config(spec, config, info, resolve),
    }
    if container.entrypoint:
        body["Entrypoint"] = list(container.entrypoint)
    if container.command:
        body["Cmd"] = list(container.command)
    shared = shared_of(spec, config)
    if container.host_name and not shared.holder and (shared.network or config.network != "host"):
        body["Hostname"] = container.host_name
        if shared.network:
            body["NetworkingConfig"] = {"EndpointsConfig": {shared.network: {"Aliases": [container.host_name]}}}
    if settings.user:
        body["User"] = settings.user
    volumes = {path: Json() for path in _anonymous_volumes(settings)} if spec.whole_id is None else None
    if volumes:
        body["Volumes"] = volumes
    return body


def _host_config(spec: LaunchSpec, config: DockerConfig, info: EngineInfo, resolve: ResolvePath) -> Json:
    container = spec.container
    settings = container.settings
    linux = settings.linux_parameters or LinuxParameters()
    if settings.privileged and config.privileged == "refuse":
        raise SpecRejected(
            "the job asks for privileged mode, which the setting docker.privileged = refuse does not allow"
        )
    return {
        "NetworkMode": _network_mode(spec, config),
        "LogConfig": _log_config(config, info),
        "Privileged": bool(settings.privileged) and config.privileged == "allow",
        "ReadonlyRootfs": bool(settings.readonly_root_filesystem),
        "Ulimits": [{"Name": u.name, "Soft": u.soft_limit, "Hard": u.hard_limit} for u in settings.ulimits],
        "Binds": [*_binds(settings, config, resolve), *map(_bind, container.folders)],
        **_cpu(container, info),
        **_memory(container, linux),
        **_linux(spec, linux, config, resolve),
        **_gpus(container),
        **_pod(container.pod or PodSettings(), config),
    }


def _log_config(config: DockerConfig, info: EngineInfo) -> Json:
    """Output goes to files of the engine, bounded, never through us.

    The `local` driver keeps bytes as they are; `json-file`, for engines without it, replaces what is not UTF-8.
    """
    options = {"max-size": f"{max(1, config.log_mib * 1024 // _LOG_FILES)}k", "max-file": str(_LOG_FILES)}
    if info.plugins.log is not None and "local" not in info.plugins.log:
        return {"Type": "json-file", "Config": options}
    return {"Type": "local", "Config": {**options, "compress": "false"}}


def _cpu(container: ContainerLaunch, info: EngineInfo) -> Json:
    """A weight of 1,024 shares per vCPU, or a ceiling; the engine refuses a ceiling above what the host has."""
    milli = container.resources.vcpu_milli
    if container.vcpu_is_cap:
        return {"NanoCpus": min(milli, info.cpus * 1000 or milli) * 1_000_000}
    return {"CpuShares": min(max(_LEAST_SHARES, milli * 1024 // 1000), _MOST_SHARES)}


def _memory(container: ContainerLaunch, linux: LinuxParameters) -> Json:
    """A hard limit; swap as the definition says, else the engine's default of as much again.

    `MemorySwap` is memory and swap together. Swappiness counts only beside `maxSwap`.
    """
    memory_mib = max(_LEAST_MEMORY_MIB, container.resources.memory_mib)
    limits: Json = {"Memory": memory_mib * MIB}
    if linux.max_swap is not None:
        limits["MemorySwap"] = (memory_mib + linux.max_swap) * MIB
        if linux.swappiness is not None:
            limits["MemorySwappiness"] = linux.swappiness
    return limits


def _linux(spec: LaunchSpec, linux: LinuxParameters, config: DockerConfig, resolve: ResolvePath) -> Json:
    settings = spec.container.settings
    tmpfs = {t.container_path: ",".join((f"size={t.size}m", *(t.mount_options or ()))) for t in linux.tmpfs}
    # An anonymous volume that is read-only is an empty folder for ever, which the engine has no volume for.
    if spec.whole_id is None:
        tmpfs |= dict.fromkeys(_anonymous_volumes(settings, read_only=True), "ro")
    devices = [
        {
            "PathOnHost": allowed_path(device.host_path, config, resolve),
            "PathInContainer": device.container_path or device.host_path,
            "CgroupPermissions": "".join(_PERMISSIONS.get(p, "") for p in device.permissions or _PERMISSIONS),
        }
        for device in linux.devices
    ]
    given: Json = {"Devices": devices, "Tmpfs": tmpfs}
    if spec.whole_id is not None:
        given["Mounts"] = _shared_volumes(spec, spec.whole_id, config)
    if linux.init_process_enabled is not None:
        given["Init"] = linux.init_process_enabled
    if linux.shared_memory_size is not None:
        given["ShmSize"] = linux.shared_memory_size * MIB
    return given


def _pod(pod: PodSettings, config: DockerConfig) -> Json:
    """What a security context says. Raises SpecRejected for powers that are the operator's to give."""
    asked: Json = {}
    powers = [*pod.capabilities_added, *(["seccompProfile Unconfined"] if pod.seccomp == "Unconfined" else [])]
    if powers and config.privileged == "refuse":
        raise SpecRejected(
            f"the job asks for {', '.join(powers)}, which the setting docker.privileged = refuse does not allow"
        )
    if pod.seccomp == "Localhost":
        raise SpecRejected("there are no seccomp profiles of a Kubernetes node here")
    options: list[str] = [] if pod.may_escalate else ["no-new-privileges"]
    if config.privileged == "allow":
        asked["CapAdd"] = list(pod.capabilities_added)
        if pod.seccomp == "Unconfined":
            options.append("seccomp=unconfined")
    return {
        **asked,
        "CapDrop": list(pod.capabilities_dropped),
        "GroupAdd": [str(group) for group in pod.groups],
        "SecurityOpt": options,
    }


def _gpus(container: ContainerLaunch) -> Json:
    if not container.gpu_names:
        return {}
    request = {"Driver": "nvidia", "DeviceIDs": list(container.gpu_names), "Capabilities": [["gpu"]]}
    return {"DeviceRequests": [request]}


def _mounts(settings: ContainerSettings) -> list[tuple[MountPoint, Volume]]:
    """Each mount point with the volume it names."""
    volumes: Mapping[str | None, Volume] = {volume.name: volume for volume in settings.volumes}
    mounts: list[tuple[MountPoint, Volume]] = []
    for mount in settings.mount_points:
        volume = volumes.get(mount.source_volume)
        if volume is None:
            raise SpecRejected(f"a mount point names the volume {mount.source_volume!r}, which is not defined")
        if volume.efs_volume_configuration or volume.s3files_volume_configuration:
            raise SpecRejected(f"the Docker engine has no network volumes: {volume.name!r} is on EFS or S3 Files")
        if not mount.container_path or not posixpath.isabs(mount.container_path):
            raise SpecRejected(f"the mount point of volume {volume.name!r} has no absolute containerPath")
        mounts.append((mount, volume))
    return mounts


def _source_path(volume: Volume) -> str:
    return (volume.host.source_path if volume.host else None) or ""


def _anonymous_volumes(settings: ContainerSettings, *, read_only: bool = False) -> list[str]:
    mounts = ((mount, volume) for mount, volume in _mounts(settings) if not _source_path(volume))
    return [mount.container_path or "" for mount, _ in mounts if bool(mount.read_only) is read_only]


def _shared_volumes(spec: LaunchSpec, whole_id: str, config: DockerConfig) -> list[Json]:
    """Volumes without a path of the host, which containers of one node share by their names."""
    container = spec.container
    labels = shared_labels(config.installation_id, whole_id)
    folders = {folder.volume: folder for folder in container.pod.folders} if container.pod is not None else {}
    return [
        {
            "Type": "volume",
            "Source": _volume_source(spec, config, volume.name or ""),
            "Target": mount.container_path,
            "ReadOnly": bool(mount.read_only),
            "VolumeOptions": (
                _folder_options(folders[volume.name], labels) if volume.name in folders else {"Labels": labels}
            ),
        }
        for mount, volume in _mounts(container.settings)
        if not _source_path(volume)
    ]


def _volume_source(spec: LaunchSpec, config: DockerConfig, volume: str) -> str:
    """The engine's name for a volume that the containers of one node share."""
    digest = blake2b(volume.encode(), digest_size=8).hexdigest()
    return f"{shared_name(config.installation_id, spec.whole_id or '')}-{spec.node}-{digest}"


def _binds(settings: ContainerSettings, config: DockerConfig, resolve: ResolvePath) -> list[str]:
    binds: list[str] = []
    for mount, volume in _mounts(settings):
        source = _source_path(volume)
        if not source:
            continue
        parts = [allowed_path(source, config, resolve), mount.container_path or ""]
        binds.append(_join(*parts, is_read_only=bool(mount.read_only)))
    return binds


def _bind(folder: GivenFolder) -> str:
    return _join(str(folder.source), folder.target, is_read_only=folder.is_read_only)


def _join(source: str, target: str, *, is_read_only: bool) -> str:
    if ":" in source or ":" in target:
        raise SpecRejected(f"the paths of a volume may not have a colon in them: {source} and {target}")
    return f"{source}:{target}:ro" if is_read_only else f"{source}:{target}"


def allowed_path(path: str, config: DockerConfig, resolve: ResolvePath) -> str:
    """`path` resolved, when it is one of docker.host_paths or below one. Raises SpecRejected otherwise.

    The resolved path is what the engine is given: a link that is turned afterwards leads nowhere new.
    """
    if not posixpath.isabs(path):
        raise SpecRejected(f"the host path {path!r} is not absolute")
    resolved = PurePosixPath(resolve(path))
    if not any(resolved.is_relative_to(resolve(str(allowed))) for allowed in config.host_paths):
        raise SpecRejected(f"the host path {path!r} is not under any folder of the setting docker.host_paths")
    return str(resolved)


def ignored_settings(config: DockerConfig, info: EngineInfo) -> dict[str, str]:
    """Container settings that are accepted and have no effect, each with the reason."""
    ignored = {
        "enable_execute_command": "there is no ECS Exec here",
        "ephemeral_storage": "containers share the disk of the Docker engine without a limit of their own",
        "network_configuration": "the setting docker.network decides the network of containers; nodes of one job have "
        "a network of their own",
        "runtime_platform": "containers run on the platform of the Docker engine",
        **config.ignored,
    }
    if config.privileged == "drop":
        ignored["privileged"] = "the setting docker.privileged = drop runs such jobs without it"
    if not info.swap_limit:
        ignored["linux_parameters.max_swap"] = "the kernel of the Docker engine does not account for swap"
    if info.cgroup_version == "2":
        ignored["linux_parameters.swappiness"] = "version 2 of control groups has no swappiness"
    return ignored
