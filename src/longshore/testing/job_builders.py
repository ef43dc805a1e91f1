"""Makes jobs and resources for tests: `a_job().array(4).needing(vcpu=2).new(key)`; every value has a plain default."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from longshore.domain.consumable import ConsumableResourceProperties, ConsumableResourceRequirement
from longshore.domain.container import ContainerProperties
from longshore.domain.definition import JobDefinition
from longshore.domain.dependency import DependencyType
from longshore.domain.environment import ComputeEnvironment, State
from longshore.domain.ids import AttemptId, HostId, JobId, JobKey, Scope
from longshore.domain.job import Attempt, Job, JobSpec
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.nodes import NodeProperties
from longshore.domain.queue import EnvironmentOrder, JobQueue
from longshore.domain.resources import Resources
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.domain.service_environment import CapacityLimit, ServiceEnvironment
from longshore.ports.store import Edge, JobWriter, NewJob

A_SCOPE = Scope(account_id="000000000000", region="us-east-1")
A_MOMENT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def moment(seconds: float) -> datetime:
    """So many seconds after `A_MOMENT`."""
    return A_MOMENT + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBuilder:
    """A submission in the making; each method returns another builder, and `new` or `stored` end it."""

    spec: JobSpec
    created_at: datetime = A_MOMENT
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    waits_for: tuple[tuple[JobKey | None, DependencyType | None], ...] = ()

    def array(self, size: int) -> "JobBuilder":
        """With so many children."""
        return self._with(array_size=size)

    def needing(self, *, vcpu: float = 1, memory_mib: int = 128, gpus: int = 0) -> "JobBuilder":
        """Each job, or child, holds this much while it runs."""
        return self._with(resources=Resources(vcpu_milli=round(vcpu * 1000), memory_mib=memory_mib, gpus=gpus))

    def named(self, name: str) -> "JobBuilder":
        """Called `name`."""
        return self._with(name=name)

    def in_queue(self, name: str, *, scope: Scope = A_SCOPE) -> "JobBuilder":
        """Submitted to this queue."""
        return self._with(queue_name=name, scope=scope)

    def defined_by(self, definition: str) -> "JobBuilder":
        """Of this `name:revision`."""
        return self._with(definition=definition)

    def sharing_as(self, share_identifier: str) -> "JobBuilder":
        """Under a share identifier."""
        return self._with(share_identifier=share_identifier)

    def taking(self, **quantities: int) -> "JobBuilder":
        """Each job, or child, takes so much of consumable resources, by name."""
        requirements = (
            ConsumableResourceRequirement(consumable_resource=name, quantity=quantity)
            for name, quantity in quantities.items()
        )
        properties = ConsumableResourceProperties(consumable_resource_list=tuple(requirements))
        return self._with(consumable_resource_properties=properties)

    def running(self, *command: str) -> "JobBuilder":
        """With this command."""
        return self._with(container=replace(self.spec.single_container, command=command))

    def on_nodes(self, nodes: NodeProperties) -> "JobBuilder":
        """On several nodes."""
        return self._with(container=None, node_properties=nodes)

    def retried(self, attempts: int, *rules: EvaluateOnExit) -> "JobBuilder":
        """Attempted at most so often."""
        return self._with(retry=RetryStrategy(attempts=attempts, evaluate_on_exit=rules))

    def limited_to(self, seconds: int) -> "JobBuilder":
        """Each attempt times out after so long."""
        return self._with(timeout_seconds=seconds)

    def created(self, seconds: float) -> "JobBuilder":
        """Submitted so long after `A_MOMENT`."""
        return replace(self, created_at=moment(seconds))

    def tagged(self, **tags: str) -> "JobBuilder":
        """With these tags beside its others."""
        return replace(self, tags={**self.tags, **tags})

    def after(self, key: JobKey, kind: DependencyType | None = None) -> "JobBuilder":
        """Waits for this job as well."""
        return replace(self, waits_for=(*self.waits_for, (key, kind)))

    def one_by_one(self) -> "JobBuilder":
        """Its children run in sequence."""
        return replace(self, waits_for=(*self.waits_for, (None, DependencyType.SEQUENTIAL)))

    def new(self, key: int) -> NewJob:
        """The submission under this key; its children follow."""
        job_key = JobKey(key)
        edges = (
            Edge(job_key=job_key, on_key=job_key if on_key is None else on_key, type=kind)
            for on_key, kind in self.waits_for
        )
        spec = replace(self.spec, key=job_key)
        return NewJob(spec=spec, created_at=self.created_at, tags=self.tags, edges=tuple(edges))

    def stored(self, tx: JobWriter) -> JobSpec:
        """Submit it under new keys."""
        new = self.new(tx.allocate_keys(1 + (self.spec.array_size or 0)))
        tx.insert_job(new)
        return new.spec

    def _with(self, **changes: Any) -> "JobBuilder":
        return replace(self, spec=replace(self.spec, **changes))


def a_job(uuid: str | None = None) -> JobBuilder:
    """A job of one vCPU that runs `true`."""
    spec = JobSpec(
        scope=A_SCOPE,
        key=JobKey(0),
        uuid=uuid or str(uuid4()),
        name="job",
        queue_name="queue",
        definition="definition:1",
        container=ContainerProperties(image="busybox", command=("true",)),
        resources=Resources(vcpu_milli=1000, memory_mib=128),
    )
    return JobBuilder(spec=spec)


def job_of(spec: JobSpec, index: int | None = None, *, created_at: datetime = A_MOMENT) -> Job:
    """The job of a submission, or a child of it, as it is stored at first."""
    return Job(
        key=spec.key if index is None else spec.child_key(index),
        id=JobId(uuid=spec.uuid, index=index),
        spec=spec,
        status=JobStatus.SUBMITTED,
        created_at=created_at,
    )


def an_attempt(job: Job, *, number: int = 1, **values: Any) -> Attempt:
    """An attempt at `job` on this machine, just opened."""
    defaults: dict[str, Any] = {
        "attempt_id": AttemptId(uuid4().hex),
        "environment_name": "environment",
        "host_id": HostId("local"),
        "resources": job.spec.resources,
        "opened_at": A_MOMENT,
    }
    return Attempt(job_key=job.key, number=number, **{**defaults, **values})


def a_service_environment(name: str, *, state: State = "ENABLED") -> ServiceEnvironment:
    """One with two limits."""
    return ServiceEnvironment(
        scope=A_SCOPE,
        name=name,
        type="SAGEMAKER_TRAINING",
        state=state,
        status="VALID",
        engine="fake",
        capacity_limits=tuple(CapacityLimit(max_capacity=n, capacity_unit=u) for n, u in ((2, "a"), (3, "b"))),
        tags={"team": "a"},
        created_at=moment(0),
    )


def an_environment(name: str = "environment", **values: Any) -> ComputeEnvironment:
    """A managed environment that takes jobs."""
    environment = ComputeEnvironment(
        scope=A_SCOPE,
        name=name,
        uuid=str(uuid4()),
        type="MANAGED",
        state="ENABLED",
        status="VALID",
        engine="process",
        resource_type="EC2",
        created_at=A_MOMENT,
    )
    return replace(environment, **values)


def a_queue(name: str = "queue", *environment_names: str, **values: Any) -> JobQueue:
    """A queue that takes jobs, served by these environments in turn (default: `environment`)."""
    order = enumerate(environment_names or ("environment",), 1)
    queue = JobQueue(
        scope=A_SCOPE,
        name=name,
        state="ENABLED",
        status="VALID",
        priority=1,
        environments=tuple(EnvironmentOrder(order=place, environment_name=served) for place, served in order),
        created_at=A_MOMENT,
    )
    return replace(queue, **values)


def a_definition(name: str = "definition", revision: int = 1, **values: Any) -> JobDefinition:
    """A container that runs `true`."""
    definition = JobDefinition(
        scope=A_SCOPE,
        name=name,
        revision=revision,
        type="container",
        status="ACTIVE",
        container=ContainerProperties(image="busybox", command=("true",)),
        registered_at=A_MOMENT,
    )
    return replace(definition, **values)
