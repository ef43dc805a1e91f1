"""What members of requests do to jobs that really run, on the process engine of a live server."""

from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.integration.live import LiveServer, eventually, live_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("effects")) as server:
        server.start()
        server.set_up()
        yield server


def run(server: LiveServer, definition: str, **members: Any) -> dict[str, Any]:
    """The job once it has ended."""
    job_id = server.submit("job", definition, **members)
    return dict(server.wait([job_id])[job_id])


def output(server: LiveServer, job: dict[str, Any]) -> str:
    return server.log_of(job["attempts"][-1])


@pytest.mark.covers("RegisterJobDefinition.containerProperties.command", "RegisterJobDefinition.parameters")
def test_a_command_with_parameters(server: LiveServer) -> None:
    definition = server.register(
        "greets", "", container={"command": ["echo", "Ref::word"]}, parameters={"word": "hello"}
    )
    assert output(server, run(server, definition)) == "hello\n"


@pytest.mark.covers("RegisterJobDefinition.containerProperties.environment")
def test_variables_of_the_definition(server: LiveServer) -> None:
    definition = server.register("tells", "echo $A", container={"environment": [{"name": "A", "value": "one"}]})
    assert output(server, run(server, definition)) == "one\n"


@pytest.mark.covers(
    "SubmitJob.containerOverrides.environment", "SubmitJob.containerOverrides.command", "SubmitJob.parameters"
)
def test_overrides_of_the_submission(server: LiveServer) -> None:
    variables = [{"name": "A", "value": "one"}, {"name": "B", "value": "two"}]
    definition = server.register(
        "overridden", "echo no", container={"environment": variables}, parameters={"C": "three"}
    )
    overrides = {"command": ["sh", "-c", "echo $A $B Ref::C"], "environment": [{"name": "B", "value": "2"}]}
    job = run(server, definition, containerOverrides=overrides, parameters={"C": "3"})
    assert output(server, job) == "one 2 3\n"


@pytest.mark.covers("RegisterJobDefinition.containerProperties.ulimits")
def test_limits_of_its_processes(server: LiveServer) -> None:
    limits = [{"name": "nofile", "softLimit": 70, "hardLimit": 71}]
    definition = server.register("limited", "ulimit -Sn; ulimit -Hn", container={"ulimits": limits})
    assert output(server, run(server, definition)) == "70\n71\n"


@pytest.mark.covers(
    "RegisterJobDefinition.containerProperties.logConfiguration",
    "RegisterJobDefinition.containerProperties.logConfiguration.options",
)
def test_a_log_group_of_its_own(server: LiveServer) -> None:
    options = {"awslogs-group": "own", "awslogs-create-group": "true", "awslogs-stream-prefix": "mine"}
    log = {"logDriver": "awslogs", "options": options}
    job = run(server, server.register("logs", "echo hello", container={"logConfiguration": log}))
    stream = job["attempts"][0]["container"]["logStreamName"]
    assert stream.startswith("mine/default/")
    page = server.logs.get_log_events(logGroupName="own", logStreamName=stream, startFromHead=True)
    assert [event["message"] for event in page["events"]] == ["hello"]


def test_output_that_is_not_wanted(server: LiveServer) -> None:
    """Docker's driver `none`: there is no stream, and nothing is left on the disk."""
    definition = server.register("silent", "echo hello", container={"logConfiguration": {"logDriver": "none"}})
    job = run(server, definition)
    assert job["status"] == "SUCCEEDED"
    assert "logStreamName" not in job["attempts"][0]["container"]
    assert job["container"]["logConfiguration"]["logDriver"] == "none"
    streams = server.logs.describe_log_streams(logGroupName="/aws/batch/job")["logStreams"]
    assert not [each for each in streams if each["logStreamName"].startswith("silent/")]
    with pytest.raises(HTTPError) as refused:
        server.native(f"/longshore/jobs/{job['jobId']}/log")
    assert "its output is not kept" in refused.value.read().decode()


@pytest.mark.parametrize(
    "options",
    [{"awslogs-multiline-pattern": r"^\[\d"}, {"awslogs-datetime-format": "[%Y", "awslogs-multiline-pattern": "^at"}],
)
def test_lines_of_one_event(server: LiveServer, options: dict[str, str]) -> None:
    """Also while the job runs, and to a search."""
    log = {"logDriver": "awslogs", "options": options}
    script = "printf '[2026 one\\nat a\\nat b\\n[2026 two\\n'; sleep 1000"
    job_id = server.submit("logs", server.register("joins", script, container={"logConfiguration": log}))

    def messages() -> list[str]:
        (job,) = server.describe([job_id]).values()
        where = {"logGroupName": "/aws/batch/job", "logStreamName": job["container"]["logStreamName"]}
        return [event["message"] for event in server.logs.get_log_events(**where, startFromHead=True)["events"]]

    def running() -> bool:
        return "logStreamName" in server.describe([job_id])[job_id]["container"]

    eventually(running, what="the job runs")
    eventually(lambda: messages() == ["[2026 one\nat a\nat b"], what="what is whole is shown", seconds=4)
    server.batch.terminate_job(jobId=job_id, reason="seen")
    server.wait([job_id])
    assert messages() == ["[2026 one\nat a\nat b", "[2026 two"]
    found = server.logs.filter_log_events(logGroupName="/aws/batch/job", filterPattern='"at b"')["events"]
    assert "[2026 one\nat a\nat b" in [event["message"] for event in found]


