"""How domain values stand in columns: times as milliseconds, documents as JSON without what is absent."""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, cast

from msgspec.json import Decoder, Encoder

from longshore.domain.job import Intent
from longshore.domain.resources import Resources

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_encoder = Encoder()
#: Types that are written as they are, known without a look at them.
_PLAIN = frozenset({str, int, float, bool, dict})
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


INTENTS = {None: Intent.NONE, **{str(intent): intent for intent in Intent}}
INTENT_TEXTS = {intent: None if intent is Intent.NONE else str(intent) for intent in Intent}


@lru_cache(maxsize=1024)
def resources_from(vcpu_milli: int, memory_mib: int, gpus: int, scratch_mib: int, gpu_milli: int) -> Resources:
    """Few different amounts are asked for by many jobs."""
    return Resources.of((vcpu_milli, memory_mib, gpus, scratch_mib, gpu_milli))


@cache
def _members_of(record: type[Any]) -> tuple[tuple[str, Any], ...] | None:
    """Each field with the value that means "absent" and need not be written: a default of None, no, or nothing in it.

    Other defaults are written, so that a later version may change them. None for a type that is no record.
    """
    if not is_dataclass(record):
        return None
    members: list[tuple[str, Any]] = []
    for field in fields(record):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        is_empty = default is None or default is False or default == () or default == {}
        members.append((field.name, default if is_empty else MISSING))
    return tuple(members)


def _without_absent(value: Any) -> Any:
    """Builtin values in place of records, nothing absent in them. Each submission passes here, so it is plain loops."""
    kind = cast(type[Any], type(value))
    members = _members_of(kind)
    if members is None:
        if isinstance(value, tuple):
            return [_without_absent(member) for member in value]  # pyright: ignore[reportUnknownVariableType]
        return value
    written: dict[str, Any] = {}
    for name, absent in members:
        member = getattr(value, name)
        if member is absent or member == absent:
            continue
        written[name] = member if type(member) in _PLAIN else _without_absent(member)
    return written


def encode_document(record: Any) -> str:
    """A domain record as JSON by field names."""
    return _encoder.encode(_without_absent(record)).decode()
