"""The Authorization header of AWS Signature Version 4, read but not verified.

Source: AWS Identity and Access Management user guide, elements of an API request signature.
"""

import re
from dataclasses import dataclass

ALGORITHM = b"AWS4-HMAC-SHA256"
#: Region and service go into ARNs and into the store.
_SCOPE = re.compile(
    rb"\bCredential=(?P<key>[^/,\s]{1,128})/[0-9]{8}/(?P<region>[a-z0-9-]{1,64})/(?P<service>[a-z0-9-]{1,64})/aws4_request\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialScope:
    """What a signature is good for."""

    region: str
    service: str


def is_signed(authorization: bytes) -> bool:
    """Whether the header claims to carry a signature: no browser sends one of its own accord."""
    return authorization.startswith(ALGORITHM)


def parse_scope(authorization: bytes) -> CredentialScope | None:
    """The credential scope in the header, or None when it has none that could be meant."""
    match = _SCOPE.search(authorization)
    if match is None:
        return None
    return CredentialScope(region=match["region"].decode(), service=match["service"].decode())
