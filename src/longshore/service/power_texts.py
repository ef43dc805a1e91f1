"""How the values of our own tags are written. Each reader is given the tag's name for what it refuses."""

import re
from decimal import Decimal

from longshore.domain.powers import ConcurrencyKey
from longshore.service.refusals import invalid

_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_VCPUS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?")


def read_flag(tag: str, text: str) -> bool:
    """`true` or `false`."""
    if text not in ("true", "false"):
        raise invalid(f"{tag} should be true or false, got {text[:100]!r}")
    return text == "true"


def read_count(name: str, text: str) -> int:
    """A number of jobs."""
    if not _COUNT.fullmatch(text):
        raise invalid(f"{name} should be a number from 1 to 999999999, such as 10, got {text[:100]!r}")
    return int(text)


def read_vcpus(name: str, text: str) -> int:
    """A number of vCPUs, in thousandths."""
    milli = int(Decimal(text) * 1000) if _VCPUS.fullmatch(text) else 0
    if not milli:
        raise invalid(f"{name} should be a number of vCPUs above 0, such as 16 or 0.5, got {text[:100]!r}")
    return milli


def read_key(name: str, text: str) -> ConcurrencyKey:
    """A key, alone or with how many may hold it."""
    key, equals, most = text.rpartition("=")
    if not equals or not most.isdecimal():
        key, most = text, "1"
    if not key or not _COUNT.fullmatch(most):
        shape = "KEY, or KEY=NUMBER with a number from 1, such as database or database=3"
        raise invalid(f"{name} should be {shape}; got {text[:100]!r}")
    return ConcurrencyKey(name=key, most=int(most))
