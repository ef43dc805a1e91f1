"""Start deadlines and budgets for lost hosts, of real jobs and through deaths of the server and its runner."""

from pathlib import Path

import pytest

from tests.integration.live import LiveServer, eventually, live_server

pytestmark = pytest.mark.timeout(120)
ALL = {
    "containerOverrides": {"resourceRequirements": [{"type": "VCPU", "value": "8"}, {"type": "MEMORY", "value": "64"}]}
}


def test_a_job_that_starts_too_late_is_given_up(tmp_path: Path) -> None:
    """While the machine is full, and the server dies and comes back; who has started goes on."""
    with live_server(tmp_path) as server:
        server.start()
        server.set_up()
        sleeping, quick = server.register("sleeping", "exec sleep 300"), server.register("quick", "true")
        holder = server.submit("holder", sleeping, **ALL, tags={"longshore:start-deadline": "5"})
        eventually(lambda: _status(server, holder) == "RUNNING", what="it runs")
        late = server.submit("late", quick, tags={"longshore:start-deadline": "5"})
        array = server.submit("array", quick, arrayProperties={"size": 3}, tags={"longshore:start-deadline": "5"})
        behind = server.submit("behind", quick, dependsOn=[{"jobId": holder}], tags={"longshore:start-deadline": "5"})
        eventually(lambda: _status(server, behind) == "PENDING", what="it waits")
        assert server.native(f"/longshore/jobs/{late}/explain")["givesUpAt"]
        server.kill()
        server.start()
        jobs = server.wait([late, array, behind])
        told = "Job did not start within 5 seconds of its submission"
        for job_id in (late, behind):
            assert (jobs[job_id]["status"], jobs[job_id]["statusReason"]) == ("FAILED", told)
            assert jobs[job_id]["attempts"] == []
            assert jobs[job_id]["stoppedAt"] - jobs[job_id]["createdAt"] >= 5_000
        assert jobs[array]["arrayProperties"]["statusSummary"]["FAILED"] == 3
        assert _status(server, holder) == "RUNNING"
        server.batch.terminate_job(jobId=holder, reason="done")
        server.wait([holder])


def _status(server: LiveServer, job_id: str) -> str:
    return str(server.describe([job_id])[job_id]["status"])
