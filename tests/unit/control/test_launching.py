"""What a container is given: variables, log stream, and the order to the engine."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from longshore.control.launching import attempt_log, batch_variables, find_obstacle, render_launch
from longshore.domain.container import ContainerProperties, KeyValue, LogConfiguration
from longshore.domain.ids import AttemptId, Scope
from longshore.domain.job import JobSpec
from longshore.domain.resources import Resources
from longshore.ports.logs import AttemptLog
from longshore.testing.builders import HERE, LOCAL, a_job, a_job_spec, an_environment
from tests.unit.control.openings import an_open_attempt, changed

WITH_GPUS = Resources(vcpu_milli=1000, memory_mib=64, gpus=2)


class Logs:
    """The log port as far as launching needs it."""

    def __init__(self, *groups: str) -> None:
        self.groups = set(groups)

    async def has_group(self, scope: Scope, name: str, *, create: bool) -> bool:
        if create:
            self.groups.add(name)
        return name in self.groups

    def refuse_start(self, event_start: str) -> str:
        return "is not one" if event_start == "(" else ""

    def path(self, attempt_id: AttemptId) -> Path:
        return Path("/logs") / attempt_id

    async def attach(self, logs: Sequence[AttemptLog]) -> None:
        raise AssertionError("not here")

    async def append(self, attempt_id: AttemptId, chunks: Sequence[tuple[datetime, bytes]], cursor: str) -> None:
        raise AssertionError("not here")

    async def cursor(self, attempt_id: AttemptId) -> str:
        raise AssertionError("not here")

    async def seal(self, attempt_ids: Sequence[AttemptId]) -> None:
        raise AssertionError("not here")


def a_spec(**container: object) -> JobSpec:
    return replace(a_job_spec(), container=ContainerProperties(image="busybox", command=("true",), **container))


def logging_to(**options: str) -> LogConfiguration:
    return LogConfiguration(
        log_driver="awslogs", options={name.replace("_", "-"): value for name, value in options.items()}
    )


def test_variables_of_a_single_job() -> None:
    """Those that Batch always sets, and no others."""
    entry = an_open_attempt()
    assert batch_variables(entry) == {
        "AWS_BATCH_JOB_ID": str(entry.job.id),
        "AWS_BATCH_JQ_NAME": "queue",
        "AWS_BATCH_CE_NAME": "environment",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_variables_of_a_child() -> None:
    """Its index and the array's size, beside an id with the index behind a colon."""
    entry = an_open_attempt(a_job(a_job_spec(array_size=5), index=3))
    variables = batch_variables(entry)
    assert variables["AWS_BATCH_JOB_ID"] == f"{entry.job.spec.uuid}:3"
    assert (variables["AWS_BATCH_JOB_ARRAY_INDEX"], variables["AWS_BATCH_JOB_ARRAY_SIZE"]) == ("3", "5")


def test_attempts_are_counted_from_one() -> None:
    """A retry has the next number."""
    assert batch_variables(changed(an_open_attempt(), number=2))["AWS_BATCH_JOB_ATTEMPT"] == "2"


def test_variables_on_fargate() -> None:
    """Programs tell by it where they run; vCPU is a cap there."""
    fargate = replace(an_environment(max_vcpus=4), resource_type="FARGATE")
    entry = an_open_attempt(environment=fargate)
    assert batch_variables(entry)["AWS_EXECUTION_ENV"] == "AWS_ECS_FARGATE"
    assert render_launch(entry, Logs()).container.vcpu_is_cap


def test_gpus_are_named() -> None:
    """The ones that were placed, under both names by which programs look for them."""
    entry = an_open_attempt(a_job(a_job_spec(resources=WITH_GPUS)), gpu_names=("GPU-1", "GPU-2"))
    variables = batch_variables(entry)
    assert variables["NVIDIA_VISIBLE_DEVICES"] == variables["CUDA_VISIBLE_DEVICES"] == "GPU-1,GPU-2"
    assert render_launch(entry, Logs()).container.gpu_names == ("GPU-1", "GPU-2")


