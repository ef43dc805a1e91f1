"""Dependencies on outcomes, of real jobs and through a kill of the server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import LiveServer, eventually, live_server

pytestmark = pytest.mark.timeout(120)


def after(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": {"longshore:depends-on": json.dumps(entries)}}


def test_each_outcome_through_a_kill_of_the_server(tmp_path: Path) -> None:
    """A report on failure, a clean-up at any end, and what was not needed; the server dies while they wait."""
    with live_server(tmp_path) as server:
        server.start()
        server.set_up()
        gate = tmp_path / "gate"
        waiting = f"while ! test -e {gate}; do sleep 0.05; done;"
        bad, good = (server.register(name, f"{waiting} exit {code}") for name, code in (("bad", 3), ("good", 0)))
        quick = server.register("quick", "exit $((AWS_BATCH_JOB_ARRAY_INDEX % 2))")
        fails, succeeds = server.submit("fails", bad), server.submit("succeeds", good)
        report = server.submit("report", quick, **after({"jobId": fails, "when": "failure"}))
        clean_up = server.submit(
            "clean-up", quick, **after({"jobId": fails, "when": "end"}, {"jobId": succeeds, "when": "end"})
        )
        spare = server.submit("spare", quick, **after({"jobId": succeeds, "when": "failure"}))
        after_spare = server.submit("after-spare", quick, **after({"jobId": spare, "when": "failure"}))
        eventually(lambda: _status(server, after_spare) == "PENDING", what="it waits")
        text = str(server.native(f"/longshore/jobs/{report}/explain"))
        assert f"depends on the failure of job {fails}" in text
        server.kill()
        gate.touch()
        server.start()
        jobs = server.wait([fails, succeeds, report, clean_up, spare, after_spare])
        assert [jobs[job_id]["status"] for job_id in (report, clean_up)] == ["SUCCEEDED", "SUCCEEDED"]
        assert _ended(jobs[spare]) == f"Not needed: job {succeeds} succeeded, and its failure was waited for"
        assert _ended(jobs[after_spare]) == f"Not needed: job {spare} was not needed either"


def test_children_repair_their_twins_that_have_ended_long_ago(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        server.start()
        server.set_up()
        odd = server.register("odd", "exit $((AWS_BATCH_JOB_ARRAY_INDEX % 2))")
        fine = server.register("fine", "true")
        array = server.submit("array", odd, arrayProperties={"size": 4})
        server.wait([array])
        twins = after({"jobId": array, "type": "N_TO_N", "when": "failure"})
        repair = server.submit("repair", fine, arrayProperties={"size": 4}, **twins)
        one = server.submit("one", fine, **after({"jobId": f"{array}:3", "when": "failure"}))
        jobs = server.wait([repair, one])
        assert jobs[one]["status"] == "SUCCEEDED"
        children = server.describe(f"{repair}:{index}" for index in range(4))
        statuses = [children[f"{repair}:{index}"]["status"] for index in range(4)]
        assert statuses == ["FAILED", "SUCCEEDED", "FAILED", "SUCCEEDED"]


def _status(server: LiveServer, job_id: str) -> str:
    return str(server.describe([job_id])[job_id]["status"])


def _ended(job: dict[str, Any]) -> str:
    assert (job["status"], job["attempts"]) == ("FAILED", [])
    return str(job["statusReason"])
