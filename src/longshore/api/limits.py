"""The settings of the front door."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a client may ask of the door, whoever it is."""

    body_bytes: int = 1024 * 1024
    #: Of all bodies together that are not complete.
    bodies_bytes: int = 128 * 1024 * 1024
    head_bytes: int = 64 * 1024
    #: From the first byte of a request, or from connecting, until its head is there.
    head_seconds: float = 10.0
    #: From the end of the head until the whole body is there.
    body_seconds: float = 20.0
    #: How long a connection may idle between requests.
    idle_seconds: float = 75.0
    #: Below the usual limit of 1,024 descriptors, of which the rest of the server needs some too.
    connections: int = 800
    #: How long requests in progress may take to end when the server stops.
    shutdown_seconds: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """Who the server is to its callers."""

    account_id: str = "000000000000"
    #: For requests that carry no credential scope.
    region: str = "us-east-1"
    #: Names beyond the loopback ones that a request's Host may have, in lower case, without port.
    host_names: frozenset[str] = frozenset()
    limits: Limits = Limits()
