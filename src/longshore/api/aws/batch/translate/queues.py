"""Job queues on the wire."""

from collections.abc import Sequence

from longshore.api.aws.batch.translate.shapes import read, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.queue import SERVICE_QUEUE, JobQueue, StateTimeLimitAction
from longshore.domain.service_environment import KIND, service_environment_name
from longshore.service.paging import Page
from longshore.service.queue_environments import EnvironmentChoice, ServiceEnvironmentChoice
from longshore.service.queues import QueueChanges, QueueDraft


def read_draft(request: requests.CreateJobQueueRequest) -> QueueDraft:
    return QueueDraft(
        name=request.job_queue_name,
        priority=request.priority,
        environments=_read_order(request.compute_environment_order or ()),
        service_environments=_read_service_order(request.service_environment_order or ()),
        state=request.state or "ENABLED",
        queue_type=request.job_queue_type,
        scheduling_policy_arn=request.scheduling_policy_arn,
        time_limit_actions=_read_actions(request.job_state_time_limit_actions or ()),
        tags=request.tags or {},
    )


def read_changes(request: requests.UpdateJobQueueRequest) -> QueueChanges:
    """What is to change."""
    order, actions = request.compute_environment_order, request.job_state_time_limit_actions
    service = request.service_environment_order
    return QueueChanges(
        priority=request.priority,
        state=request.state,
        environments=None if order is None else _read_order(order),
        service_environments=None if service is None else _read_service_order(service),
        scheduling_policy_arn=request.scheduling_policy_arn,
        time_limit_actions=None if actions is None else _read_actions(actions),
    )


def _read_order(order: Sequence[wire.ComputeEnvironmentOrder]) -> list[EnvironmentChoice]:
    return [read(entry, EnvironmentChoice) for entry in order]


def _read_service_order(order: Sequence[wire.ServiceEnvironmentOrder]) -> list[ServiceEnvironmentChoice]:
    return [read(entry, ServiceEnvironmentChoice) for entry in order]


def _read_actions(actions: Sequence[wire.JobStateTimeLimitAction]) -> tuple[StateTimeLimitAction, ...]:
    return tuple(read(action, StateTimeLimitAction) for action in actions)


def render_creation(queue: JobQueue) -> responses.CreateJobQueueResponse:
    """The answer to a creation."""
    return responses.CreateJobQueueResponse(job_queue_name=queue.name, job_queue_arn=queue.arn)


def render_update(queue: JobQueue) -> responses.UpdateJobQueueResponse:
    """The answer to an update."""
    return responses.UpdateJobQueueResponse(job_queue_name=queue.name, job_queue_arn=queue.arn)


def render_queues(page: Page[JobQueue]) -> responses.DescribeJobQueuesResponse:
    """The answer to a description."""
    return responses.DescribeJobQueuesResponse(
        job_queues=[_render_queue(queue) for queue in page.items], next_token=page.next_token
    )


def _render_queue(queue: JobQueue) -> wire.JobQueueDetail:
    is_service = queue.queue_type == SERVICE_QUEUE
    return wire.JobQueueDetail(
        job_queue_name=queue.name,
        job_queue_arn=queue.arn,
        state=queue.state,
        scheduling_policy_arn=queue.scheduling_policy_arn,
        status=queue.status,
        status_reason=queue.status_reason,
        priority=queue.priority,
        compute_environment_order=[
            wire.ComputeEnvironmentOrder(
                order=entry.order,
                compute_environment=queue.scope.arn("compute-environment", entry.environment_name),
            )
            for entry in queue.environments
            if not is_service
        ],
        service_environment_order=[
            wire.ServiceEnvironmentOrder(
                order=entry.order,
                service_environment=queue.scope.arn(KIND, service_environment_name(entry.environment_name) or ""),
            )
            for entry in queue.environments
        ]
        if is_service
        else None,
        job_queue_type=queue.queue_type,
        tags=queue.tags,
        job_state_time_limit_actions=[
            render(action, wire.JobStateTimeLimitAction) for action in queue.time_limit_actions
        ],
    )
