"""Jobs of several containers that run as one ECS task, and how a submission changes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from longshore.domain.container import (
    EphemeralStorage,
    KeyValue,
    NetworkConfiguration,
    OwnSettings,
    ResourceRequirement,
    RuntimePlatform,
    Volume,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContainerDependency:
    """What must be true of another container before one starts: START, COMPLETE or SUCCESS."""

    container_name: str | None = None
    condition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirelensConfiguration:
    """The container routes the logs of the others."""

    type: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContainerProperties(OwnSettings):
    """One container of a task. Source: AWS Batch API, TaskContainerProperties."""

    name: str = "default"
    image: str
    command: tuple[str, ...] = ()
    environment: tuple[KeyValue, ...] = ()
    resource_requirements: tuple[ResourceRequirement, ...] = ()
    depends_on: tuple[TaskContainerDependency, ...] = ()
    #: its end is the end of the whole task
    essential: bool = True
    firelens_configuration: FirelensConfiguration | None = None
    #: seconds that containers which depend on this one wait for what they need of it
    start_timeout: int | None = None
    #: seconds between SIGTERM and SIGKILL
    stop_timeout: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsTaskProperties:
    """A task: its containers and what they share. Source: AWS Batch API, EcsTaskProperties."""

    containers: tuple[TaskContainerProperties, ...]
    ephemeral_storage: EphemeralStorage | None = None
    execution_role_arn: str | None = None
    platform_version: str | None = None
    ipc_mode: str | None = None
    #: what a single container calls `job_role_arn`
    task_role_arn: str | None = None
    pid_mode: str | None = None
    network_configuration: NetworkConfiguration | None = None
    runtime_platform: RuntimePlatform | None = None
    volumes: tuple[Volume, ...] = ()
    enable_execute_command: bool | None = None
    network_mode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsProperties:
    """A job that is one task of several containers. Source: AWS Batch API, EcsProperties."""

    task_properties: tuple[EcsTaskProperties, ...]

    @property
    def task(self) -> EcsTaskProperties:
        """The only task: the API's list always holds one."""
        return self.task_properties[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContainerOverrides:
    """What SubmitJob may change of the container of this name. Source: AWS Batch API, TaskContainerOverrides."""

    name: str | None = None
    command: tuple[str, ...] = ()
    environment: tuple[KeyValue, ...] = ()
    resource_requirements: tuple[ResourceRequirement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPropertiesOverride:
    """What SubmitJob may change of a task."""

    containers: tuple[TaskContainerOverrides, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EcsPropertiesOverride:
    """What SubmitJob may change of a job that is one task."""

    task_properties: tuple[TaskPropertiesOverride, ...] = ()
