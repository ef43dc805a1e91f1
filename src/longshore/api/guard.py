"""Which requests come in at all.

A page in a browser on this machine can send requests here, and a name it controls can be made to resolve to this
address. Such requests betray themselves by a foreign `Host`, by `Origin` or by `Sec-Fetch-Site`; none of our clients
sends these, and a page cannot leave them out. The headers asked for beyond that are ones that a page cannot add without
first asking by a preflight request, which is refused for its `Origin`. Sources: WHATWG Fetch, W3C Fetch Metadata.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address

CLIENT_HEADER = b"x-longshore-client"
_READS = frozenset({"GET", "HEAD"})
_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[^:\[\]\s/@]{1,255})(?::[0-9]{1,5})?\Z")
_LONGEST_ECHO = 200


class Guard:
    """Tells why a request is refused."""

    def __init__(self, host_names: frozenset[str], *, any_host: bool = False) -> None:
        """`host_names` are accepted beside the names of the loopback addresses; or any is, where it is signed."""
        self._host_names = host_names
        self._any_host = any_host
        self._is_ours = lru_cache(maxsize=64)(self._judge_host)

    def refuse_foreign(self, headers: Mapping[bytes, bytes]) -> str | None:
        """Why the request does not come from a client of ours, or None when it may."""
        host = headers.get(b"host", b"")
        if not self._any_host and not self._is_ours(host):
            return f"{_echo(host) or 'no host'} is no loopback name, and none that server.host_names gives this server"
        if b"origin" in headers:
            return f"requests of web pages are not accepted (Origin: {_echo(headers[b'origin'])})"
        site = headers.get(b"sec-fetch-site", b"none")
        if site != b"none":
            return f"requests of web pages are not accepted (Sec-Fetch-Site: {_echo(site)})"
        return None

    def _judge_host(self, host: bytes) -> bool:
        match = _HOST.match(host.decode("latin-1"))
        if match is None:
            return False
        name = match[1].lower().removesuffix(".")
        if name == "localhost" or name in self._host_names:
            return True
        try:
            return ip_address(name.strip("[]")).is_loopback
        except ValueError:
            return False


def refuse_unintended(method: str, headers: Mapping[bytes, bytes]) -> str | None:
    """Why a request to our own API is refused, or None when it may pass."""
    if CLIENT_HEADER not in headers:
        return f"requests under /longshore/ need the header {CLIENT_HEADER.decode()}, with any value"
    if method not in _READS and headers.get(b"content-type", b"").partition(b";")[0].strip() != b"application/json":
        return "requests under /longshore/ that change something need Content-Type: application/json"
    return None


def _echo(value: bytes) -> str:
    return value[:_LONGEST_ECHO].decode("latin-1")
