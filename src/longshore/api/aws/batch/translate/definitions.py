"""Job definitions on the wire."""

import msgspec

from longshore.api.aws.batch.translate.shapes import read, refuse_unbuilt, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.container import ContainerProperties, KeyValue
from longshore.domain.definition import JobDefinition, JobTimeout
from longshore.domain.errors import InvalidRequest
from longshore.domain.retry import RetryStrategy
from longshore.service.definitions import DefinitionDraft, DefinitionQuery
from longshore.service.paging import Page
from longshore.service.refusals import invalid, not_built


def read_draft(request: requests.RegisterJobDefinitionRequest) -> DefinitionDraft:
    """Raises InvalidRequest for kinds of definitions that are not built and for a container without properties."""
    if request.type == "multinode":
        raise not_built("The job definition type multinode")
    refuse_unbuilt(
        request,
        {
            "node_properties": "nodeProperties",
            "eks_properties": "eksProperties",
            "ecs_properties": "ecsProperties",
        },
    )
    if request.container_properties is None:
        raise InvalidRequest("Container properties should not be empty")
    return DefinitionDraft(
        name=request.job_definition_name,
        container=read(request.container_properties, ContainerProperties),
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
    container = render(definition.single_container, wire.ContainerProperties)
    retry, timeout = definition.retry_strategy, definition.timeout
    return wire.JobDefinition(
        job_definition_name=definition.name,
        job_definition_arn=definition.arn,
        revision=definition.revision,
        status=definition.status,
        type=definition.type,
        scheduling_priority=definition.scheduling_priority,
        parameters=definition.parameters,
        retry_strategy=None if retry is None else render(retry, wire.RetryStrategy),
        container_properties=msgspec.structs.replace(
            container, environment=render_environment(definition.single_container.environment)
        ),
        timeout=None if timeout is None else render(timeout, wire.JobTimeout),
        tags=definition.tags,
        propagate_tags=definition.propagate_tags,
        platform_capabilities=definition.platform_capabilities,
        container_orchestration_type="ECS",
        consumable_resource_properties=render_consumption(definition.consumable_resource_properties),
    )


def render_consumption(properties: ConsumableResourceProperties | None) -> wire.ConsumableResourceProperties | None:
    """What a job takes of consumable resources, as it was given."""
    return None if properties is None else render(properties, wire.ConsumableResourceProperties)


def render_environment(variables: tuple[KeyValue, ...]) -> list[wire.KeyValuePair]:
    """Variables as they are shown: those with an empty value are left out, as AWS Batch does."""
    return [wire.KeyValuePair(name=each.name, value=each.value) for each in variables if each.value]
