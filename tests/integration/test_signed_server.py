"""A real server that verifies requests: who may reach it, and that boto3 and our own commands come in signed."""

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from longshore.cli.main import longshore as program
from tests.integration.live import REGION, LiveServer, live_server

pytestmark = pytest.mark.timeout(180)
SIGNED = {"LONGSHORE_SERVER_AUTH": "sigv4"}


def longshore(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One of our commands, in an environment without credentials of the machine's owner."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    none = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "HOME": "/nowhere"}
    return subprocess.run(
        [sys.executable, "-m", "longshore", *arguments],
        env={**kept, **none, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def keys(name: str, data: Path, *arguments: str) -> Result:
    """A command on keys, in this process."""
    return CliRunner().invoke(program, ["keys", name, "--data", str(data), *arguments], catch_exceptions=False)


def make_key(data: Path, *arguments: str) -> dict[str, str]:
    """Variables with the credentials of a new key."""
    told = keys("create", data, "--quiet", *arguments)
    assert told.exit_code == 0, told.stderr
    return dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), told.stdout.split(), strict=True))


class SignedServer(LiveServer):
    """A live server whose own client has a key."""

    def client(self, service: str) -> Any:
        # Called for the first time before the server is started: the first key is made without one.
        if not hasattr(self, "key"):
            self.key = make_key(self.data)
        return self.client_of(service, self.key)

    def client_of(self, service: str, key: dict[str, str]) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20),
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SignedServer]:
    with live_server(tmp_path, kind=SignedServer, settings=SIGNED) as server:
        server.start()
        assert not server.has_ended
        yield server


def test_jobs_and_logs_of_two_accounts(server: SignedServer) -> None:
    """Each sees its own alone: through the API and through our commands. Keys made meanwhile work at once."""
    server.set_up()
    job_id = server.submit("mine", server.register("job", "echo hello"))
    jobs = server.wait([job_id])
    assert server.log_of(jobs[job_id]["attempts"][0]) == "hello\n"
    theirs = make_key(server.data, "--account", "111122223333")
    batch = server.client_of("batch", theirs)
    assert batch.describe_jobs(jobs=[job_id])["jobs"] == []
    assert batch.describe_job_queues()["jobQueues"] == []
    assert server.client_of("logs", theirs).describe_log_groups()["logGroups"] == []
    for key, found in ((server.key, [job_id]), (theirs, [])):
        variables = {"LONGSHORE_URL": server.url, **key}
        assert longshore("jobs", "--quiet", **variables).stdout.split() == found
        assert longshore("logs", job_id, **variables).stdout == ("hello\n" if found else "")
        assert longshore("explain", job_id, **variables).returncode == (0 if found else 1)
        status = json.loads(longshore("status", "--json", **variables).stdout)
        assert [queue["name"] for queue in status["queues"]] == (["queue"] if found else [])


def test_a_key_counts_as_long_as_it_is_enabled(server: SignedServer) -> None:
    key_id = server.key["AWS_ACCESS_KEY_ID"]
    assert server.batch.describe_job_queues()["jobQueues"] == []
    assert keys("disable", server.data, key_id).exit_code == 0
    with pytest.raises(ClientError) as caught:
        server.batch.describe_job_queues()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
    assert keys("enable", server.data, key_id).exit_code == 0
    assert server.batch.describe_job_queues()["jobQueues"] == []


def test_our_commands_say_what_they_need(server: SignedServer) -> None:
    told = longshore("status", LONGSHORE_URL=server.url)
    assert told.returncode == 2
    assert "the server wants signed requests: give AWS_ACCESS_KEY_ID" in told.stderr
    assert told.stderr.count("\n") == 1
    limited = make_key(server.data, "--allow", "longshore:List*")
    assert longshore("jobs", LONGSHORE_URL=server.url, **limited).returncode == 0
    told = longshore("status", LONGSHORE_URL=server.url, **limited)
    assert (told.returncode, "is not authorized to perform: longshore:GetStatus" in told.stderr) == (2, True)


def test_a_body_is_signed_as_well(server: SignedServer) -> None:
    """A key that may only ask what if submits nothing."""
    server.set_up()
    server.register("job", "true")
    asking = make_key(server.data, "--allow", "longshore:WhatIf")
    job = ("submit", "--queue", "queue", "--definition", "job", "--name", "j", "--region", "us-east-1")
    told = longshore(*job, "--dry-run", LONGSHORE_URL=server.url, **asking)
    assert (told.returncode, "it would start at once" in told.stdout) == (0, True), told.stderr
    told = longshore(*job, LONGSHORE_URL=server.url, **asking)
    assert (told.returncode, "is not authorized to perform: batch:SubmitJob" in told.stderr) == (2, True)
    told = longshore(*job, "--quiet", LONGSHORE_URL=server.url, **server.key)
    server.wait([told.stdout.strip()])


