"""The aws CLI walks through all that one does with AWS Batch, set-up to tear-down, with whole answers.

Version 1 (PyPI's) speaks Batch; version 2 (Debian's) follows logs, which version 1 can't.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import FINAL, LiveServer, eventually, live_server

ARN = "arn:aws:batch:us-east-1:000000000000"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ALL_STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
pytestmark = [pytest.mark.awscli, pytest.mark.timeout(180)]


class Cli:
    """`aws` against one server."""

    def __init__(self, program: Path, server: LiveServer) -> None:
        self.server = server
        self._program = program
        self.environ = {
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
            "PYTHONUNBUFFERED": "1",
            "HOME": str(server.folder),
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The finished command."""
        command = [str(self._program), "--endpoint-url", self.server.url, *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=60, check=False)

    def batch(self, operation: str, *arguments: str, **members: Any) -> dict[str, Any]:
        """The answer of an operation; structured arguments are keyword arguments, sent as JSON."""
        for name, value in members.items():
            text = value if isinstance(value, str) else json.dumps(value)
            arguments += (f"--{name.replace('_', '-')}", text)
        done = self.run("batch", operation, *arguments, "--output", "json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout)) if done.stdout.strip() else {}

    def refusal(self, operation: str, *arguments: str) -> str:
        """What an operation that is refused says."""
        done = self.run("batch", operation, *arguments)
        assert done.returncode != 0
        return done.stderr.strip()

    def submit(self, name: str, definition: str, **members: Any) -> str:
        """Submit; the whole answer is checked."""
        answer = self.batch("submit-job", job_name=name, job_queue="walk", job_definition=definition, **members)
        job_id = str(answer["jobId"])
        assert UUID.fullmatch(job_id)
        assert answer == {"jobArn": f"{ARN}:job/{job_id}", "jobName": name, "jobId": job_id}
        return job_id

    def wait(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""
        return dict(self.server.wait([job_id])[job_id])


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, aws_v1: Path) -> Iterator[Cli]:
    with live_server(tmp_path_factory.mktemp("walk")) as server:
        server.start()
        cli = Cli(aws_v1, server)
        answer = cli.batch(
            "create-compute-environment",
            compute_environment_name="here",
            type="UNMANAGED",
            tags={"longshore:engine": "process", "team": "a"},
        )
        assert answer == {
            "computeEnvironmentName": "here",
            "computeEnvironmentArn": f"{ARN}:compute-environment/here",
        }
        answer = cli.batch(
            "create-job-queue",
            job_queue_name="walk",
            priority="1",
            compute_environment_order=[{"order": 1, "computeEnvironment": "here"}],
        )
        assert answer == {"jobQueueName": "walk", "jobQueueArn": f"{ARN}:job-queue/walk"}
        yield cli


def _define(cli: Cli, name: str, script: str, **rest: Any) -> str:
    answer = cli.batch(
        "register-job-definition",
        job_definition_name=name,
        type="container",
        container_properties={
            "image": "busybox",
            "command": ["sh", "-c", script],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "32"}],
        },
        **rest,
    )
    assert answer == {
        "jobDefinitionName": name,
        "jobDefinitionArn": f"{ARN}:job-definition/{name}:1",
        "revision": 1,
    }
    return str(answer["jobDefinitionArn"])


def test_environment_and_queue_are_described(cli: Cli) -> None:
    """Whole answers, but for the ids that are made up."""
    (environment,) = cli.batch("describe-compute-environments")["computeEnvironments"]
    assert UUID.fullmatch(environment.pop("uuid"))
    assert environment.pop("ecsClusterArn").startswith("arn:aws:ecs:us-east-1:000000000000:cluster/AWSBatch-here-")
    assert environment == {
        "computeEnvironmentName": "here",
        "computeEnvironmentArn": f"{ARN}:compute-environment/here",
        "tags": {"longshore:engine": "process", "team": "a"},
        "type": "UNMANAGED",
        "state": "ENABLED",
        "status": "VALID",
        "statusReason": "ComputeEnvironment Healthy",
        "containerOrchestrationType": "ECS",
    } | {key: environment[key] for key in ("serviceRole",) if key in environment}
    (queue,) = cli.batch("describe-job-queues", job_queues="walk")["jobQueues"]
    assert queue == {
        "jobQueueName": "walk",
        "jobQueueArn": f"{ARN}:job-queue/walk",
        "state": "ENABLED",
        "status": "VALID",
        "statusReason": "JobQueue Healthy",
        "priority": 1,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": f"{ARN}:compute-environment/here"}],
        "jobQueueType": "ECS",
        "jobStateTimeLimitActions": [],
        "tags": {},
    }


