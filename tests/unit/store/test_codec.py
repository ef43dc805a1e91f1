"""How values stand in columns."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.job import JobSpec
from longshore.store.codec import encode_document, from_ms, to_ms
from longshore.testing.job_builders import a_job

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=80_000)).map(EPOCH.__add__)


@given(INSTANTS)
def test_times_are_kept_to_the_millisecond(instant: datetime) -> None:
    """Rounded down, never up: a time that was written does not lie in the future."""
    kept = from_ms(to_ms(instant))
    assert timedelta(0) <= instant - kept < timedelta(milliseconds=1)
    assert kept.utcoffset() == timedelta(0)


@given(st.integers(min_value=0, max_value=2**43))
def test_milliseconds_come_back(milliseconds: int) -> None:
    """Reading and writing again changes nothing."""
    assert to_ms(from_ms(milliseconds)) == milliseconds


def test_other_time_zones_are_the_same_instant() -> None:
    """What counts is the instant."""
    instant = datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert from_ms(to_ms(instant)) == instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """Values that look absent in several ways."""

    optional: str | None = None
    texts: tuple[str, ...] | None = None
    wanted: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """Nested records and documents."""

    count: int = 1
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    document: dict[str, Any] = field(default_factory=dict[str, Any])


def test_absent_members_are_left_out_and_others_kept() -> None:
    """A default that means something is written, so that a later version may have another."""
    inner = Inner(wanted=None, texts=())
    record = Outer(inner=inner, inners=(inner,), document={"null": None, "empty": []})
    text = encode_document(record)
    assert msgspec.json.decode(text) == {
        "count": 1,
        "inner": {"texts": [], "wanted": None},
        "inners": [{"texts": [], "wanted": None}],
        "document": {"null": None, "empty": []},
    }
    assert msgspec.json.decode(text, type=Outer) == record
    assert encode_document(Outer()) == '{"count":1}'


def test_plain_job_is_small() -> None:
    """What a job does not say takes no room."""
    spec = a_job().new(1).spec
    assert len(encode_document(spec)) < 400
    again = msgspec.json.decode(encode_document(replace(spec, timeout_seconds=0)), type=JobSpec)
    assert again == replace(spec, timeout_seconds=0)