@pytest.mark.awscli
@pytest.mark.parametrize("version", ["aws_v1", pytest.param("aws_v2", marks=pytest.mark.awscli2)])
def test_the_aws_cli_comes_in_signed(server: SignedServer, version: str, request: pytest.FixtureRequest) -> None:
    def aws(key: dict[str, str]) -> subprocess.CompletedProcess[str]:
        command = [str(request.getfixturevalue(version)), "--endpoint-url", server.url]
        return subprocess.run(
            [*command, "batch", "describe-job-queues", "--output", "json"],
            env={**key, "AWS_DEFAULT_REGION": REGION, "AWS_PAGER": "", "HOME": "/nowhere", "AWS_MAX_ATTEMPTS": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert json.loads(aws(server.key).stdout) == {"jobQueues": []}
    for wrong, error in (
        ({**server.key, "AWS_SECRET_ACCESS_KEY": "wrong"}, "InvalidSignatureException"),
        ({**server.key, "AWS_ACCESS_KEY_ID": "LSAKUNKNOWN"}, "UnrecognizedClientException"),
    ):
        told = aws(wrong)
        assert told.returncode > 0
        assert f"({error}) when calling the DescribeJobQueues operation" in told.stderr


def test_keys_are_made_beside_a_busy_server(server: SignedServer) -> None:
    """Both write the same store; neither fails nor loses anything."""
    server.set_up()
    definition = server.register("job", "true")
    job_ids: list[str] = []

    def submit() -> None:
        for number in range(150):
            job_ids.append(server.submit(f"job-{number}", definition))

    submitting = threading.Thread(target=submit)
    submitting.start()
    made = [make_key(server.data) for _ in range(4)]
    submitting.join(60)
    assert len(server.describe(job_ids)) == 150
    listed = keys("list", server.data, "--quiet").stdout.split()
    assert listed[1:] == [key["AWS_ACCESS_KEY_ID"] for key in made]


def test_the_unix_socket_is_its_owners(tmp_path: Path) -> None:
    """Our own API and the metrics need no signature there; the services of AWS do."""
    path = tmp_path / "socket"
    with live_server(
        tmp_path, kind=SignedServer, settings={**SIGNED, "LONGSHORE_SERVER_UNIX_SOCKET": str(path)}
    ) as server:
        server.start()
        server.set_up()
        told = longshore("status", "--json", LONGSHORE_URL=f"unix://{path}")
        assert [queue["name"] for queue in json.loads(told.stdout)["queues"]] == ["queue"]
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{server.url}/metrics", timeout=10)
        with caught.value as refused:
            assert refused.code == 403


def test_other_addresses_only_with_a_key(tmp_path: Path) -> None:
    """Without one: one line, exit code 2, and nobody could connect meanwhile."""
    data = tmp_path / "data"
    arguments = ["server", "--data", str(data), "--port", "0", "--engine", "process", "--auth", "sigv4"]
    told = longshore(*arguments, "--host", "0.0.0.0")
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert "cannot listen on 0.0.0.0: it is not a loopback address, and there is no enabled key" in told.stderr
    key_id = make_key(data)["AWS_ACCESS_KEY_ID"]
    assert keys("disable", data, key_id).exit_code == 0
    assert longshore(*arguments, "--host", "0.0.0.0").returncode == 2
    (data / "sealing.key").write_text("")
    assert keys("enable", data, key_id).exit_code == 2
    told = longshore(*arguments, "--host", "0.0.0.0")
    assert (told.returncode, "sealing.key: is damaged" in told.stderr) == (2, True)


def test_any_address_with_a_key(tmp_path: Path) -> None:
    with live_server(tmp_path, kind=SignedServer, settings={**SIGNED, "LONGSHORE_SERVER_HOST": "0.0.0.0"}) as server:
        server.start()
        assert not server.has_ended
        # Another address of this machine than the one that loopback clients use.
        server.url = f"http://127.0.0.2:{server.port}"
        assert server.client("batch").describe_job_queues()["jobQueues"] == []
