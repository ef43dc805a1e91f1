"""Nodes of a multi-node job, each shown as a job: what of the whole is the node's own."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from longshore.domain.ids import JobId
from longshore.domain.job import Attempt, Job, Part
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.parts import Outcome, by_node, has_started, outcome_of
from longshore.domain.lifecycle.status import WAITING_STATUSES, JobStatus
from longshore.domain.workload import Workload, WorkNode, workload_of
from longshore.ports.store import JobView


def node_views(view: JobView, indexes: Iterable[int] | None = None) -> list[JobView]:
    """The job's nodes, each as a view of its own: those of `indexes` that it has, or all."""
    nodes = view.job.spec.node_properties
    if nodes is None:
        return []
    workload = workload_of(view.job.spec)
    divided = [(attempt, by_node(workload, attempt.parts)) for attempt in view.attempts]
    return [
        _node_view(view, workload, index, [(attempt, parts[index]) for attempt, parts in divided])
        for index in (range(nodes.num_nodes) if indexes is None else indexes)
        if index < nodes.num_nodes
    ]


def _node_view(
    view: JobView, workload: Workload, index: int, divided: Sequence[tuple[Attempt, Sequence[Part]]]
) -> JobView:
    attempts = tuple(_attempt_of(workload.nodes[index], attempt, parts) for attempt, parts in divided)
    job = replace(view.job, id=JobId(uuid=view.job.id.uuid, node=index))
    if attempts and job.status not in WAITING_STATUSES:
        job = _with_outcome(job, attempts[-1], is_main=index == workload.main_node)
    return replace(view, job=job, attempts=attempts, node=index)


def _with_outcome(job: Job, attempt: Attempt, *, is_main: bool) -> Job:
    """The job as its latest attempt on the node has it. The main node's status is the job's."""
    status = JobStatus.RUNNING if attempt.started_at else JobStatus.STARTING
    if is_main:
        status = job.status
    elif attempt.has_ended:
        status = JobStatus.SUCCEEDED if attempt.exit_code == 0 else JobStatus.FAILED
    return replace(
        job,
        status=status,
        status_reason=job.status_reason if is_main else attempt.status_reason,
        started_at=attempt.started_at,
        stopped_at=attempt.stopped_at if status.is_final else None,
        exit_code=attempt.exit_code,
        reason=attempt.reason,
        attempt=None if attempt.has_ended else attempt,
    )


def _attempt_of(node: WorkNode, attempt: Attempt, parts: Sequence[Part]) -> Attempt:
    """What happened on one node."""
    ended = all(part.has_ended for part in parts)
    outcome = outcome_of(node, parts) if ended else None
    return replace(
        attempt,
        host_id=parts[0].host_id,
        resources=node.resources,
        gpu_names=tuple(name for part in parts for name in part.gpu_names),
        started_at=_latest(part.started_at for part in parts) if has_started(node, parts) else None,
        stopped_at=_latest(part.stopped_at for part in parts) if ended else None,
        exit_code=outcome.exit_code if outcome else None,
        reason=outcome.reason if outcome else "",
        status_reason=_status_reason(outcome, parts[0]) if outcome else "",
        parts=tuple(parts),
    )


def _status_reason(outcome: Outcome, part: Part) -> str:
    if outcome.exit_code is not None:
        return reasons.CONTAINER_EXITED
    return reasons.host_lost(part.host_id) if outcome.is_lost else reasons.FAILED_TO_START


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max(filter(None, times), default=None)
