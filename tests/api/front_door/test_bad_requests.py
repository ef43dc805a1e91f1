"""What is malformed, too much, too slow or from a browser is refused, and the server goes on."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError

POST = b"POST /v1/listjobs HTTP/1.1\r\n"


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def body_of(response: bytes) -> dict[str, str]:
    return json.loads(response.partition(b"\r\n\r\n")[2])


@pytest.fixture(autouse=True)
def _still_serving(door: Any) -> Iterator[None]:
    """After whatever a test did, the next request is served."""
    yield
    assert door.client("batch").list_jobs(jobQueue="q")["ResponseMetadata"]["HTTPStatusCode"] == 200


def post(signed: bytes, body: bytes, *, path: bytes = b"/v1/listjobs", method: bytes = b"POST") -> bytes:
    head = method + b" " + path + b" HTTP/1.1\r\n" + signed + b"Connection: close\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("body", [b"{", b"[" * 500_000, b'{"a":"\xff"}', b"{} {}"])
def test_what_is_not_json_gets_the_text_of_aws(door: Any, signed: bytes, body: bytes) -> None:
    response = door.exchange(post(signed, body))
    assert status_of(response) == 400
    assert body_of(response) == {"__type": "ClientException", "message": "An error occurred during JSON parsing"}
    assert b"x-amzn-requestid: " in response


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"1", b'{"maxResults":"many"}'])
def test_what_does_not_fit_is_wrapped(door: Any, signed: bytes, body: bytes) -> None:
    response = door.exchange(post(signed, body))
    assert status_of(response) == 400
    assert body_of(response)["message"].startswith("Error executing request, Exception : ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (b"POST", b"/v1/nosuchoperation"),
        (b"GET", b"/v1/listjobs"),
        (b"POST", b"/v1/ListJobs"),
        (b"POST", b"/v1/listjobs/"),
        (b"POST", b"/"),
        (b"PUT", b"/v1/tags/arn"),
        (b"POST", b"/v1/%6Cistjobs"),
        (b"POST", b"/../../etc/passwd"),
        (b"POST", b"/v1/tags/%FF"),
        (b"DELETE", b"/v1/tags/arn?tagKeys=%FF"),
        (b"DELETE", b"/v1/tags/arn?" + b"tagKeys=a&" * 1000),
    ],
)
def test_unknown_places_are_errors_of_the_caller(door: Any, signed: bytes, method: bytes, path: bytes) -> None:
    response = door.exchange(post(signed, b"{}", path=path, method=method))
    assert status_of(response) == 400
    assert body_of(response)["__type"] == "ClientException"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2, 2\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: 0x2\r\n\r\n{}",
        b"Content-Length: 99999999999999999999999999\r\n\r\n{}",
        b"Content-Length: \r\n\r\n{}",
        b"Content-Length: 1_0\r\n\r\n{}        ",
        b"Content-Length : 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}garbage\r\n0\r\n\r\n",
        b"X-Odd: a\r\n\tfolded\r\n\x00: b\r\n\r\n",
        b"X-Odd: a\x00b\r\n\r\n",
    ],
)
def test_ambiguous_or_broken_framing_is_refused_and_closed(door: Any, signed: bytes, framing: bytes) -> None:
    response = door.exchange(POST + signed + framing)
    assert status_of(response) == 400
    assert response.count(b"HTTP/1.1 ") == 1, "what follows is not taken for another request"
    assert door.desk.seen == []


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff" * 100]
)
def test_what_is_not_http_is_refused(door: Any, garbage: bytes) -> None:
    assert status_of(door.exchange(garbage)) == 400


@pytest.mark.parametrize("name", [b"Host: localhost", b"Authorization: AWS4-HMAC-SHA256", b"X-Amz-Target: a"])
def test_a_second_deciding_header_is_refused(door: Any, signed: bytes, name: bytes) -> None:
    response = door.exchange(POST + signed + name + b"\r\n" + name + b"\r\n\r\n")
    assert status_of(response) == 400
    assert "more than one header" in body_of(response)["message"]


def test_a_huge_body_is_refused_before_it_is_sent(door: Any, signed: bytes) -> None:
    with door.connect() as connection:
        connection.sendall(POST + signed + b"Content-Length: 100000000000\r\n\r\n")
        response = connection.recv(65536)
    assert status_of(response) == 413
    assert "larger than 1,048,576 bytes" in body_of(response)["message"]


def test_a_huge_body_without_length_is_refused_while_it_is_sent(door: Any, signed: bytes) -> None:
    with door.connect() as connection:
        connection.sendall(POST + signed + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            connection.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        response = connection.recv(65536)
    assert status_of(response) == 413


def test_a_client_that_sends_too_much_gets_to_read_why(door: Any) -> None:
    client = door.client("batch")
    with pytest.raises(ClientError, match="larger than 1,048,576 bytes") as caught:
        client.submit_job(jobName="a", jobQueue="q", jobDefinition="d", parameters={"a": "x" * 4_000_000})
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_the_largest_body_is_taken(door: Any) -> None:
    size = 1024 * 1024 - 200
    door.client("batch").submit_job(jobName="a", jobQueue="q", jobDefinition="d", parameters={"a": "x" * size})
    [(_, _, request)] = door.desk.seen
    assert len(request.parameters["a"]) == size


@pytest.mark.parametrize(
    ("path", "target", "status"),
    [
        (b"/", b"Logs_20140328.PutLogEvents", 100),
        (b"/", b"Logs_20140328.FilterLogEvents", 413),
        (b"/v1/listjobs", b"Logs_20140328.PutLogEvents", 413),
    ],
)
def test_only_puts_of_log_events_may_be_longer(door: Any, path: bytes, target: bytes, status: int) -> None:
    head = (
        b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 \r\nX-Amz-Target: " + target
    )
    with door.connect() as connection:
        connection.sendall(head + b"\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (8 * 2**20))
        assert status_of(connection.recv(65536)) == status


def test_a_body_that_trickles_is_given_up(strict_door: Any, signed: bytes) -> None:
    with strict_door(body_seconds=0.2) as door, door.connect() as connection:
        connection.sendall(POST + signed + b"Content-Length: 100\r\n\r\n{")
        response = connection.recv(65536)
    assert status_of(response) == 408
    assert "not complete after 0.2 seconds" in body_of(response)["message"]


def test_bodies_that_do_not_end_leave_room_for_others(strict_door: Any, signed: bytes) -> None:
    """Together they may hold so much; a body that comes at once needs none of it, and what ends gives it back."""
    part, whole = b" " * 200_000, b" " * 600_000 + b"{}"
    head = POST + signed + b"Content-Length: 600002\r\n\r\n"
    with strict_door(bodies_bytes=1_000_000) as door, ExitStack() as open_connections:
        for _ in range(4):
            open_connections.enter_context(door.connect()).sendall(head + part)
        deadline = time.monotonic() + 10
        while status_of(answer := door.exchange(post(signed, whole))) != 503:
            assert time.monotonic() < deadline, "what was sent is taken in soon"
        assert body_of(answer)["__type"] == "ServiceUnavailableException"
        assert status_of(door.exchange(post(signed, b"{}"))) == 200
        open_connections.close()
        deadline = time.monotonic() + 10
        while status_of(door.exchange(post(signed, whole))) != 200:
            assert time.monotonic() < deadline, "what went away is noticed soon"


@pytest.mark.parametrize("begun", [b"", b"POST /v1/listjobs HT", POST + b"Host: localhost\r\n"])
def test_a_head_that_does_not_come_is_given_up(strict_door: Any, begun: bytes) -> None:
    with strict_door(head_seconds=0.2) as door:
        began_at = time.monotonic()
        response = door.exchange(begun)
    assert time.monotonic() - began_at < 5
    assert status_of(response) == 408 if begun else response == b""


@pytest.mark.parametrize("used", [False, True])
def test_a_head_that_trickles_is_given_up(strict_door: Any, signed: bytes, used: bool) -> None:
    """Bytes that keep coming do not put the deadline off, on a new connection or on one that was used before."""
    with strict_door(head_seconds=0.3) as door, door.connect() as connection:
        if used:
            connection.sendall(POST + signed + b"Content-Length: 2\r\n\r\n{}")
            assert status_of(connection.recv(65536)) == 200
        connection.settimeout(0.02)
        connection.sendall(b"POST /v1/")
        began_at = time.monotonic()
        received = b""
        while not received and time.monotonic() - began_at < 5:
            try:
                received = connection.recv(65536)
            except TimeoutError:
                connection.sendall(b"x")
    assert status_of(received) == 408


def test_an_idle_connection_is_closed(strict_door: Any, signed: bytes) -> None:
    with strict_door(idle_seconds=1) as door:
        response = door.exchange(POST + signed + b"Content-Length: 2\r\n\r\n{}")
    assert status_of(response) == 200


@pytest.mark.parametrize("pieces", [1, 50])
def test_a_head_that_is_too_large_is_refused(strict_door: Any, signed: bytes, pieces: int) -> None:
    with strict_door(head_bytes=10_000) as door:
        with door.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            head = POST + signed + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(50)) + b"\r\n"
            size = len(head) // pieces
            response = b""
            for start in range(0, len(head), size):
                try:
                    connection.sendall(head[start : start + size])
                except OSError:
                    break
            response = connection.recv(65536)
        assert status_of(response) == 431
        assert status_of(door.exchange(post(signed, b"{}"))) == 200


def test_one_endless_header_is_refused(strict_door: Any, signed: bytes) -> None:
    with strict_door(head_bytes=10_000) as door, door.connect() as connection:
        connection.sendall(POST + signed + b"X: ")
        with pytest.raises(OSError):
            for _ in range(1000):
                connection.sendall(b"x" * 65536)


def test_connections_beyond_the_limit_are_told_so(strict_door: Any, signed: bytes) -> None:
    with strict_door(connections=2) as door, ExitStack() as open_connections:
        first = open_connections.enter_context(door.connect())
        second = open_connections.enter_context(door.connect())
        request = POST + signed + b"Content-Length: 2\r\n\r\n{}"
        for connection in (first, second):
            connection.sendall(request)
            assert status_of(connection.recv(65536)) == 200
        response = door.exchange(request)
        assert status_of(response) == 503
        assert body_of(response)["__type"] == "ServiceUnavailableException"
        first.sendall(request)
        assert status_of(first.recv(65536)) == 200, "those that were there go on"


def test_pipelined_requests_are_answered_in_order(door: Any, signed: bytes) -> None:
    request = POST + signed + b"Content-Length: 2\r\n\r\n{}"
    response = door.exchange(request, request + post(signed, b"{"))
    assert [int(part[:3]) for part in response.split(b"HTTP/1.1 ")[1:]] == [200, 200, 400]


def test_a_caller_that_goes_away_is_no_error(door: Any, signed: bytes) -> None:
    for part in (b"POST", POST + signed, POST + signed + b"Content-Length: 10\r\n\r\n{"):
        with door.connect() as connection:
            connection.sendall(part)
    assert door.desk.seen == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (b"Host: localhost\r\n", "MissingAuthenticationTokenException"),
        (b"", "AccessDeniedException"),
        (b"Host: evil.example\r\nAuthorization: AWS4-HMAC-SHA256 \r\n", "AccessDeniedException"),
        (
            b"Host: localhost\r\nAuthorization: AWS4-HMAC-SHA256 \r\nOrigin: https://evil.example\r\n",
            "AccessDeniedException",
        ),
        (
            b"Host: localhost\r\nAuthorization: AWS4-HMAC-SHA256 \r\nSec-Fetch-Site: cross-site\r\n",
            "AccessDeniedException",
        ),
    ],
)
@pytest.mark.parametrize("method", [b"POST", b"GET", b"OPTIONS", b"HEAD"])
def test_requests_of_a_page_do_nothing(door: Any, method: bytes, headers: bytes, code: str) -> None:
    response = door.exchange(method + b" /v1/listjobs HTTP/1.1\r\n" + headers + b"Content-Length: 2\r\n\r\n{}")
    assert status_of(response) == 403
    assert b"access-control" not in response.lower()
    assert b"x-amzn-errortype: " + code.encode() in response
    if method != b"HEAD":
        assert body_of(response)["__type"] == code
    assert door.desk.seen == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        (b"GET", b"/longshore/jobs", b"X-Longshore-Client: cli\r\n", 200),
        (b"GET", b"/longshore/jobs", b"", 403),
        (b"POST", b"/longshore/jobs", b"X-Longshore-Client: cli\r\nContent-Type: application/json\r\n", 200),
        (b"POST", b"/longshore/jobs", b"X-Longshore-Client: cli\r\nContent-Type: text/plain\r\n", 403),
        (b"POST", b"/longshore/jobs", b"X-Longshore-Client: cli\r\n", 403),
        (b"GET", b"/longshore/jobs", b"X-Longshore-Client: cli\r\nOrigin: null\r\n", 403),
        (b"GET", b"/metrics", b"", 200),
        (b"GET", b"/metrics", b"Sec-Fetch-Site: cross-site\r\n", 403),
    ],
)
def test_our_own_api_is_guarded_too(door: Any, method: bytes, path: bytes, headers: bytes, status: int) -> None:
    head = method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers
    response = door.exchange(head + b"Content-Length: 2\r\n\r\n{}")
    assert status_of(response) == status
    if status == 200:
        assert body_of(response) == {"path": path.decode(), "body": "{}"}


def test_our_own_api_is_bounded_too(door: Any) -> None:
    head = b"POST /longshore/jobs HTTP/1.1\r\nHost: localhost\r\nX-Longshore-Client: cli\r\n"
    with door.connect() as connection:
        connection.sendall(head + b"Content-Type: application/json\r\nContent-Length: 2000000\r\n\r\n")
        assert status_of(connection.recv(65536)) == 413
