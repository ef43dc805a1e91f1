"""Signatures are verified as botocore makes them, and nothing else is let in."""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from botocore import auth as botocore_auth
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.api.aws.authentication import Authenticator
from longshore.api.aws.faults import (
    ExpiredRequest,
    IncompleteSignature,
    MissingSignature,
    SignAnew,
    WrongSignature,
)
from longshore.api.aws.signature import SignedRequest
from longshore.domain.errors import NotAuthenticated
from longshore.sealing import FileSealer
from longshore.service.caller import Principal
from longshore.service.credentials import CredentialDesk, UnknownKey
from longshore.service.keys import NewKey, create_key
from longshore.store.sqlite import InlineStore
from longshore.testing.clock import VirtualClock

ACCOUNT = "111122223333"
HOST = "batch.example.org:8642"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent(SignedRequest):
    """A whole request."""

    body: bytes


@dataclass(kw_only=True)
class Door:
    """An authenticator on virtual time with one key, and botocore's signers of the same time."""

    folder: Path
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(now=datetime(2026, 6, 1, 12, 30, 15, tzinfo=UTC)))

    def __post_init__(self) -> None:
        store = InlineStore()
        asyncio.run(store.open())
        sealer = FileSealer(self.folder)
        self.desk = CredentialDesk(store, sealer, self.clock, account_id=ACCOUNT)
        self.make: Callable[..., NewKey] = lambda *actions: asyncio.run(
            create_key(store, sealer, self.clock, name=None, account_id=None, actions=actions)
        )
        self.key = self.make()
        self.authenticator = self.open_anew()
        self.signed_at: datetime | None = None

    def sign(
        self,
        method: str = "POST",
        target: str = "/v1/submitjob",
        body: bytes = b"{}",
        headers: Mapping[str, str] | None = None,
        *,
        signer: type[SigV4Auth] = SigV4Auth,
        service: str = "batch",
        credentials: Credentials | None = None,
        **options: Any,
    ) -> Sent:
        """A request as botocore sends it."""
        key = credentials or Credentials(self.key.access_key_id, self.key.secret_access_key)
        request = AWSRequest(method=method, url=f"http://{HOST}{target}", data=body, headers=dict(headers or {}))
        signer(key, service, "eu-west-3", **options).add_auth(request)
        prepared = request.prepare()
        parts = urlsplit(prepared.url)
        sent = [(name.lower().encode(), value.encode("latin-1")) for name, value in _items(prepared.headers)]
        return Sent(
            method=method,
            path=parts.path,
            query=parts.query.encode(),
            headers=[(b"host", HOST.encode()), (b"user-agent", b"any"), *sent],
            body=body,
            connection="192.0.2.1:1000",
            service=service,
            is_read=False,
        )

    def open_anew(self, *, began_ago: int = 1) -> Authenticator:
        """An authenticator that began so many seconds ago."""
        self.clock.jump_wall(-began_ago)
        authenticator = Authenticator(self.desk, self.clock)
        self.clock.jump_wall(began_ago)
        return authenticator

    def verify(self, request: Sent) -> Principal:
        """Who signed it. Time moves as far as the answer is held back."""

        async def work() -> Principal:
            prove = await self.authenticator.check(request)
            proving = asyncio.ensure_future(prove(request.body))
            await self.clock.settle()
            if not proving.done():
                await self.clock.advance(1)
            return await proving

        return asyncio.run(work())


def _items(headers: Mapping[str, str | bytes]) -> list[tuple[str, str]]:
    return [(name, value if isinstance(value, str) else value.decode()) for name, value in headers.items()]


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    door = Door(folder=tmp_path)
    monkeypatch.setattr(botocore_auth, "get_current_datetime", lambda: door.signed_at or door.clock.now())
    return door


def with_header(request: Sent, name: bytes, value: bytes | None) -> Sent:
    """The request with another value of a header, or without it."""
    others = [(given, old) for given, old in request.headers if given != name]
    return replace(request, headers=others if value is None else [*others, (name, value)])


def header(request: Sent, name: bytes) -> bytes:
    return dict(request.headers)[name]


