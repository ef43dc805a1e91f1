"""Job definitions on the wire."""

import msgspec

from longshore.api.aws.batch.translate.forms import shown_container, shown_nodes, shown_task
from longshore.api.aws.batch.translate.shapes import read, render_given
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.container import ContainerProperties
from longshore.domain.definition import JobDefinition, JobTimeout
from longshore.domain.ecs import EcsProperties
from longshore.domain.eks import EksProperties
from longshore.domain.nodes import NodeProperties
from longshore.domain.retry import RetryStrategy
from longshore.service.definitions import DefinitionDraft, DefinitionQuery
from longshore.service.paging import Page
from longshore.service.refusals import invalid


def read_draft(request: requests.RegisterJobDefinitionRequest) -> DefinitionDraft:
    """Raises InvalidRequest for retry rules without a number of attempts."""
    return DefinitionDraft(
        name=request.job_definition_name,
        type=request.type,
        container=read(request.container_properties, ContainerProperties),
        ecs_properties=read(request.ecs_properties, EcsProperties),
        eks_properties=read(request.eks_properties, EksProperties),
        node_properties=read(request.node_properties, NodeProperties),
        parameters=request.parameters or {},
        scheduling_priority=request.scheduling_priority,
        retry_strategy=read_retry(request.retry_strategy),
        timeout=read(request.timeout, JobTimeout),
        propagate_tags=request.propagate_tags,
        platform_capabilities=tuple(request.platform_capabilities or ()),
        consumables=read(request.consumable_resource_properties, ConsumableResourceProperties),
        tags=request.tags or {},
        size_bytes=len(msgspec.json.encode(request)),
    )


def read_retry(strategy: wire.RetryStrategy | None) -> RetryStrategy | None:
    """Raises InvalidRequest for rules without a number of attempts."""
    if strategy is not None and strategy.attempts is None and strategy.evaluate_on_exit:
        raise invalid("RetryAttempts must be provided with retry strategy")
    return read(strategy, RetryStrategy)


def read_query(request: requests.DescribeJobDefinitionsRequest) -> DefinitionQuery:
    """Which definitions the caller wants to see."""
    return DefinitionQuery(
        definitions=request.job_definitions or (),
        name=request.job_definition_name,
        status=request.status,
        max_results=request.max_results,
        next_token=request.next_token,
    )


def render_registration(definition: JobDefinition) -> responses.RegisterJobDefinitionResponse:
    """The answer to a registration."""
    return responses.RegisterJobDefinitionResponse(
        job_definition_name=definition.name,
        job_definition_arn=definition.arn,
        revision=definition.revision,
    )


def render_definitions(page: Page[JobDefinition]) -> responses.DescribeJobDefinitionsResponse:
    """The answer to a description."""
    return responses.DescribeJobDefinitionsResponse(
        job_definitions=[_render_definition(definition) for definition in page.items], next_token=page.next_token
    )


def _render_definition(definition: JobDefinition) -> wire.JobDefinition:
    container, ecs, eks = definition.container, definition.ecs_properties, definition.eks_properties
    nodes, consumed = definition.node_properties, definition.consumable_resource_properties
    retry, timeout = definition.retry_strategy, definition.timeout
    return wire.JobDefinition(
        job_definition_name=definition.name,
        job_definition_arn=definition.arn,
        revision=definition.revision,
        status=definition.status,
        type=definition.type,
        scheduling_priority=definition.scheduling_priority,
        parameters=definition.parameters,
        retry_strategy=render_given(retry, wire.RetryStrategy),
        container_properties=render_given(container and shown_container(container), wire.ContainerProperties),
        ecs_properties=render_given(ecs and shown_task(ecs), wire.EcsProperties),
        eks_properties=render_given(eks, wire.EksProperties),
        node_properties=render_given(nodes and shown_nodes(nodes), wire.NodeProperties),
        timeout=render_given(timeout, wire.JobTimeout),
        tags=definition.tags,
        propagate_tags=definition.propagate_tags,
        platform_capabilities=definition.platform_capabilities,
        container_orchestration_type="EKS" if definition.runs_pods else "ECS",
        consumable_resource_properties=render_given(consumed, wire.ConsumableResourceProperties),
    )
