"""Jobs that are a pod of Kubernetes, and how a submission changes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.domain.container import KeyValue


@dataclass(frozen=True, slots=True, kw_only=True)
class EksContainerResourceRequirements:
    """Amounts by the names `cpu`, `memory` and `nvidia.com/gpu`, in Kubernetes' notation."""

    limits: Mapping[str, str] = field(default_factory=dict[str, str])
    requests: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class EksContainerVolumeMount:
    """Where a volume of the pod appears in the container."""

    name: str | None = None
    mount_path: str | None = None
    sub_path: str | None = None
    read_only: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksContainerLinuxCapabilities:
    """Linux capabilities, added and taken away."""

    add: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksSeccompProfile:
    """Which system calls are let through."""

    type: str
    localhost_profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksContainerSecurityContext:
    """As whom and with which powers a container runs."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    privileged: bool | None = None
    allow_privilege_escalation: bool | None = None
    read_only_root_filesystem: bool | None = None
    run_as_non_root: bool | None = None
    capabilities: EksContainerLinuxCapabilities | None = None
    seccomp_profile: EksSeccompProfile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksContainer:
    """A container of a pod; `command` is its entry point and `args` are its arguments.

    Source: AWS Batch API, EksContainer.
    """

    name: str = "Default"
    image: str
    image_pull_policy: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[KeyValue, ...] = ()
    resources: EksContainerResourceRequirements | None = None
    volume_mounts: tuple[EksContainerVolumeMount, ...] = ()
    security_context: EksContainerSecurityContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePullSecret:
    """A Kubernetes secret that opens a private image registry."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EksHostPath:
    """A path of the host."""

    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksEmptyDir:
    """A folder that lives as long as the pod."""

    #: "" for the disk, or "Memory"
    medium: str | None = None
    size_limit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksSecret:
    """A Kubernetes secret, as files."""

    secret_name: str
    optional: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksPersistentVolumeClaim:
    """A claim on storage of the cluster."""

    claim_name: str
    read_only: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksVolume:
    """Something that volume mounts name."""

    name: str
    host_path: EksHostPath | None = None
    empty_dir: EksEmptyDir | None = None
    secret: EksSecret | None = None
    persistent_volume_claim: EksPersistentVolumeClaim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksMetadata:
    """What Kubernetes knows the pod by."""

    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksPodSecurityContext:
    """As whom the pod's containers run where they don't say."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    seccomp_profile: EksSeccompProfile | None = None
    fs_group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksPodProperties:
    """A pod: its containers and what they share. Source: AWS Batch API, EksPodProperties."""

    service_account_name: str | None = None
    host_network: bool = True
    dns_policy: str | None = None
    image_pull_secrets: tuple[ImagePullSecret, ...] = ()
    containers: tuple[EksContainer, ...] = ()
    #: each runs to its end before the next starts, all before the others
    init_containers: tuple[EksContainer, ...] = ()
    volumes: tuple[EksVolume, ...] = ()
    metadata: EksMetadata | None = None
    share_process_namespace: bool | None = None
    security_context: EksPodSecurityContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksProperties:
    """A job that is a pod. Source: AWS Batch API, EksProperties."""

    pod_properties: EksPodProperties = EksPodProperties()


@dataclass(frozen=True, slots=True, kw_only=True)
class EksContainerOverride:
    """What SubmitJob may change of the container of this name. Source: AWS Batch API, EksContainerOverride."""

    name: str | None = None
    image: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[KeyValue, ...] = ()
    resources: EksContainerResourceRequirements | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksPodPropertiesOverride:
    """What SubmitJob may change of a pod."""

    containers: tuple[EksContainerOverride, ...] = ()
    init_containers: tuple[EksContainerOverride, ...] = ()
    metadata: EksMetadata | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksPropertiesOverride:
    """What SubmitJob may change of a job that is a pod."""

    pod_properties: EksPodPropertiesOverride | None = None
