"""Rules on jobs that are pods. Source: AWS Batch API, EksPodProperties and the types it holds."""

import re
from collections.abc import Collection, Sequence

from longshore.domain.eks import (
    EksContainer,
    EksMetadata,
    EksPodProperties,
    EksPodSecurityContext,
    EksSeccompProfile,
    EksVolume,
)
from longshore.service.container_rules import check_environment, check_image
from longshore.service.refusals import invalid

_MOST_CONTAINERS = 10
_LARGEST_ID = 2**31 - 1
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_VOLUME_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAMESPACE = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SIZE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?(m|[kMGTPE]|[KMGTPE]i)?")
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_KEY = re.compile(r"(?:([a-z0-9.-]{1,253})/)?([A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)")
_LONGEST_ANNOTATION = 255
_PULL_POLICIES = (None, "Always", "IfNotPresent", "Never")
_DNS_POLICIES = (None, "Default", "ClusterFirst", "ClusterFirstWithHostNet")


def check_pod(pod: EksPodProperties) -> None:
    """Raises InvalidRequest for a pod that Kubernetes or AWS Batch would not take."""
    if not 1 <= len(pod.containers) <= _MOST_CONTAINERS:
        raise invalid(f"A pod should have between 1 and {_MOST_CONTAINERS} containers, got {len(pod.containers)}")
    if len(pod.init_containers) > _MOST_CONTAINERS:
        raise invalid(f"A pod cannot have more than {_MOST_CONTAINERS} initContainers, got {len(pod.init_containers)}")
    if pod.dns_policy not in _DNS_POLICIES:
        raise invalid(f"dnsPolicy should be one of {', '.join(filter(None, _DNS_POLICIES))}")
    volumes = _check_volumes(pod.volumes)
    names: set[str] = set()
    for container in (*pod.containers, *pod.init_containers):
        if container.name in names:
            raise invalid(f"Container names should be unique, got {container.name[:100]} more than once")
        names.add(container.name)
        _check_container(container, volumes)
    if pod.metadata is not None:
        check_metadata(pod.metadata)
    if pod.security_context is not None:
        _check_ids(pod.security_context)
        _check_seccomp(pod.security_context.seccomp_profile)


def _check_container(container: EksContainer, volumes: Collection[str]) -> None:
    if not _NAME.fullmatch(container.name):
        raise invalid(f"Container name {container.name[:100]} should be 1 to 63 letters, digits and hyphens")
    check_image(container.image)
    if container.image_pull_policy not in _PULL_POLICIES:
        raise invalid(f"imagePullPolicy should be one of {', '.join(filter(None, _PULL_POLICIES))}")
    check_environment(container.env)
    for mount in container.volume_mounts:
        if not mount.name or not mount.mount_path:
            raise invalid("Volume mounts need a name and a mountPath")
        if mount.name not in volumes:
            raise invalid(f"Volume mount {mount.mount_path[:100]} names an unknown volume {mount.name[:100]}")
    context = container.security_context
    if context is not None:
        for member, value in (("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)):
            _check_id(member, value)
        _check_seccomp(context.seccomp_profile)


def _check_volumes(volumes: Sequence[EksVolume]) -> Collection[str]:
    names: set[str] = set()
    for volume in volumes:
        if not _VOLUME_NAME.fullmatch(volume.name):
            raise invalid(f"Volume name {volume.name[:100]} should be a DNS subdomain name")
        if volume.name in names:
            raise invalid(f"Volume {volume.name} is defined more than once")
        names.add(volume.name)
        kinds = (volume.host_path, volume.empty_dir, volume.secret, volume.persistent_volume_claim)
        if sum(kind is not None for kind in kinds) != 1:
            raise invalid(
                f"Volume {volume.name} should be exactly one of hostPath, emptyDir, secret and persistentVolumeClaim"
            )
        if volume.host_path is not None and not volume.host_path.path:
            raise invalid(f"The hostPath of volume {volume.name} needs a path")
        if volume.empty_dir is not None:
            if volume.empty_dir.medium not in (None, "", "Memory"):
                raise invalid(f'The medium of volume {volume.name} should be "" or "Memory"')
            if volume.empty_dir.size_limit is not None and not _SIZE.fullmatch(volume.empty_dir.size_limit):
                raise invalid(f"The sizeLimit of volume {volume.name} should be a quantity such as 512Mi")
    return names


def check_metadata(metadata: EksMetadata) -> None:
    """Raises InvalidRequest for what Kubernetes would not take as a pod's metadata."""
    if metadata.namespace is not None:
        check_namespace(metadata.namespace)
    for key in (*metadata.labels, *metadata.annotations):
        if not _KEY.fullmatch(key):
            raise invalid(f"Key {key[:100]} of metadata is not valid")
    for value in metadata.labels.values():
        if not _LABEL.fullmatch(value):
            raise invalid("Labels should be up to 63 letters, digits, hyphens, underscores and dots")
    if any(len(value) > _LONGEST_ANNOTATION for value in metadata.annotations.values()):
        raise invalid(f"Annotations cannot be longer than {_LONGEST_ANNOTATION} characters")


def check_namespace(namespace: str) -> None:
    """Raises InvalidRequest for a namespace that AWS Batch does not use."""
    if not _NAMESPACE.fullmatch(namespace) or namespace == "default" or namespace.startswith("kube"):
        raise invalid(f"Kubernetes namespace '{namespace[:100]}' is not valid")


def _check_ids(context: EksPodSecurityContext) -> None:
    for member, value in (
        ("runAsUser", context.run_as_user),
        ("runAsGroup", context.run_as_group),
        ("fsGroup", context.fs_group),
    ):
        _check_id(member, value)


def _check_id(member: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= _LARGEST_ID:
        raise invalid(f"{member} should be between 0 and {_LARGEST_ID}, got {value}")


def _check_seccomp(profile: EksSeccompProfile | None) -> None:
    if profile is not None and (profile.type == "Localhost") != (profile.localhost_profile is not None):
        raise invalid("localhostProfile should be given with the seccomp profile type Localhost, and only with it")
