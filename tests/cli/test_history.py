"""`longshore history`: lines of JSON that `longshore simulate` reads."""

import gzip
import json
from pathlib import Path

import msgspec

from longshore.domain.ids import JobKey
from longshore.service.history import HistoryPage, HistoryRow
from tests.cli.canned_server import Canned, Run
from tests.unit.simulator.test_history import a_line


def test_all_pages_are_written(canned: Canned, run: Run, tmp_path: Path) -> None:
    """To standard output or to a file, which is packed when its name says so; what was written is a trace."""
    rows = [msgspec.json.decode(a_line(number), type=HistoryRow) for number in range(3)]
    pages = (HistoryPage(jobs=tuple(rows[:2]), next_cursor=JobKey(7)), HistoryPage(jobs=(rows[2],)))
    canned.put("history", *pages)
    told = run("history")
    assert told.exit_code == 0
    assert [json.loads(line) for line in told.stdout.splitlines()] == [msgspec.to_builtins(row) for row in rows]
    assert canned.arguments() == [{}, {"cursor": ["7"]}]
    packed = tmp_path / "h.jsonl.gz"
    canned.put("history", *pages)
    assert run("history", "--output", str(packed)).exit_code == 0
    assert gzip.decompress(packed.read_bytes()).decode() == told.stdout
    replayed = run("simulate", str(packed), "--hosts", "1x4:1GiB:1gpu", "--policy", "fifo", "--json")
    assert json.loads(replayed.stdout)["jobs"] == 3


def test_a_file_that_cannot_be_written_is_a_failure(canned: Canned, run: Run, tmp_path: Path) -> None:
    canned.put("history", HistoryPage(jobs=()))
    told = run("history", "-o", str(tmp_path / "absent" / "h.jsonl"))
    assert told.exit_code == 2
    assert "No such file or directory" in told.stderr
