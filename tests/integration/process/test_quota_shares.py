"""Quota shares of ordinary jobs with real processes: what was lent is taken back, through a kill of the server too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import LiveServer, eventually, live_server

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    """A server with two vCPUs; of these `owner` and `borrower` have one each, and lend it."""
    with live_server(tmp_path, settings={"LONGSHORE_LOCAL_VCPUS": "2"}) as server:
        server.start()
        policy = server.batch.create_scheduling_policy(
            name="quotas", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
        )
        server.batch.create_compute_environment(computeEnvironmentName="machine", type="UNMANAGED")
        server.batch.create_job_queue(
            jobQueueName="queue",
            priority=1,
            schedulingPolicyArn=policy["arn"],
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "machine"}],
        )
        for share in ("owner", "borrower"):
            server.batch.create_quota_share(
                quotaShareName=share,
                jobQueue="queue",
                capacityLimits=[{"maxCapacity": 1, "capacityUnit": "VCPU"}],
                resourceSharingConfiguration={"strategy": "LEND_AND_BORROW", "borrowLimit": 100},
                preemptionConfiguration={"inSharePreemption": "DISABLED"},
            )
        yield server


def waiting(live: LiveServer, name: str) -> str:
    """A definition of jobs that note when they start and are told to stop, and go on until a file is there."""
    here = f"{live.folder}/{name}$AWS_BATCH_JOB_ARRAY_INDEX"
    script = (
        f"echo started >> {here}; trap 'echo told >> {here}; exit 143' TERM; "
        f"while [ ! -e {live.folder}/go-{name} ]; do sleep 0.05; done"
    )
    return live.register(name, script, tags={"longshore:quota-share": name})


def statuses(live: LiveServer, *job_ids: str) -> list[str]:
    jobs = live.describe(job_ids)
    return [jobs[job_id]["status"] for job_id in job_ids]


@pytest.mark.parametrize("is_killed", [False, True])
def test_lent_capacity_is_taken_back(live: LiveServer, tmp_path: Path, is_killed: bool) -> None:
    """One child of the borrower's array job is told to stop, waits, and runs again: its one try is not spent."""
    lent = live.submit("lent", waiting(live, "borrower"), arrayProperties={"size": 2}, retryStrategy={"attempts": 1})
    children = f"{lent}:0", f"{lent}:1"
    eventually(lambda: statuses(live, *children) == ["RUNNING", "RUNNING"], what="both children run")
    own = live.submit("own", waiting(live, "owner"))
    if is_killed:
        told = tmp_path / "borrower1"
        eventually(lambda: "told" in told.read_text(), what="the younger child is told to stop")
        live.kill()
        live.start()
    eventually(lambda: statuses(live, own, *children) == ["RUNNING", "RUNNING", "RUNNABLE"], what="the owner runs")
    text = "asks 1 VCPU; quota share borrower holds 1 of its 1, and may borrow 1 more"
    eventually(lambda: text in _causes(live, children[1]), what="it is said why the child waits")
    usage = live.batch.get_job_queue_snapshot(jobQueue="queue")["queueUtilization"]["quotaShareUtilization"]
    assert {each["quotaShareName"]: each["capacityUsage"] for each in usage["topCapacityUtilization"]} == {
        share: [{"capacityUnit": "VCPU", "quantity": 1.0}] for share in ("owner", "borrower")
    }
    (tmp_path / "go-owner").touch()
    assert live.wait([own])[own]["status"] == "SUCCEEDED"
    eventually(lambda: statuses(live, children[1]) == ["RUNNING"], what="the child runs again")
    (tmp_path / "go-borrower").touch()
    assert live.wait([lent])[lent]["status"] == "SUCCEEDED"
    assert (tmp_path / "borrower1").read_text().split() == ["started", "told", "started"]
    first, last = live.describe([children[1]])[children[1]]["attempts"]
    assert first["statusReason"] == "Job attempt was preempted"
    assert first["stoppedAt"] <= last["startedAt"]


def test_a_job_may_fail_at_its_first_preemption(live: LiveServer) -> None:
    definition = waiting(live, "borrower")
    tags = {"longshore:preemption-retries": "0"}
    first, second = (live.submit(name, definition, tags=tags) for name in ("first", "second"))
    eventually(lambda: statuses(live, first, second) == ["RUNNING", "RUNNING"], what="both run")
    live.submit("own", waiting(live, "owner"))
    ended = live.wait([second])[second]
    assert (ended["status"], len(ended["attempts"])) == ("FAILED", 1)
    assert ended["statusReason"] == "Job attempt was preempted, and no preemption retries are left"
    assert statuses(live, first) == ["RUNNING"]


def _causes(live: LiveServer, job_id: str) -> list[str]:
    """What `explain` says of a waiting job."""
    return [cause["text"] for cause in live.native(f"/longshore/jobs/{job_id}/explain")["waitsFor"]]
