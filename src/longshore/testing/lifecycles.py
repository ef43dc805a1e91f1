"""Jobs in every status and events of every kind, grown from a submission by events alone."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from longshore.domain.errors import InvalidTransition
from longshore.domain.ids import AttemptId, part_id
from longshore.domain.job import Job, JobSpec
from longshore.domain.lifecycle.events import (
    CancelRequested,
    ChildrenMoved,
    DependenciesSucceeded,
    DependencyFailed,
    Event,
    HostLost,
    LaunchBegun,
    LaunchConfirmed,
    NotNeeded,
    PartNews,
    PlacedNode,
    PlacementCommitted,
    PreemptionCommitted,
    StartDeadlinePassed,
    TakenIn,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
    TerminateRequested,
    TimeoutPassed,
)
from longshore.domain.lifecycle.machine import advance
from longshore.domain.lifecycle.status import LIVE_STATUSES, JobStatus
from longshore.domain.workload import workload_of
from longshore.testing.builders import AT, LOCAL, a_job, a_job_spec, a_retry, an_attempt_id
from longshore.testing.forms import a_task, a_task_container, a_training_spec, formed_spec

FIRST = an_attempt_id(1, 1)
SECOND = an_attempt_id(1, 2)
CHILDREN = 3


def grown(job: Job, *events: Event) -> Job:
    """`job` after `events`, a second apart."""
    for seconds, event in enumerate(events, start=1):
        step = advance(job, event, now=AT + timedelta(seconds=seconds))
        job = job if step is None else step.job
    return job


def a_placement(spec: JobSpec, attempt_id: AttemptId) -> PlacementCommitted:
    """Room on this machine."""
    nodes = workload_of(spec).nodes if spec.has_parts else ()
    return PlacementCommitted(
        attempt_id=attempt_id,
        environment_name="environment",
        host_id=LOCAL,
        resources=spec.resources,
        nodes=tuple(PlacedNode(host_id=LOCAL, resources=node.resources) for node in nodes),
    )


def a_start(attempt_id: AttemptId) -> TaskStarted:
    """A container that was seen to run."""
    return TaskStarted(attempt_id=attempt_id, started_at=AT, boot_id="boot", boot_seconds=1000.0)


def an_exit(attempt_id: AttemptId, exit_code: int, reason: str = "") -> TaskExited:
    """A container that ended."""
    return TaskExited(attempt_id=attempt_id, exit_code=exit_code, reason=reason, stopped_at=AT + timedelta(seconds=30))


def jobs_by_status() -> Mapping[JobStatus, Sequence[Job]]:
    """Jobs in each status, in every condition that decides what an event makes of them."""
    once, thrice = a_job(), a_job(a_job_spec(retry=a_retry(3)))
    taken = TakenIn(intake=1, must_wait=False)
    placed = a_placement(once.spec, FIRST)
    cancel, terminate = CancelRequested(reason="cancelled by me"), TerminateRequested(reason="terminated by me")
    pending = grown(once, TakenIn(intake=1, must_wait=True))
    task = a_job(formed_spec(a_task(a_task_container("first"), a_task_container("second"))))
    starting = [grown(job, taken, placed) for job in (once, thrice)]
    starting_task = grown(task, taken, a_placement(task.spec, FIRST))
    running = [grown(job, a_start(FIRST)) for job in starting]
    trainings = [a_job(a_training_spec(instances=count)) for count in (1, 2)]
    scheduled = [grown(job, taken, a_placement(job.spec, FIRST)) for job in trainings]
    return {
        JobStatus.SUBMITTED: [once],
        JobStatus.PENDING: [pending, grown(pending, cancel)],
        JobStatus.RUNNABLE: [grown(once, taken), grown(running[1], an_exit(FIRST, 1))],
        JobStatus.SCHEDULED: [*scheduled, grown(scheduled[0], terminate)],
        JobStatus.STARTING: [*starting, grown(starting[1], terminate), starting_task],
        JobStatus.RUNNING: [
            *running,
            grown(running[1], terminate),
            grown(running[1], TimeoutPassed(attempt_id=FIRST)),
            grown(running[0], PreemptionCommitted(attempt_id=FIRST, beneficiary="another job")),
            grown(starting_task, a_start(FIRST)),
        ],
        JobStatus.SUCCEEDED: [grown(running[0], an_exit(FIRST, 0))],
        JobStatus.FAILED: [grown(running[0], an_exit(FIRST, 1)), grown(once, cancel), grown(pending, terminate)],
    }


def parents_by_status() -> Mapping[JobStatus, Sequence[Job]]:
    """Array parents in each status; those where no parent ever stands are put there by force."""
    parent = a_job(a_job_spec(array_size=CHILDREN))
    pending = grown(parent, TakenIn(intake=1, must_wait=False), _children(JobStatus.RUNNABLE))
    ended = [grown(pending, _children(status)) for status in (JobStatus.SUCCEEDED, JobStatus.FAILED)]
    never = (JobStatus.RUNNABLE, *sorted(LIVE_STATUSES))
    return {
        JobStatus.SUBMITTED: [parent],
        JobStatus.PENDING: [pending, grown(pending, CancelRequested(reason="cancelled by me"))],
        **{job.status: [job] for job in ended},
        **{status: [replace(parent, status=status)] for status in never},
    }


def events_for(job: Job) -> Sequence[Event]:
    """Events of every type, in every form that decides what becomes of a job; news is of the attempt that it holds."""
    attempt_id = job.attempt.attempt_id if job.attempt else FIRST
    return (
        TakenIn(intake=1, must_wait=False),
        TakenIn(intake=1, must_wait=True),
        DependenciesSucceeded(),
        DependencyFailed(job_id="another job"),
        NotNeeded(job_id="another job", has_succeeded=True),
        StartDeadlinePassed(),
        a_placement(job.spec, SECOND),
        LaunchBegun(attempt_id=attempt_id),
        LaunchConfirmed(attempt_id=attempt_id, handle="handle"),
        a_start(attempt_id),
        an_exit(attempt_id, 0),
        an_exit(attempt_id, 1),
        TaskFailedToStart(attempt_id=attempt_id, reason="CannotPullContainerError: no such image"),
        HostLost(attempt_id=attempt_id, free_losses=0),
        HostLost(attempt_id=attempt_id, free_losses=5),
        TimeoutPassed(attempt_id=attempt_id),
        PreemptionCommitted(attempt_id=attempt_id, beneficiary="another job"),
        PartNews(attempt_id=attempt_id, news=a_start(part_id(attempt_id, 0, "first"))),
        PartNews(attempt_id=attempt_id, news=an_exit(part_id(attempt_id, 0, "first"), 1)),
        PartNews(attempt_id=attempt_id, news=a_start(part_id(attempt_id, 0, "algo"))),
        CancelRequested(reason="cancel, please"),
        TerminateRequested(reason="terminate, please"),
        *(_children(status) for status in (JobStatus.PENDING, JobStatus.RUNNABLE, JobStatus.FAILED)),
        *(() if job.status is JobStatus.SUBMITTED else _CHILDREN_AT_WORK),
    )


def transitions(samples: Mapping[JobStatus, Sequence[Job]]) -> Mapping[tuple[JobStatus, type[Event]], set[JobStatus]]:
    """Where each event leads from each status; empty where it changes nothing or is illegal."""
    found: dict[tuple[JobStatus, type[Event]], set[JobStatus]] = {}
    for status, jobs in samples.items():
        for job in jobs:
            for event in events_for(job):
                ends = found.setdefault((status, type(event)), set())
                with suppress(InvalidTransition):
                    step = advance(job, event, now=AT)
                    ends |= {step.job.status} if step is not None else set()
    return found


def _children(status: JobStatus) -> ChildrenMoved:
    """All children stand here now."""
    return ChildrenMoved(counts={status: CHILDREN})


#: What a parent can't hear before it has heard that its children were taken in.
_CHILDREN_AT_WORK = (
    _children(JobStatus.SUCCEEDED),
    ChildrenMoved(counts={JobStatus.SUCCEEDED: CHILDREN - 1, JobStatus.FAILED: 1}),
    ChildrenMoved(counts={JobStatus.RUNNING: CHILDREN - 1, JobStatus.FAILED: 1}),
)
