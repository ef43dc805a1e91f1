"""Who is let in: clients of ours, and no page of a browser."""

import pytest

from longshore.api.aws.signature import CredentialScope, is_signed, parse_scope
from longshore.api.guard import Guard, refuse_unintended

GUARD = Guard(frozenset({"batch.example.org"}))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8642",
        "LOCALHOST:8642",
        "localhost.",
        "127.0.0.1:8642",
        "127.8.9.1",
        "[::1]:8642",
        "[::1]",
        "batch.example.org",
        "Batch.Example.org:443",
    ],
)
def test_names_of_this_server_are_let_in(host: str) -> None:
    assert GUARD.refuse_foreign({b"host": host.encode()}) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8642",
        "10.0.0.1",
        "0.0.0.0",
        "[::2]",
        "localhost:8642@evil.example",
        "localhost:99999999",
        "localhost evil",
        "localhost\xa0",
        ":8642",
        "[::1",
        "x" * 10_000,
    ],
)
def test_other_names_are_not(host: str) -> None:
    reason = GUARD.refuse_foreign({b"host": host.encode("latin-1")})
    assert reason is not None
    assert len(reason) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"origin", b"http://localhost:8642"),
        (b"origin", b"null"),
        (b"origin", b""),
        (b"sec-fetch-site", b"cross-site"),
        (b"sec-fetch-site", b"same-origin"),
        (b"sec-fetch-site", b"same-site"),
        (b"sec-fetch-site", b""),
    ],
)
def test_requests_of_pages_are_refused(name: bytes, value: bytes) -> None:
    assert GUARD.refuse_foreign({b"host": b"localhost", name: value}) is not None


def test_an_address_typed_by_a_person_is_not_a_page() -> None:
    assert GUARD.refuse_foreign({b"host": b"localhost", b"sec-fetch-site": b"none"}) is None


def test_the_aws_side_wants_a_signature_that_it_does_not_verify() -> None:
    assert is_signed(b"AWS4-HMAC-SHA256 Credential=whatever")
    for authorization in (b"", b"Bearer AWS4-HMAC-SHA256", b"Basic abc"):
        assert not is_signed(authorization)


def test_any_host_is_let_in_where_it_is_signed() -> None:
    guard = Guard(frozenset(), any_host=True)
    assert guard.refuse_foreign({b"host": b"evil.example"}) is None
    assert guard.refuse_foreign({b"host": b"evil.example", b"origin": b"http://evil.example"}) is not None


def test_our_own_api_wants_its_header_and_json() -> None:
    ours = {b"x-longshore-client": b"cli"}
    assert refuse_unintended("GET", ours) is None
    assert refuse_unintended("POST", ours | {b"content-type": b"application/json; charset=utf-8"}) is None
    assert refuse_unintended("GET", {}) is not None
    for content_type in (b"text/plain", b"application/x-www-form-urlencoded", b"application/jsonx", b""):
        assert refuse_unintended("POST", ours | {b"content-type": content_type}) is not None
    assert refuse_unintended("DELETE", ours) is not None


def test_the_credential_scope_names_region_and_service() -> None:
    header = b"AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-3/batch/aws4_request, SignedHeaders=host, Signature=0"
    assert parse_scope(header) == CredentialScope(region="eu-west-3", service="batch")


@pytest.mark.parametrize(
    "credential",
    [
        b"AKID/20261123/eu-west-3/batch",
        b"AKID/20261123/eu west/batch/aws4_request",
        b"AKID/20261123/../batch/aws4_request",
        b"AKID/20261123/" + b"x" * 65 + b"/batch/aws4_request",
        b"AKID/2026/eu-west-3/batch/aws4_request",
        b"",
    ],
)
def test_a_scope_that_cannot_be_meant_is_none(credential: bytes) -> None:
    assert parse_scope(b"AWS4-HMAC-SHA256 Credential=" + credential + b", Signature=0") is None
