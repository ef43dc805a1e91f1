"""What the log store tells its readers. All times are epoch milliseconds."""

from dataclasses import dataclass

from longshore.domain.ids import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """A log group."""

    scope: Scope
    name: str
    created_at: int
    retention_days: int | None = None
    #: bytes of its finished streams
    stored_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRecord:
    """A log stream. Without events the three times of events are None."""

    name: str
    created_at: int
    first_event_at: int | None = None
    last_event_at: int | None = None
    ingested_at: int | None = None
    stored_bytes: int = 0

    @property
    def ordered_at(self) -> int:
        """What it is sorted by when sorted by time."""
        return self.created_at if self.last_event_at is None else self.last_event_at


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """One event of a stream."""

    stream: str
    timestamp: int
    message: str
    ingested_at: int
    #: its place in the stream, and the place behind it
    position: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events of one stream and the places around them."""

    events: tuple[LogEvent, ...]
    forward_token: str
    backward_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvent:
    """An event that a search gave."""

    stream: str
    timestamp: int
    message: str
    ingested_at: int
    #: 56 digits; the same whenever it is found
    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Events of many streams, by time; `next_token` is None when there are no more."""

    events: tuple[FoundEvent, ...]
    next_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """Which of the events of a put were not taken: indexes into them, as CloudWatch Logs counts."""

    #: the first that is more than two hours ahead
    too_new_from: int | None = None
    #: behind the last that is more than fourteen days old
    too_old_until: int | None = None
    #: behind the last that is older than the group's retention
    expired_until: int | None = None
