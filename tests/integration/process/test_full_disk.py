"""A runner whose disk is full. It runs in a process of its own, since it takes in every child that ends."""

import subprocess
import sys
import time
from pathlib import Path

from longshore.engines.process.runner.folders import Folders
from longshore.engines.process.runner.journal import Journal
from longshore.engines.process.runner.memory import MemoryGroups
from longshore.engines.process.runner.processes import boot_id
from longshore.engines.process.runner.supervisor import Supervisor
from longshore.engines.process.wire import Item


class JournalOnFullDisk(Journal):
    """A journal that cannot be written while told so."""

    is_full = False

    def flush(self) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        super().flush()


def a_job(folder: Path, number: int, *command: str) -> Item:
    return Item(f"{number:032x}", 0, "default", list(command), {}, str(folder / f"{number}.log"))


def until_over(supervisor: Supervisor, item: Item) -> None:
    deadline = time.monotonic() + 10
    while not supervisor.attempts[item.id].is_over:
        assert time.monotonic() < deadline
        supervisor.reap()
        time.sleep(0.005)


def fill_the_disk_and_run(folder: Path) -> None:
    journal, folders, memory = (
        JournalOnFullDisk(str(folder / "journal")),
        Folders(str(folder)),
        MemoryGroups(str(folder)),
    )
    journal.replay()
    folders.open()
    supervisor = Supervisor(
        attempts={}, journal=journal, folders=folders, memory=memory, boot=boot_id(), note=lambda _: None
    )
    runs = a_job(folder, 1, "sh", "-c", "sleep 0.2; exit 3")
    assert supervisor.launch([runs]) == []
    journal.is_full = True
    later = a_job(folder, 2, "true")
    (refusal,) = supervisor.launch([later])
    assert (refusal.final, refusal.reason) == (False, "runner's journal: No space left on device")
    until_over(supervisor, runs)
    assert supervisor.attempts[runs.id].report().exit_code == 3
    assert supervisor.has_work
    journal.is_full = False
    assert supervisor.launch([later]) == []
    until_over(supervisor, later)
    memory.close()


def test_full_disk_refuses_launches_for_now_and_keeps_ends(tmp_path: Path) -> None:
    """Nothing is started that could not be journalled; ends are told all the same and written when there is space."""
    program = f"from pathlib import Path; from {__name__} import *; fill_the_disk_and_run(Path({str(tmp_path)!r}))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    records = [type(record).__name__ for record in Journal(str(tmp_path / "journal")).replay()]
    assert records == ["Launching", "Started", "Ended", "Launching", "Started", "Ended"]
