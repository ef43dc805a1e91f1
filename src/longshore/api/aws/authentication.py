"""Verifying AWS Signature Version 4, with botocore's canonical form.

Source: IAM user guide, AWS Signature Version 4 for API requests, and the errors common to AWS APIs.
"""

import base64
import hmac
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as SigningCredentials

from longshore.api.aws.exchange import CLIENT_TOKEN
from longshore.api.aws.faults import ExpiredRequest, IncompleteSignature, MissingSignature, WrongSignature
from longshore.api.aws.replay import SeenSignatures
from longshore.api.aws.signature import Claim, SignedRequest, parse_claim
from longshore.domain.access_key import READ_METRICS
from longshore.ports.clock import Clock
from longshore.service.caller import Principal
from longshore.service.credentials import CredentialDesk, UnknownKey

SKEW = timedelta(minutes=5)
#: From its date, whatever X-Amz-Expires allows beyond: as AWS does it for presigned calls of these services.
PRESIGNED_LIFE = timedelta(minutes=15)
_PAYLOAD_HASH = "x-amz-content-sha256"
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")


class Authenticator:
    """Tells whose signature a request carries."""

    def __init__(self, credentials: CredentialDesk, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._seen = SeenSignatures(
            began_at=int(clock.now().timestamp()),
            window_seconds=int(PRESIGNED_LIFE.total_seconds()),
            read_boot_clock=clock.boot_seconds,
        )

    async def verify(self, request: SignedRequest) -> Principal:
        """Who signed the request.

        Raises:
            NotAuthenticated: a subclass that says why it is refused.
        """
        claim = parse_claim(dict(request.headers), request.query)
        signed_at = _signed_at(claim)
        timestamp = signed_at.strftime(SIGV4_TIMESTAMP)
        if timestamp[:8] != claim.scope_date:
            raise WrongSignature(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{claim.scope_date}' != '{timestamp[:8]}', from '{timestamp}'."
            )
        if request.service is not None and request.service != claim.scope.service:
            raise WrongSignature(f"Credential should be scoped to correct service: '{request.service}'.")
        now = self._clock.now()
        _check_age(claim, signed_at, now)
        payload_hash = sha256(request.body).hexdigest()
        _check_headers(claim, request, payload_hash)
        credentials = await self._credentials.find(claim.key_id, claim.token)
        expected = compute_signature(claim, request, timestamp, secret=credentials.secret, payload_hash=payload_hash)
        if not hmac.compare_digest(expected, claim.signature):
            raise WrongSignature
        # A presigned GET is made to be used again until it expires.
        if claim.expires_seconds is None or request.method != "GET":
            self._seen.admit(
                bytes.fromhex(expected)[:16],
                date=int(signed_at.timestamp()),
                connection=request.connection,
                is_read=request.is_read,
                now=int(now.timestamp()),
            )
        return credentials.principal

    async def verify_scraper(self, authorization: bytes) -> None:
        """Returns when this is a Basic authorization with id and secret of a key that is for reading metrics alone.

        The secret goes over the wire, so it must be good for nothing else. Source: RFC 7617.

        Raises:
            NotAuthenticated: it is none.
        """
        scheme, _, encoded = authorization.partition(b" ")
        try:
            key_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            key_id = secret = ""
        if scheme.lower() != b"basic" or not key_id:
            raise MissingSignature(f"/metrics needs a key for {READ_METRICS} alone, by HTTP Basic authentication")
        credentials = await self._credentials.find(key_id, None)
        if credentials.principal.actions != (READ_METRICS,) or not hmac.compare_digest(
            credentials.secret.encode(), secret.encode()
        ):
            raise UnknownKey


class _CanonicalForm(SigV4Auth):
    """botocore's signer over exactly the headers that the claim names; it would choose others by itself."""

    def headers_to_sign(self, request: Any) -> Any:
        return request.headers

    def payload(self, request: Any) -> str:
        return request.context["payload_hash"]


def compute_signature(claim: Claim, request: SignedRequest, timestamp: str, *, secret: str, payload_hash: str) -> str:
    """The signature that the owner of `secret` gives the request: 64 hex digits."""
    headers: Any = HTTPHeaders()
    for name, value in request.headers:
        if (text := name.decode("latin-1")) in claim.signed_headers:
            headers[text] = value.decode("latin-1")
    # Host and scheme do not matter here: the host is signed as a header.
    url = f"http://localhost{request.path}?{claim.query.decode('latin-1')}"
    form: Any = AWSRequest(method=request.method, url=url)
    form.headers = headers
    form.context |= {"timestamp": timestamp, "payload_hash": payload_hash}
    signing = SigningCredentials(claim.key_id, secret)
    signer: Any = _CanonicalForm(signing, claim.scope.service, claim.scope.region)
    return signer.signature(signer.string_to_sign(form, signer.canonical_request(form)), form)


def _signed_at(claim: Claim) -> datetime:
    assert claim.date is not None
    try:
        if _TIMESTAMP.match(claim.date):
            return datetime.strptime(claim.date, SIGV4_TIMESTAMP).replace(tzinfo=UTC)
        if claim.expires_seconds is None:
            return parsedate_to_datetime(claim.date).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise IncompleteSignature("Date must be in ISO-8601 'basic format': YYYYMMDD'T'HHMMSS'Z'.")


def _check_age(claim: Claim, signed_at: datetime, now: datetime) -> None:
    """Raises WrongSignature or, for the query form, ExpiredRequest."""
    if claim.expires_seconds is not None:
        life = min(timedelta(seconds=claim.expires_seconds), PRESIGNED_LIFE)
        if not signed_at - PRESIGNED_LIFE <= now <= signed_at + life:
            raise ExpiredRequest
        return
    at, present = signed_at.strftime(SIGV4_TIMESTAMP), now.strftime(SIGV4_TIMESTAMP)
    if signed_at < now - SKEW:
        earliest = (now - SKEW).strftime(SIGV4_TIMESTAMP)
        raise WrongSignature(f"Signature expired: {at} is now earlier than {earliest} ({present} - 5 min.)")
    if signed_at > now + SKEW:
        latest = (now + SKEW).strftime(SIGV4_TIMESTAMP)
        raise WrongSignature(f"Signature not yet current: {at} is still later than {latest} ({present} + 5 min.)")


def _check_headers(claim: Claim, request: SignedRequest, payload_hash: str) -> None:
    """Raises WrongSignature when something that counts is not covered, or the body is another than was signed."""
    if "host" not in claim.signed_headers:
        raise WrongSignature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    for raw, value in request.headers:
        name = raw.decode("latin-1")
        if (name.startswith("x-amz-") or raw == CLIENT_TOKEN) and name not in claim.signed_headers:
            raise WrongSignature(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
        if name == _PAYLOAD_HASH and value.decode("latin-1") != payload_hash:
            raise WrongSignature(
                "x-amz-content-sha256 must be the SHA-256 of the body; "
                "unsigned payloads and payloads signed in chunks are not taken."
            )