segments = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), max_size=12).map(
    lambda text: quote(text, safe=":~")
)
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
queries = st.lists(st.tuples(segments, segments), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
headers = st.dictionaries(st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), header_values, max_size=4)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=paths,
    query=queries,
    body=st.binary(max_size=200),
    given=headers,
    signer=st.sampled_from([SigV4Auth, SigV4QueryAuth]),
)
def test_what_botocore_signs_is_verified_and_no_part_can_be_changed(
    door: Door, method: str, path: str, query: str, body: bytes, given: dict[str, str], signer: type[SigV4Auth]
) -> None:
    """Method, path, query, signed headers and body are all covered, in the header form and in the query form."""
    door.authenticator = door.open_anew()
    target = f"{path}?{query}" if query else path
    if signer is SigV4QueryAuth:
        body = b""  # botocore would read it as a form and move it into the query
    request = door.sign(method, target, body, given, signer=signer)
    assert door.verify(request).account_id == ACCOUNT
    changed = [
        replace(request, method="PUT"),
        replace(request, path=request.path + "x"),
        replace(request, query=request.query + b"&tagKeys=more"),
        replace(request, body=request.body + b" "),
        with_header(request, b"host", b"elsewhere:8642"),
    ]
    changed += [with_header(request, name.encode(), b"changed!") for name in given]
    for other in changed:
        with pytest.raises(WrongSignature):
            door.verify(other)


def test_order_of_the_query_and_blanks_in_headers_do_not_matter(door: Door) -> None:
    request = door.sign("GET", "/v1/tags/arn%3Aaws?b=2&a=1&a=0", b"", {"x-more": "a  b"})
    assert door.verify(replace(with_header(request, b"x-more", b" a b "), query=b"a=1&a=0&b=2"))


def test_a_date_header_will_do(door: Door) -> None:
    """botocore then signs with it in place of X-Amz-Date."""
    request = door.sign(headers={"Date": "any"})
    assert b"x-amz-date" not in dict(request.headers)
    assert door.verify(request)


@pytest.mark.parametrize("seconds", [-299, 299])
def test_clocks_may_differ_by_five_minutes(door: Door, seconds: int) -> None:
    door.authenticator = door.open_anew(began_ago=600)
    door.signed_at = door.clock.now() + timedelta(seconds=seconds)
    assert door.verify(door.sign())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-301, r"Signature expired: 20260601T122514Z is now earlier than 20260601T122515Z \(20260601T123015Z - 5 min"),
        (301, r"Signature not yet current: 20260601T123516Z is still later than 20260601T123515Z \("),
    ],
)
def test_and_by_no_more(door: Door, seconds: int, said: str) -> None:
    door.signed_at = door.clock.now() + timedelta(seconds=seconds)
    with pytest.raises(WrongSignature, match=said):
        door.verify(door.sign())


@pytest.mark.parametrize(
    ("expires", "later", "lives"), [(60, 59, True), (60, 61, False), (86_400, 899, True), (86_400, 901, False)]
)
def test_presigned_requests_live_as_long_as_they_say_and_at_most_15_minutes(
    door: Door, expires: int, later: int, lives: bool
) -> None:
    """They may be used more than once: that is what they are for."""
    request = door.sign("GET", "/", b"", signer=SigV4QueryAuth, service="sts", expires=expires)
    assert door.verify(request)
    asyncio.run(door.clock.advance(later))
    if lives:
        assert door.verify(request)
    else:
        with pytest.raises(ExpiredRequest):
            door.verify(request)


def test_a_presigned_change_is_good_once(door: Door) -> None:
    request = door.sign("DELETE", body=b"", signer=SigV4QueryAuth)
    assert door.verify(request)
    asyncio.run(door.clock.advance(10))
    with pytest.raises(WrongSignature, match="used before"):
        door.verify(request)


