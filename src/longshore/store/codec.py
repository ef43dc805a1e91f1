"""How domain values stand in columns: times as milliseconds, documents as JSON without what is absent."""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from msgspec.json import Decoder, Encoder

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_encoder = Encoder()
_texts = Decoder(dict[str, str])
_names = Decoder(tuple[str, ...])


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return (instant - _EPOCH) // _MILLISECOND


def to_ms_or_none(instant: datetime | None) -> int | None:
    """Milliseconds since 1970, rounded down."""
    return None if instant is None else (instant - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=1024)
def from_ms(milliseconds: int) -> datetime:
    """The instant, exact to the millisecond. Jobs that are read together share most of their times."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def from_ms_or_none(milliseconds: int | None) -> datetime | None:
    """The instant, exact to the millisecond."""
    return None if milliseconds is None else from_ms(milliseconds)


def encode_list(values: Collection[int] | Collection[str]) -> str:
    """What the parameter of an `InList` holds."""
    return _encoder.encode(list(values)).decode()


def encode_texts(texts: Mapping[str, str]) -> str:
    """Tags and the like."""
    return _encoder.encode(dict(texts)).decode()


def decode_texts(text: str) -> dict[str, str]:
    """Inverse of `encode_texts`."""
    return _texts.decode(text)


def decode_names(text: str) -> tuple[str, ...]:
    """Inverse of `encode_list` for texts."""
    return _names.decode(text)


@cache
def _absent_values(record: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Each field with the value that means "absent", which need not be written: a default of None or an empty one.

    Other defaults are written, so that a later version may change them.
    """
    absent: list[tuple[str, Any]] = []
    for field in fields(record):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        is_empty = default is None or default == () or default == {}
        absent.append((field.name, default if is_empty else MISSING))
    return tuple(absent)


def _without_absent(value: Any) -> Any:
    if is_dataclass(value):
        members = ((name, getattr(value, name), absent) for name, absent in _absent_values(type(value)))
        return {name: _without_absent(member) for name, member, absent in members if member != absent}
    if isinstance(value, tuple):
        return [_without_absent(member) for member in value]  # pyright: ignore[reportUnknownVariableType]
    return value


def encode_document(record: Any) -> str:
    """A domain record as JSON by field names."""
    return _encoder.encode(_without_absent(record)).decode()
