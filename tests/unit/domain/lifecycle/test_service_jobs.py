"""Service jobs: the status between placement and start, and how attempts end in SageMaker's words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.domain.ids import part_id
from longshore.domain.job import Intent, Job
from longshore.domain.lifecycle.events import (
    Event,
    HostLost,
    LaunchBegun,
    LaunchConfirmed,
    PartNews,
    TakenIn,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
    TerminateRequested,
    TimeoutPassed,
)
from longshore.domain.lifecycle.parts import conclude
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.lifecycle.trainings import status_reason_of
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.domain.workload import workload_of
from longshore.testing.builders import AT, a_job
from longshore.testing.forms import a_training_spec
from longshore.testing.lifecycles import FIRST, SECOND, a_placement, a_start, an_exit, grown

SAGEMAKER = "Received status from SageMaker: "
LIMITED = f"{SAGEMAKER}MaxRuntimeExceeded: Training job runtime exceeded MaxRuntimeInSeconds provided"


def scheduled(**members: object) -> Job:
    job = a_job(a_training_spec(**members))  # type: ignore[arg-type]
    return grown(job, TakenIn(intake=1, must_wait=False), a_placement(job.spec, FIRST))


def test_it_is_scheduled_until_its_launch_begins() -> None:
    job = scheduled()
    assert (job.status, job.attempt and job.attempt.intent) == (JobStatus.SCHEDULED, Intent.LAUNCH)
    begun = grown(job, LaunchBegun(attempt_id=FIRST))
    assert (begun.status, begun.attempt) == (JobStatus.STARTING, job.attempt)
    assert grown(begun, LaunchBegun(attempt_id=FIRST)) == begun, "a launch is repeated after a crash"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (LaunchConfirmed(attempt_id=FIRST, handle="handle"), JobStatus.STARTING),
        (a_start(FIRST), JobStatus.RUNNING),
        (an_exit(FIRST, 0), JobStatus.SUCCEEDED),
        (HostLost(attempt_id=FIRST, free_losses=1), JobStatus.RUNNABLE),
    ],
)
def test_news_of_a_launch_counts_though_its_begin_was_not_told(event: Event, status: JobStatus) -> None:
    """The word that it began may be lost with a server."""
    assert grown(scheduled(), event).status is status


def test_a_node_that_starts_begins_the_whole() -> None:
    job = grown(scheduled(instances=2), PartNews(attempt_id=FIRST, news=a_start(part_id(FIRST, 0, "algo"))))
    assert job.status is JobStatus.STARTING
    assert job.attempt is not None
    assert [part.intent for part in job.attempt.parts] == [Intent.NONE, Intent.LAUNCH]


def test_a_scheduled_job_can_be_terminated() -> None:
    job = grown(scheduled(retry=RetryStrategy(attempts=3)), TerminateRequested(reason="enough"))
    assert (job.status, job.attempt and job.attempt.intent) == (JobStatus.SCHEDULED, Intent.STOP)
    ended = grown(job, TaskFailedToStart(attempt_id=FIRST, reason="stopped before it started"))
    assert (ended.status, ended.status_reason) == (JobStatus.FAILED, "enough")


@pytest.mark.parametrize(
    ("ending", "status", "reason"),
    [
        (an_exit(FIRST, 0), JobStatus.SUCCEEDED, ""),
        (an_exit(FIRST, 2, "no data"), JobStatus.FAILED, f"{SAGEMAKER}AlgorithmError: no data, exit code: 2"),
        (
            an_exit(FIRST, 0, "Artifact upload failed: no bucket"),
            JobStatus.FAILED,
            f"{SAGEMAKER}ClientError: Artifact upload failed: no bucket",
        ),
        (
            TaskFailedToStart(attempt_id=FIRST, reason="ClientError: Data download failed: no bucket"),
            JobStatus.FAILED,
            f"{SAGEMAKER}ClientError: Data download failed: no bucket",
        ),
    ],
)
def test_ends_are_told_in_the_words_of_sagemaker(ending: Event, status: JobStatus, reason: str) -> None:
    job = grown(scheduled(), a_start(FIRST), ending)
    assert (job.status, job.status_reason) == (status, reason)


def test_a_lost_host_is_an_internal_error() -> None:
    job = grown(scheduled(), a_start(FIRST), HostLost(attempt_id=FIRST, free_losses=0))
    assert job.status is JobStatus.FAILED
    assert job.status_reason.startswith(f"{SAGEMAKER}InternalServerError: Host EC2 (instance i-")


def test_rules_match_what_is_told() -> None:
    rules = (
        EvaluateOnExit(action="EXIT", on_status_reason=f"{SAGEMAKER}ClientError*"),
        EvaluateOnExit(action="RETRY", on_status_reason=f"{SAGEMAKER}AlgorithmError*"),
    )
    job = scheduled(retry=RetryStrategy(attempts=5, evaluate_on_exit=rules))
    again = grown(job, a_start(FIRST), an_exit(FIRST, 1))
    assert again.status is JobStatus.RUNNABLE
    placed = grown(again, a_placement(job.spec, SECOND))
    assert placed.status is JobStatus.SCHEDULED
    failed = grown(placed, TaskFailedToStart(attempt_id=SECOND, reason="no such image"))
    assert (failed.status, failed.attempts_made) == (JobStatus.FAILED, 2)


@pytest.mark.parametrize(
    ("timeout", "most", "seconds", "reason"),
    [
        (None, None, None, ""),
        (90, None, 90, "Job attempt duration exceeded timeout"),
        (90, 600, 90, "Job attempt duration exceeded timeout"),
        (None, 600, 600, LIMITED),
        (900, 600, 600, LIMITED),
    ],
)
def test_the_shorter_limit_ends_it(timeout: int | None, most: int | None, seconds: int | None, reason: str) -> None:
    job = scheduled(timeout_seconds=timeout, max_runtime_seconds=most)
    assert job.spec.attempt_seconds == seconds
    if seconds is not None:
        late = replace(an_exit(FIRST, 143), stopped_at=AT + timedelta(seconds=seconds + 1))
        ended = grown(job, a_start(FIRST), TimeoutPassed(attempt_id=FIRST), late)
        assert (ended.status, ended.status_reason) == (JobStatus.FAILED, reason)


@pytest.mark.parametrize(
    ("ending", "status", "reason"),
    [
        (an_exit(FIRST, 0), JobStatus.SUCCEEDED, ""),
        (an_exit(FIRST, 2, "no data"), JobStatus.FAILED, f"{SAGEMAKER}AlgorithmError: no data, exit code: 2"),
    ],
)
def test_uploads_do_not_count_towards_the_time_out(ending: Event, status: JobStatus, reason: str) -> None:
    """The container ended after 30 s of 90; its time was over while what it left was stored."""
    job = grown(scheduled(timeout_seconds=90), a_start(FIRST), TimeoutPassed(attempt_id=FIRST), ending)
    assert (job.status, job.status_reason) == (status, reason)


# --- several instances -----------------------------------------------------------------------------------------------


def of_node(node: int, news: TaskStarted | TaskExited | TaskFailedToStart | HostLost) -> PartNews:
    return PartNews(attempt_id=FIRST, news=replace(news, attempt_id=part_id(FIRST, node, "algo")))


def concluded(job: Job, *events: Event) -> Job:
    """`job` after `events`, and after what its attempt comes to by each."""
    for event in events:
        job = grown(job, event)
        while job.attempt and (conclusion := conclude(workload_of(job.spec), job.attempt, free_losses=0)):
            job = grown(job, conclusion)
    return job


def intents(job: Job) -> list[Intent]:
    assert job.attempt is not None
    return [part.intent for part in job.attempt.parts]


def two_that_run() -> Job:
    return concluded(scheduled(instances=2), of_node(0, a_start(FIRST)), of_node(1, a_start(FIRST)))


@pytest.mark.parametrize(
    ("news", "reason"),
    [
        (an_exit(FIRST, 3, "no memory"), f"{SAGEMAKER}AlgorithmError: no memory, exit code: 3"),
        (TaskFailedToStart(attempt_id=FIRST, reason="no such image"), f"{SAGEMAKER}ClientError: no such image"),
        (HostLost(attempt_id=FIRST, free_losses=0), f"{SAGEMAKER}InternalServerError: Host EC2"),
    ],
)
@pytest.mark.parametrize("node", [0, 1])
def test_failure_of_any_instance_fails_the_training(
    node: int, news: TaskExited | TaskFailedToStart | HostLost, reason: str
) -> None:
    """The others are stopped, and what they come to by that is not what is told."""
    job = concluded(two_that_run(), of_node(node, news))
    assert intents(job)[1 - node] is Intent.STOP
    job = concluded(job, of_node(1 - node, an_exit(FIRST, 143)))
    assert job.status is JobStatus.FAILED
    assert job.status_reason.startswith(reason)


@pytest.mark.parametrize("first", [0, 1])
def test_a_training_ends_when_its_last_instance_has(first: int) -> None:
    job = concluded(two_that_run(), of_node(first, an_exit(FIRST, 0)))
    assert (job.status, intents(job)[1 - first]) == (JobStatus.RUNNING, Intent.NONE)
    job = concluded(job, of_node(1 - first, an_exit(FIRST, 0)))
    assert (job.status, job.status_reason) == (JobStatus.SUCCEEDED, "")


def test_attempts_of_other_jobs_keep_their_reasons() -> None:
    job = a_job()
    held = grown(job, TakenIn(intake=1, must_wait=False), a_placement(job.spec, FIRST)).attempt
    assert held is not None
    over = replace(held, stopped_at=AT + timedelta(seconds=9), exit_code=1, status_reason="as it was")
    assert status_reason_of(job.spec, over) == "as it was"
