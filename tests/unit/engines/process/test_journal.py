"""The runner's journal."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.engines.process.runner import journal as module
from longshore.engines.process.runner.attempts import attempts_of
from longshore.engines.process.runner.journal import (
    HEADER,
    Ended,
    Journal,
    JournalUnreadable,
    Launching,
    Record,
    Released,
    Started,
)
from longshore.engines.process.wire import Report


def history(attempt_id: str, *, group: str = "") -> list[Record]:
    return [
        Launching(attempt_id, 0, "default", "/log", "/folder"),
        Started(attempt_id, "boot", 5, 1, 2, 3, group),
        Ended(Report(attempt_id, 0, "default", "exited", 3, 4, 0)),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def opened(path: Path) -> tuple[Journal, list[Record]]:
    journal = Journal(str(path))
    return journal, journal.replay()


def test_what_was_flushed_is_replayed(path: Path) -> None:
    """In order; what was only appended is not there."""
    journal, records = opened(path)
    assert records == []
    for record in [*history("a"), Released("b")]:
        journal.append(record)
    journal.flush()
    journal.append(Released("c"))
    assert opened(path)[1] == [*history("a"), Released("b")]
    assert path.stat().st_mode & 0o777 == 0o600


def test_any_torn_end_costs_the_torn_record_only(path: Path) -> None:
    """However little of the last record was written; the journal goes on behind what is whole."""
    journal, _ = opened(path)
    for record in history("a"):
        journal.append(record)
    journal.flush()
    whole = path.read_bytes()
    journal.append(Released("a"))
    journal.flush()
    full = path.read_bytes()
    for size in range(len(whole) + 1, len(full)):
        path.write_bytes(full[:size])
        again, records = opened(path)
        assert records == history("a")
        assert again.damage
        again.append(Released("z"))
        again.flush()
        assert opened(path)[1] == [*history("a"), Released("z")]


def test_changed_bytes_are_not_believed(path: Path) -> None:
    """A record with a wrong checksum ends the replay; a copy of the file is kept."""
    journal, _ = opened(path)
    for record in history("a"):
        journal.append(record)
    journal.flush()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    again, records = opened(path)
    assert records == history("a")[:2]
    assert "torn" in again.damage
    assert path.with_name("journal.damaged").read_bytes() == data


def test_memory_cgroup_belongs_to_the_last_that_got_it(path: Path) -> None:
    """An ended attempt gave its group back: whoever runs in it now is not of that attempt."""
    known = attempts_of([*history("a", group="/group"), *history("b", group="/group")[:2]])
    assert (known["a"].group, known["b"].group) == ("", "/group")


@pytest.mark.parametrize("content", [b"LONGSHORE RUNNER JOURNAL 2\nxxx", b"something else, long enough to be read"])
def test_other_files_are_left_alone(path: Path, content: bytes) -> None:
    """A later version's journal, or what is none, is refused and not touched."""
    path.write_bytes(content)
    with pytest.raises(JournalUnreadable, match=r"journal is (of another version|foreign)"):
        opened(path)
    assert path.read_bytes() == content


def test_full_disk_leaves_whole_records_and_is_made_up_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails or is cut short leaves nothing of itself; `flush` has it again later, `write` gives it up."""
    journal, _ = opened(path)
    real = os.pwrite

    def short(fd: int, data: bytes, offset: int) -> int:
        return real(fd, bytes(data)[: len(data) // 2], offset)

    monkeypatch.setattr(module.os, "pwrite", short)
    journal.append(Released("kept"))
    with pytest.raises(OSError, match="no space") as problem:
        journal.flush()
    assert problem.value.errno == errno.ENOSPC
    assert path.read_bytes() == HEADER
    with pytest.raises(OSError, match="no space"):
        journal.write([Released("given up")])
    monkeypatch.undo()
    journal.write([Released("new")])
    assert opened(path)[1] == [Released("kept"), Released("new")]

    monkeypatch.setattr(module.os, "pwrite", short)
    with pytest.raises(OSError, match="no space"):
        journal.write([Released("given up")])
    monkeypatch.undo()
    journal.flush()
    assert opened(path)[1] == [Released("kept"), Released("new")]


def test_compaction_keeps_what_is_needed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grown journal is replaced by one that says the same of what is not released."""
    monkeypatch.setattr(module, "COMPACT_BYTES", 1000)
    journal, _ = opened(path)
    assert not journal.wants_compaction
    for number in range(20):
        journal.write([*history(str(number)), *([Released(str(number))] if number else [])])
    assert journal.wants_compaction
    before = attempts_of(opened(path)[1])
    journal.compact([record for attempt in before.values() for record in attempt.records()])
    assert not journal.wants_compaction
    journal.write([Released("x")])
    assert opened(path)[1] == [*history("0"), Released("x")]


@pytest.mark.parametrize("point", ["compact.before-rename", "compact.after-rename"])
def test_death_during_compaction_loses_nothing(path: Path, point: str) -> None:
    """Either the old file or the new one is there, whole."""
    journal, _ = opened(path)
    journal.write([*history("a"), *history("b"), Released("b")])
    program = (
        "import sys; from longshore.engines.process.runner.attempts import attempts_of;"
        "from longshore.engines.process.runner.journal import Journal;"
        "j = Journal(sys.argv[1]); known = attempts_of(j.replay());"
        "j.compact([record for attempt in known.values() for record in attempt.records()])"
    )
    environment = {**os.environ, "LONGSHORE_CRASH_POINT": point}
    assert subprocess.run([sys.executable, "-c", program, path], env=environment).returncode == -9
    (attempt,) = attempts_of(opened(path)[1]).values()
    assert list(attempt.records()) == history("a")
