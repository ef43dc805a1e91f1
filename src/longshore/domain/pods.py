"""Containers of pods as execution knows them: in the terms of any container, and what only Kubernetes has.

Source: Kubernetes documentation, Pod API; AWS Batch API, EksPodProperties.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from longshore.domain.container import ContainerProperties, HostVolume, KeyValue, MountPoint, Volume
from longshore.domain.eks import (
    EksContainer,
    EksContainerLinuxCapabilities,
    EksContainerSecurityContext,
    EksPodProperties,
    EksPodSecurityContext,
    EksVolume,
)

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_QUANTITY = re.compile(r"([0-9.]+)([A-Za-z]*)")
_SUFFIXES = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    **{letter: Fraction(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFolder:
    """An empty folder that containers of a pod share, by the name of the volume that stands for it."""

    volume: str
    in_memory: bool = False
    #: None: no limit
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSettings:
    """What only a container of a pod is told. Source: Kubernetes, SecurityContext and PodSecurityContext."""

    #: Always or Never; empty: an image that is there is not pulled
    pull_policy: str = ""
    #: all of the pod's
    volumes: tuple[EksVolume, ...] = ()
    #: those of `volumes` that begin empty, as far as containers mount them
    folders: tuple[PodFolder, ...] = ()
    may_escalate: bool = True
    must_not_be_root: bool = False
    capabilities_added: tuple[str, ...] = ()
    capabilities_dropped: tuple[str, ...] = ()
    #: RuntimeDefault, Unconfined or Localhost; empty: the engine's default
    seccomp: str = ""
    #: beside the user's own
    groups: tuple[int, ...] = ()


def pod_settings(container: EksContainer, pod: EksPodProperties) -> PodSettings:
    """What the container is told: its own word, or where it says nothing the pod's."""
    own, shared = container.security_context or EksContainerSecurityContext(), _shared_context(pod)
    capabilities = own.capabilities or EksContainerLinuxCapabilities()
    non_root = shared.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    profile = own.seccomp_profile or shared.seccomp_profile
    return PodSettings(
        pull_policy=container.image_pull_policy if container.image_pull_policy in ("Always", "Never") else "",
        volumes=pod.volumes,
        folders=tuple(_folders(pod)),
        may_escalate=own.allow_privilege_escalation is not False,
        must_not_be_root=bool(non_root),
        capabilities_added=capabilities.add or (),
        capabilities_dropped=capabilities.drop or (),
        seccomp=profile.type if profile is not None else "",
        groups=() if shared.fs_group is None else (shared.fs_group,),
    )


def _shared_context(pod: EksPodProperties) -> EksPodSecurityContext:
    return pod.security_context or EksPodSecurityContext()


def _folders(pod: EksPodProperties) -> Iterable[PodFolder]:
    empty = {volume.name: volume.empty_dir for volume in pod.volumes if volume.empty_dir is not None}
    mounts = [mount for each in (*pod.init_containers, *pod.containers) for mount in each.volume_mounts]
    named = {(mount.name or "", mount.sub_path or ""): None for mount in mounts if mount.name in empty}
    for name, sub_path in named:
        limit = empty[name].size_limit
        yield PodFolder(
            volume=_volume_name(name, sub_path),
            in_memory=empty[name].medium == "Memory",
            most_bytes=(bytes_of(limit) or None) if limit else None,
        )


def bytes_of(quantity: str) -> int:
    """A quantity of Kubernetes (`512Mi`, `1.5G`) in whole bytes, rounded up."""
    match = _QUANTITY.fullmatch(quantity)
    assert match is not None, quantity
    return ceil(Fraction(match[1]) * _SUFFIXES[match[2]])


def pod_container_properties(container: EksContainer, pod: EksPodProperties) -> ContainerProperties:
    """The container in the terms of any other; its entry point is told apart."""
    security = container.security_context
    contexts = [context for context in (security, pod.security_context) if context is not None]
    user = next((context.run_as_user for context in contexts if context.run_as_user is not None), None)
    group = next((context.run_as_group for context in contexts if context.run_as_group is not None), None)
    # A folder of a volume is mounted as a volume of its own: others see it where they mount the same folder.
    volumes = {each.name: each for each in pod.volumes}
    mounts = [mount for mount in container.volume_mounts if mount.name in volumes]
    return ContainerProperties(
        image=container.image,
        command=container.args,
        environment=container.env,
        user=None if user is None else f"{user}" if group is None else f"{user}:{group}",
        privileged=security.privileged if security else None,
        readonly_root_filesystem=security.read_only_root_filesystem if security else None,
        volumes=tuple(_volume(volumes[mount.name or ""], mount.sub_path or "") for mount in mounts),
        mount_points=tuple(
            MountPoint(
                container_path=mount.mount_path,
                read_only=mount.read_only,
                source_volume=_volume_name(mount.name or "", mount.sub_path or ""),
            )
            for mount in mounts
        ),
    )


def _volume_name(name: str, sub_path: str) -> str:
    return f"{name}/{sub_path}" if sub_path else name


def _volume(volume: EksVolume, sub_path: str) -> Volume:
    path = volume.host_path.path if volume.host_path else None
    host = HostVolume(source_path=f"{path.rstrip('/')}/{sub_path}" if path and sub_path else path)
    return Volume(name=_volume_name(volume.name, sub_path), host=host)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with the values of variables for `$(NAME)`; what names none stays, and `$$` is a plain `$`.

    Source: Kubernetes documentation, EnvVar and Container.command.
    """
    return _REFERENCE.sub(lambda match: "$" if match[1] is None else variables.get(match[1], match[0]), text)


def expand_variables(own: Iterable[KeyValue], given: Mapping[str, str]) -> dict[str, str]:
    """The container's own variables, each with the values of those before it and of `given`, which win."""
    found: dict[str, str] = {}
    for variable in own:
        if variable.name:
            found[variable.name] = expand(variable.value or "", {**found, **given})
    return found
