"""`/longshore/jobs/{id}/log`: output in pages, with what a follower must know."""

import asyncio
from dataclasses import replace

from longshore.domain.definition import Form
from longshore.domain.ids import task_id
from longshore.testing.forms import a_task, a_task_container, formed_spec, some_nodes
from longshore.testing.job_builders import JobBuilder, a_job
from tests.api.native.native_desk import Desk


async def stream_of(desk: Desk, job_id: str) -> str:
    """Where the output of the job's latest attempt goes."""
    return f"definition/default/{await desk.attempt_of(job_id)}"


async def test_pages_go_on_behind_each_other_up_to_the_end(desk: Desk) -> None:
    spec = await desk.submit(a_job())
    desk.streams.lines[await stream_of(desk, spec.uuid)] = ["one", "two", "three"]
    path = f"jobs/{spec.uuid}/log"
    page = await desk.ask(path, limit=2)
    assert [line["message"] for line in page["lines"]] == ["one", "two"]
    assert (page["attempt"], page["status"], page["isEnd"]) == (1, "STARTING", False)
    assert (page["group"], page["region"]) == ("/aws/batch/job", "us-east-1")
    await desk.end(spec.uuid, 0)
    page = await desk.ask(path, limit=2, token=page["nextToken"])
    assert ([line["message"] for line in page["lines"]], page["isEnd"]) == (["three"], False)
    page = await desk.ask(path, limit=2, token=page["nextToken"])
    assert (page["lines"], page["isEnd"], page["status"]) == ([], True, "SUCCEEDED")


async def test_a_follower_is_answered_when_a_line_is_written(desk: Desk) -> None:
    spec = await desk.submit(a_job())
    lines = desk.streams.lines.setdefault(await stream_of(desk, spec.uuid), [])
    asked = asyncio.create_task(desk.ask(f"jobs/{spec.uuid}/log", wait=2))
    await desk.clock.advance(1)
    assert not asked.done()
    lines.append("late")
    await desk.clock.advance(0.2)
    assert (await asked)["lines"] == [{"timestamp": 0, "message": "late"}]


async def test_waiting_for_a_line_has_an_end(desk: Desk) -> None:
    spec = await desk.submit(a_job())
    asked = asyncio.create_task(desk.ask(f"jobs/{spec.uuid}/log", wait=2))
    await desk.clock.advance(3)
    page = await asked
    assert (page["lines"], page["isEnd"], page["nextToken"]) == ([], False, None)
    assert (await desk.refused(f"jobs/{spec.uuid}/log", wait=60))[0] == 400


async def test_attempts_one_by_one(desk: Desk) -> None:
    spec = await desk.submit(a_job().retried(2))
    path = f"jobs/{spec.uuid}/log"
    desk.streams.lines[await stream_of(desk, spec.uuid)] = ["first"]
    await desk.end(spec.uuid, 1)
    desk.streams.lines[await stream_of(desk, spec.uuid)] = ["second"]
    assert (await desk.ask(path))["lines"][0]["message"] == "second"
    assert (await desk.ask(path, attempt=1))["lines"][0]["message"] == "first"
    third = await desk.ask(path, attempt=3)
    assert (third["attempt"], third["isEnd"]) == (None, False)
    await desk.end(spec.uuid, 1)
    assert (await desk.ask(path, attempt=3))["isEnd"]


async def test_a_job_without_output_says_why_it_waits(desk: Desk) -> None:
    spec = await desk.submit(a_job().needing(vcpu=9))
    page = await desk.ask(f"jobs/{spec.uuid}/log")
    assert (page["attempt"], page["lines"], page["isEnd"]) == (None, [], False)
    assert "asks 9 vCPU" in page["statusReason"]


async def test_refusals(desk: Desk) -> None:
    array = await desk.submit(a_job().array(3))
    status, text = await desk.refused(f"jobs/{array.uuid}/log")
    assert (status, text.endswith("name one of its children, 0 to 2")) == (400, True)
    assert (await desk.refused(f"jobs/{array.uuid}:3/log"))[0] == 404
    spec = await desk.submit(a_job())
    await desk.end(spec.uuid, 0)
    assert await desk.refused(f"jobs/{spec.uuid}/log") == (404, "the log of attempt 1 is not kept any more")


def formed(form: Form) -> JobBuilder:
    """A job of this form."""
    job, spec = a_job(), formed_spec(form)
    members = {name: getattr(spec, name) for name in ("ecs_properties", "eks_properties", "node_properties")}
    return replace(job, spec=replace(job.spec, container=None, resources=spec.resources, **members))


async def test_containers_have_logs_of_their_own(desk: Desk) -> None:
    fetch, main = a_task_container("fetch", essential=False), a_task_container("main", depends_on={"fetch": "SUCCESS"})
    spec = await desk.submit(formed(a_task(fetch, main)))
    attempt, path = await desk.attempt_of(spec.uuid), f"jobs/{spec.uuid}/log"
    for name in ("fetch", "main"):
        desk.streams.lines[f"definition/{name}/{attempt}"] = [name]
    assert (await desk.ask(path))["lines"][0]["message"] == "main"
    assert (await desk.ask(path, container="fetch"))["lines"][0]["message"] == "fetch"
    status, text = await desk.refused(path, container="other")
    assert (status, text) == (400, f"job {spec.uuid} has no container other, it has fetch, main")


async def test_nodes_have_logs_of_their_own(desk: Desk) -> None:
    spec = await desk.submit(formed(some_nodes(2, main=1)))
    attempt = await desk.attempt_of(spec.uuid)
    for node in range(2):
        desk.streams.lines[f"definition/default/{task_id(attempt, node)}"] = [f"node {node}"]
    assert (await desk.ask(f"jobs/{spec.uuid}/log"))["lines"][0]["message"] == "node 1"
    assert (await desk.ask(f"jobs/{spec.uuid}%230/log"))["lines"][0]["message"] == "node 0"
    assert (await desk.explain(f"{spec.uuid}%230"))["jobId"] == f"{spec.uuid}#0"
    assert (await desk.refused(f"jobs/{spec.uuid}%232/log"))[0] == 404
