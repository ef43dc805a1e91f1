"""Jobs with secrets and roles, beside a real server that speaks like Secrets Manager, Parameter Store, STS and S3."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import REGION, LiveServer, eventually, live_server
from tests.integration.neighbours import Neighbours, settings

PASSWORD, TOKEN = "correct-horse-7d21f0", "battery-staple-93ce55"
ROLE = "arn:aws:iam::123456789012:role/job"
EXECUTION_ROLE = "arn:aws:iam::123456789012:role/execution"

#: Waits for the file it is given, then leaves its secrets and its name at S3.
SCRIPT = """
import json, os, sys, time, boto3
print("it runs", flush=True)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.02)
found = {name: os.environ.get(name) for name in ("PASSWORD", "TOKEN", "AWS_ACCESS_KEY_ID")}
found["identity"] = boto3.client("sts").get_caller_identity()["Arn"]
boto3.client("s3").put_object(Bucket="results", Key="found", Body=json.dumps(found))
"""


@pytest.fixture
def live(tmp_path: Path, neighbours: Neighbours) -> Iterator[LiveServer]:
    """A server with a queue, beside the neighbours."""
    with live_server(tmp_path, settings=settings(neighbours.url)) as server:
        server.start()
        server.set_up()
        yield server


def container(neighbours: Neighbours, *arguments: str, **more: Any) -> dict[str, Any]:
    """A job that runs the script with the Python of this test."""
    return {
        "command": [sys.executable, "-c", SCRIPT, *arguments],
        "environment": [{"name": "AWS_ENDPOINT_URL", "value": neighbours.url}],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}],
        "executionRoleArn": EXECUTION_ROLE,
        **more,
    }


def job(live: LiveServer, job_id: str) -> dict[str, Any]:
    """The job as it is described."""
    [found] = live.batch.describe_jobs(jobs=[job_id])["jobs"]
    return found


def submit(live: LiveServer, given: dict[str, Any]) -> str:
    """A job of a new definition; its id."""
    definition = live.register("with-secrets", "", container=given)
    return str(live.batch.submit_job(jobName="job", jobQueue="queue", jobDefinition=definition)["jobId"])


def ended(live: LiveServer, job_id: str) -> dict[str, Any]:
    """The job, once it is over."""
    eventually(lambda: job(live, job_id)["status"] in ("SUCCEEDED", "FAILED"), what="the job ends", seconds=50)
    return job(live, job_id)


@pytest.mark.covers(
    "RegisterJobDefinition.containerProperties.secrets",
    "RegisterJobDefinition.containerProperties.secrets.name",
    "RegisterJobDefinition.containerProperties.secrets.valueFrom",
    "RegisterJobDefinition.containerProperties.jobRoleArn",
)
def test_a_job_reads_secrets_and_works_as_its_role(live: LiveServer, neighbours: Neighbours) -> None:
    """Also when the server dies while it runs; and nothing that the server keeps holds a secret."""
    secret = neighbours.client("secretsmanager").create_secret(
        Name="database", SecretString=json.dumps({"password": PASSWORD})
    )["ARN"]
    neighbours.client("ssm").put_parameter(Name="/batch/token", Value=TOKEN, Type="SecureString")
    go = live.folder / "go"
    secrets = [
        {"name": "PASSWORD", "valueFrom": f"{secret}:password::"},
        {"name": "TOKEN", "valueFrom": f"arn:aws:ssm:{REGION}:123456789012:parameter/batch/token"},
    ]
    job_id = submit(live, container(neighbours, str(go), secrets=secrets, jobRoleArn=ROLE))
    eventually(lambda: job(live, job_id)["status"] == "RUNNING", what="the job runs")
    live.kill()
    live.start()
    go.touch()
    found = ended(live, job_id)
    assert found["status"] == "SUCCEEDED", found
    body = neighbours.client("s3").get_object(Bucket="results", Key="found")["Body"].read()
    task = found["container"]["taskArn"].rpartition("/")[2]
    assert json.loads(body) == {
        "PASSWORD": PASSWORD,
        "TOKEN": TOKEN,
        "AWS_ACCESS_KEY_ID": None,
        "identity": f"arn:aws:sts::123456789012:assumed-role/job/{task}",
    }
    assert found["container"]["secrets"] == secrets
    assert {each["name"] for each in found["container"]["environment"]} == {"AWS_ENDPOINT_URL"}
    assert holding(live.folder, PASSWORD) == holding(live.folder, TOKEN) == []
    assert holding(live.folder, job_id)  # the search finds what is there


def holding(folder: Path, text: str) -> list[Path]:
    """Files under the folder that have the text in them."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_credentials_are_for_the_job_only(live: LiveServer, neighbours: Neighbours) -> None:
    """A wrong token gets nothing, nor does one of an attempt that has ended."""
    secret = neighbours.client("secretsmanager").create_secret(Name="other", SecretString="x")["ARN"]
    go, seen = live.folder / "go", live.folder / "seen"
    show = (
        f'echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI $AWS_CONTAINER_AUTHORIZATION_TOKEN" >{seen}.new; '
        f"mv {seen}.new {seen}; "
        f"until test -e {go}; do sleep 0.02; done"
    )
    given = container(neighbours, secrets=[{"name": "S", "valueFrom": secret}], jobRoleArn=ROLE)
    job_id = submit(live, {**given, "command": ["/bin/sh", "-c", show]})
    eventually(seen.exists, what="the job runs")
    uri, token = seen.read_text().split()
    status, answer = ask(uri, token)
    assert status == 200
    assert answer["RoleArn"] == ROLE
    assert {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} < answer.keys()
    assert ask(uri, "0" * 64)[0] == ask(uri, "")[0] == ask(uri[:-1] + "x", token)[0] == 403
    go.touch()
    ended(live, job_id)
    assert ask(uri, token)[0] == 403
    assert holding(live.data, token) == holding(live.data, answer["SecretAccessKey"]) == []


