"""The signature of a request as AWS Signature Version 4 puts it there: in the Authorization header or in the query.

Only read here; `authentication` verifies it. Source: IAM user guide, AWS Signature Version 4 for API requests.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from longshore.api.aws.faults import IncompleteSignature

ALGORITHM = b"AWS4-HMAC-SHA256"
#: Region and service go into ARNs and into the store.
_SCOPE = re.compile(
    rb"(?P<key>[^/,\s]{1,128})/(?P<date>[0-9]{8})/(?P<region>[a-z0-9-]{1,64})/(?P<service>[a-z0-9-]{1,64})/aws4_request"
)
_CREDENTIAL = re.compile(rb"\bCredential=" + _SCOPE.pattern + rb"(?![^,\s])")
_PART = re.compile(rb"\s*(Credential|SignedHeaders|Signature)=([^,\s]*)\s*(?:,|\Z)")
_SIGNATURE = re.compile(r"[0-9a-f]{64}\Z")
_WHOLE = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialScope:
    """What a signature is good for."""

    region: str
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request as it was sent, without its body, and what the verification wants to know of it."""

    method: str
    path: str
    query: bytes
    #: names in lower case
    headers: Sequence[tuple[bytes, bytes]]
    #: address and port that it came from; empty for a socket without addresses
    connection: str
    #: the service that it asks, where that shows without the signature
    service: str | None
    #: whether it changes nothing, however often it is carried out
    is_read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request says of its signature."""

    key_id: str
    scope: CredentialScope
    #: YYYYMMDD, of the credential scope
    scope_date: str
    signed_headers: tuple[str, ...]
    #: 64 hex digits
    signature: str
    #: as it was sent, if it was
    date: str | None
    token: str | None
    #: of the query form alone
    expires_seconds: int | None = None
    #: without the signature itself
    query: bytes = b""


def is_signed(authorization: bytes) -> bool:
    """Whether the header claims to carry a signature: no browser sends one of its own accord."""
    return authorization.startswith(ALGORITHM)


def is_presigned(query: bytes) -> bool:
    """Whether the query claims to carry a signature."""
    return b"X-Amz-Algorithm=" in query


def parse_scope(authorization: bytes) -> CredentialScope | None:
    """The credential scope in the header, or None when it has none that could be meant."""
    return _scope(_CREDENTIAL.search(authorization))


def parse_presigned_scope(query: bytes) -> CredentialScope | None:
    """The credential scope in the query, or None when it has none that could be meant."""
    try:
        credential = _fields(query).get("X-Amz-Credential", "")
    except IncompleteSignature:
        return None
    return _scope(_SCOPE.fullmatch(credential.encode("latin-1", "replace")))


def parse_claim(headers: Mapping[bytes, bytes], query: bytes) -> Claim:
    """The claim of a signed or presigned request.

    Raises:
        IncompleteSignature: a part is missing or malformed; the text says which.
    """
    if is_signed(headers.get(b"authorization", b"")):
        return _parse_header(headers, query)
    return _parse_query(query)


def _parse_header(headers: Mapping[bytes, bytes], query: bytes) -> Claim:
    algorithm, _, rest = headers[b"authorization"].partition(b" ")
    parts = {name.decode(): value.decode("latin-1") for name, value in _PART.findall(rest)}
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    date = headers.get(b"x-amz-date") or headers.get(b"date")
    if date is None:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if algorithm != ALGORITHM:
        missing.append(f"Authorization header requires the algorithm {ALGORITHM.decode()}.")
    if missing:
        raise IncompleteSignature(" ".join(missing))
    return _claim(
        *(parts["Credential"], parts["SignedHeaders"], parts["Signature"], query),
        date=date.decode("latin-1") if date else None,
        token=headers[b"x-amz-security-token"].decode("latin-1") if b"x-amz-security-token" in headers else None,
    )


def _parse_query(query: bytes) -> Claim:
    fields = _fields(query)
    wanted = ("X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature")
    missing = [name for name in wanted if not fields.get(name)]
    if missing:
        raise IncompleteSignature(f"AWS query-string parameters must include {', '.join(missing)}.")
    if fields["X-Amz-Algorithm"] != ALGORITHM.decode():
        raise IncompleteSignature(f"X-Amz-Algorithm must be {ALGORITHM.decode()}.")
    if not _WHOLE.match(fields["X-Amz-Expires"]):
        raise IncompleteSignature("X-Amz-Expires must be a number of seconds.")
    unsigned = b"&".join(pair for pair in query.split(b"&") if not pair.startswith(b"X-Amz-Signature="))
    return _claim(
        *(fields["X-Amz-Credential"], fields["X-Amz-SignedHeaders"], fields["X-Amz-Signature"], unsigned),
        date=fields["X-Amz-Date"],
        token=fields.get("X-Amz-Security-Token"),
        expires_seconds=int(fields["X-Amz-Expires"]),
    )


def _claim(
    credential: str,
    signed_headers: str,
    signature: str,
    query: bytes,
    *,
    date: str | None,
    token: str | None,
    expires_seconds: int | None = None,
) -> Claim:
    match = _SCOPE.fullmatch(credential.encode("latin-1", "replace"))
    scope = _scope(match)
    if match is None or scope is None:
        raise IncompleteSignature(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request."
        )
    if not _SIGNATURE.match(signature):
        raise IncompleteSignature("Signature must be 64 hexadecimal digits in lower case.")
    return Claim(
        key_id=match["key"].decode("latin-1"),
        scope=scope,
        scope_date=match["date"].decode(),
        signed_headers=tuple(signed_headers.split(";")),
        signature=signature,
        date=date,
        token=token,
        expires_seconds=expires_seconds,
        query=query,
    )


def _scope(match: re.Match[bytes] | None) -> CredentialScope | None:
    if match is None:
        return None
    return CredentialScope(region=match["region"].decode(), service=match["service"].decode())


def _fields(query: bytes) -> dict[str, str]:
    """The fields whose names begin with X-Amz-, decoded.

    Raises:
        IncompleteSignature: one is there twice, so that it is not clear which is meant.
    """
    fields: dict[str, str] = {}
    for pair in query.decode("latin-1").split("&"):
        name, _, value = pair.partition("=")
        if name.startswith("X-Amz-"):
            if name in fields:
                raise IncompleteSignature(f"The query has more than one {name[:100]}.")
            fields[name] = unquote(value, "latin-1")
    return fields
