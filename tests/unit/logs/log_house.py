"""A log store without threads, on a folder that outlives its processes; and processes that die at a chosen act."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from longshore.domain.ids import AttemptId, Scope
from longshore.logs.events import FOREVER
from longshore.logs.follow import Follower
from longshore.logs.layout import Layout
from longshore.logs.lookup import Lookup
from longshore.logs.reading import Reader
from longshore.logs.records import EventPage, LogEvent
from longshore.logs.seal import sweep
from longshore.logs.settings import LogSettings
from longshore.logs.writer import LogWriter
from longshore.ports.logs import AttemptLog

SCOPE = Scope(account_id="111122223333", region="eu-west-3")
GROUP = "/aws/batch/job"
SMALL = LogSettings(stream_cap_bytes=10**9, pack_limit_bytes=200, pack_segment_bytes=1_000, event_bytes=16)


def attempt(number: int) -> AttemptId:
    return AttemptId(f"{number:032x}")


def identity(number: int) -> AttemptLog:
    return AttemptLog(scope=SCOPE, group=GROUP, stream=f"def/default/{attempt(number)}", attempt_id=attempt(number))


@dataclass
class LogHouse:
    """What one server process would have, on a folder that may have been another's."""

    folder: Path
    settings: LogSettings = SMALL
    now: int = 1_700_000_000_000
    writer: LogWriter = field(init=False)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        layout = Layout(str(self.folder))
        self.follower = Follower(layout, self.settings)
        self.writer = LogWriter(layout, self.settings, self.follower, lambda: self.now)
        self.lookup = Lookup(layout)
        self.reader = Reader(self.lookup, self.follower, self.settings)

    def restart(self) -> None:
        """The next process after a kill."""
        # Closed only when the next has opened: the last connection to go would tidy up the index, which no kill does.
        with closing(self.lookup), closing(self.writer):
            self._start()

    def close(self) -> None:
        self.lookup.close()
        self.writer.close()

    def path(self, number: int) -> Path:
        return self.folder / "live" / f"{attempt(number)}.log"

    def attach(self, *numbers: int) -> None:
        self.follower.attach([identity(number) for number in numbers])

    def write(self, number: int, data: bytes) -> None:
        """What the attempt itself does."""
        with self.path(number).open("ab") as file:
            file.write(data)

    def append(self, number: int, data: bytes, cursor: str) -> None:
        self.writer.append(attempt(number), [(self.now, data)], cursor)

    def seal(self, *numbers: int) -> None:
        self.writer.seal([attempt(number) for number in numbers])

    def sweep(self) -> None:
        spent = self.writer.take_spent()
        if spent is not None:
            sweep(spent)
            self.writer.note_swept(spent)

    def page(self, number: int, **options: Any) -> EventPage:
        given: dict[str, Any] = {"token": None, "from_head": True, "since": 0, "until": FOREVER, "limit": 10_000}
        return self.reader.get_events(SCOPE, GROUP, identity(number).stream, **(given | options))

    def events(self, number: int, *, limit: int = 10_000, forward: bool = True) -> list[LogEvent]:
        """All events, page by page until the token stays the same."""
        pages: list[list[LogEvent]] = []
        token = None
        while True:
            page = self.page(number, token=token, limit=limit, from_head=forward)
            given = page.forward_token if forward else page.backward_token
            if given == token:
                break
            token = given
            pages.append(list(page.events))
        return [event for page in (pages if forward else reversed(pages)) for event in page]

    def live_files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "live").iterdir())


class Killed(BaseException):
    """The process is no more."""


_ACTS = ("write", "unlink", "rename", "replace", "truncate", "ftruncate", "makedirs")


class _Connection:
    """A connection of a process that may die at a commit."""

    def __init__(self, inner: Any, death: "Death") -> None:
        self._inner, self._death = inner, death

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "COMMIT" or self._death.acts >= self._death.at:
            self._death.act()
        return self._inner.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@dataclass
class Death:
    """Kills at the `at`-th act on disk; afterwards nothing that the process tries has an effect."""

    at: int
    acts: int = 0

    def act(self) -> None:
        self.acts += 1
        if self.acts >= self.at:
            raise Killed

    @contextmanager
    def hovering(self, house: LogHouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Everything inside may be its last; leaves quietly when it was."""
        with monkeypatch.context() as patch:
            for name in _ACTS:
                patch.setattr(os, name, self._mortal(getattr(os, name)))
            index: Any = house.writer._index  # pyright: ignore[reportPrivateUsage]
            index._connection = _Connection(index._connection, self)
            try:
                yield
            except Killed:
                inner = index._connection._inner
                if inner.in_transaction:
                    inner.execute("ROLLBACK")
            finally:
                index._connection = index._connection._inner

    def _mortal(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **options: Any) -> Any:
            self.act()
            return function(*values, **options)

        return call
