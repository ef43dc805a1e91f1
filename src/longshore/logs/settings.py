"""What may be set about the log store."""

from dataclasses import dataclass

from longshore.logs.lines import EVENT_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Limits of the log store; the defaults suit one machine."""

    #: output of one stream that is kept: the head and the tail, half each
    stream_cap_bytes: int = 64 * 1024 * 1024
    #: finished logs of at most this size share files
    pack_limit_bytes: int = 64 * 1024
    #: size at which a pack file is full
    pack_segment_bytes: int = 256 * 1024 * 1024
    #: how long events of groups without a retention of their own are kept; None: forever
    retention_days: int | None = None
    #: how often the sizes of growing files are looked at: the sharpness of event times
    poll_seconds: float = 0.1
    #: largest event, and the unit in which output over the cap is given up
    event_bytes: int = EVENT_BYTES

    def __post_init__(self) -> None:
        if self.event_bytes < 16:
            raise ValueError("event_bytes must be at least 16")
        if self.stream_cap_bytes < 4 * self.event_bytes:
            raise ValueError(f"the log cap of a stream must be at least {4 * self.event_bytes} bytes")