def test_a_replay_is_refused(door: Door) -> None:
    """At once from elsewhere in a way that clients answer by signing anew, and later for good."""
    request = door.sign()
    assert door.verify(request)
    assert door.verify(request)
    elsewhere = replace(request, connection="192.0.2.1:1001")
    asked_at = door.clock.now()
    with pytest.raises(SignAnew):
        door.verify(elsewhere)
    assert door.clock.now() - asked_at == timedelta(seconds=1), "what comes next has another date, and so signature"
    assert door.verify(replace(elsewhere, is_read=True))
    asyncio.run(door.clock.advance(3))
    for again in (request, elsewhere, replace(request, is_read=True)):
        with pytest.raises(WrongSignature, match="used before"):
            door.verify(again)


@pytest.mark.parametrize("milliseconds", [0, 10, 999])
def test_what_a_server_before_this_one_may_have_let_in_must_be_signed_anew(door: Door, milliseconds: int) -> None:
    """That is all with a date up to the second in which this one began."""
    asyncio.run(door.clock.advance(0.001))
    before = door.sign()
    assert door.verify(before)
    door.authenticator = Authenticator(door.desk, door.clock)
    asyncio.run(door.clock.advance(milliseconds / 1000))
    with pytest.raises(SignAnew):
        door.verify(before)
    assert door.verify(door.sign()), "which what is held back until then already is"


def test_what_was_refused_is_not_remembered(door: Door) -> None:
    """A stranger cannot spoil a request by sending a changed copy of it first."""
    request = door.sign()
    with pytest.raises(WrongSignature):
        door.verify(replace(request, body=b"other", connection="elsewhere:1"))
    assert door.verify(request)


def test_sessions_sign_with_their_token(door: Door) -> None:
    principal = door.verify(door.sign())
    session = asyncio.run(door.desk.lend(principal, timedelta(hours=1)))
    credentials = Credentials(session.key_id, session.secret, session.token)
    for signer in (SigV4Auth, SigV4QueryAuth):
        request = door.sign("GET", body=b"", signer=signer, credentials=credentials)
        assert door.verify(request).is_temporary
    unsaid = Credentials(session.key_id, session.secret)
    with pytest.raises(UnknownKey):
        door.verify(door.sign(credentials=unsaid))


