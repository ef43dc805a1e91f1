"""The wall clock jumps by an hour under a running server: nothing times out, and nothing is reordered."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import LiveServer, eventually, live_server

pytestmark = pytest.mark.timeout(90)

LIBRARIES = [
    path for folder in ("/usr/lib", "/usr/local/lib") for path in Path(folder).glob("**/faketime/libfaketimeMT.so.1")
]
HOUR = 3_600_000


class WallClock:
    """What the server takes for the wall clock; its monotonic clocks stay true."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "offset"
        self.set(0)

    def set(self, hours: int) -> None:
        """From now on it is off by so much."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{hours:+d}h\n")
        fresh.rename(self._file)

    def settings(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "LONGSHORE_LOCAL_VCPUS": "1",
        }


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    if not LIBRARIES:
        pytest.skip("libfaketime is not installed")
    return WallClock(tmp_path)


@pytest.fixture
def server(tmp_path: Path, clock: WallClock) -> Iterator[LiveServer]:
    with live_server(tmp_path, settings=clock.settings()) as server:
        yield server


def test_forth_and_back(server: LiveServer, clock: WallClock) -> None:
    """Forth by an hour, back by two: a job that may run for a minute runs on, those that wait start as submitted."""
    server.start()
    server.set_up()
    gate, order = server.folder / "gate", server.folder / "order"
    running = server.submit(
        "runs",
        server.register("runs", f"while [ ! -e {gate} ]; do sleep 0.05; done; exit 5"),
        timeout={"attemptDurationSeconds": 60},
    )
    eventually(lambda: server.describe([running])[running]["status"] == "RUNNING", what="it runs")
    notes = server.register("notes", f"echo $AWS_BATCH_JOB_ID >> {order}")
    waiting: list[str] = []
    for hours in (0, 1, -1, 0):
        clock.set(hours)
        waiting += [server.submit("waits", notes, timeout={"attemptDurationSeconds": 60}) for _ in range(3)]
        time.sleep(1.2)
        assert server.describe([running])[running]["status"] == "RUNNING"
    created = [server.describe(waiting)[job_id]["createdAt"] for job_id in waiting]
    assert abs(created[3] - created[2] - HOUR) < 60_000, "the server saw the clock jump"
    assert abs(created[6] - created[5] + 2 * HOUR) < 60_000
    gate.touch()
    jobs = server.wait([running, *waiting])
    (attempt,) = jobs[running]["attempts"]
    assert attempt["container"]["exitCode"] == 5
    assert attempt["statusReason"] == "Essential container in task exited"
    assert order.read_text().split() == waiting
    assert all(jobs[job_id]["status"] == "SUCCEEDED" for job_id in waiting)