def test_a_single_job(cli: Cli) -> None:
    """From submission to the last byte of its log."""
    definition = _define(cli, "single", "echo hello; exit 4", parameters={"unused": "x"})
    job_id = cli.submit("single", definition, tags={"who": "me"})
    job = cli.wait(job_id)
    (described,) = cli.batch("describe-jobs", jobs=job_id)["jobs"]
    assert described == job
    created, started, stopped = (job.pop(name) for name in ("createdAt", "startedAt", "stoppedAt"))
    assert created <= started <= stopped
    (attempt,) = job.pop("attempts")
    container = job.pop("container")
    stream = attempt["container"]["logStreamName"]
    assert re.fullmatch(r"single/default/[0-9a-f]{32}", stream)
    task = {key: attempt["container"][key] for key in ("taskArn", "containerInstanceArn", "logStreamName")}
    assert task["taskArn"].endswith(stream.rpartition("/")[2])
    assert attempt == {
        "container": {**task, "exitCode": 4, "networkInterfaces": []},
        "startedAt": started,
        "stoppedAt": stopped,
        "statusReason": "Essential container in task exited",
    }
    assert container == {
        **task,
        "image": "busybox",
        "command": ["sh", "-c", "echo hello; exit 4"],
        "volumes": [],
        "environment": [],
        "mountPoints": [],
        "ulimits": [],
        "networkInterfaces": [],
        "secrets": [],
        "resourceRequirements": [{"value": "1", "type": "VCPU"}, {"value": "32", "type": "MEMORY"}],
        "exitCode": 4,
    }
    assert job == {
        "jobArn": f"{ARN}:job/{job_id}",
        "jobName": "single",
        "jobId": job_id,
        "jobQueue": f"{ARN}:job-queue/walk",
        "status": "FAILED",
        "statusReason": "Essential container in task exited",
        "retryStrategy": {"attempts": 1, "evaluateOnExit": []},
        "dependsOn": [],
        "jobDefinition": definition,
        "parameters": {"unused": "x"},
        "tags": {"who": "me"},
        "propagateTags": False,
        "platformCapabilities": [],
        "eksAttempts": [],
        "isCancelled": False,
        "isTerminated": False,
    }
    assert cli.server.log_of(attempt) == "hello\n"
    listed = cli.batch("list-jobs", job_queue="walk", job_status="FAILED")["jobSummaryList"]
    assert [summary["jobId"] for summary in listed if summary["jobName"] == "single"] == [job_id]


def test_an_array_of_ten_thousand(cli: Cli) -> None:
    """All children run, each with its index; the parent counts them exactly."""
    definition = _define(cli, "array", "exit $((AWS_BATCH_JOB_ARRAY_INDEX == 9999))")
    job_id = cli.submit("array", definition, array_properties={"size": 10_000})
    job = cli.server.wait([job_id], seconds=150)[job_id]
    assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")
    summary = dict.fromkeys(ALL_STATUSES, 0) | {"SUCCEEDED": 9999, "FAILED": 1}
    assert job["arrayProperties"].pop("statusSummaryLastUpdatedAt") > job["createdAt"]
    assert job["arrayProperties"] == {"statusSummary": summary, "size": 10_000}
    children = cli.batch("list-jobs", array_job_id=job_id, job_status="SUCCEEDED")["jobSummaryList"]
    assert sorted(child["arrayProperties"]["index"] for child in children) == list(range(9999))
    (child,) = cli.batch("list-jobs", array_job_id=job_id, job_status="FAILED")["jobSummaryList"]
    assert child["jobId"] == f"{job_id}:9999"
    assert child["container"] == {"exitCode": 1}


