"""A job that writes 100 MB/s neither stalls the service nor fills the disk."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import LiveServer, live_server

pytestmark = pytest.mark.timeout(120)

MIB = 2**20
CAP_MIB = 8
#: 100 rounds of 10 MB, ten in a second where the machine can.
LOUD = """echo first
i=0; while [ $i -lt 100 ]; do
    yes 'a line of a loud job that has very much to say and says it over and over again' | head -c 10000000
    echo; sleep 0.09
    i=$((i+1))
done
echo last"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with live_server(tmp_path, settings={"LONGSHORE_LOGS_STREAM_CAP_MIB": str(CAP_MIB)}) as server:
        yield server


def disk_use(folder: Path) -> int:
    """Bytes on the disk of the log files."""
    total = 0
    for path in folder.rglob("*.log"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def test_loud_job(server: LiveServer) -> None:
    """Others are served meanwhile; of the stream its head and its tail stay, with a note between."""
    server.start()
    server.set_up()
    loud = server.submit("loud", server.register("loud", LOUD))
    quick = server.register("quick", "echo quick")
    logs = server.data / "logs"
    took: list[float] = []
    largest, ids = 0, []
    while (job := server.describe([loud])[loud])["status"] not in ("SUCCEEDED", "FAILED"):
        asked_at = time.monotonic()
        ids.append(server.submit("quick", quick))
        took.append(time.monotonic() - asked_at)
        largest = max(largest, disk_use(logs))
        time.sleep(0.05)
    assert job["status"] == "SUCCEEDED", job
    seconds = (job["stoppedAt"] - job["startedAt"]) / 1000
    took.sort()
    slowest = took[int(len(took) * 0.99)]
    print(f"{1000 / seconds:.0f} MB/s; disk at most {largest / MIB:.0f} MiB; submit p99 {slowest:.3f} s")
    assert len(took) > 30
    assert slowest < 1.0
    assert largest < 128 * MIB
    assert disk_use(logs) < (CAP_MIB + 2) * MIB
    others = server.wait(ids)
    waited = sorted(other["stoppedAt"] - other["createdAt"] for other in others.values())
    assert all(other["status"] == "SUCCEEDED" for other in others.values())
    assert waited[len(waited) // 2] < 2000, waited
    lines = server.log_of(job["attempts"][0]).splitlines()
    assert (lines[0], lines[-1]) == ("first", "last")
    (note,) = (line for line in lines if "left out" in line)
    assert note.startswith("[longshore: ")
    kept = sum(len(line) + 1 for line in lines)
    assert CAP_MIB * MIB * 0.7 < kept < (CAP_MIB + 2) * MIB