@pytest.mark.covers("RegisterJobDefinition.retryStrategy.attempts", "RegisterJobDefinition.retryStrategy")
def test_attempts_of_the_definition(server: LiveServer) -> None:
    job = run(server, server.register("tried-twice", "exit 1", retryStrategy={"attempts": 2}))
    assert len(job["attempts"]) == 2


@pytest.mark.covers(
    "SubmitJob.retryStrategy",
    "SubmitJob.retryStrategy.attempts",
    "SubmitJob.retryStrategy.evaluateOnExit",
    "SubmitJob.retryStrategy.evaluateOnExit.onExitCode",
)
def test_attempts_of_the_submission(server: LiveServer) -> None:
    """It ends at the second attempt, whose exit code is the one that the first rule is about."""
    rules = [{"onExitCode": "3", "action": "EXIT"}, {"onReason": "*", "action": "RETRY"}]
    definition = server.register("tried", "exit $((AWS_BATCH_JOB_ATTEMPT + 1))")
    job = run(server, definition, retryStrategy={"attempts": 3, "evaluateOnExit": rules})
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [2, 3]


@pytest.mark.covers("SubmitJob.arrayProperties", "SubmitJob.arrayProperties.size")
def test_children_of_an_array(server: LiveServer) -> None:
    definition = server.register("child", "echo $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE")
    job_id = server.submit("array", definition, arrayProperties={"size": 3})
    children = server.wait([f"{job_id}:{index}" for index in range(3)], seconds=15)
    told = sorted(output(server, child) for child in children.values())
    assert told == ["0 of 3\n", "1 of 3\n", "2 of 3\n"]


@pytest.mark.covers("SubmitJob.dependsOn", "SubmitJob.dependsOn.jobId")
def test_a_dependency(server: LiveServer) -> None:
    failing = server.submit("first", server.register("fails", "exit 1"))
    job = run(server, server.register("second", "echo ran"), dependsOn=[{"jobId": failing}])
    assert (job["statusReason"], job["attempts"]) == ("Dependent Job failed", [])


@pytest.mark.covers("SubmitJob.dependsOn.type")
def test_children_one_after_the_other(server: LiveServer) -> None:
    """The failure of the first fails the rest, of which none is tried."""
    failing = server.register("first-fails", "exit 1")
    size, depends = {"size": 3}, [{"type": "SEQUENTIAL"}]
    job_id = server.submit("array", failing, arrayProperties=size, dependsOn=depends)
    server.wait([job_id])
    children = server.describe(f"{job_id}:{index}" for index in range(3))
    assert [len(children[f"{job_id}:{index}"]["attempts"]) for index in range(3)] == [1, 0, 0]


@pytest.mark.covers("CreateComputeEnvironment.state", "UpdateComputeEnvironment.state")
def test_an_environment_that_is_switched_off_and_on(server: LiveServer) -> None:
    batch = server.batch
    batch.create_compute_environment(computeEnvironmentName="off", type="UNMANAGED", state="DISABLED")
    order = [{"order": 1, "computeEnvironment": "off"}]
    batch.create_job_queue(jobQueueName="waits", priority=1, computeEnvironmentOrder=order)
    definition = server.register("quick", "true")
    job_id = str(batch.submit_job(jobName="waits", jobQueue="waits", jobDefinition=definition)["jobId"])
    run(server, definition)
    assert server.describe([job_id])[job_id]["status"] == "RUNNABLE"
    batch.update_compute_environment(computeEnvironment="off", state="ENABLED")
    assert server.wait([job_id], seconds=15)[job_id]["status"] == "SUCCEEDED"


def _waiting(server: LiveServer, job_id: str) -> dict[str, Any] | None:
    """The job once it is said why it waits."""
    job = server.describe([job_id])[job_id]
    return dict(job) if "statusReason" in job else None


@pytest.mark.covers("SubmitJob.containerOverrides.resourceRequirements")
def test_what_a_job_asks_for_is_its_own(server: LiveServer) -> None:
    """The machine has 8 vCPUs: two jobs of 5 do not run together."""
    definition = server.register("holds", "exec sleep 100")
    asked = {"resourceRequirements": [{"type": "VCPU", "value": "5"}]}
    first, second = (server.submit(name, definition, containerOverrides=asked) for name in ("first", "second"))
    try:
        eventually(lambda: server.describe([first])[first]["status"] == "RUNNING", what="the first runs")
        waiting = eventually(lambda: _waiting(server, second), seconds=10, what="it is said why the second waits")
        assert waiting["status"] == "RUNNABLE"
    finally:
        for job_id in (first, second):
            server.batch.terminate_job(jobId=job_id, reason="seen")
    server.wait([first, second])
