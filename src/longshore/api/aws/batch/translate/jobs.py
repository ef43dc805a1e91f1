"""Jobs as they are described and listed, on the wire."""

from functools import lru_cache
from typing import TypeVar, assert_never

from msgspec.structs import replace

from longshore.api.aws.batch.translate.forms import shown_nodes
from longshore.api.aws.batch.translate.runs import (
    render_attempt,
    render_container,
    render_pod,
    render_pod_attempt,
    render_run,
    render_task,
    render_task_attempt,
)
from longshore.api.aws.batch.translate.shapes import Same, milliseconds, milliseconds_given, render, render_given
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.array import ArraySummary
from longshore.domain.container import ContainerProperties
from longshore.domain.definition import Form
from longshore.domain.dependency import DependencyType
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksProperties
from longshore.domain.job import Job, JobSpec, WishKind
from longshore.domain.lifecycle.status import ARRAY_STATUSES, JobStatus
from longshore.domain.nodes import NodeProperties
from longshore.domain.retry import RetryStrategy
from longshore.domain.workload import workload_of
from longshore.ports.store import JobView
from longshore.service.describe import Condition, JobQuery
from longshore.service.nodes import node_views
from longshore.service.paging import Page

Array = TypeVar("Array", wire.ArrayPropertiesDetail, wire.ArrayPropertiesSummary)


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
        capacity_usage=_render_usage(view),
        created_at=milliseconds(job.created_at),
        scheduled_at=milliseconds_given(view.scheduled_at),
        share_identifier=spec.share_identifier,
        status=job.status,
        status_reason=job.status_reason or None,
        started_at=milliseconds_given(job.started_at),
        stopped_at=milliseconds_given(job.stopped_at),
        container=wire.ContainerSummary(exit_code=job.exit_code, reason=job.reason or None) if ended else None,
        array_properties=_render_array(view, wire.ArrayPropertiesSummary),
        node_properties=_render_node(view),
        job_definition=_definition_arn(spec),
        # In lists, unlike in descriptions, these are there only when true. Source: AWS Batch API, JobSummary.
        is_cancelled=_is_wished(job, WishKind.CANCEL) or None,
        is_terminated=_is_wished(job, WishKind.TERMINATE) or None,
    )


def _render_usage(view: JobView) -> list[wire.JobCapacityUsageSummary] | None:
    """What a job, a child or a node asks for; an array parent itself asks for nothing."""
    spec = view.job.spec
    if view.job.is_array_parent:
        return None
    asked = spec.resources if view.node is None else workload_of(spec).nodes[view.node].resources
    unit = "cpu" if spec.runs_pods else "VCPU"
    return [wire.JobCapacityUsageSummary(capacity_unit=unit, quantity=asked.vcpu_milli / 1000)]


def _is_wished(job: Job, kind: WishKind) -> bool:
    return job.wish is not None and job.wish.kind is kind


def render_job(view: JobView) -> wire.JobDetail:
    """A job with all that is known of it."""
    job, spec = view.job, view.job.spec
    nodes, node, consumed = spec.node_properties, view.node, spec.consumable_resource_properties
    detail = wire.JobDetail(
        job_arn=spec.scope.arn("job", str(job.id)),
        job_name=spec.name,
        job_id=str(job.id),
        job_queue=spec.scope.arn("job-queue", spec.queue_name),
        status=job.status,
        share_identifier=spec.share_identifier,
        scheduling_priority=None if spec.share_identifier is None else spec.scheduling_priority,
        attempts=(),
        status_reason=job.status_reason or None,
        created_at=milliseconds(job.created_at),
        retry_strategy=_render_retry(Same(spec.retry)),
        started_at=milliseconds_given(job.started_at),
        stopped_at=milliseconds_given(job.stopped_at),
        depends_on=_render_dependencies(job),
        job_definition=_definition_arn(spec),
        parameters=spec.parameters,
        node_details=None
        if nodes is None or node is None
        else wire.NodeDetails(node_index=node, is_main_node=node == nodes.main_node),
        array_properties=_render_array(view, wire.ArrayPropertiesDetail),
        timeout=None
        if spec.timeout_seconds is None
        else wire.JobTimeout(attempt_duration_seconds=spec.timeout_seconds),
        # Tags are those of the submission; AWS Batch does not give them to array children and nodes.
        tags=view.tags if job.id.index is None and node is None else {},
        propagate_tags=spec.propagate_tags,
        platform_capabilities=spec.platform_capabilities,
        eks_attempts=(),
        is_cancelled=_is_wished(job, WishKind.CANCEL),
        is_terminated=_is_wished(job, WishKind.TERMINATE),
        consumable_resource_properties=render_given(consumed, wire.ConsumableResourceProperties),
    )
    return _with_form(detail, view)


@lru_cache(maxsize=1024)
def _render_retry(same: Same[RetryStrategy]) -> wire.RetryStrategy:
    return render(same.record, wire.RetryStrategy)


def _definition_arn(spec: JobSpec) -> str:
    return spec.scope.arn("job-definition", spec.definition)


def _form_of(view: JobView) -> Form:
    """The form of the job, or of the one node that the view shows."""
    nodes = view.job.spec.node_properties
    return view.job.spec.form if nodes is None or view.node is None else nodes.range_of(view.node).form


def _with_form(detail: wire.JobDetail, view: JobView) -> wire.JobDetail:
    """`detail` with the members that its form has."""
    ended = [attempt for attempt in view.attempts if attempt.has_ended]
    form = _form_of(view)
    match form:
        case ContainerProperties():
            runs = [render_run(view, attempt) for attempt in view.attempts]
            attempts = [render_attempt(*each) for each in zip(view.attempts, runs, strict=True) if each[0].has_ended]
            container = render_container(form, runs[-1] if runs else None, view.job.memory_mib)
            return replace(detail, container=container, attempts=attempts)
        case EcsProperties():
            attempts = [render_task_attempt(view, attempt) for attempt in ended]
            return replace(detail, ecs_properties=render_task(view, form), attempts=attempts)
        case EksProperties():
            pods = [render_pod_attempt(view, attempt, form) for attempt in ended]
            return replace(detail, eks_properties=render_pod(view, form), eks_attempts=pods)
        case NodeProperties():
            [main] = node_views(view, [form.main_node])
            of_main = _with_form(detail, main)
            nodes = render(shown_nodes(form), wire.NodeProperties)
            return replace(detail, node_properties=nodes, attempts=of_main.attempts, eks_attempts=of_main.eks_attempts)
        case _:
            assert_never(form)


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


def _render_node(view: JobView) -> wire.NodePropertiesSummary | None:
    """Of a multi-node job the number of nodes, of one of these also which it is."""
    nodes = view.job.spec.node_properties
    if nodes is None:
        return None
    if view.node is None:
        return wire.NodePropertiesSummary(num_nodes=nodes.num_nodes)
    is_main = view.node == nodes.main_node
    return wire.NodePropertiesSummary(is_main_node=is_main, num_nodes=nodes.num_nodes, node_index=view.node)


def _render_counts(summary: ArraySummary) -> dict[str, int]:
    return {status.value: summary.counts.get(status, 0) for status in ARRAY_STATUSES}


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
