"""Makes domain and port objects for tests; every value has a plain default, so that a test states only what matters.

What a builder does not take, `dataclasses.replace` sets. Keys and ids agree with each other: the job of key 7 has id
`a_uuid(7)`, its n-th attempt `an_attempt_id(7, n)`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from longshore.domain.container import ContainerProperties, ContainerSettings, ResourceRequirement
from longshore.domain.definition import JobDefinition
from longshore.domain.dependency import Dependency
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import AttemptId, HostId, JobId, JobKey, Scope
from longshore.domain.job import Attempt, Job, JobSpec
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import EnvironmentOrder, JobQueue
from longshore.domain.resources import Resources
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.ports.engine import ContainerLaunch, LaunchSpec

LOCAL = HostId("local")
HERE = Scope(account_id="000000000000", region="us-east-1")
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
A_SMALL_SHARE = Resources(vcpu_milli=1000, memory_mib=128)
NO_SETTINGS = ContainerSettings()
ONE_ATTEMPT = RetryStrategy()


def a_uuid(key: int) -> str:
    """The UUID of the job with this key."""
    return f"00000000-0000-4000-8000-{key:012x}"


def an_attempt_id(key: int, number: int = 1) -> AttemptId:
    """The id of the job's attempt with this number."""
    return AttemptId(f"{key:016x}{number:016x}")


def a_container(*command: str, resources: Resources = A_SMALL_SHARE, image: str = "busybox") -> ContainerProperties:
    """A container that runs `command` (default: `true`)."""
    amounts = {"VCPU": f"{resources.vcpu_milli / 1000:g}", "MEMORY": str(resources.memory_mib)}
    if resources.gpus:
        amounts["GPU"] = str(resources.gpus)
    return ContainerProperties(
        image=image,
        command=command or ("true",),
        resource_requirements=tuple(ResourceRequirement(type=kind, value=text) for kind, text in amounts.items()),
    )


def a_definition(name: str = "definition", *, revision: int = 1, scope: Scope = HERE) -> JobDefinition:
    """An ACTIVE revision."""
    return JobDefinition(
        scope=scope,
        name=name,
        revision=revision,
        type="container",
        status="ACTIVE",
        container=a_container(),
        registered_at=AT,
    )


def an_environment(
    name: str = "environment", *, engine: str = "fake", max_vcpus: int | None = None, scope: Scope = HERE
) -> ComputeEnvironment:
    """A VALID, ENABLED one: managed EC2 with a cap, unmanaged without."""
    return ComputeEnvironment(
        scope=scope,
        name=name,
        uuid=a_uuid(0),
        type="UNMANAGED" if max_vcpus is None else "MANAGED",
        state="ENABLED",
        status="VALID",
        engine=engine,
        resource_type=None if max_vcpus is None else "EC2",
        max_vcpus=max_vcpus,
        created_at=AT,
    )


def a_queue(
    name: str = "queue", *, environments: Sequence[str] = ("environment",), priority: int = 1, scope: Scope = HERE
) -> JobQueue:
    """A VALID, ENABLED one that tries `environments` in turn."""
    return JobQueue(
        scope=scope,
        name=name,
        state="ENABLED",
        status="VALID",
        priority=priority,
        environments=tuple(
            EnvironmentOrder(order=order, environment_name=environment)
            for order, environment in enumerate(environments, start=1)
        ),
        created_at=AT,
    )


def a_retry(attempts: int, *rules: EvaluateOnExit) -> RetryStrategy:
    """So many attempts in all, as the rules allow."""
    return RetryStrategy(attempts=attempts, evaluate_on_exit=rules)


def a_job_spec(
    key: int = 1,
    *,
    queue: str = "queue",
    resources: Resources = A_SMALL_SHARE,
    array_size: int | None = None,
    depends_on: Sequence[Dependency] = (),
    retry: RetryStrategy = ONE_ATTEMPT,
    timeout_seconds: int | None = None,
    scope: Scope = HERE,
) -> JobSpec:
    """What was submitted under this key; children of an array follow with the next keys."""
    return JobSpec(
        scope=scope,
        key=JobKey(key),
        uuid=a_uuid(key),
        name=f"job-{key}",
        queue_name=queue,
        definition="definition:1",
        container=a_container(resources=resources),
        resources=resources,
        retry=retry,
        timeout_seconds=timeout_seconds,
        array_size=array_size,
        depends_on=tuple(depends_on),
    )


def a_job(spec: JobSpec | None = None, *, index: int | None = None, status: JobStatus = JobStatus.SUBMITTED) -> Job:
    """The job that `spec` submitted, or its child `index`."""
    spec = spec or a_job_spec()
    return Job(
        key=spec.key if index is None else spec.child_key(index),
        id=JobId(uuid=spec.uuid, index=index),
        spec=spec,
        status=status,
        created_at=AT,
    )


def an_attempt(job: Job, *, number: int = 1, environment: str = "environment", host_id: HostId = LOCAL) -> Attempt:
    """An attempt of `job` that is to be launched and holds what the job asks for."""
    return Attempt(
        attempt_id=an_attempt_id(job.key, number),
        job_key=job.key,
        number=number,
        environment_name=environment,
        host_id=host_id,
        resources=job.spec.resources,
        opened_at=AT,
    )


def a_launch(
    *command: str,
    log_path: Path,
    attempt_id: AttemptId | None = None,
    image: str = "busybox",
    environment: Mapping[str, str] | None = None,
    resources: Resources = A_SMALL_SHARE,
    settings: ContainerSettings = NO_SETTINGS,
    host_id: HostId = LOCAL,
) -> LaunchSpec:
    """A container that runs `command` (default: `true`), under a fresh attempt id unless one is given."""
    container = ContainerLaunch(
        name="default",
        image=image,
        command=command or ("true",),
        environment=dict(environment or {}),
        resources=resources,
        settings=settings,
        log_path=log_path,
    )
    return LaunchSpec(
        attempt_id=attempt_id or AttemptId(uuid4().hex),
        job_id=str(uuid4()),
        host_id=host_id,
        container=container,
    )
