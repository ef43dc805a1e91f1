"""Consumable resources on the wire."""

from collections.abc import Sequence

from longshore.api.aws.batch.translate.shapes import milliseconds, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.consumable import ConsumableResource
from longshore.ports.store import JobView
from longshore.service.consumables import ConsumableDraft, ConsumableUpdate, ConsumableView, ConsumerQuery
from longshore.service.describe import Condition
from longshore.service.paging import Page


def read_draft(request: requests.CreateConsumableResourceRequest) -> ConsumableDraft:
    """The resource that the caller wants."""
    return ConsumableDraft(
        name=request.consumable_resource_name,
        quantity=request.total_quantity,
        resource_type=request.resource_type,
        tags=request.tags or {},
    )


def read_update(request: requests.UpdateConsumableResourceRequest) -> ConsumableUpdate:
    """What the caller wants changed."""
    return ConsumableUpdate(operation=request.operation, quantity=request.quantity, client_token=request.client_token)


def read_filters(filters: Sequence[wire.KeyValuesPair] | None) -> list[Condition]:
    """Filters of a listing."""
    return [Condition(name=each.name or "", values=each.values or ()) for each in filters or ()]


def read_query(request: requests.ListJobsByConsumableResourceRequest) -> ConsumerQuery:
    """Which jobs the caller wants to see."""
    return ConsumerQuery(
        consumable=request.consumable_resource,
        filters=read_filters(request.filters),
        max_results=request.max_results,
        next_token=request.next_token,
    )


def render_creation(resource: ConsumableResource) -> responses.CreateConsumableResourceResponse:
    """The answer to a creation."""
    return responses.CreateConsumableResourceResponse(
        consumable_resource_name=resource.name, consumable_resource_arn=resource.arn
    )


def render_update(resource: ConsumableResource) -> responses.UpdateConsumableResourceResponse:
    """The answer to an update."""
    return responses.UpdateConsumableResourceResponse(
        consumable_resource_name=resource.name, consumable_resource_arn=resource.arn, total_quantity=resource.total
    )


def render_description(view: ConsumableView) -> responses.DescribeConsumableResourceResponse:
    """The answer to a description. What jobs hold can be more than the total, which may be lowered under them."""
    resource = view.resource
    return responses.DescribeConsumableResourceResponse(
        consumable_resource_name=resource.name,
        consumable_resource_arn=resource.arn,
        total_quantity=resource.total,
        in_use_quantity=view.in_use,
        available_quantity=max(resource.total - view.in_use, 0),
        resource_type=resource.resource_type,
        created_at=milliseconds(resource.created_at),
        tags=resource.tags,
    )


def render_resources(page: Page[ConsumableView]) -> responses.ListConsumableResourcesResponse:
    """The answer to a listing."""
    return responses.ListConsumableResourcesResponse(
        consumable_resources=[
            wire.ConsumableResourceSummary(
                consumable_resource_arn=view.resource.arn,
                consumable_resource_name=view.resource.name,
                total_quantity=view.resource.total,
                in_use_quantity=view.in_use,
                resource_type=view.resource.resource_type,
            )
            for view in page.items
        ],
        next_token=page.next_token,
    )


def render_jobs(page: Page[tuple[JobView, int]]) -> responses.ListJobsByConsumableResourceResponse:
    """The answer to a listing of jobs."""
    return responses.ListJobsByConsumableResourceResponse(
        jobs=[_render_job(view, quantity) for view, quantity in page.items], next_token=page.next_token
    )


def _render_job(view: JobView, quantity: int) -> wire.ListJobsByConsumableResourceSummary:
    job, spec = view.job, view.job.spec
    properties = spec.consumable_resource_properties
    return wire.ListJobsByConsumableResourceSummary(
        job_arn=spec.scope.arn("job", str(job.id)),
        job_queue_arn=spec.scope.arn("job-queue", spec.queue_name),
        job_name=spec.name,
        job_definition_arn=spec.scope.arn("job-definition", spec.definition),
        share_identifier=spec.share_identifier,
        job_status=job.status,
        quantity=quantity,
        status_reason=job.status_reason or None,
        started_at=None if job.started_at is None else milliseconds(job.started_at),
        created_at=milliseconds(job.created_at),
        consumable_resource_properties=wire.ConsumableResourceProperties(consumable_resource_list=())
        if properties is None
        else render(properties, wire.ConsumableResourceProperties),
    )