def test_order_to_the_engine() -> None:
    """Everything final: what the job brings, what the service sets over it, where it runs and where its output goes."""
    environment = (
        KeyValue(name="MINE", value="1"),
        KeyValue(name="EMPTY"),
        KeyValue(value="nameless"),
        KeyValue(name="AWS_REGION", value="elsewhere"),
    )
    held = Resources(vcpu_milli=4000, memory_mib=2048)
    entry = an_open_attempt(a_job(a_spec(environment=environment, user="nobody")), resources=held)
    launch = render_launch(entry, Logs())
    assert (launch.attempt_id, launch.job_id) == (entry.attempt.attempt_id, str(entry.job.id))
    assert (launch.node, launch.host_id) == (0, LOCAL)
    container = launch.container
    assert (container.name, container.image, container.command) == ("default", "busybox", ("true",))
    assert container.environment == {"MINE": "1", "EMPTY": "", **batch_variables(entry)}
    assert container.resources == held
    assert container.settings.user == "nobody"
    assert not container.vcpu_is_cap
    assert container.log_path == Path("/logs") / entry.attempt.attempt_id


@pytest.mark.parametrize(
    ("options", "group", "prefix"),
    [
        ({}, "/aws/batch/job", "definition"),
        ({"awslogs_group": "mine"}, "mine", "definition"),
        ({"awslogs_stream_prefix": "runs"}, "/aws/batch/job", "runs"),
    ],
)
def test_log_stream(options: dict[str, str], group: str, prefix: str) -> None:
    """By the definition's name unless the job says otherwise; the last part is the attempt."""
    entry = an_open_attempt(a_job(a_spec(log_configuration=logging_to(**options))))
    attempt_id = entry.attempt.attempt_id
    assert attempt_log(entry) == AttemptLog(
        scope=HERE, group=group, stream=f"{prefix}/default/{attempt_id}", attempt_id=attempt_id
    )


def test_log_that_is_not_wanted() -> None:
    entry = an_open_attempt(a_job(a_spec(log_configuration=LogConfiguration(log_driver="none"))))
    assert not attempt_log(entry).is_kept


def test_log_with_lines_that_are_joined() -> None:
    """The log store is told which lines begin an event."""
    entry = an_open_attempt(a_job(a_spec(log_configuration=logging_to(awslogs_multiline_pattern="^x"))))
    assert attempt_log(entry).event_start == "^x"


def test_log_stream_of_a_long_name() -> None:
    """200 characters of the definition's name."""
    entry = an_open_attempt(a_job(replace(a_job_spec(), definition="d" * 300 + ":7")))
    assert attempt_log(entry).stream == f"{'d' * 200}/default/{entry.attempt.attempt_id}"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("spec", "obstacle"),
    [
        (a_spec(), ""),
        (a_spec(log_configuration=logging_to()), ""),
        (a_spec(log_configuration=logging_to(awslogs_group="/aws/batch/job")), ""),
        (a_spec(log_configuration=logging_to(awslogs_group="known")), ""),
        (a_spec(log_configuration=logging_to(awslogs_group="new", awslogs_create_group="true")), ""),
        (
            a_spec(log_configuration=logging_to(awslogs_group="new")),
            "ResourceInitializationError: failed to validate logger args: log group new: "
            "The specified log group does not exist",
        ),
        (a_spec(log_configuration=logging_to(awslogs_multiline_pattern="^x")), ""),
        (
            a_spec(log_configuration=logging_to(awslogs_multiline_pattern="(")),
            "ResourceInitializationError: failed to validate logger args: awslogs could not parse multiline pattern: "
            "the expression is not one",
        ),
        (a_spec(log_configuration=LogConfiguration(log_driver="json-file")), ""),
        (a_spec(log_configuration=LogConfiguration(log_driver="none")), ""),
        (
            a_spec(log_configuration=LogConfiguration(log_driver="splunk")),
            "ResourceInitializationError: failed to validate logger args: there is no log driver splunk here; "
            "awslogs and json-file keep output in the logs of this server, none drops it",
        ),
    ],
)
async def test_obstacles(spec: JobSpec, obstacle: str) -> None:
    """A container that can't be given what it asks for is not started, and AWS's words say why."""
    assert await find_obstacle(an_open_attempt(a_job(spec)), Logs("known")) == obstacle