def ask(uri: str, token: str) -> tuple[int, Any]:
    """As an SDK does."""
    request = urllib.request.Request(uri, headers={"Authorization": token})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


@pytest.mark.covers(
    "RegisterJobDefinition.containerProperties.volumes.efsVolumeConfiguration",
    "RegisterJobDefinition.containerProperties.volumes.efsVolumeConfiguration.fileSystemId",
    "RegisterJobDefinition.containerProperties.volumes.efsVolumeConfiguration.rootDirectory",
)
def test_a_folder_stands_for_a_file_system(tmp_path: Path, neighbours: Neighbours) -> None:
    """A plain process is told where it is; one that has no folder fails the attempt."""
    files = tmp_path / "files"
    (files / "in").mkdir(parents=True)
    (tmp_path / "server").mkdir()
    efs_setting = settings(neighbours.url, LONGSHORE_VOLUMES_EFS=f"fs-1={files}")
    with live_server(tmp_path / "server", settings=efs_setting) as server:
        server.start()
        server.set_up()
        reasons: list[str] = []
        for file_system in ("fs-1", "fs-2"):
            efs = {"fileSystemId": file_system, "rootDirectory": "/in"}
            given = container(neighbours, volumes=[{"name": "data", "efsVolumeConfiguration": efs}])
            command = ["/bin/sh", "-c", 'echo here >"$LONGSHORE_VOLUME_DATA/file"']
            [attempt] = ended(server, submit(server, {**given, "command": command}))["attempts"]
            reasons.append(attempt["container"].get("reason", ""))
        assert (files / "in" / "file").read_text() == "here\n"
        assert reasons[0] == ""
        assert reasons[1].startswith("ResourceInitializationError: failed to invoke EFS utils commands")


def test_a_secret_that_is_not_there(live: LiveServer, neighbours: Neighbours) -> None:
    """The attempt fails before anything starts, in AWS's words."""
    missing = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:missing-AbCdEf"
    begun = live.folder / "begun"
    given = container(neighbours, secrets=[{"name": "S", "valueFrom": missing}])
    found = ended(live, submit(live, {**given, "command": ["touch", str(begun)]}))
    assert found["status"] == "FAILED"
    assert found["attempts"][0]["container"]["reason"] == (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve secret from asm: missing-AbCdEf: "
        "ResourceNotFoundException: Secrets Manager can't find the specified secret."
    )
    assert not begun.exists()
    assert "exitCode" not in found["attempts"][0]["container"]
