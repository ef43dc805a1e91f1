"""Capacity that was lent is taken back from real processes, and the server may be killed while it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import LiveServer, eventually, live_server
from tests.integration.trainings import a_request, describe, ended, submit

pytestmark = pytest.mark.timeout(120)

UNIT = "ml.t3.medium"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveServer]:
    """A server with two instances; of these `owner` and `borrower` have one each, and lend it."""
    (tmp_path / "open").mkdir()
    with live_server(tmp_path, settings={"LONGSHORE_DOCKER_HOST_PATHS": str(tmp_path / "open")}) as server:
        server.start()
        policy = server.batch.create_scheduling_policy(
            name="quotas", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
        )
        server.batch.create_service_environment(
            serviceEnvironmentName="instances",
            serviceEnvironmentType="SAGEMAKER_TRAINING",
            capacityLimits=[{"maxCapacity": 2, "capacityUnit": UNIT}],
            tags={"longshore:engine": "process"},
        )
        server.batch.create_job_queue(
            jobQueueName="trainings",
            jobQueueType="SAGEMAKER_TRAINING",
            priority=1,
            schedulingPolicyArn=policy["arn"],
            serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "instances"}],
        )
        for share in ("owner", "borrower"):
            server.batch.create_quota_share(
                quotaShareName=share,
                jobQueue="trainings",
                capacityLimits=[{"maxCapacity": 1, "capacityUnit": UNIT}],
                resourceSharingConfiguration={"strategy": "LEND_AND_BORROW", "borrowLimit": 100},
                preemptionConfiguration={"inSharePreemption": "DISABLED"},
            )
        yield server


def waiting(name: str, folder: Path) -> dict[str, Any]:
    """A training that notes when it starts and when it is told to stop, and goes on until a file is there."""
    script = (
        f"echo started >> {folder}/{name}; trap 'echo told >> {folder}/{name}; exit 143' TERM; "
        f"while [ ! -e {folder}/go-{name} ]; do sleep 0.05; done"
    )
    output = {"S3OutputPath": f"file://{folder}/models"}
    return a_request(name, ["/bin/sh", "-c", script], OutputDataConfig=output)


def running(live: LiveServer, *job_ids: str) -> bool:
    return all(describe(live, job_id)["status"] == "RUNNING" for job_id in job_ids)


@pytest.mark.parametrize("is_killed", [False, True])
def test_lent_capacity_is_taken_back(live: LiveServer, tmp_path: Path, is_killed: bool) -> None:
    """The younger of two borrowers is told to stop, waits, and runs again without a try of its own being spent."""
    folder = tmp_path / "open"
    first = submit(live, waiting("first", folder), quotaShareName="borrower")
    eventually(lambda: running(live, first), what="the first runs")
    second = submit(live, waiting("second", folder), quotaShareName="borrower")
    eventually(lambda: running(live, second), what="the second runs on what is lent")
    own = submit(live, waiting("own", folder), quotaShareName="owner")
    if is_killed:
        eventually(lambda: "told" in (folder / "second").read_text(), what="the borrower is told to stop")
        live.kill()
        live.start()
    eventually(lambda: running(live, own), what="the owner runs")
    preempted = describe(live, second)
    assert preempted["status"] == "RUNNABLE"
    assert preempted["preemptionSummary"]["preemptedAttemptCount"] == 1
    assert running(live, first)
    (folder / "go-own").touch()
    assert ended(live, own)["status"] == "SUCCEEDED"
    eventually(lambda: running(live, second), what="the borrower runs again")
    for name, job_id in (("first", first), ("second", second)):
        (folder / f"go-{name}").touch()
        assert ended(live, job_id)["status"] == "SUCCEEDED"
    assert (folder / "second").read_text().split() == ["started", "told", "started"]
    done = describe(live, second)
    assert len(done["attempts"]) == 1, "the one that counts"
    (lost,) = done["preemptionSummary"]["recentPreemptedAttempts"]
    assert lost["startedAt"] <= lost["stoppedAt"] <= done["attempts"][0]["startedAt"]
