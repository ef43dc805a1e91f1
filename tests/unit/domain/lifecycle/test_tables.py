"""The two tables are total, and each cell does what its kind promises."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from longshore.domain.errors import InvalidTransition
from longshore.domain.job import Job, TimelineEntry
from longshore.domain.lifecycle.events import Event, TimeoutPassed
from longshore.domain.lifecycle.machine import IGNORE, ILLEGAL, PARENT_RULES, RULES, Rule, Step, advance
from longshore.domain.lifecycle.status import FINAL_STATUSES, JobStatus
from longshore.domain.lifecycle.story import render_timeline
from longshore.testing.builders import AT, a_job
from longshore.testing.lifecycles import FIRST, SECOND, an_exit, events_for, jobs_by_status, parents_by_status

Table = Mapping[tuple[JobStatus, type[Event]], Rule]
TABLES: tuple[tuple[Table, Mapping[JobStatus, Sequence[Job]]], ...] = (
    (RULES, jobs_by_status()),
    (PARENT_RULES, parents_by_status()),
)
CASES = [
    pytest.param(job, event, id=f"{name}-{status}-{number}-{type(event).__name__}")
    for name, (_, jobs) in zip(("job", "parent"), TABLES, strict=True)
    for status, samples in jobs.items()
    for number, job in enumerate(samples)
    for event in events_for(job)
]


@pytest.mark.parametrize("table", [RULES, PARENT_RULES], ids=["jobs", "parents"])
def test_no_cell_is_missing(table: Table) -> None:
    """Every event has a rule in every status."""
    assert set(table) == set(product(JobStatus, get_args(Event)))


@pytest.mark.parametrize("jobs", [jobs for _, jobs in TABLES], ids=["jobs", "parents"])
def test_samples_cover_the_product(jobs: Mapping[JobStatus, Sequence[Job]]) -> None:
    """The cases below meet every cell: each sample stands where it says, and events of every type meet it."""
    assert set(jobs) == set(JobStatus)
    for status, samples in jobs.items():
        assert {job.status for job in samples} == {status}
        for job in samples:
            assert {type(event) for event in events_for(job)} == set(get_args(Event))


@pytest.mark.parametrize(("job", "event"), CASES)
def test_each_cell_does_what_its_kind_promises(job: Job, event: Event) -> None:
    """ILLEGAL raises with the job's story, IGNORE changes nothing, a rule gives a changed job or nothing."""
    rule = (PARENT_RULES if job.is_array_parent else RULES)[job.status, type(event)]
    if rule is ILLEGAL:
        with pytest.raises(InvalidTransition, match=f"{type(event).__name__} must not happen") as bug:
            advance(job, event, now=AT)
        assert bug.value.job_id == str(job.id)
        assert f"job {job.id}" in bug.value.message
        assert f"now {job.status}" in bug.value.message
        return
    step = advance(job, event, now=AT)
    if rule is IGNORE:
        assert step is None
    if step is not None:
        assert (step.job, step.attempt) != (job, job.attempt)
        assert replace(step.job, spec=job.spec, key=job.key, id=job.id, created_at=job.created_at) == step.job


@pytest.mark.parametrize("table", [RULES, PARENT_RULES], ids=["jobs", "parents"])
def test_final_statuses_have_no_rules(table: Table) -> None:
    """Nothing leads out of a final status."""
    assert {rule for (status, _), rule in table.items() if status in FINAL_STATUSES} == {IGNORE, ILLEGAL}


def test_same_event_gives_the_same_step() -> None:
    """`advance` is pure: the job it is given does not change, and the same call gives the same answer."""
    job = jobs_by_status()[JobStatus.RUNNING][1]
    before = replace(job)
    first, second = (advance(job, an_exit(FIRST, 1), now=AT) for _ in range(2))
    assert isinstance(first, Step)
    assert (first, before) == (second, job)


def test_illegal_event_tells_the_story_of_the_job() -> None:
    """Who reads the error sees who the job is, what it went through, what it holds, and what was asked of it."""
    job = jobs_by_status()[JobStatus.STARTING][2]
    with pytest.raises(InvalidTransition) as bug:
        advance(job, TimeoutPassed(attempt_id=FIRST), now=AT)
    assert bug.value.message.splitlines() == [
        f"TimeoutPassed must not happen to a STARTING job: TimeoutPassed(attempt_id='{FIRST}')",
        "job 00000000-0000-4000-8000-000000000001 (key 1, job-1 in queue queue, intake 1)",
        "  2026-01-01T12:00:00.000+00:00  created",
        "  now STARTING",
        "  attempts made: 1 of 3, and lost hosts: 0",
        f"  holds attempt 1 ({FIRST}) on host local: opened 2026-01-01T12:00:02.000+00:00, being stopped (terminated), "
        "intent stop",
        "  wish: terminate (terminated by me)",
    ]


def test_timeline_reads_line_by_line() -> None:
    """What the store recorded can stand below the story."""
    entries = [
        TimelineEntry(job_key=a_job().key, at=AT, status_from=None, status_to=JobStatus.SUBMITTED, cause="Submitted"),
        TimelineEntry(
            job_key=a_job().key,
            of_children=True,
            at=AT,
            status_from=JobStatus.PENDING,
            status_to=JobStatus.FAILED,
            cause="DependencyFailed",
            detail="job x failed",
        ),
    ]
    assert render_timeline(entries) == (
        "  2026-01-01T12:00:00.000+00:00  new -> SUBMITTED  Submitted\n"
        "  2026-01-01T12:00:00.000+00:00  PENDING -> FAILED  DependencyFailed (job x failed) of all children"
    )


def test_news_of_another_attempt_changes_nothing() -> None:
    """An attempt that the job does not hold has no say, also where news of its own would be illegal."""
    starting = jobs_by_status()[JobStatus.STARTING][0]
    assert advance(starting, TimeoutPassed(attempt_id=SECOND), now=AT) is None
