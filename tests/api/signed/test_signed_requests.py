"""With verified requests: who is let in, as whom, and what the others are told in AWS's own terms."""

import base64
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from longshore.api.aws.batch.wire.responses import SubmitJobResponse
from longshore.service.keys import NewKey
from tests.api.signed.conftest import SERVERS_ACCOUNT, SignedDoor

Ask = Callable[[Any], Any]

ASKS: dict[str, Ask] = {
    "batch": lambda client: client.describe_job_queues(),
    "logs": lambda client: client.describe_log_groups(),
    "sts": lambda client: client.get_caller_identity(),
}


def refusal(client: Any, service: str) -> tuple[int, str]:
    """Status and name of the error that the service answers with."""
    with pytest.raises(ClientError) as caught:
        ASKS[service](client)
    response: Any = caught.value.response
    assert response["ResponseMetadata"]["RequestId"]
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def submit(client: Any) -> Any:
    return client.submit_job(jobName="a", jobQueue="q", jobDefinition="d")


@pytest.mark.parametrize("service", ASKS)
def test_signed_requests_are_answered(signed: SignedDoor, service: str) -> None:
    assert ASKS[service](signed.client(service, signed.make()))


@pytest.mark.parametrize(
    ("service", "error"),
    [
        ("batch", (403, "MissingAuthenticationTokenException")),
        ("logs", (400, "MissingAuthenticationTokenException")),
        ("sts", (403, "MissingAuthenticationToken")),
    ],
)
def test_unsigned(signed: SignedDoor, service: str, error: tuple[int, str]) -> None:
    client = boto3.client(
        service, endpoint_url=signed.door.url, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    assert refusal(client, service) == error


@pytest.mark.parametrize(
    ("service", "error"),
    [
        ("batch", (403, "InvalidSignatureException")),
        ("logs", (400, "InvalidSignatureException")),
        ("sts", (403, "SignatureDoesNotMatch")),
    ],
)
def test_wrongly_signed_or_skewed(signed: SignedDoor, service: str, error: tuple[int, str]) -> None:
    key = signed.make()
    assert refusal(signed.door.client(service, key_id=key.access_key_id, secret="wrong"), service) == error
    client = signed.client(service, key)
    for minutes in (-6, 6):
        signed.clock.offset = timedelta(minutes=minutes)
        assert refusal(client, service) == error
    signed.clock.offset = timedelta(minutes=4)
    assert ASKS[service](client)


@pytest.mark.parametrize(
    ("service", "error"),
    [
        ("batch", (403, "UnrecognizedClientException")),
        ("logs", (400, "UnrecognizedClientException")),
        ("sts", (403, "InvalidClientTokenId")),
    ],
)
def test_unknown_disabled_or_deleted_key(signed: SignedDoor, service: str, error: tuple[int, str]) -> None:
    """It counts from the next request on, also on a connection that is open."""
    assert refusal(signed.door.client(service, key_id="LSAKUNKNOWN"), service) == error
    key = signed.make()
    client = signed.client(service, key)
    assert ASKS[service](client)
    signed.switch(key, is_enabled=False)
    assert refusal(client, service) == error
    signed.switch(key, is_enabled=True)
    assert ASKS[service](client)
    signed.delete(key)
    assert refusal(client, service) == error


@pytest.mark.parametrize(
    ("service", "error"),
    [
        ("batch", (403, "ExpiredTokenException")),
        ("logs", (400, "ExpiredTokenException")),
        ("sts", (403, "ExpiredToken")),
    ],
)
def test_a_session_works_until_it_ends(signed: SignedDoor, service: str, error: tuple[int, str]) -> None:
    key = signed.make(account_id="111122223333", name="alice")
    lent = signed.client("sts", key).get_session_token(DurationSeconds=900)["Credentials"]
    assert lent["Expiration"] - signed.clock.now() < timedelta(seconds=901)
    credentials = {"key_id": lent["AccessKeyId"], "secret": lent["SecretAccessKey"], "token": lent["SessionToken"]}
    assert ASKS[service](signed.door.client(service, **credentials))
    identity = signed.door.client("sts", **credentials).get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::111122223333:user/alice"
    with pytest.raises(ClientError, match=r"AccessDenied.*session credentials"):
        signed.door.client("sts", **credentials).get_session_token()
    ended = signed.lend(key, seconds=-1)
    client = signed.door.client(service, key_id=ended.key_id, secret=ended.secret, token=ended.token)
    assert refusal(client, service) == error


def test_a_session_of_a_wrong_length(signed: SignedDoor) -> None:
    """The client itself sees to the least length."""
    with pytest.raises(ClientError, match="ValidationError"):
        signed.client("sts", signed.make()).get_session_token(DurationSeconds=129_601)


def replay(signed: SignedDoor, service: str, operation: str, send: Ask) -> Callable[[], tuple[int, str]]:
    """Let a real client make a request; returns what sends the same bytes again and tells status and error."""
    seen: list[Any] = []
    client = signed.client(service, signed.make())
    client.meta.events.register(f"before-send.{service}.{operation}", lambda request, **_: seen.append(request))
    send(client)
    [first] = seen

    def again() -> tuple[int, str]:
        request = urllib.request.Request(first.url, data=first.body, method=first.method)
        for name, value in first.headers.items():
            request.add_header(name, value.decode() if isinstance(value, bytes) else value)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, str(refused.headers["x-amzn-errortype"])

    return again


def test_a_replayed_change_is_refused(signed: SignedDoor) -> None:
    """At once in a way that makes clients sign anew, later for good; it is carried out once."""
    signed.door.desk.answers["SubmitJob"] = SubmitJobResponse(job_name="a", job_id="b", job_arn="c")
    again = replay(signed, "batch", "SubmitJob", submit)
    assert again() == (503, "ServiceUnavailableException")
    signed.clock.offset = timedelta(seconds=10)
    assert again() == (403, "InvalidSignatureException")
    assert [operation for operation, _, _ in signed.door.desk.seen] == ["SubmitJob"]


def test_a_replayed_read_is_refused_soon(signed: SignedDoor) -> None:
    """At once it cannot be told from another client's equal request, and does no harm."""
    again = replay(signed, "batch", "DescribeJobQueues", ASKS["batch"])
    assert again() == (200, "")
    signed.clock.offset = timedelta(seconds=10)
    assert again() == (403, "InvalidSignatureException")


def test_equal_requests_of_one_client_are_all_answered(signed: SignedDoor) -> None:
    """Within a second boto3 gives them the same signature."""
    signed.door.desk.answers["SubmitJob"] = SubmitJobResponse(job_name="a", job_id="b", job_arn="c")
    client = signed.client("batch", signed.make())
    for _ in range(20):
        submit(client)
    assert len(signed.door.desk.seen) == 20


def test_equal_requests_of_two_clients_are_answered_after_a_retry(signed: SignedDoor) -> None:
    """The one that came second signs anew, as boto3 does by itself."""
    signed.door.desk.answers["SubmitJob"] = SubmitJobResponse(job_name="a", job_id="b", job_arn="c")
    key = signed.make()
    clients = [
        boto3.client(
            "batch",
            endpoint_url=signed.door.url,
            region_name="us-east-1",
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=Config(retries={"total_max_attempts": 10, "mode": "standard"}),
        )
        for _ in range(2)
    ]
    threads = [threading.Thread(target=submit, args=(client,)) for client in clients for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(signed.door.desk.seen) == 4


@pytest.mark.parametrize("action", ["batch:SubmitJob", "batch:*", "batch:submit*"])
def test_what_is_on_the_list_is_done(signed: SignedDoor, action: str) -> None:
    signed.door.desk.answers["SubmitJob"] = SubmitJobResponse(job_name="a", job_id="b", job_arn="c")
    assert submit(signed.client("batch", signed.make(action)))


def test_what_is_not_on_the_list_is_denied(signed: SignedDoor) -> None:
    """Each service in its own form; who one is may always be asked."""
    key = signed.make("batch:List*", account_id="111122223333", name="alice")
    with pytest.raises(ClientError) as caught:
        submit(signed.client("batch", key))
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert caught.value.response["Error"] == {
        "Code": "AccessDeniedException",
        "Message": "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: batch:SubmitJob on "
        "resource: * because no identity-based policy allows the batch:SubmitJob action",
    }
    assert refusal(signed.client("logs", key), "logs") == (400, "AccessDeniedException")
    assert signed.client("sts", key).get_caller_identity()["Account"] == "111122223333"
    assert signed.door.desk.seen == []


def test_a_client_token_is_signed(signed: SignedDoor) -> None:
    """Whoever could add one on the way would have the job of another request taken for this one's."""
    signed.door.desk.answers["SubmitJob"] = SubmitJobResponse(job_name="a", job_id="b", job_arn="c")
    client = signed.client("batch", signed.make())

    def add(event: str) -> None:
        def add_token(**given: Any) -> None:
            headers = given["params"]["headers"] if "params" in given else given["request"].headers
            headers["x-longshore-client-token"] = "t"

        client.meta.events.register_last(event, add_token)

    add("before-call.batch.SubmitJob")
    submit(client)
    assert [caller.client_token for _, caller, _ in signed.door.desk.seen] == ["t"]
    client = signed.client("batch", signed.make())
    add("before-send.batch.SubmitJob")
    with pytest.raises(ClientError, match="'x-longshore-client-token' must be a 'SignedHeader'"):
        submit(client)


def test_a_request_is_of_its_keys_account(signed: SignedDoor) -> None:
    for key in (signed.make(account_id="111122223333"), signed.make()):
        signed.client("batch", key).describe_job_queues()
    accounts = [caller.account_id for _, caller, _ in signed.door.desk.seen]
    assert accounts == ["111122223333", SERVERS_ACCOUNT]


def test_presigned_requests(signed: SignedDoor) -> None:
    """As tools use them to prove who somebody is: GetCallerIdentity as a URL."""
    client = signed.client("sts", signed.make(name="alice"))
    url = client.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    for _ in range(2):
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert b":user/alice<" in answer.read()
    signed.clock.offset = timedelta(minutes=16)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, timeout=10)
    with caught.value as refused:
        assert (refused.code, refused.headers["x-amzn-errortype"]) == (400, "RequestExpired")


def test_any_host_name_will_do_and_pages_are_refused_all_the_same(signed: SignedDoor) -> None:
    """The name is signed; who could make a browser send a request could not sign it."""
    key = signed.make()
    assert native(signed, key, host="batch.example.org:8642") == 200
    assert native(signed, key, origin="http://batch.example.org:8642") == 403


def native(signed: SignedDoor, key: NewKey | None, *, service: str = "longshore", **more: str) -> int:
    """The status of an answer of our own API, asked with these headers besides."""
    url = f"{signed.door.url}/longshore/status"
    request = AWSRequest(method="GET", url=url, headers={"x-longshore-client": "tests", **more})
    if key is not None:
        credentials = Credentials(key.access_key_id, key.secret_access_key)
        SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(request.headers)), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_our_own_api_wants_a_signature_for_itself(signed: SignedDoor) -> None:
    key = signed.make()
    assert native(signed, key) == 200
    assert native(signed, None) == 403
    assert native(signed, key, service="batch") == 403


def test_metrics_want_a_key_of_their_own(signed: SignedDoor) -> None:
    def scrape(key: NewKey) -> int:
        pair = base64.b64encode(f"{key.access_key_id}:{key.secret_access_key}".encode()).decode()
        request = urllib.request.Request(f"{signed.door.url}/metrics", headers={"Authorization": f"Basic {pair}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    assert scrape(signed.make("longshore:ReadMetrics")) == 200
    assert scrape(signed.make()) == 403
