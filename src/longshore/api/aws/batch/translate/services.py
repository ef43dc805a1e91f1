"""Service environments and service jobs, on the wire."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from longshore.api.aws.batch.translate.shapes import milliseconds, milliseconds_given, read, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.definition import JobTimeout
from longshore.domain.ids import JobId, Scope
from longshore.domain.job import Attempt, Job, JobSpec, StopCause, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.lifecycle.trainings import status_reason_of
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.domain.service_environment import CapacityLimit, ServiceEnvironment
from longshore.domain.training import TrainingRequest
from longshore.ports.store import JobView
from longshore.service.describe import Condition
from longshore.service.paging import Page
from longshore.service.requests import BulkOutcome
from longshore.service.service_environments import ServiceEnvironmentDraft
from longshore.service.service_jobs import ServiceJobQuery, ServiceSubmission

Usage = TypeVar("Usage", wire.ServiceJobCapacityUsageDetail, wire.ServiceJobCapacityUsageSummary)

#: AWS keeps "a sliding window" of them, without saying of how many.
_RECENT_PREEMPTIONS = 10
_JOB_TYPE = "SAGEMAKER_TRAINING"
_encode = msgspec.json.Encoder().encode


def read_draft(request: requests.CreateServiceEnvironmentRequest) -> ServiceEnvironmentDraft:
    """The service environment that is to be created."""
    return ServiceEnvironmentDraft(
        name=request.service_environment_name,
        type=request.service_environment_type,
        state=request.state or "ENABLED",
        capacity_limits=_read_limits(request.capacity_limits),
        tags=request.tags or {},
    )


def read_limits(request: requests.UpdateServiceEnvironmentRequest) -> tuple[CapacityLimit, ...] | None:
    """The limits that take the place of all limits, if any are given."""
    return None if request.capacity_limits is None else _read_limits(request.capacity_limits)


def _read_limits(limits: Sequence[wire.CapacityLimit]) -> tuple[CapacityLimit, ...]:
    """A limit that was not given is zero, a unit that was not given has no name: the rules refuse it."""
    return tuple(
        CapacityLimit(max_capacity=limit.max_capacity or 0, capacity_unit=limit.capacity_unit or "") for limit in limits
    )


def render_creation(environment: ServiceEnvironment) -> responses.CreateServiceEnvironmentResponse:
    """The answer to a creation."""
    return responses.CreateServiceEnvironmentResponse(
        service_environment_name=environment.name, service_environment_arn=environment.arn
    )


def render_update(environment: ServiceEnvironment) -> responses.UpdateServiceEnvironmentResponse:
    """The answer to an update."""
    return responses.UpdateServiceEnvironmentResponse(
        service_environment_name=environment.name, service_environment_arn=environment.arn
    )


def render_environments(page: Page[ServiceEnvironment]) -> responses.DescribeServiceEnvironmentsResponse:
    """The answer to a description."""
    return responses.DescribeServiceEnvironmentsResponse(
        service_environments=[
            wire.ServiceEnvironmentDetail(
                service_environment_name=each.name,
                service_environment_arn=each.arn,
                service_environment_type=each.type,
                state=each.state,
                status=each.status,
                capacity_limits=[render(limit, wire.CapacityLimit) for limit in each.capacity_limits],
                tags=each.tags,
            )
            for each in page.items
        ],
        next_token=page.next_token,
    )


def read_submission(request: requests.SubmitServiceJobRequest) -> ServiceSubmission:
    """What the caller asks for."""
    preemption = request.preemption_configuration
    return ServiceSubmission(
        name=request.job_name,
        queue=request.job_queue,
        payload=request.service_request_payload,
        retry_strategy=_read_retry(request.retry_strategy),
        timeout=read(request.timeout_config, JobTimeout),
        share_identifier=request.share_identifier,
        quota_share_name=request.quota_share_name,
        preemption_retries=None if preemption is None else preemption.preemption_retries_before_termination,
        scheduling_priority=request.scheduling_priority,
        tags=request.tags or {},
        client_token=request.client_token,
        size_bytes=len(_encode(request)),
    )


def _read_retry(strategy: wire.ServiceJobRetryStrategy | None) -> RetryStrategy | None:
    if strategy is None:
        return None
    rules = tuple(
        EvaluateOnExit(action=rule.action or "RETRY", on_status_reason=rule.on_status_reason)
        for rule in strategy.evaluate_on_exit or ()
    )
    return RetryStrategy(attempts=strategy.attempts, evaluate_on_exit=rules)


def render_submission(scope: Scope, name: str, job_id: JobId) -> responses.SubmitServiceJobResponse:
    """The answer to a submission."""
    text = str(job_id)
    return responses.SubmitServiceJobResponse(job_arn=scope.arn("service-job", text), job_name=name, job_id=text)


def render_job_update(job: Job) -> responses.UpdateServiceJobResponse:
    """The answer to an update of a job."""
    return responses.UpdateServiceJobResponse(job_arn=job.arn, job_name=job.spec.name, job_id=str(job.id))


def read_query(request: requests.ListServiceJobsRequest) -> ServiceJobQuery:
    """Which service jobs the caller wants to see."""
    return ServiceJobQuery(
        queue=request.job_queue,
        status=None if request.job_status is None else JobStatus(request.job_status),
        filters=[Condition(name=each.name or "", values=each.values or ()) for each in request.filters or ()],
        max_results=request.max_results,
        next_token=request.next_token,
    )


def render_summaries(page: Page[JobView]) -> responses.ListServiceJobsResponse:
    """The answer to a listing."""
    return responses.ListServiceJobsResponse(
        job_summary_list=[_render_summary(view) for view in page.items], next_token=page.next_token
    )


def _render_summary(view: JobView) -> wire.ServiceJobSummary:
    job, spec = view.job, view.job.spec
    return wire.ServiceJobSummary(
        latest_attempt=_render_latest(view),
        capacity_usage=_render_usage(spec, wire.ServiceJobCapacityUsageSummary),
        created_at=milliseconds(job.created_at),
        job_arn=job.arn,
        job_id=str(job.id),
        job_name=spec.name,
        scheduled_at=milliseconds_given(view.scheduled_at),
        service_job_type=_JOB_TYPE,
        share_identifier=spec.share_identifier,
        quota_share_name=spec.quota_share_name,
        status=job.status,
        status_reason=job.status_reason or None,
        started_at=milliseconds_given(job.started_at),
        stopped_at=milliseconds_given(job.stopped_at),
        # Only there when true. Source: AWS Batch API, ServiceJobSummary.
        is_terminated=_is_terminated(job) or None,
    )


def render_job(view: JobView) -> responses.DescribeServiceJobResponse:
    """A service job with all that is known of it."""
    job, spec = view.job, view.job.spec
    training = _training_of(spec)
    return responses.DescribeServiceJobResponse(
        attempts=[
            wire.ServiceJobAttemptDetail(
                service_resource_id=_render_resource_id(spec, attempt),
                started_at=milliseconds_given(attempt.started_at),
                stopped_at=milliseconds_given(attempt.stopped_at),
                status_reason=status_reason_of(spec, attempt) or None,
            )
            for attempt in view.attempts
            if attempt.has_ended and attempt.stop_cause is not StopCause.PREEMPTED
        ],
        capacity_usage=_render_usage(spec, wire.ServiceJobCapacityUsageDetail),
        created_at=milliseconds(job.created_at),
        is_terminated=_is_terminated(job),
        job_arn=job.arn,
        job_id=str(job.id),
        job_name=spec.name,
        job_queue=spec.scope.arn("job-queue", spec.queue_name),
        latest_attempt=_render_latest(view),
        retry_strategy=wire.ServiceJobRetryStrategy(
            attempts=spec.retry.attempts,
            evaluate_on_exit=[
                msgspec.convert(rule, wire.ServiceJobEvaluateOnExit, from_attributes=True)
                for rule in spec.retry.evaluate_on_exit
            ],
        ),
        scheduled_at=milliseconds_given(view.scheduled_at),
        scheduling_priority=_priority_of(job),
        service_request_payload=training.payload,
        service_job_type=_JOB_TYPE,
        share_identifier=spec.share_identifier,
        quota_share_name=spec.quota_share_name,
        preemption_configuration=None
        if spec.preemption_retries is None
        else wire.ServiceJobPreemptionConfiguration(preemption_retries_before_termination=spec.preemption_retries),
        preemption_summary=None if spec.quota_share_name is None else _render_preemptions(view),
        started_at=milliseconds_given(job.started_at),
        status=job.status,
        status_reason=job.status_reason or None,
        stopped_at=milliseconds_given(job.stopped_at),
        tags=view.tags,
        timeout_config=None
        if spec.timeout_seconds is None
        else wire.ServiceJobTimeout(attempt_duration_seconds=spec.timeout_seconds),
    )


def _render_preemptions(view: JobView) -> wire.ServiceJobPreemptionSummary:
    """How often the job was preempted, and the last attempts that ended so, the latest first."""
    preempted = [each for each in view.attempts if each.has_ended and each.stop_cause is StopCause.PREEMPTED]
    return wire.ServiceJobPreemptionSummary(
        preempted_attempt_count=view.job.preemptions,
        recent_preempted_attempts=[
            wire.ServiceJobPreemptedAttempt(
                service_resource_id=_render_resource_id(view.job.spec, attempt),
                started_at=milliseconds_given(attempt.started_at),
                stopped_at=milliseconds_given(attempt.stopped_at),
                status_reason=attempt.status_reason,
            )
            for attempt in preempted[: -_RECENT_PREEMPTIONS - 1 : -1]
        ],
    )


def _training_of(spec: JobSpec) -> TrainingRequest:
    assert spec.training is not None, spec
    return spec.training


def _priority_of(job: Job) -> int:
    """As it was last asked for."""
    for priority in (job.requested_priority, job.scheduling_priority):
        if priority is not None:
            return priority
    return job.spec.scheduling_priority


def _is_terminated(job: Job) -> bool:
    return job.wish is not None and job.wish.kind is WishKind.TERMINATE


def _render_latest(view: JobView) -> wire.LatestServiceJobAttempt | None:
    if not view.attempts:
        return None
    return wire.LatestServiceJobAttempt(service_resource_id=_render_resource_id(view.job.spec, view.attempts[-1]))


def _render_resource_id(spec: JobSpec, attempt: Attempt) -> wire.ServiceResourceId:
    """The name that SageMaker would know the attempt by: training jobs have names of their own each."""
    arn = _training_of(spec).arn(spec.scope, attempt.attempt_id)
    return wire.ServiceResourceId(name="TrainingJobArn", value=arn)


def _render_usage(spec: JobSpec, shape: type[Usage]) -> list[Usage]:
    return [shape(capacity_unit=kind, quantity=float(count)) for kind, count in spec.instances]


def render_terminations(outcome: BulkOutcome) -> responses.TerminateServiceJobsResponse:
    """The answer to a termination of many service jobs."""
    errors = [
        wire.TerminateServiceJobsErrorDetail(
            job=text, code="ValidationException", message=f"{text[:200]} is not a job id"
        )
        for text in outcome.malformed
    ]
    return responses.TerminateServiceJobsResponse(successful=outcome.successful, errors=errors)
