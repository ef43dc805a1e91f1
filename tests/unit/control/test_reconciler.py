"""What the reconciler makes of each kind of news, for attempts in each condition."""

from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.control.ledger import OpenAttempt
from longshore.control.reconciler import Finding, find
from longshore.domain.job import Intent, Job
from longshore.domain.lifecycle import reasons
from longshore.domain.lifecycle.events import (
    Event,
    HostLost,
    LaunchConfirmed,
    TaskExited,
    TaskFailedToStart,
    TaskStarted,
)
from longshore.domain.lifecycle.machine import advance
from longshore.domain.powers import JobPowers
from longshore.domain.retry import OnOom
from longshore.ports.engine import Handle, Observation, TaskState, Usage
from longshore.testing.builders import AT
from longshore.testing.clock import VirtualClock
from tests.unit.control.openings import an_open_attempt, changed, ended

TO_LAUNCH = an_open_attempt()
ATTEMPT_ID = TO_LAUNCH.attempt.attempt_id
STARTING = changed(TO_LAUNCH, intent=Intent.NONE, handle="handle")
RUNNING = changed(STARTING, started_at=AT)
STOPPED_EARLY = changed(TO_LAUNCH, intent=Intent.STOP)
STOPPING = changed(RUNNING, intent=Intent.STOP)
LIVE = (TO_LAUNCH, STARTING, RUNNING, STOPPED_EARLY, STOPPING)

LATER = AT + timedelta(seconds=30)
CLOCK = VirtualClock(now=LATER, boot_seconds=500.0)
STARTED = TaskStarted(attempt_id=ATTEMPT_ID, started_at=AT, boot_id=CLOCK.boot_id(), boot_seconds=500.0)
LOST = HostLost(attempt_id=ATTEMPT_ID, free_losses=4)
EXITED = TaskExited(
    attempt_id=ATTEMPT_ID,
    exit_code=3,
    started_at=AT,
    stopped_at=LATER,
    cpu_seconds=1.5,
    peak_memory_bytes=2048,
)


def news(state: TaskState, **more: object) -> Observation:
    return Observation(attempt_id=ATTEMPT_ID, state=state, **more)


def an_end(exit_code: int = 3, **more: object) -> Observation:
    usage = Usage(cpu_seconds=1.5, peak_memory_bytes=2048)
    return news(TaskState.EXITED, exit_code=exit_code, started_at=AT, stopped_at=LATER, usage=usage, **more)


def findings(observation: Observation, entry: OpenAttempt) -> Finding:
    return find(observation, entry, CLOCK, free_losses=4, most_memory_mib=lambda asked: asked.memory_mib + 7)


@pytest.mark.parametrize(
    ("observation", "entry", "events"),
    [
        (news(TaskState.UNKNOWN), RUNNING, []),
        (news(TaskState.STARTING), TO_LAUNCH, []),
        (news(TaskState.RUNNING, started_at=AT), STARTING, [STARTED]),
        (news(TaskState.RUNNING, started_at=AT), TO_LAUNCH, [STARTED]),
        (news(TaskState.RUNNING, started_at=LATER), RUNNING, []),
        (an_end(), RUNNING, [EXITED]),
        (an_end(), STARTING, [STARTED, EXITED]),
        (an_end(), STOPPING, [EXITED]),
        (news(TaskState.LOST), RUNNING, [LOST]),
        (news(TaskState.LOST, started_at=AT), TO_LAUNCH, [STARTED, LOST]),
        (
            news(TaskState.FAILED_TO_START, reason="CannotStartContainerError: no"),
            STARTING,
            [TaskFailedToStart(attempt_id=ATTEMPT_ID, reason="CannotStartContainerError: no")],
        ),
        (news(TaskState.GONE), STARTING, [LOST]),
        (news(TaskState.GONE), RUNNING, [LOST]),
        (news(TaskState.GONE), STOPPING, [LOST]),
        (
            news(TaskState.GONE),
            STOPPED_EARLY,
            [TaskFailedToStart(attempt_id=ATTEMPT_ID, reason="stopped before it started")],
        ),
    ],
)
def test_events(observation: Observation, entry: OpenAttempt, events: list[Event]) -> None:
    """The table of news and conditions."""
    assert findings(observation, entry) == Finding(events=events)


def test_gone_before_its_launch_was_confirmed() -> None:
    """It is launched (again), and nothing happens to the job."""
    assert findings(news(TaskState.GONE), TO_LAUNCH) == Finding(must_launch=True)


@pytest.mark.parametrize("state", TaskState)
def test_attempt_that_has_ended_takes_no_news(state: TaskState) -> None:
    """Whatever an engine still says of it."""
    observation = an_end() if state is TaskState.EXITED else news(state, started_at=AT)
    for entry in LIVE:
        assert findings(observation, ended(entry)) == Finding()


def test_new_handle_comes_first() -> None:
    """It is stored before anything else that the same news tells, and once."""
    handle = Handle(attempt_id=ATTEMPT_ID, state="moved")
    confirmed = LaunchConfirmed(attempt_id=ATTEMPT_ID, handle="moved")
    assert findings(an_end(handle=handle), STARTING).events == [confirmed, STARTED, EXITED]
    assert findings(news(TaskState.STARTING, handle=handle), changed(STARTING, handle="moved")).events == []


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (an_end(137, oom_killed=True, reason="killed"), reasons.OUT_OF_MEMORY),
        (an_end(0, oom_killed=True), ""),
        (an_end(1, reason="x" * 300), "x" * 255),
        (an_end(1), ""),
    ],
    ids=["out of memory", "got over it", "long", "plain"],
)
def test_reason_of_an_exit(observation: Observation, reason: str) -> None:
    """Out of memory has AWS's text, unless the container ended well in spite of it; no reason is longer than AWS's."""
    (event,) = findings(observation, RUNNING).events
    assert isinstance(event, TaskExited)
    assert event.reason == reason


@pytest.mark.parametrize("state", TaskState)
@pytest.mark.parametrize("entry", LIVE, ids=["to launch", "starting", "running", "stopped early", "stopping"])
def test_lifecycle_takes_every_finding(state: TaskState, entry: OpenAttempt) -> None:
    """What an engine can say of a live attempt is never an event that the job's status forbids."""
    fresh = an_open_attempt().job
    job = fresh if entry.attempt.started_at is None else _let(fresh, STARTED)
    observation = an_end() if state is TaskState.EXITED else news(state)
    for event in findings(observation, entry).events:
        job = _let(job, event)
    assert (job.attempt is None) == (state not in (TaskState.STARTING, TaskState.RUNNING, TaskState.UNKNOWN)) or (
        state is TaskState.GONE and entry is TO_LAUNCH
    )


def _let(job: Job, event: Event) -> Job:
    step = advance(job, event, now=LATER)
    return job if step is None else step.job


@pytest.mark.parametrize(("oom_killed", "asks"), [(True, True), (True, False), (False, True)])
def test_what_hosts_could_give_is_told_after_a_kill_for_memory(*, oom_killed: bool, asks: bool) -> None:
    """Only of a job that asks for more memory then."""
    spec = replace(RUNNING.job.spec, powers=JobPowers(on_oom=OnOom(plus_mib=1) if asks else None))
    entry = replace(RUNNING, job=replace(RUNNING.job, spec=spec))
    (event,) = findings(an_end(137, oom_killed=oom_killed), entry).events
    assert isinstance(event, TaskExited)
    assert event.host_memory_mib == (spec.resources.memory_mib + 7 if oom_killed and asks else None)
