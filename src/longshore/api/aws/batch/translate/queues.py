"""Job queues on the wire."""

from collections.abc import Sequence

from longshore.api.aws.batch.translate.shapes import read, refuse_unbuilt, render
from longshore.api.aws.batch.wire import requests, responses
from longshore.api.aws.batch.wire import structures as wire
from longshore.domain.queue import JobQueue, StateTimeLimitAction
from longshore.service.paging import Page
from longshore.service.queues import EnvironmentChoice, QueueChanges, QueueDraft
from longshore.service.refusals import not_built

_NOT_BUILT = {"service_environment_order": "serviceEnvironmentOrder"}


def read_draft(request: requests.CreateJobQueueRequest) -> QueueDraft:
    """Raises InvalidRequest for members and kinds of queues that are not built."""
    refuse_unbuilt(request, _NOT_BUILT)
    if request.job_queue_type == "SAGEMAKER_TRAINING":
        raise not_built(f"The job queue type {request.job_queue_type}")
    return QueueDraft(
        name=request.job_queue_name,
        priority=request.priority,
        environments=_read_order(request.compute_environment_order or ()),
        state=request.state or "ENABLED",
        queue_type=request.job_queue_type,
        scheduling_policy_arn=request.scheduling_policy_arn,
        time_limit_actions=_read_actions(request.job_state_time_limit_actions or ()),
        tags=request.tags or {},
    )


def read_changes(request: requests.UpdateJobQueueRequest) -> QueueChanges:
    """Raises InvalidRequest for members that are not built."""
    refuse_unbuilt(request, _NOT_BUILT)
    order, actions = request.compute_environment_order, request.job_state_time_limit_actions
    return QueueChanges(
        priority=request.priority,
        state=request.state,
        environments=None if order is None else _read_order(order),
        scheduling_policy_arn=request.scheduling_policy_arn,
        time_limit_actions=None if actions is None else _read_actions(actions),
    )


def _read_order(order: Sequence[wire.ComputeEnvironmentOrder]) -> list[EnvironmentChoice]:
    return [read(entry, EnvironmentChoice) for entry in order]


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
        ],
        job_queue_type=queue.queue_type,
        tags=queue.tags,
        job_state_time_limit_actions=[
            render(action, wire.JobStateTimeLimitAction) for action in queue.time_limit_actions
        ],
    )
