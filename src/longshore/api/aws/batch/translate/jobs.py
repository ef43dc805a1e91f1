"""Jobs as they are described and listed, on the wire."""

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, TypeVar

import msgspec

from longshore.api.aws.batch.translate.definitions import render_consumption, render_environment
from longshore.api.aws.batch.translate.shapes import milliseconds, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.array import ArraySummary
from longshore.domain.dependency import DependencyType
from longshore.domain.environment import cluster_name
from longshore.domain.ids import HostId
from longshore.domain.job import Attempt, Job, JobSpec, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import JobView
from longshore.service.describe import Condition, JobQuery
from longshore.service.log_streams import log_stream
from longshore.service.paging import Page

Array = TypeVar("Array", wire.ArrayPropertiesDetail, wire.ArrayPropertiesSummary)

_FARGATE = ("FARGATE",)


def read_query(request: requests.ListJobsRequest) -> JobQuery:
    """Which jobs the caller wants to see."""
    return JobQuery(
        queue=request.job_queue,
        array_job_id=request.array_job_id,
        multi_node_job_id=request.multi_node_job_id,
        status=None if request.job_status is None else JobStatus(request.job_status),
        filters=[Condition(name=each.name or "", values=each.values or ()) for each in request.filters or ()],
        max_results=request.max_results,
        next_token=request.next_token,
    )


def render_summaries(page: Page[JobView]) -> responses.ListJobsResponse:
    """The answer to a listing."""
    return responses.ListJobsResponse(
        job_summary_list=[_render_summary(view) for view in page.items], next_token=page.next_token
    )


def _render_summary(view: JobView) -> wire.JobSummary:
    job, spec = view.job, view.job.spec
    ended = job.exit_code is not None or job.reason
    return wire.JobSummary(
        job_arn=spec.scope.arn("job", str(job.id)),
        job_id=str(job.id),
        job_name=spec.name,
        created_at=milliseconds(job.created_at),
        share_identifier=spec.share_identifier,
        status=job.status,
        status_reason=job.status_reason or None,
        started_at=None if job.started_at is None else milliseconds(job.started_at),
        stopped_at=None if job.stopped_at is None else milliseconds(job.stopped_at),
        container=wire.ContainerSummary(exit_code=job.exit_code, reason=job.reason or None) if ended else None,
        array_properties=_render_array(view, wire.ArrayPropertiesSummary),
        job_definition=_definition_arn(spec),
    )


def render_job(view: JobView) -> wire.JobDetail:
    """A job with all that is known of it."""
    job, spec = view.job, view.job.spec
    asked = _render_spec(_Same(spec))
    runs = [_render_run(spec, attempt) for attempt in view.attempts]
    return wire.JobDetail(
        job_arn=spec.scope.arn("job", str(job.id)),
        job_name=spec.name,
        job_id=str(job.id),
        job_queue=spec.scope.arn("job-queue", spec.queue_name),
        status=job.status,
        share_identifier=spec.share_identifier,
        scheduling_priority=None if spec.share_identifier is None else spec.scheduling_priority,
        attempts=[
            _render_attempt(attempt, run) for attempt, run in zip(view.attempts, runs, strict=True) if attempt.has_ended
        ],
        status_reason=job.status_reason or None,
        created_at=milliseconds(job.created_at),
        retry_strategy=asked.retry,
        started_at=None if job.started_at is None else milliseconds(job.started_at),
        stopped_at=None if job.stopped_at is None else milliseconds(job.stopped_at),
        depends_on=_render_dependencies(job),
        job_definition=_definition_arn(spec),
        parameters=spec.parameters,
        container=_render_container(asked.container, runs[-1]) if runs else asked.container,
        array_properties=_render_array(view, wire.ArrayPropertiesDetail),
        timeout=None
        if spec.timeout_seconds is None
        else wire.JobTimeout(attempt_duration_seconds=spec.timeout_seconds),
        # Tags are those of the submission; AWS Batch does not give them to array children.
        tags=view.tags if job.id.index is None else {},
        propagate_tags=spec.propagate_tags,
        platform_capabilities=spec.platform_capabilities,
        eks_attempts=(),
        consumable_resource_properties=render_consumption(spec.consumable_resource_properties),
        is_cancelled=job.wish is not None and job.wish.kind is WishKind.CANCEL,
        is_terminated=job.wish is not None and job.wish.kind is WishKind.TERMINATE,
    )


