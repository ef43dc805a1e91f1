"""Submissions and requests on jobs, on the wire."""

import msgspec

from longshore.api.aws.batch.translate.definitions import read_retry
from longshore.api.aws.batch.translate.shapes import read
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.container import ContainerOverrides
from longshore.domain.definition import JobTimeout
from longshore.domain.dependency import Dependency
from longshore.domain.ecs import EcsPropertiesOverride
from longshore.domain.eks import EksPropertiesOverride
from longshore.domain.ids import JobId, Scope
from longshore.domain.nodes import NodeOverrides
from longshore.service.requests import BulkOutcome
from longshore.service.submit import Submission

_encode = msgspec.json.Encoder().encode


def read_submission(request: requests.SubmitJobRequest, client_token: str | None) -> Submission:
    """Raises InvalidRequest for retry rules without a number of attempts."""
    array = request.array_properties
    return Submission(
        name=request.job_name,
        queue=request.job_queue,
        definition=request.job_definition,
        container_overrides=read(request.container_overrides, ContainerOverrides),
        ecs_properties_override=read(request.ecs_properties_override, EcsPropertiesOverride),
        eks_properties_override=read(request.eks_properties_override, EksPropertiesOverride),
        node_overrides=read(request.node_overrides, NodeOverrides),
        consumables=read(request.consumable_resource_properties_override, ConsumableResourceProperties),
        parameters=request.parameters,
        # Some clients always send the member; empty, it means a plain job.
        array_size=None if array is None else array.size,
        depends_on=[read(entry, Dependency) for entry in request.depends_on or ()],
        retry_strategy=read_retry(request.retry_strategy),
        timeout=read(request.timeout, JobTimeout),
        propagate_tags=request.propagate_tags,
        tags=request.tags,
        share_identifier=request.share_identifier,
        scheduling_priority=request.scheduling_priority_override,
        client_token=client_token,
        size_bytes=len(_encode(request)),
    )


def render_submission(scope: Scope, name: str, job_id: JobId) -> responses.SubmitJobResponse:
    """The answer to a submission."""
    text = str(job_id)
    return responses.SubmitJobResponse(job_arn=scope.arn("job", text), job_name=name, job_id=text)


def render_cancellations(outcome: BulkOutcome) -> responses.CancelJobsResponse:
    """The answer to a cancellation of many jobs."""
    errors = [
        wire.CancelJobsErrorDetail(job=text, code="ValidationException", message=_malformed(text))
        for text in outcome.malformed
    ]
    return responses.CancelJobsResponse(successful=outcome.successful, errors=errors)


def render_terminations(outcome: BulkOutcome) -> responses.TerminateJobsResponse:
    """The answer to a termination of many jobs."""
    errors = [
        wire.TerminateJobsErrorDetail(job=text, code="ValidationException", message=_malformed(text))
        for text in outcome.malformed
    ]
    return responses.TerminateJobsResponse(successful=outcome.successful, errors=errors)


def _malformed(text: str) -> str:
    return f"{text[:200]} is not a job id"
