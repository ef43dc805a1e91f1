"""From launches to what the runner is asked for, and back from what it says."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from longshore.domain.container import ContainerSettings, Ulimit
from longshore.domain.ids import AttemptId
from longshore.domain.resources import Resources
from longshore.engines.process.config import ProcessConfig
from longshore.engines.process.parse import parse_refusal, parse_report
from longshore.engines.process.render import SpecRejected, render_item
from longshore.engines.process.wire import Item, Refusal, Report
from longshore.ports.engine import LaunchFault, LaunchSpec, Observation, TaskState, Usage
from longshore.testing.builders import a_launch

CONFIG = ProcessConfig(data_dir=Path("/data"))
ID = AttemptId("0" * 32)
LOG = Path("/logs/one")


def launch(
    *command: str, environment: dict[str, str] | None = None, settings: ContainerSettings | None = None
) -> LaunchSpec:
    return a_launch(
        *command,
        attempt_id=ID,
        log_path=LOG,
        environment=environment,
        settings=settings or ContainerSettings(),
        resources=Resources(vcpu_milli=1000, memory_mib=2),
    )


def test_all_that_is_honoured_arrives() -> None:
    """Command, environment, user, ulimits, memory and log."""
    settings = ContainerSettings(user="me:us", ulimits=(Ulimit(name="nofile", soft_limit=1, hard_limit=-1),))
    item = render_item(launch("echo", "ü", environment={"A": "1"}, settings=settings), CONFIG)
    assert item == Item(
        ID, 0, "default", ["echo", "ü"], {"A": "1"}, "/logs/one", "me:us", [("nofile", 1, -1)], 2 * 1024 * 1024
    )


def test_memory_is_not_asked_for_when_switched_off() -> None:
    """0 stands for no limit."""
    assert render_item(launch("true"), ProcessConfig(data_dir=Path("/data"), cgroup="off")).memory_bytes == 0


def test_user_of_the_setting_wins_where_the_job_has_none() -> None:
    """A job may name the same; another is refused."""
    config = ProcessConfig(data_dir=Path("/data"), user="batch")
    assert render_item(launch("true"), config).user == "batch"
    assert render_item(launch("true", settings=ContainerSettings(user="batch")), config).user == "batch"
    with pytest.raises(SpecRejected, match="user 'root', and all jobs here run as 'batch'"):
        render_item(launch("true", settings=ContainerSettings(user="root")), config)


def without_command() -> LaunchSpec:
    spec = launch("true")
    return replace(spec, container=replace(spec.container, command=()))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (without_command(), "no command is given"),
        (launch("true", "a\0b"), "a character that no process can be given"),
        (launch("true", environment={"A": "\ud800"}), "a character that no process can be given"),
        (launch("true", environment={"A=B": "x"}), "equals sign"),
        (launch("true", environment={"": "x"}), "empty"),
        (launch("true", "x" * 3_000_000), "more than 2097152 characters"),
        (
            launch("true", settings=ContainerSettings(ulimits=(Ulimit(name="as", soft_limit=1, hard_limit=1),))),
            "there is no ulimit 'as'",
        ),
        (
            launch("true", settings=ContainerSettings(ulimits=(Ulimit(name="cpu", soft_limit=-2, hard_limit=1),))),
            "ulimit 'cpu' is below -1",
        ),
    ],
)
def test_what_cannot_be_honoured_is_rejected(spec: LaunchSpec, reason: str) -> None:
    """With the reason in plain words."""
    with pytest.raises(SpecRejected, match=reason):
        render_item(spec, CONFIG)


def test_report_becomes_an_observation() -> None:
    """Instants are aware UTC."""
    report = Report(ID, 0, "default", "exited", 1_000_000_000, 2_500_000_999, 137, True, "why", 1.5, 7)
    assert parse_report(report) == Observation(
        attempt_id=ID,
        state=TaskState.EXITED,
        started_at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        stopped_at=datetime(1970, 1, 1, 0, 0, 2, 500_000, tzinfo=UTC),
        exit_code=137,
        oom_killed=True,
        reason="why",
        usage=Usage(cpu_seconds=1.5, peak_memory_bytes=7),
    )


def test_state_of_a_later_runner_is_unknown() -> None:
    """Not a crash."""
    assert parse_report(Report(ID, 0, "default", "frozen")).state is TaskState.UNKNOWN


@pytest.mark.parametrize(("final", "fault"), [(True, LaunchFault.REJECTED), (False, LaunchFault.UNAVAILABLE)])
def test_refusal_says_whether_to_try_again(final: bool, fault: LaunchFault) -> None:
    """Final ones are not tried again."""
    assert parse_refusal(Refusal(ID, final, "why")).fault is fault
