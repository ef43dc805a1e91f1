"""Client tokens of SubmitJob: what comes again under its token is carried out once."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from tests.api.batch_service import REGION, SMALL, Batch
from tests.api.forms import of_nodes
from tests.api.test_batch_awscli import aws

TAG = "longshore:client-token"
HEADER = "x-longshore-client-token"
DAY_SECONDS = 24 * 3600
EVENT = "before-call.batch.SubmitJob"


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a queue and a definition."""
    batch.queue()
    batch.definition()
    return batch


@contextmanager
def header(client: Any, token: str) -> Iterator[None]:
    """Meanwhile submissions bear the token in their header."""

    def add(params: dict[str, Any], **_: Any) -> None:
        params["headers"][HEADER] = token

    client.meta.events.register(EVENT, add)
    try:
        yield
    finally:
        client.meta.events.unregister(EVENT, add)


def tagged(batch: Batch, token: str, **members: Any) -> str:
    return batch.submit(tags={TAG: token}, **members)


def job_ids(batch: Batch) -> list[str]:
    return [each["jobId"] for each in batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"]]


def test_a_header_names_a_submission(batch: Batch) -> None:
    """The same answer, and one job; without the header each call is one of its own."""
    with header(batch.client, "nightly 2026-11-23"):
        answers = [batch.submit_job(jobName="a", jobQueue="queue", jobDefinition="definition") for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert job_ids(batch) == [answers[0]["jobId"]]
    assert batch.job(answers[0]["jobId"])["tags"] == {}
    batch.submit(name="a")
    assert len(job_ids(batch)) == 2


def test_a_tag_names_a_submission_and_stays(batch: Batch) -> None:
    """It counts as the header does, alone or beside it."""
    job_id = tagged(batch, "t")
    assert tagged(batch, "t") == job_id
    assert batch.job(job_id)["tags"] == {TAG: "t"}
    with header(batch.client, "t"):
        assert tagged(batch, "t") == batch.submit() == job_id
    assert job_ids(batch) == [job_id]


@pytest.mark.awscli
def test_the_tag_with_the_aws_cli(batch: Batch) -> None:
    command = ["--job-name", "j", "--job-queue", "queue", "--job-definition", "definition", "--tags", f"{TAG}=once"]
    first, second = (aws(batch, "submit-job", *command) for _ in range(2))
    assert first == second
    assert job_ids(batch) == [first["jobId"]]
    refusal = aws(batch, "submit-job", *command, "--parameters", "a=b")
    assert f"The client token once was used for another request, which submitted job {first['jobId']}" in refusal


def test_without_a_token_nothing_is_looked_up(batch: Batch) -> None:
    """What most submissions need costs no statement more."""
    connection = batch.store._connection
    assert connection is not None
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    batch.submit()
    assert statements
    assert not any("client_tokens" in statement for statement in statements)
    tagged(batch, "t")
    assert sum("client_tokens" in statement for statement in statements) == 3


def test_header_and_tag_have_to_agree(batch: Batch) -> None:
    with header(batch.client, "one"):
        refusal = batch.refusal(
            "submit_job", jobName="a", jobQueue="queue", jobDefinition="definition", tags={TAG: "two"}
        )
    assert refusal == f"W: The client token is one in the header and two in the tag {TAG}"
    assert job_ids(batch) == []


@pytest.mark.parametrize(
    "change",
    [
        {"jobName": "other"},
        {"jobDefinition": "definition:1"},
        {"arrayProperties": {"size": 2}},
        {"parameters": {"a": "b"}},
        {"containerOverrides": {"command": ["false"]}},
        {"tags": {TAG: "t", "a": "b"}},
        {"timeout": {"attemptDurationSeconds": 60}},
    ],
)
def test_a_token_is_of_one_request(batch: Batch, change: dict[str, Any]) -> None:
    request = {"jobName": "job", "jobQueue": "queue", "jobDefinition": "definition", "tags": {TAG: "t"}}
    job_id = batch.submit_job(**request)["jobId"]
    assert batch.refusal("submit_job", **{**request, **change}) == (
        f"W: The client token t was used for another request, which submitted job {job_id}: "
        "repeat that one as it was, or choose another token"
    )
    assert batch.submit_job(**request)["jobId"] == job_id
    assert job_ids(batch) == [job_id]


def test_the_same_can_be_said_in_other_ways(batch: Batch) -> None:
    """Order does not count, nor what is empty; what a name stands for may change in between."""
    job_id = tagged(batch, "t", parameters={"a": "1", "b": "2"})
    batch.definition()
    batch.update_job_queue(jobQueue="queue", state="DISABLED")
    again = {"parameters": {"b": "2", "a": "1"}, "dependsOn": [], "arrayProperties": {}, "containerOverrides": {}}
    assert tagged(batch, "t", **again) == job_id
    assert batch.job(job_id)["jobDefinition"].endswith(":1")


@pytest.mark.parametrize("token", ["", "x" * 65, "\u00e9"])
def test_malformed_tokens_are_refused(batch: Batch, token: str) -> None:
    request = {"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition"}
    text = f"W: A client token should be 1 to 64 printable characters of ASCII, got {token[:100]!r}"
    assert batch.refusal("submit_job", **request, tags={TAG: token}) == text
    if token.isascii():
        with header(batch.client, token):
            assert batch.refusal("submit_job", **request) == text
    assert job_ids(batch) == []


def test_the_longest_and_the_oddest_token(batch: Batch) -> None:
    for token in ("x" * 64, "~ {\"'%!"):
        with header(batch.client, token):
            assert batch.submit() == batch.submit()


def test_two_headers_contradict_each_other(batch: Batch) -> None:
    url = urlsplit(batch.client.meta.endpoint_url)
    body = json.dumps({"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition"}).encode()
    scope = f"any/20261123/{REGION}/batch/aws4_request"
    head = (
        f"POST /v1/submitjob HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n"
        f"{HEADER}: a\r\n{HEADER}: b\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400")
    assert f"more than one header {HEADER}".encode() in answer
    assert job_ids(batch) == []


def test_a_token_counts_for_a_day(batch: Batch) -> None:
    first = tagged(batch, "t")
    batch.clock.jump_wall(DAY_SECONDS - 1)
    assert tagged(batch, "t") == first
    batch.clock.jump_wall(2)
    second = tagged(batch, "t")
    assert second != first
    assert tagged(batch, "t") == second


def test_tokens_of_other_operations_age_by_themselves(batch: Batch) -> None:
    """The same text may name a change of a consumable resource, whose tokens count for eight hours."""
    job_id = tagged(batch, "t")
    batch.create_consumable_resource(consumableResourceName="r", totalQuantity=5)
    batch.clock.jump_wall(DAY_SECONDS / 2)
    batch.update_consumable_resource(consumableResource="r", operation="ADD", quantity=1, clientToken="t")
    assert tagged(batch, "t") == job_id


def test_a_refused_submission_uses_up_no_token(batch: Batch) -> None:
    request = {"jobName": "a", "jobQueue": "later", "jobDefinition": "definition", "tags": {TAG: "t"}}
    assert batch.refusal("submit_job", **request) == "JobQueue later not found."
    batch.queue("later", "ce")
    assert batch.submit_job(**request)["jobId"] == batch.submit_job(**request)["jobId"]


def test_a_token_is_of_one_region(batch: Batch) -> None:
    options: dict[str, Any] = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    client = boto3.client("batch", endpoint_url=batch.client.meta.endpoint_url, region_name="us-west-2", **options)
    elsewhere = Batch(client=client, store=batch.store, clock=batch.clock)
    elsewhere.queue()
    elsewhere.definition()
    assert tagged(batch, "t") != tagged(elsewhere, "t")
    client.close()


def test_array_jobs_and_jobs_of_several_nodes(batch: Batch) -> None:
    batch.register_job_definition(jobDefinitionName="nodes", type="multinode", nodeProperties=of_nodes(3))
    array = tagged(batch, "array", arrayProperties={"size": 100})
    nodes = tagged(batch, "nodes", definition="nodes")
    assert tagged(batch, "array", arrayProperties={"size": 100}) == array
    assert tagged(batch, "nodes", definition="nodes") == nodes
    assert sorted(job_ids(batch)) == sorted([array, nodes])
    assert batch.job(array)["arrayProperties"]["statusSummary"]["SUBMITTED"] == 100
    other = of_nodes(3, {"targetNodes": "0:", "container": {"image": "other", "resourceRequirements": SMALL}})
    batch.register_job_definition(jobDefinitionName="nodes", type="multinode", nodeProperties=other)
    assert tagged(batch, "nodes", definition="nodes") == nodes


class LosingProxy:
    """Hands requests on to a server; of the first one the answer is lost."""

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        self._target = (target.hostname, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.answers_lost = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.create_connection(self._target, timeout=10) as server:
                client.settimeout(10)
                server.sendall(_read_message(client))
                answer = _read_message(server)
                if self.answers_lost:
                    client.sendall(answer)
                else:
                    self.answers_lost = 1


def _read_message(connection: socket.socket) -> bytes:
    """A head and the body that it announces."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.mark.parametrize(("with_token", "jobs"), [(False, 2), (True, 1)])
def test_a_lost_answer(batch: Batch, with_token: bool, jobs: int) -> None:
    """boto3 repeats the call by itself: without a token that makes a second job, with one it does not."""
    proxy = LosingProxy(batch.client.meta.endpoint_url)
    client = boto3.client(
        "batch",
        endpoint_url=proxy.url,
        region_name=REGION,
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
    )

    def add_token(params: dict[str, Any], **_: Any) -> None:
        params["headers"][HEADER] = str(uuid4())

    if with_token:
        client.meta.events.register(EVENT, add_token)
    job_id = client.submit_job(jobName="a", jobQueue="queue", jobDefinition="definition")["jobId"]
    client.close()
    proxy.close()
    assert proxy.answers_lost == 1
    assert job_id in job_ids(batch)
    assert len(job_ids(batch)) == jobs