def test_a_body_is_signed_as_a_whole(door: Door) -> None:
    """What S3 takes beside that is not taken here; a right hash in the header is."""
    digest = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert door.verify(door.sign(headers={"x-amz-content-sha256": digest}))
    for said in ("UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "0" * 64):
        with pytest.raises(WrongSignature, match="must be the SHA-256 of the body"):
            door.verify(door.sign(headers={"x-amz-content-sha256": said}))
    stating = door.sign(headers={"x-amz-content-sha256": digest})
    for said in (b"UNSIGNED-PAYLOAD", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", b"", digest.upper().encode()):
        with pytest.raises(WrongSignature, match="must be the SHA-256 of the body"):
            # before the body is there
            asyncio.run(door.authenticator.check(with_header(stating, b"x-amz-content-sha256", said)))


def test_headers_that_count_must_be_signed(door: Door) -> None:
    request = door.sign()
    with pytest.raises(WrongSignature, match="'x-amz-target' must be a 'SignedHeader'"):
        door.verify(with_header(request, b"x-amz-target", b"Logs_20140328.DeleteLogGroup"))
    without_host = header(request, b"authorization").replace(b"host;", b"")
    with pytest.raises(WrongSignature, match="'Host' or ':authority' must be"):
        door.verify(with_header(request, b"authorization", without_host))


def test_the_scope_must_be_that_of_the_request(door: Door) -> None:
    with pytest.raises(WrongSignature, match="scoped to correct service: 'batch'"):
        door.verify(replace(door.sign(service="logs"), service="batch"))
    request = door.sign()
    other_day = header(request, b"authorization").replace(b"/20260601/", b"/20260531/")
    with pytest.raises(WrongSignature, match="Date in Credential scope does not match .* '20260531' != '20260601'"):
        door.verify(with_header(request, b"authorization", other_day))
    other_region = header(request, b"authorization").replace(b"/eu-west-3/", b"/us-east-1/")
    with pytest.raises(WrongSignature, match="does not match the signature you provided"):
        door.verify(with_header(request, b"authorization", other_region))


def test_unknown_and_wrong_secrets(door: Door) -> None:
    with pytest.raises(UnknownKey):
        door.verify(door.sign(credentials=Credentials("LSAKUNKNOWN", "any")))
    with pytest.raises(WrongSignature):
        door.verify(door.sign(credentials=Credentials(door.key.access_key_id, "wrong")))


AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=LSAK/20260601/eu-west-3/batch/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
)


@pytest.mark.parametrize(
    ("authorization", "said"),
    [
        ("AWS4-HMAC-SHA256", "requires 'Credential' parameter. .* requires 'Signature' .* requires 'SignedHeaders'"),
        (AUTHORIZATION.replace("Signature=", "Sign="), "requires 'Signature' parameter"),
        (AUTHORIZATION.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256-PAYLOAD"), "requires the algorithm"),
        (AUTHORIZATION.replace("/aws4_request", ""), "exactly 5 slash-delimited elements"),
        (AUTHORIZATION.replace("/20260601", "/2026060"), "exactly 5 slash-delimited elements"),
        (AUTHORIZATION.replace("eu-west-3", "EU"), "exactly 5 slash-delimited elements"),
        (AUTHORIZATION[:-1], "Signature must be 64 hexadecimal digits"),
        (AUTHORIZATION[:-1] + "G", "Signature must be 64 hexadecimal digits"),
    ],
)
def test_half_a_signature_is_told_what_is_missing(door: Door, authorization: str, said: str) -> None:
    request = with_header(door.sign(), b"authorization", authorization.encode())
    with pytest.raises(IncompleteSignature, match=said):
        door.verify(request)


@pytest.mark.parametrize("date", [None, b"yesterday", b"20260601T12301Z", b"20269901T123015Z", b""])
def test_a_date_is_needed(door: Door, date: bytes | None) -> None:
    with pytest.raises(IncompleteSignature):
        door.verify(with_header(door.sign(), b"x-amz-date", date))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda query: query.replace(b"X-Amz-Expires=", b"X-Amz-Expire="), "must include X-Amz-Expires"),
        (lambda query: query.replace(b"X-Amz-Expires=3600", b"X-Amz-Expires=-1"), "must be a number of seconds"),
        (lambda query: query.replace(b"HMAC-SHA256", b"HMAC-SHA1"), "X-Amz-Algorithm must be"),
        (lambda query: query + b"&X-Amz-Date=20260601T123015Z", "more than one X-Amz-Date"),
    ],
)
def test_half_a_presigned_query(door: Door, change: Callable[[bytes], bytes], said: str) -> None:
    request = door.sign("GET", signer=SigV4QueryAuth, body=b"")
    with pytest.raises(IncompleteSignature, match=said):
        door.verify(replace(request, query=change(request.query)))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(authorization=st.binary(max_size=300), query=st.binary(max_size=300), date=st.text(max_size=30))
def test_whatever_comes_is_refused_and_breaks_nothing(
    door: Door, authorization: bytes, query: bytes, date: str
) -> None:
    request = door.sign()
    changed = with_header(request, b"authorization", b"AWS4-HMAC-SHA256 " + authorization)
    changed = with_header(changed, b"x-amz-date", date.encode())
    for other in (changed, replace(with_header(request, b"authorization", None), query=b"X-Amz-Algorithm=" + query)):
        with pytest.raises(NotAuthenticated):
            door.verify(other)


def test_metrics_are_for_keys_that_can_do_nothing_else(door: Door) -> None:
    def ask(authorization: str) -> None:
        asyncio.run(door.authenticator.verify_scraper(authorization.encode()))

    def basic(key: NewKey, secret: str | None = None) -> str:
        pair = f"{key.access_key_id}:{secret or key.secret_access_key}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    scraper, both = door.make("longshore:ReadMetrics"), door.make("longshore:ReadMetrics", "batch:*")
    ask(basic(scraper))
    for wrong in (basic(scraper, "wrong"), basic(both), basic(door.key)):
        with pytest.raises(UnknownKey):
            ask(wrong)
    for missing in ("", "Bearer abc", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff").decode()):
        with pytest.raises(MissingSignature):
            ask(missing)
