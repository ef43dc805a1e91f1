"""Parts of the runner that need no running runner."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.engines.process.runner.accounts import AccountRefused, find_account
from longshore.engines.process.runner.attempts import Attempt
from longshore.engines.process.runner.folders import Folders
from longshore.engines.process.runner.journal import Journal, Launching, Started
from longshore.engines.process.runner.memory import MemoryGroups
from longshore.engines.process.runner.orphans import open_orphan
from longshore.engines.process.runner.processes import TICKS_PER_SECOND, boot_id, is_same, read_process
from longshore.engines.process.runner.spawn import CannotStart, environment_of, find_program
from longshore.engines.process.runner.supervisor import Supervisor
from longshore.engines.process.wire import Item

ID = "0" * 32


def item(attempt_id: str = ID, **environment: str) -> Item:
    return Item(attempt_id, 0, "default", ["true"], environment, "/nonexistent/log")


def test_jobs_values_win_over_defaults_but_not_over_the_marker() -> None:
    """PATH, HOME and TMPDIR are defaults; the marker is ours."""
    environment = environment_of(item(HOME="/mine", LONGSHORE_ATTEMPT_ID="forged"), "/folder")
    assert environment["HOME"] == "/mine"
    assert environment["TMPDIR"] == "/folder"
    assert environment["LONGSHORE_ATTEMPT_ID"] == ID


def test_program_is_the_first_that_can_be_executed(tmp_path: Path) -> None:
    """A folder or a file without the right of the same name does not count, but is told apart from none."""
    for name in ("folder", "text", "program"):
        (tmp_path / name).mkdir()
    (tmp_path / "folder" / "x").mkdir()
    (tmp_path / "text" / "x").write_text("")
    program = tmp_path / "program" / "x"
    program.write_text("")
    program.chmod(0o755)
    path = ":".join(str(tmp_path / name) for name in ("none", "folder", "text", "program"))
    assert find_program("x", path) == str(program)
    assert find_program("./x", "") == "./x"
    with pytest.raises(CannotStart, match="permission denied"):
        find_program("x", str(tmp_path / "text"))
    with pytest.raises(CannotStart, match="not found"):
        find_program("x", str(tmp_path / "folder"))


def test_wall_clock_that_is_set_back_does_not_reverse_an_attempt() -> None:
    """It stops at its start at the earliest."""
    attempt = Attempt(Launching(ID, 0, "default", "/log", "/folder"))
    attempt.started = Started(ID, "boot", 5, 1, 2, 1000)
    assert attempt.describe("exited", stopped_ns=10).stopped_ns == 1000


def test_no_time_out_is_early() -> None:
    """The tick in which a process was started says only that it started before that tick ended."""
    attempt = Attempt(Launching(ID, 0, "default", "/log", "/folder"))
    attempt.started = Started(ID, "boot", 5, 100, 101, 1000)
    assert attempt.report().started_boot_seconds == 102 / TICKS_PER_SECOND


def test_own_user_needs_no_change() -> None:
    """By number or empty; an unknown name is refused."""
    assert find_account("") is None
    assert find_account(str(os.geteuid())) is None
    with pytest.raises(AccountRefused, match="user 'no-such-user' does not exist"):
        find_account("no-such-user")
    with pytest.raises(AccountRefused, match="group 'no-such-group' does not exist"):
        find_account("0:no-such-group")


def test_process_is_known_by_its_start() -> None:
    """A pid alone names nothing."""
    own = read_process(os.getpid())
    assert own is not None
    assert not own.dead
    assert is_same(own, own.start_tick, own.start_tick)
    assert not is_same(own, own.start_tick + 1, own.start_tick + 5)
    assert open_orphan(os.getpid(), own.start_tick + 1, own.start_tick + 1) is None


def test_folders_that_nobody_knows_are_removed(tmp_path: Path) -> None:
    """Known ones stay with what is in them."""
    folders = Folders(str(tmp_path))
    folders.open()
    kept, lost = (folders.path(name * 32, foreign=False) for name in "ab")
    for path in (kept, lost):
        folders.make(path, None)
        (Path(path) / "file").write_text("x")
    folders.remove_unknown({kept})
    assert (Path(kept) / "file").exists()
    assert not Path(lost).exists()
    folders.remove(lost)


def test_only_an_untouched_folder_is_used_again(tmp_path: Path) -> None:
    """One that has another mode, or something in it, or had much, is not; each attempt finds its folder empty."""
    folders = Folders(str(tmp_path))
    folders.open()
    path = folders.path(ID, foreign=False)
    inodes: set[int] = set()

    def used_again(spoil: Callable[[Path], None]) -> bool:
        """Make it, spoil it, remove it, make another; whether that is the same."""
        folders.make(path, None)
        first = Path(path)
        before = first.stat().st_ino
        inodes.add(before)
        spoil(first)
        folders.remove(path)
        assert not first.exists()
        kept = first.with_name(".spare") / first.name
        return kept.exists() and kept.stat().st_ino == before

    assert used_again(lambda folder: None)
    assert used_again(lambda folder: None)
    assert len(inodes) == 1
    assert not used_again(lambda folder: folder.chmod(0o755))
    assert not used_again(lambda folder: (folder / "file").touch())
    assert not used_again(lambda folder: (folder / "link").symlink_to("/"))


def test_trash_is_swept_once(tmp_path: Path) -> None:
    """By a child of ours, which is not started where nothing was left behind; what comes meanwhile is for the next."""
    folders = Folders(str(tmp_path))
    folders.open()

    def leave_something(attempt_id: str) -> None:
        path = folders.path(attempt_id, foreign=False)
        folders.make(path, None)
        (Path(path) / "file").touch()
        folders.remove(path)

    def sweep() -> int:
        """Returns how many sweepers there were."""
        folders.sweep()
        for pid in folders.sweeper_pids():
            os.waitpid(pid, 0)
            assert folders.swept(pid)
            return 1
        return 0

    assert [sweep(), sweep()] == [1, 0]  # the first looks for what an earlier runner left
    leave_something("a" * 32)
    folders.sweep()
    leave_something("b" * 32)
    (sweeper,) = folders.sweeper_pids()
    os.waitpid(sweeper, 0)
    assert folders.swept(sweeper)
    assert [sweep(), sweep()] == [1, 0]
    assert os.listdir(tmp_path / "scratch" / ".trash") == []


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    folders = Folders(str(tmp_path))
    folders.open()
    journal = Journal(str(tmp_path / "journal"))
    journal.replay()
    memory = MemoryGroups(str(tmp_path))
    yield Supervisor(attempts={}, journal=journal, folders=folders, memory=memory, boot=boot_id(), note=lambda _: None)
    memory.close()


def test_log_that_cannot_be_made_leaves_nothing(supervisor: Supervisor, tmp_path: Path) -> None:
    """A launch that fails on our side is refused, and neither folder nor journal keeps it."""
    (refusal,) = supervisor.launch([Item(ID, 0, "default", ["true"], {}, str(tmp_path / "no" / "log"))])
    assert not refusal.final
    (tmp_path / "taken").write_text("x")
    (refusal,) = supervisor.launch([Item(ID, 0, "default", ["true"], {}, str(tmp_path / "taken"))])
    assert refusal.final
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (refusal,) = supervisor.launch([Item(ID, 0, "default", ["true"], {}, str(tmp_path / "link"))])
    assert refusal.final
    assert not (tmp_path / "elsewhere").exists()
    assert supervisor.attempts == {}
    assert {entry.name for entry in (tmp_path / "scratch").iterdir()} == {".trash", ".spare"}


@pytest.mark.parametrize("attempt_id", ["", "../x", "A" * 32, "0" * 31])
def test_what_is_no_attempt_id_is_refused(supervisor: Supervisor, tmp_path: Path, attempt_id: str) -> None:
    """An id becomes a folder's name."""
    (refusal,) = supervisor.launch([Item(attempt_id, 0, "default", ["true"], {}, str(tmp_path / "log"))])
    assert refusal.final