def test_the_kinds_of_dependency(cli: Cli) -> None:
    """Plain, SEQUENTIAL and N_TO_N; a failed dependency fails what waits for it, and only that."""
    order = cli.server.folder / "order"
    noting = _define(cli, "noting", f'echo "$AWS_BATCH_JOB_ARRAY_INDEX" >> {order}')
    odd = _define(cli, "odd", "exit $((AWS_BATCH_JOB_ARRAY_INDEX % 2))")
    sequential = cli.submit("seq", noting, array_properties={"size": 5}, depends_on=[{"type": "SEQUENTIAL"}])
    first = cli.submit("first", odd, array_properties={"size": 4})
    paired = cli.submit("paired", odd, array_properties={"size": 4}, depends_on=[{"jobId": first, "type": "N_TO_N"}])
    after_good = cli.submit("after-good", odd, depends_on=[{"jobId": sequential}, {"jobId": f"{first}:2"}])
    after_bad = cli.submit("after-bad", odd, depends_on=[{"jobId": sequential}, {"jobId": first}])
    jobs = cli.server.wait([sequential, first, paired, after_good, after_bad])
    assert order.read_text().split() == ["0", "1", "2", "3", "4"]
    assert jobs[sequential]["status"] == "SUCCEEDED"
    assert jobs[after_good]["status"] == "SUCCEEDED"
    assert (jobs[after_bad]["status"], jobs[after_bad]["statusReason"]) == ("FAILED", "Dependent Job failed")
    assert jobs[after_bad]["attempts"] == []
    children = cli.server.describe(f"{paired}:{index}" for index in range(4))
    told = [(job["status"], job["statusReason"]) for _, job in sorted(children.items())]
    good, failed = ("SUCCEEDED", "Essential container in task exited"), ("FAILED", "Dependent Job failed")
    assert told == [good, failed, good, failed]


