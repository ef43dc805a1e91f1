"""The log port: where output of containers and of API callers is kept and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from longshore.domain.ids import AttemptId, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLog:
    """The log stream of one container of an attempt."""

    scope: Scope
    group: str
    stream: str
    attempt_id: AttemptId
    #: expression that a line which begins an event matches; empty: each line is an event
    event_start: str = ""
    #: False: nobody sees the stream, and nothing is left of it when the attempt has ended
    is_kept: bool = True


class AttemptLogs(Protocol):
    """What control needs of the logs. Whatever writes may raise `StoreUnavailable`: nothing was done, try again."""

    async def has_group(self, scope: Scope, name: str, *, create: bool) -> bool:
        """Whether the log group exists now; with `create` it does."""
        ...

    def refuse_start(self, event_start: str) -> str:
        """What is wrong with this expression for lines that begin events; empty when nothing is."""
        ...

    def path(self, attempt_id: AttemptId) -> Path:
        """The file that the attempt's output is to be written to; made by the engine, never before it."""
        ...

    async def attach(self, logs: Sequence[AttemptLog]) -> None:
        """Begin to index these streams. Repeatable; called again for live attempts after a restart."""
        ...

    async def append(self, attempt_id: AttemptId, chunks: Sequence[tuple[datetime, bytes]], cursor: str) -> None:
        """Add output of an engine that does not write files itself, with the cursor behind it, durably together."""
        ...

    async def cursor(self, attempt_id: AttemptId) -> str:
        """The cursor of the last `append`; empty when there was none."""
        ...

    async def seal(self, attempt_ids: Sequence[AttemptId]) -> None:
        """Drain and close: afterwards all output is readable and the stream does not change. Repeatable."""
        ...
