"""Histories of our own as traces."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from longshore.simulator.history import read_history
from longshore.simulator.trace import TraceRefused

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_line(submitted: float = 0, started: float | None = 5, stopped: float = 15.5, **members: Any) -> str:
    """A job of 2 vCPUs; times in seconds."""

    def at(seconds: float | None) -> str | None:
        return None if seconds is None else (AT + timedelta(seconds=seconds)).isoformat()

    row: dict[str, Any] = {
        "jobId": "id",
        "name": "name",
        "place": {"accountId": "000000000000", "region": "r", "queue": "queue"},
        "classId": "c",
        "share": None,
        "definition": "d:1",
        "status": "SUCCEEDED",
        "exitCode": 0,
        "attemptsMade": 1,
        "submittedAt": at(submitted),
        "startedAt": at(started),
        "stoppedAt": at(stopped),
        "timeoutSeconds": None,
        "asked": {"vcpus": 2.0, "memoryMib": 512, "gpus": 1},
        "used": None,
    }
    return json.dumps({**row, **members})


def test_a_history_is_a_trace() -> None:
    trace = read_history("h.jsonl", [a_line(3, 8, 20, share="red", timeoutSeconds=60), "\n", a_line(1)])
    assert trace.submitted_at.tolist() == [0.0, 2.0]
    assert trace.run_seconds.tolist() == [10.5, 12.0]
    assert trace.limit_seconds.tolist() == [np.inf, 60.0]
    assert trace.vcpu_milli.tolist() == [2000, 2000]
    assert trace.memory_mib.tolist() == [512, 512]
    assert trace.gpus.tolist() == [1, 1]
    assert [trace.shares[share] for share in trace.share] == ["queue", "red"]


def test_what_is_left_out_is_said() -> None:
    nothing = {"vcpus": 0.0, "memoryMib": 1, "gpus": 0}
    trace = read_history("h", [a_line(), a_line(started=None), a_line(asked=nothing), a_line(attemptsMade=3)])
    assert len(trace) == 2
    assert trace.remarks[:3] == (
        "1 of 4 jobs asked for no vCPU",
        "1 of 4 jobs never ran",
        "1 ran more than once; only their latest attempts are replayed",
    )


@pytest.mark.parametrize("line", ["no json", "{}", a_line(status="DONE"), a_line(asked=None), '"\udc00"'])
def test_a_line_that_is_none_of_ours_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(TraceRefused, match="h, line 2: .*; it has to be a line of `longshore history`"):
        read_history("h", [a_line(), line])
