"""What the engine says, read as observations."""

from datetime import UTC, datetime

import msgspec
import pytest

from longshore.domain.ids import AttemptId
from longshore.engines.docker.parse import (
    Event,
    Inspected,
    attempt_of,
    parse_container,
    parse_die,
    parse_time,
    reason_text,
    time_of_nanos,
)
from longshore.ports.engine import TaskState, Usage

ATTEMPT = AttemptId("0123456789abcdef0123456789abcdef")
STARTED, FINISHED = "2026-01-02T03:04:05.678901234Z", "2026-01-02T03:04:06.5Z"
NEVER = "0001-01-01T00:00:00Z"


def inspected(status: str, **state: object) -> Inspected:
    return msgspec.convert(
        {
            "Id": "c0ffee",
            "Unknown": [1],
            "State": {"Status": status, "StartedAt": STARTED, "FinishedAt": NEVER, **state},
            "Config": {"Labels": {"longshore.node": "2", "longshore.container": "side"}},
        },
        Inspected,
    )


def test_running_container() -> None:
    """It has a start and no end."""
    seen = parse_container(ATTEMPT, inspected("running"), end_witnessed=False)
    assert seen.state is TaskState.RUNNING
    assert seen.started_at == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert (seen.stopped_at, seen.exit_code, seen.reason) == (None, None, "")


@pytest.mark.parametrize("code", [0, 1, 137, 143])
def test_exited_container(code: int) -> None:
    """Code and times are the engine's; a plain exit has no reason."""
    found = inspected("exited", ExitCode=code, FinishedAt=FINISHED)
    seen = parse_container(ATTEMPT, found, usage=Usage(cpu_seconds=1.5), end_witnessed=False)
    assert (seen.state, seen.exit_code, seen.reason, seen.oom_killed) == (TaskState.EXITED, code, "", False)
    assert seen.stopped_at == datetime(2026, 1, 2, 3, 4, 6, 500000, tzinfo=UTC)
    assert seen.usage == Usage(cpu_seconds=1.5)


def test_invented_exit_code_is_not_believed() -> None:
    """255 is what the engine puts down for a container that it found dead: it counts only when the end was seen."""
    found = inspected("exited", ExitCode=255, FinishedAt=FINISHED)
    lost = parse_container(ATTEMPT, found, end_witnessed=False)
    assert (lost.state, lost.exit_code) == (TaskState.LOST, None)
    seen = parse_container(ATTEMPT, found, end_witnessed=True)
    assert (seen.state, seen.exit_code) == (TaskState.EXITED, 255)


@pytest.mark.parametrize(("code", "killed"), [(137, True), (1, True), (0, False)])
def test_out_of_memory(code: int, killed: bool) -> None:
    """A container in which something was killed for memory has that reason, unless it succeeded nevertheless."""
    found = inspected("exited", ExitCode=code, OOMKilled=True, FinishedAt=FINISHED)
    seen = parse_container(ATTEMPT, found, end_witnessed=False)
    assert seen.oom_killed is killed
    assert seen.reason == ("OutOfMemoryError: Container killed due to memory usage" if killed else "")


def test_container_that_could_not_be_started() -> None:
    """It stays created, with the error: no exit code, though the engine has put one down."""
    found = inspected("created", StartedAt=NEVER, ExitCode=127, Error='exec: "x": executable file not found in $PATH')
    seen = parse_container(ATTEMPT, found, end_witnessed=False)
    assert (seen.state, seen.exit_code, seen.started_at) == (TaskState.FAILED_TO_START, None, None)
    assert seen.reason == (
        'CannotStartContainerError: Error response from daemon: exec: "x": executable file not found in $PATH'
    )


@pytest.mark.parametrize(
    "state",
    [
        {"ExitCode": 128, "Error": "task c0ffee: already exists"},
        {"ExitCode": 128, "Error": "id already in use"},
        {"ExitCode": 137, "FinishedAt": FINISHED},
    ],
)
def test_container_whose_start_was_cut_off(state: dict[str, object]) -> None:
    """When the engine died in the middle of a start, it may have run: it is lost, not failed."""
    found = inspected("created", **{"StartedAt": NEVER, **state})
    assert parse_container(ATTEMPT, found, end_witnessed=False).state is TaskState.LOST


@pytest.mark.parametrize(
    ("status", "started", "state"),
    [
        ("created", NEVER, TaskState.STARTING),
        ("initialized", NEVER, TaskState.STARTING),
        ("paused", STARTED, TaskState.RUNNING),
        ("restarting", STARTED, TaskState.RUNNING),
        ("removing", STARTED, TaskState.EXITED),
        ("dead", STARTED, TaskState.EXITED),
        ("removing", NEVER, TaskState.UNKNOWN),
        ("levitating", STARTED, TaskState.UNKNOWN),
    ],
)
def test_other_states(status: str, started: str, state: TaskState) -> None:
    """Each native state has a meaning; one that is new is unknown, never an error."""
    found = inspected(status, StartedAt=started, FinishedAt=NEVER if started == NEVER else FINISHED)
    assert parse_container(ATTEMPT, found, end_witnessed=False).state is state


def test_times() -> None:
    """In UTC whatever the offset, to the microsecond; the zero time means never."""
    assert parse_time("2026-01-02T03:04:05.1+02:00") == datetime(2026, 1, 2, 1, 4, 5, 100000, tzinfo=UTC)
    assert parse_time(NEVER) is None
    assert parse_time("") is None
    assert time_of_nanos(1_767_323_045_678_901_999) == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_ours_by_label_only() -> None:
    """A container belongs to an attempt only when it bears this installation's label and a proper attempt id."""
    ours = {"longshore.installation": "here", "longshore.attempt": ATTEMPT}
    assert attempt_of(ours, "here") == ATTEMPT
    assert attempt_of(ours, "there") is None
    assert attempt_of({**ours, "longshore.attempt": "../x"}, "here") is None
    assert attempt_of(None, "here") is None


def test_reasons_are_one_line_of_255() -> None:
    """As AWS shows them."""
    text = reason_text("CannotPullContainerError", "pull access\n denied " + "x" * 300)
    assert text.startswith("CannotPullContainerError: Error response from daemon: pull access denied xx")
    assert len(text) == 255


@pytest.mark.parametrize(("code", "state"), [("137", TaskState.EXITED), (None, TaskState.LOST)])
def test_end_of_a_container_that_was_removed(code: str | None, state: TaskState) -> None:
    """The event has the code and the time; without a code the outcome is lost."""
    running = parse_container(ATTEMPT, inspected("running"), end_witnessed=False)
    event = msgspec.convert(
        {"Action": "die", "Actor": {"ID": "c", "Attributes": {"exitCode": code} if code else {}}, "timeNano": 10**18},
        Event,
    )
    seen = parse_die(running, event)
    assert (seen.state, seen.exit_code) == (state, int(code) if code else None)
    assert seen.started_at == running.started_at
    assert seen.stopped_at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
