"""A container's start on the boot clock of this machine."""

import os
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from longshore.engines.docker import start_time
from longshore.engines.docker.parse import ContainerConfig, ContainerState, Inspected
from longshore.engines.docker.start_time import started_boot_seconds

ID = "c0ffee" * 8
PID = 4711
TICKS = os.sysconf("SC_CLK_TCK")


def a_machine(folder: Path, *, began: float, container_id: str = ID) -> Path:
    """A root folder where process PID began at that reading of the boot clock, in the container's control group."""
    process = folder / "proc" / str(PID)
    process.mkdir(parents=True)
    (process / "cgroup").write_text(f"0::/system.slice/docker-{container_id}.scope\n")
    group = folder / "sys" / "fs" / "cgroup" / "system.slice" / f"docker-{container_id}.scope"
    group.mkdir(parents=True)
    (group / "cpu.stat").write_text("usage_usec 1\n")
    fields = ["0"] * 30
    fields[19] = str(round(began * TICKS))
    (process / "stat").write_text(f"{PID} (a) b (c) {' '.join(fields)}\n")
    return folder


def found(ago: float, *, pid: int = PID) -> Inspected:
    """A container whose engine says that it started so many seconds ago."""
    started_at = (datetime.now(UTC) - timedelta(seconds=ago)).isoformat()
    state = ContainerState(status="running", pid=pid, started_at=started_at)
    return Inspected(id=ID, state=state, config=ContainerConfig())


def boot_seconds() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_what_the_engine_says_is_believed_where_its_process_bears_it_out(tmp_path: Path) -> None:
    """The process is there a little before the engine calls the container started."""
    root = a_machine(tmp_path, began=boot_seconds() - 100.3)
    assert started_boot_seconds(found(100.0), root=root) == pytest.approx(boot_seconds() - 100.0, abs=0.05)


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 90.0])
def test_a_wall_clock_that_jumped_meanwhile_is_not(tmp_path: Path, jump: float) -> None:
    """Then the start of the process counts, or a moment after it."""
    began = boot_seconds() - 100.3
    started = started_boot_seconds(found(100.0 + jump), root=a_machine(tmp_path, began=began))
    assert started is not None
    assert began - 0.02 <= started <= began + 5.1


def test_no_time_out_is_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the machine is busy with others between two readings of its clocks."""
    reading = count()
    wall = datetime(2026, 1, 1, tzinfo=UTC)

    class Wall(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return wall + timedelta(seconds=1000 + next(reading))

    monkeypatch.setattr(start_time, "datetime", Wall)
    monkeypatch.setattr(start_time.time, "clock_gettime", lambda _: 1000.0 + next(reading))
    state = ContainerState(status="running", pid=PID, started_at=(wall + timedelta(seconds=900)).isoformat())
    told = started_boot_seconds(
        Inspected(id=ID, state=state, config=ContainerConfig()), root=a_machine(tmp_path, began=899.9)
    )
    assert told is not None
    assert told >= 900


def test_a_process_of_another_machine_says_nothing(tmp_path: Path) -> None:
    root = a_machine(tmp_path, began=1.0, container_id="another")
    assert started_boot_seconds(found(100.0), root=root) is None
    assert started_boot_seconds(found(100.0, pid=0), root=root) is None
    assert started_boot_seconds(found(100.0, pid=1), root=root) is None
