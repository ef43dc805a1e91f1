"""Array parents stand where their children make them stand."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.array import ArraySummary, fold_status
from longshore.domain.ids import JobKey
from longshore.domain.job import Job, Wish, WishKind
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.events import (
    CancelRequested,
    ChildrenMoved,
    DependencyFailed,
    TakenIn,
    TerminateRequested,
)
from longshore.domain.lifecycle.machine import advance
from longshore.domain.lifecycle.status import ARRAY_STATUSES, JobStatus
from longshore.testing.builders import AT, a_job, a_job_spec
from longshore.testing.lifecycles import grown

SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED = ARRAY_STATUSES


def moved(*children: JobStatus) -> ChildrenMoved:
    return ChildrenMoved(counts=Counter(children))


@pytest.fixture
def parent() -> Job:
    """The parent of three, taken in, its children RUNNABLE."""
    job = grown(a_job(a_job_spec(array_size=3)), TakenIn(intake=5, must_wait=False))
    assert (job.status, job.intake) == (SUBMITTED, 5)
    return grown(job, moved(RUNNABLE, RUNNABLE, RUNNABLE))


@pytest.mark.parametrize(
    ("children", "status"),
    [
        ([SUBMITTED, SUBMITTED], SUBMITTED),
        ([PENDING, PENDING], PENDING),
        ([RUNNABLE, SUBMITTED], PENDING),
        ([RUNNING, SUCCEEDED], PENDING),
        ([FAILED, RUNNING], PENDING),
        ([FAILED, RUNNABLE], PENDING),
        ([SUCCEEDED, SUCCEEDED], SUCCEEDED),
        ([SUCCEEDED, FAILED], FAILED),
        ([FAILED, FAILED], FAILED),
    ],
)
def test_fold(children: Sequence[JobStatus], status: JobStatus) -> None:
    """The documented conditions."""
    assert fold_status(Counter(children)) is status


@given(children=st.lists(st.sampled_from(ARRAY_STATUSES), min_size=2, max_size=6))
def test_fold_never_ends_early(children: list[JobStatus]) -> None:
    """A parent is final exactly when all its children are, and shows none of the statuses that parents do not have."""
    status = fold_status(Counter(children))
    assert status.is_final == all(child.is_final for child in children)
    assert status not in (RUNNABLE, STARTING, RUNNING)
    assert (status is FAILED) == (status.is_final and FAILED in children)


def test_parent_follows_to_success(parent: Job) -> None:
    """It is PENDING while its children are at work, and has begun when the first of them has."""
    assert (parent.status, parent.started_at) == (PENDING, None)
    begun = grown(parent, moved(RUNNABLE, RUNNABLE, STARTING))
    assert (begun.status, begun.started_at) == (PENDING, AT + timedelta(seconds=1))
    later = grown(begun, moved(SUCCEEDED, SUCCEEDED, RUNNING))
    assert (later.status, later.started_at, later.stopped_at) == (PENDING, begun.started_at, None)
    step = advance(later, moved(SUCCEEDED, SUCCEEDED, SUCCEEDED), now=AT + timedelta(hours=1))
    assert step is not None
    assert (step.job.status, step.job.status_reason) == (SUCCEEDED, "")
    assert (step.job.started_at, step.job.stopped_at) == (begun.started_at, AT + timedelta(hours=1))


def test_parent_fails_when_the_last_child_has_ended(parent: Job) -> None:
    """One failed child does not end the others."""
    waiting = grown(parent, moved(FAILED, RUNNING, RUNNING))
    assert (waiting.status, waiting.status_reason) == (PENDING, "")
    failed = grown(waiting, moved(FAILED, SUCCEEDED, SUCCEEDED))
    assert (failed.status, failed.status_reason) == (FAILED, reasons.CHILD_FAILED)


def test_move_that_the_parent_does_not_show(parent: Job) -> None:
    """Changes among children that leave the parent where it is change nothing about it."""
    begun = grown(parent, moved(STARTING, RUNNABLE, RUNNABLE))
    assert advance(begun, moved(RUNNING, STARTING, RUNNABLE), now=AT) is None


@pytest.mark.parametrize(
    ("event", "reason", "kind"),
    [
        (CancelRequested(reason="not needed"), "not needed", WishKind.CANCEL),
        (TerminateRequested(reason="enough"), "enough", WishKind.TERMINATE),
        (DependencyFailed(job_id="x"), reasons.DEPENDENCY_FAILED, None),
    ],
    ids=["cancel", "terminate", "dependency"],
)
def test_reason_is_kept_for_the_end(
    parent: Job, event: CancelRequested | TerminateRequested | DependencyFailed, reason: str, kind: WishKind | None
) -> None:
    """What befell the array tells why it failed when its last child has ended; it began only if a child did."""
    noted = grown(parent, event)
    assert (noted.status, noted.status_reason) == (PENDING, reason)
    assert noted.wish == (Wish(kind=kind, reason=reason) if kind else None)
    assert advance(noted, event, now=AT) is None
    ended = grown(noted, moved(FAILED, FAILED, FAILED))
    assert (ended.status, ended.status_reason, ended.started_at) == (FAILED, reason, None)
    assert ended.stopped_at is not None


def test_cancelled_too_late(parent: Job) -> None:
    """An array whose children all ran to their end in spite of it has not failed and shows no reason."""
    late = grown(parent, moved(RUNNING, RUNNING, RUNNING), CancelRequested(reason="too late"))
    ended = grown(late, moved(SUCCEEDED, SUCCEEDED, SUCCEEDED))
    assert (ended.status, ended.status_reason) == (SUCCEEDED, "")


def test_first_wish_stands_but_termination_wins(parent: Job) -> None:
    """As for single jobs."""
    cancelled = grown(parent, CancelRequested(reason="first"), CancelRequested(reason="second"))
    assert cancelled.wish == Wish(kind=WishKind.CANCEL, reason="first")
    assert grown(cancelled, DependencyFailed(job_id="x")).status_reason == "first"
    terminated = grown(
        cancelled,
        TerminateRequested(reason="third"),
        TerminateRequested(reason="fourth"),
        CancelRequested(reason="fifth"),
    )
    assert terminated.wish == Wish(kind=WishKind.TERMINATE, reason="third")
    assert terminated.status_reason == "third"


@given(
    children=st.lists(st.sampled_from(ARRAY_STATUSES), min_size=2, max_size=8),
    moves=st.lists(st.tuples(st.integers(0, 7), st.sampled_from(ARRAY_STATUSES)), max_size=8),
)
def test_summary_equals_the_fold_of_the_children(children: list[JobStatus], moves: list[tuple[int, JobStatus]]) -> None:
    """Counters that move with each change end where counting all children anew would."""
    summary = ArraySummary(parent_key=JobKey(1), counts=Counter(children), updated_at=AT)
    changes: Counter[JobStatus] = Counter()
    for place, status in moves:
        index = place % len(children)
        changes.update({children[index]: -1})
        changes.update({status: 1})
        children[index] = status
    after = summary.moved(changes, now=AT + timedelta(seconds=1))
    assert {status: count for status, count in after.counts.items() if count} == Counter(children)
    assert (after.size, after.updated_at) == (len(children), AT + timedelta(seconds=1))


def test_summary_refuses_what_can_not_be() -> None:
    """Children neither appear nor vanish, and none leaves a status where none was."""
    summary = ArraySummary(parent_key=JobKey(1), counts={RUNNABLE: 2}, updated_at=AT)
    with pytest.raises(AssertionError):
        summary.moved({RUNNABLE: -1}, now=AT)
    with pytest.raises(AssertionError):
        summary.moved({RUNNING: -1, SUCCEEDED: 1}, now=AT)
