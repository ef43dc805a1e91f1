"""What values a setting may have, each kind with the words that complete "X is not ..."."""

import ipaddress
import json
import math
import os
import pwd
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from longshore.domain.prices import Price

T = TypeVar("T")

_PRICE_MEMBERS = frozenset(field.name for field in fields(Price))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """What values a setting may have."""

    #: completes the sentence "X is not ..."
    expects: str
    #: the value of what was given as text or as a TOML value, or ValueError; relative paths start at the folder
    parse: Callable[[object, Path], T]


def whole(low: int, high: int, unit: str = "") -> Kind[int]:
    """A whole number within the bounds, both included."""

    def parse(raw: object, _: Path) -> int:
        if isinstance(raw, bool) or not isinstance(raw, int | str):
            raise ValueError
        if isinstance(raw, str) and not re.fullmatch("[0-9]{1,18}", raw):
            raise ValueError
        if not low <= int(raw) <= high:
            raise ValueError
        return int(raw)

    return Kind(expects=f"a whole number {f'of {unit} ' if unit else ''}from {low} to {high}", parse=parse)


def one_of(*words: str) -> Kind[Any]:
    """One of the words, as they are written."""

    def parse(raw: object, _: Path) -> str:
        if raw not in words:
            raise ValueError
        return cast(str, raw)

    return Kind(expects=f"one of {', '.join(words)}", parse=parse)


def matching(pattern: str, expects: str) -> Kind[str]:
    """Text that matches the pattern whole."""

    def parse(raw: object, _: Path) -> str:
        if not isinstance(raw, str) or not re.fullmatch(pattern, raw):
            raise ValueError
        return raw

    return Kind(expects=expects, parse=parse)


def optional(kind: Kind[T], word: str) -> Kind[T | None]:
    """The kind, or the word that stands for None."""
    return Kind(
        expects=f"{kind.expects}, or {word}",
        parse=lambda raw, folder: None if raw == word else kind.parse(raw, folder),
    )


def many(kind: Kind[T], expects: str) -> Kind[tuple[T, ...]]:
    """A TOML array of the kind, or the same separated by commas; nothing twice."""

    def parse(raw: object, folder: Path) -> tuple[T, ...]:
        if isinstance(raw, str):
            raw = [part.strip() for part in raw.split(",")] if raw.strip() else []
        if not isinstance(raw, list):
            raise ValueError
        values = tuple(kind.parse(item, folder) for item in cast(list[object], raw))
        if len(set(values)) != len(values):
            raise ValueError
        return values

    return Kind(expects=expects, parse=parse)


def _parse_path(raw: object, folder: Path) -> Path:
    if not isinstance(raw, str | Path) or not str(raw) or "\0" in str(raw):
        raise ValueError
    try:
        return Path(os.path.normpath(folder / Path(raw).expanduser()))
    except RuntimeError as unknown_home:
        raise ValueError from unknown_home


def _parse_address(raw: object, _: Path) -> str:
    if raw == "localhost":
        return "localhost"
    if not isinstance(raw, str):
        raise ValueError
    return str(ipaddress.ip_address(raw))


def _parse_host_name(raw: object, _: Path) -> str:
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,253}[A-Za-z0-9_])?", raw):
        raise ValueError
    return raw.lower()


def _parse_user(raw: object, _: Path) -> str:
    if not isinstance(raw, str):
        raise ValueError
    try:
        return pwd.getpwnam(raw).pw_name
    except KeyError as unknown:
        raise ValueError from unknown


def _parse_file_systems(raw: object, folder: Path) -> Mapping[str, Path]:
    if isinstance(raw, str):
        raw = dict(part.strip().split("=", 1) for part in raw.split(",")) if raw.strip() else {}
    if not isinstance(raw, dict):
        raise ValueError
    given = cast(dict[str, object], raw)
    if not all(re.fullmatch("fs(ap)?-[0-9a-f]{1,40}", name) for name in given):
        raise ValueError
    return {name: _parse_path(path, folder) for name, path in given.items()}


def _parse_prices(raw: object, _: Path) -> Mapping[str, Price]:
    if isinstance(raw, str):
        raw = json.loads(raw) if raw.strip() else {}
    if not isinstance(raw, dict):
        raise ValueError
    prices: dict[str, Price] = {}
    for name, given in cast(dict[str, object], raw).items():
        if not re.fullmatch("[A-Za-z0-9_-]{1,128}", name) or not isinstance(given, dict):
            raise ValueError
        members = cast(dict[str, object], given)
        if not members or not members.keys() <= _PRICE_MEMBERS:
            raise ValueError
        prices[name] = Price(**{member: _parse_amount(amount) for member, amount in members.items()})
    return prices


def _parse_amount(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw < math.inf:
        raise ValueError
    return float(raw)


def _parse_endpoint(raw: object, _: Path) -> str:
    if raw == "aws":
        return "aws"
    if not isinstance(raw, str) or not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", raw):
        raise ValueError
    return raw


PATH = Kind(expects="a path", parse=_parse_path)
ADDRESS = Kind(
    expects="an address of this machine, or localhost; other than loopback only with server.auth sigv4",
    parse=_parse_address,
)
HOST_NAME = Kind(expects="the name of a host, without port", parse=_parse_host_name)
USER = Kind(expects="the name of a user of this machine", parse=_parse_user)
ENDPOINT = Kind(expects="a URL that starts with http:// or https://, or aws", parse=_parse_endpoint)
PRICES = Kind(
    expects="a table of hourly prices by compute environment (default = { vcpu = 0.04, gib = 0.004, spot = 0.3 })",
    parse=_parse_prices,
)
FILE_SYSTEMS = Kind(expects="a table of folders by file system (fs-1234 = /folder)", parse=_parse_file_systems)
GPU_NAME = matching("[A-Za-z0-9_.:-]{1,64}", "the name of a GPU")