def _definition_arn(spec: JobSpec) -> str:
    return spec.scope.arn("job-definition", spec.definition)


class _Same:
    """A spec by its identity: specs are kept decoded, and to compare two costs more than to render one."""

    __slots__ = ("spec",)

    def __init__(self, spec: JobSpec) -> None:
        self.spec = spec

    def __hash__(self) -> int:
        return id(self.spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.spec is other.spec


class _Asked(NamedTuple):
    """What a job was submitted with, as it is shown of each child of an array."""

    #: without what an attempt made of it
    container: wire.ContainerDetail
    retry: wire.RetryStrategy


@lru_cache(maxsize=1024)
def _render_spec(same: _Same) -> _Asked:
    spec = same.spec
    container = msgspec.structs.replace(
        render(spec.single_container, wire.ContainerDetail),
        environment=render_environment(spec.single_container.environment),
        network_interfaces=(),
    )
    return _Asked(container=container, retry=render(spec.retry, wire.RetryStrategy))


def _render_container(asked: wire.ContainerDetail, run: wire.AttemptContainerDetail) -> wire.ContainerDetail:
    """The container's configuration, and what its latest attempt made of it. An array parent has only the first."""
    return msgspec.structs.replace(
        asked,
        exit_code=run.exit_code,
        reason=run.reason,
        container_instance_arn=run.container_instance_arn,
        task_arn=run.task_arn,
        log_stream_name=run.log_stream_name,
    )


def _render_attempt(attempt: Attempt, run: wire.AttemptContainerDetail) -> wire.AttemptDetail:
    return wire.AttemptDetail(
        container=run,
        started_at=None if attempt.started_at is None else milliseconds(attempt.started_at),
        stopped_at=None if attempt.stopped_at is None else milliseconds(attempt.stopped_at),
        status_reason=attempt.status_reason or None,
    )


def _render_run(spec: JobSpec, attempt: Attempt) -> wire.AttemptContainerDetail:
    """One run of a container, by the names that ECS would give it."""
    scope = spec.scope
    cluster = _cluster(scope, attempt.environment_name)
    ecs = f"arn:aws:ecs:{scope.region}:{scope.account_id}"
    host = None
    if spec.platform_capabilities != _FARGATE:
        host = f"{ecs}:container-instance/{cluster}/{_container_instance(cluster, attempt.host_id)}"
    return wire.AttemptContainerDetail(
        container_instance_arn=host,
        task_arn=f"{ecs}:task/{cluster}/{attempt.attempt_id}",
        exit_code=attempt.exit_code,
        reason=attempt.reason or None,
        log_stream_name=None if attempt.started_at is None else log_stream(spec, attempt.attempt_id)[1],
        network_interfaces=(),
    )


_cluster = lru_cache(maxsize=1024)(cluster_name)


@lru_cache(maxsize=4096)
def _container_instance(cluster: str, host_id: HostId) -> str:
    """Always the same 32 hex digits for one host in one cluster."""
    return blake2b(f"{cluster}/{host_id}".encode(), digest_size=16).hexdigest()


def _render_array(view: JobView, shape: type[Array]) -> Array | None:
    job = view.job
    if job.id.index is not None:
        return shape(index=job.id.index)
    if view.summary is None:
        return None
    return shape(
        size=job.spec.array_size,
        status_summary=_render_counts(view.summary),
        status_summary_last_updated_at=milliseconds(view.summary.updated_at),
    )


def _render_counts(summary: ArraySummary) -> dict[str, int]:
    return {status.value: summary.counts.get(status, 0) for status in JobStatus}


def _render_dependencies(job: Job) -> list[wire.JobDependency]:
    """Dependencies as they were given; of an array child those of its own, on single children."""
    given, index = job.spec.depends_on, job.id.index
    if index is None:
        return [render(dependency, wire.JobDependency) for dependency in given]
    shown: list[wire.JobDependency] = []
    for dependency in given:
        if dependency.type is DependencyType.N_TO_N:
            shown.append(wire.JobDependency(job_id=f"{dependency.job_id}:{index}", type="N_TO_N"))
        elif dependency.job_id is not None:
            shown.append(wire.JobDependency(job_id=dependency.job_id))
    if index > 0 and any(dependency.type is DependencyType.SEQUENTIAL for dependency in given):
        shown.append(wire.JobDependency(job_id=f"{job.id.uuid}:{index - 1}", type="SEQUENTIAL"))
    return shown
