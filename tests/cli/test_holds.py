"""`longshore hold`, `release`, `pause` and `resume`: what is asked, and what is shown."""

import json

from longshore.domain.lifecycle.status import JobStatus
from longshore.service.holds import JobHold, QueuePause
from tests.cli.canned_server import Canned, Run
from tests.unit.cli.documents import JOB

CHILD = f"{JOB}:3"


def test_jobs_are_held_and_released_one_by_one(canned: Canned, run: Run) -> None:
    """By id, child's id or ARN."""
    for job_id in (JOB, CHILD.replace(":", "%3A")):
        for act, is_held in (("hold", True), ("release", False)):
            answer = JobHold(job_id=JOB, status=JobStatus.RUNNABLE, is_held=is_held)
            canned.put(f"jobs/{job_id}/{act}", answer)
    told = run("hold", f"arn:aws:batch:us-east-1:000000000000:job/{JOB}", CHILD)
    assert told.stdout == 2 * f"{JOB} is held (RUNNABLE)\n"
    assert run("release", JOB).stdout == f"{JOB} is released (RUNNABLE)\n"
    assert not json.loads(run("release", JOB, "--json").stdout)["isHeld"]
    assert run("hold", "-q", JOB).stdout == ""


def test_a_queue_is_paused_and_resumed_in_its_region(canned: Canned, run: Run) -> None:
    canned.put("queues/night/pause", QueuePause(region="eu-west-1", name="night", is_paused=True))
    canned.put("queues/night/resume", QueuePause(region="eu-west-1", name="night", is_paused=False))
    assert (
        run("pause", "night", "--region", "eu-west-1").stdout == "night (eu-west-1) is paused: nothing of it starts\n"
    )
    assert run("resume", "night", AWS_REGION="eu-west-1").stdout == "night (eu-west-1) is resumed\n"
    assert canned.arguments() == 2 * [{"region": ["eu-west-1"]}]


def test_what_the_server_refuses_is_told(canned: Canned, run: Run) -> None:
    canned.put(f"jobs/{JOB}/hold", (409, b'{"message": "job x is SUCCEEDED: there is nothing to hold"}'))
    refused = run("hold", JOB)
    assert refused.exit_code != 0
    assert "there is nothing to hold" in refused.stderr
