"""Holding and releasing jobs, pausing and resuming queues: what is answered, what is told, what is refused."""

import pytest

from longshore.testing.job_builders import a_job
from tests.api.native.native_desk import Desk


async def test_a_held_job_says_so_wherever_it_is_asked(desk: Desk) -> None:
    """With the command that releases it; no start is predicted, and no place told."""
    running = await desk.submit(a_job().needing(vcpu=4))
    spec = await desk.submit(a_job())
    told = await desk.send(f"jobs/{spec.uuid}/hold", {})
    assert told == {"jobId": spec.uuid, "status": "RUNNABLE", "isHeld": True}
    await desk.settle()
    since = "held since 2026-01-01 12:00:"
    waits = await desk.waits(spec.uuid)
    assert waits.startswith(f"hold: {since}")
    assert waits.endswith(f"UTC; `longshore release {spec.uuid}` lets it start")
    document = await desk.explain(spec.uuid)
    assert document["statusReason"].startswith(f"Waiting: {since}")
    assert (document["start"], document["position"]) == (None, None)
    assert {step["cause"] for step in document["timeline"]} >= {"Held"}
    assert not (await desk.send(f"jobs/{spec.uuid}/release", {}))["isHeld"]
    await desk.settle()
    assert (await desk.waits(spec.uuid)).startswith("capacity: ")
    assert running.uuid


async def test_children_of_a_held_array_say_so(desk: Desk) -> None:
    await desk.submit(a_job().needing(vcpu=4))
    spec = await desk.submit(a_job().array(2))
    await desk.send(f"jobs/{spec.uuid}/hold", {})
    await desk.settle()
    for job_id in (spec.uuid, f"{spec.uuid}:1"):
        assert (await desk.waits(job_id)).startswith("hold: held since ")
    assert (await desk.explain(spec.uuid))["statusReason"].startswith("2 children RUNNABLE: held since ")


async def test_a_paused_queue_is_shown_and_says_so(desk: Desk) -> None:
    """To its jobs, in the status, and in its tags."""
    told = await desk.send("queues/queue/pause", {}, region="us-east-1")
    assert told == {"region": "us-east-1", "name": "queue", "isPaused": True}
    spec = await desk.submit(a_job())
    await desk.settle()
    assert await desk.waits(spec.uuid) == (
        "capacity: job queue queue is paused; `longshore resume queue` lets its jobs start"
    )
    (queue,) = (await desk.ask("status"))["queues"]
    assert queue["isPaused"]
    await desk.send("queues/queue/resume", {}, region="us-east-1")
    await desk.settle()
    assert (await desk.explain(spec.uuid))["status"] == "STARTING"


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("jobs/x/hold", 400, "x is not a job id"),
        ("jobs/00000000-0000-4000-8000-00000000abcd/release", 404, "there is no job "),
        ("queues/nothing/pause", 404, "job-queue/nothing does not exist"),
    ],
)
async def test_what_is_not_there_is_refused(desk: Desk, path: str, status: int, message: str) -> None:
    given, told = await desk.refused_body(path, {})
    assert given == status
    assert message in told


async def test_a_job_that_has_ended_is_refused(desk: Desk) -> None:
    spec = await desk.submit(a_job())
    await desk.start(spec.uuid)
    await desk.end(spec.uuid, 0)
    assert await desk.refused_body(f"jobs/{spec.uuid}/hold", {}) == (
        409,
        f"job {spec.uuid} is SUCCEEDED: there is nothing to hold",
    )
