"""Job definitions: what jobs are made from. What they hold has modules of its own: container, ecs, eks, nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.container import ContainerProperties
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksProperties
from longshore.domain.ids import Scope
from longshore.domain.nodes import NodeProperties
from longshore.domain.retry import RetryStrategy
from longshore.domain.training import TrainingRequest

#: The forms that a job definition can have.
Form = ContainerProperties | EcsProperties | EksProperties | NodeProperties


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTimeout:
    """Counted from the start of each attempt."""

    attempt_duration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Formed:
    """Something that has exactly one of the forms of a job; a training is that of service jobs."""

    container: ContainerProperties | None = None
    ecs_properties: EcsProperties | None = None
    eks_properties: EksProperties | None = None
    node_properties: NodeProperties | None = None
    training: TrainingRequest | None = None

    @property
    def form(self) -> Form:
        """The one that is set; not for a service job."""
        form = self.container or self.ecs_properties or self.eks_properties or self.node_properties
        assert form is not None, "neither container nor ecs, eks or node properties"
        return form

    @property
    def runs_pods(self) -> bool:
        """Whether Kubernetes would run it, not ECS."""
        nodes = self.node_properties
        return isinstance(self.form if nodes is None else nodes.node_range_properties[0].form, EksProperties)

    @property
    def has_parts(self) -> bool:
        """Whether attempts have parts: all but those of the plain form, and trainings on one instance, have."""
        if self.training is not None:
            return self.training.instance_count > 1
        return self.container is None

    @property
    def has_nodes(self) -> bool:
        """Whether attempts have several nodes, which start together."""
        return self.node_properties is not None or (self.training is not None and self.has_parts)

    @property
    def single_container(self) -> ContainerProperties:
        """The container of a job that has the plain form."""
        assert self.container is not None, "the job has another form than one container"
        return self.container


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition(Formed):
    """One revision; never changed after registration but for its status and tags."""

    scope: Scope
    name: str
    revision: int
    type: Literal["container", "multinode"]
    status: Literal["ACTIVE", "INACTIVE"]
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    scheduling_priority: int | None = None
    retry_strategy: RetryStrategy | None = None
    timeout: JobTimeout | None = None
    propagate_tags: bool | None = None
    platform_capabilities: tuple[str, ...] = ()
    consumable_resource_properties: ConsumableResourceProperties | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    registered_at: datetime
    deregistered_at: datetime | None = None

    @property
    def arn(self) -> str:
        """Its ARN, revision included."""
        return self.scope.arn("job-definition", f"{self.name}:{self.revision}")