def test_retries(cli: Cli) -> None:
    """evaluateOnExit decides, and attempts are told apart."""
    rules = [{"onExitCode": "75", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    definition = _define(
        cli,
        "retried",
        "test $AWS_BATCH_JOB_ATTEMPT = 1 && exit 75; exit 9",
        retry_strategy={"attempts": 5, "evaluateOnExit": rules},
    )
    job = cli.wait(cli.submit("retried", definition))
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [75, 9]
    assert job["status"] == "FAILED"
    streams = {attempt["container"]["logStreamName"] for attempt in job["attempts"]}
    assert len(streams) == 2


def test_cancel_and_terminate(cli: Cli) -> None:
    """Cancelling ends what waits, terminating what runs; what has ended stays, and unknown ids are no error."""
    sleeping = _define(cli, "sleeping", "exec sleep 100")
    running = cli.submit("running", sleeping)
    waiting = cli.submit("waiting", sleeping, depends_on=[{"jobId": running}])
    eventually(lambda: cli.server.describe([running])[running]["status"] == "RUNNING", what="it runs")
    assert cli.batch("cancel-job", job_id=running, reason="too late") == {}
    assert cli.batch("terminate-job", job_id=waiting, reason="not needed") == {}
    job = cli.wait(waiting)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "not needed", True)
    assert cli.server.describe([running])[running]["status"] == "RUNNING"
    answer = cli.server.batch.terminate_jobs(jobs=[running, "no-such-job"], reason="enough")  # too new for version 1
    assert (answer["successful"], answer["errors"][0]["code"]) == ([running], "ValidationException")
    job = cli.wait(running)
    assert (job["status"], job["statusReason"]) == ("FAILED", "enough")
    assert job["container"]["exitCode"] == 143
    assert cli.batch("terminate-job", job_id=running, reason="again") == {}
    assert cli.batch("cancel-job", job_id="whatever", reason="x") == {}
    assert cli.wait(running)["statusReason"] == "enough"
    blocked = cli.submit("blocked", sleeping, array_properties={"size": 3}, depends_on=[{"type": "SEQUENTIAL"}])
    cli.batch("terminate-job", job_id=blocked, reason="all of it")
    job = cli.wait(blocked)
    assert job["status"] == "FAILED"
    assert job["arrayProperties"]["statusSummary"]["FAILED"] == 3


def test_a_time_out(cli: Cli) -> None:
    """The shortest that AWS allows is a minute; the job gets a SIGTERM then, and is not tried again."""
    definition = _define(cli, "slow", "exec sleep 300", retry_strategy={"attempts": 3})
    job_id = cli.submit("slow", definition, timeout={"attemptDurationSeconds": 60})
    assert "60" in cli.refusal(
        "submit-job", "--job-name", "x", "--job-queue", "walk", "--job-definition", definition,
        "--timeout", "attemptDurationSeconds=59",
    )  # fmt: skip
    job = cli.server.wait([job_id], seconds=120)[job_id]
    (attempt,) = job["attempts"]
    assert attempt["statusReason"] == job["statusReason"] == "Job attempt duration exceeded timeout"
    assert 60_000 <= attempt["stoppedAt"] - attempt["startedAt"] < 63_000
    assert attempt["container"]["exitCode"] == 143


def test_tags(cli: Cli) -> None:
    """They are merged, removed and listed."""
    arn = f"{ARN}:job-queue/walk"
    assert cli.batch("tag-resource", resource_arn=arn, tags={"a": "1", "b": "2"}) == {}
    assert cli.batch("untag-resource", resource_arn=arn, tag_keys="a") == {}
    assert cli.batch("list-tags-for-resource", resource_arn=arn) == {"tags": {"b": "2"}}
    assert cli.batch("untag-resource", resource_arn=arn, tag_keys="b") == {}


@pytest.mark.awscli2
def test_logs_are_followed(cli: Cli, aws_v2: Path) -> None:
    """`aws logs tail --follow` shows a line while the job that wrote it still runs."""
    definition = _define(cli, "talking", "echo one; sleep 3; echo two; exec sleep 60")
    job_id = cli.submit("talking", definition)
    eventually(lambda: "logStreamName" in cli.server.describe([job_id])[job_id]["container"], what="it runs")
    command = [str(aws_v2), "--endpoint-url", cli.server.url, "logs", "tail", "/aws/batch/job", "--follow"]
    options = ["--format", "short", "--since", "1m", "--log-stream-name-prefix", "talking/"]
    shown = cli.server.folder / "shown"
    with shown.open("w") as output:
        tail = subprocess.Popen([*command, *options], env=cli.environ, stdout=output)
    try:
        eventually(lambda: shown.read_text().endswith(" two\n"), what="the second line is shown")
        assert [line.split()[-1] for line in shown.read_text().splitlines()] == ["one", "two"]
        assert cli.server.describe([job_id])[job_id]["status"] == "RUNNING"
    finally:
        tail.kill()
        tail.wait()
        cli.batch("terminate-job", job_id=job_id, reason="seen")
    cli.wait(job_id)


def test_tear_down(cli: Cli) -> None:
    """In the order that AWS asks for; a queue that goes ends its jobs."""
    waiting = cli.submit("left", _define(cli, "left", "exec sleep 100"))
    assert "does not exist" in cli.refusal("update-job-queue", "--job-queue", "no-such", "--state", "DISABLED")
    cli.batch("update-compute-environment", compute_environment="here", state="DISABLED")
    refusal = cli.refusal("delete-compute-environment", "--compute-environment", "here")
    assert "Cannot delete, found existing JobQueue relationship" in refusal
    cli.batch("update-job-queue", job_queue="walk", state="DISABLED")
    assert cli.batch("delete-job-queue", job_queue="walk") == {}
    eventually(lambda: cli.batch("describe-job-queues", job_queues="walk")["jobQueues"] == [], what="the queue goes")
    job = cli.wait(waiting)
    assert (job["status"], job["statusReason"]) == ("FAILED", "JobQueue deleted")
    assert job["status"] in FINAL
    assert cli.batch("delete-compute-environment", compute_environment="here") == {}
    assert cli.batch("describe-compute-environments") == {"computeEnvironments": []}
    for definition in cli.batch("describe-job-definitions", status="ACTIVE")["jobDefinitions"]:
        assert cli.batch("deregister-job-definition", job_definition=definition["jobDefinitionArn"]) == {}
    assert cli.batch("describe-job-definitions", status="ACTIVE")["jobDefinitions"] == []
