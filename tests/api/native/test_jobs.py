"""`/longshore/jobs`: jobs of all regions, newest first, in pages."""

from longshore.domain.ids import Scope
from longshore.testing.job_builders import A_SCOPE, a_job, a_queue, an_environment
from tests.api.native.native_desk import Desk

NORTH = Scope(account_id=A_SCOPE.account_id, region="eu-north-1")


async def with_second_queue(desk: Desk) -> None:
    await desk.put(environment=an_environment(engine="fake", scope=NORTH), queue=a_queue("north", scope=NORTH))


async def names(desk: Desk, **arguments: str | int | list[str]) -> list[str]:
    return [row["name"] for row in (await desk.ask("jobs", **arguments))["jobs"]]


async def test_jobs_of_all_regions_come_newest_first(desk: Desk) -> None:
    await with_second_queue(desk)
    await desk.submit(a_job().named("one"))
    await desk.submit(a_job().named("two").in_queue("north", scope=NORTH))
    await desk.submit(a_job().named("three"))
    page = await desk.ask("jobs")
    assert [row["name"] for row in page["jobs"]] == ["three", "two", "one"]
    assert page["jobs"][1]["place"] == {"accountId": "000000000000", "region": "eu-north-1", "queue": "north"}
    assert page["nextCursor"] is None


async def test_pages_join_without_gap_or_repeat(desk: Desk) -> None:
    await with_second_queue(desk)
    for number in range(7):
        job = a_job().named(f"job-{number}")
        await desk.submit(job.in_queue("north", scope=NORTH) if number % 3 else job)
    seen: list[str] = []
    cursor: dict[str, str | int] = {}
    while True:
        page = await desk.ask("jobs", limit=2, **cursor)
        seen += [row["name"] for row in page["jobs"]]
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert seen == [f"job-{number}" for number in reversed(range(7))]


async def test_filters(desk: Desk) -> None:
    await with_second_queue(desk)
    await desk.submit(a_job().named("Alpha").needing(vcpu=4))
    await desk.submit(a_job().named("alps"))
    await desk.submit(a_job().named("beta").in_queue("north", scope=NORTH))
    assert await names(desk, queue="north") == ["beta"]
    assert await names(desk, name="AL*") == ["alps", "Alpha"]
    assert await names(desk, name="alpha") == ["Alpha"]
    assert await names(desk, status="STARTING") == ["Alpha"]
    assert await names(desk, status=["STARTING", "RUNNABLE"]) == ["beta", "alps", "Alpha"]
    assert await names(desk, status="FAILED") == []
    assert await desk.refused("jobs", queue="south") == (404, "there is no job queue south")


async def test_jobs_of_deleted_queues_are_found(desk: Desk) -> None:
    """Also those of a region and account where nothing else is left."""
    await with_second_queue(desk)
    spec = await desk.submit(a_job().named("past").in_queue("north", scope=NORTH))
    await desk.end(spec.uuid, 0)
    await desk.store.write(lambda tx: (tx.delete_queue(NORTH, "north"), tx.delete_environment(NORTH, "environment")))
    await desk.submit(a_job().named("present"))
    assert await names(desk) == ["present", "past"]
    assert await names(desk, queue="north") == ["past"]
    assert (await desk.explain(spec.uuid))["status"] == "SUCCEEDED"
    assert await desk.refused("jobs", queue="south") == (404, "there is no job queue south")
    await desk.put(queue=a_queue("empty"))
    assert await names(desk, queue="empty") == []


async def test_a_waiting_job_shows_why_and_a_finished_one_what_it_used(desk: Desk) -> None:
    done = await desk.submit(a_job().needing(vcpu=2, memory_mib=512))
    await desk.end(done.uuid, 0, seconds=4, cpu_seconds=6.0, peak_memory_bytes=1000)
    await desk.submit(a_job().needing(vcpu=4))
    await desk.submit(a_job().array(2))
    array, _, finished = (await desk.ask("jobs"))["jobs"]
    assert array["children"] == {"size": 2, "counts": {**array["children"]["counts"], "RUNNABLE": 2}}
    assert finished["asked"] == {"vcpus": 2.0, "memoryMib": 512, "gpus": 0, "scratchMib": 0}
    assert finished["used"] == {"runSeconds": 4.0, "cpuSeconds": 6.0, "peakMemoryBytes": 1000, "peakScratchBytes": None}
    waiting = await desk.submit(a_job())
    [row] = (await desk.ask("jobs", limit=1))["jobs"]
    assert row["jobId"] == waiting.uuid
    assert row["statusReason"].startswith("Waiting: ")
    assert row["used"] is None


async def test_wrong_arguments_are_named(desk: Desk) -> None:
    assert await desk.refused("jobs", limit=0) == (400, "limit 0 is not a whole number from 1 to 1000")
    assert (await desk.refused("jobs", cursor="x"))[0] == 400
    assert (await desk.refused("jobs", status="DONE"))[1].startswith("status DONE is none of SUBMITTED, ")
    assert (await desk.refused("jobs", quue="x"))[1].startswith("there is no argument quue; there are cursor, ")
    assert await desk.refused("nothing") == (404, "there is nothing at /longshore/nothing")
    answer = await desk.client.post("/longshore/status", json={})
    assert (answer.status_code, answer.json()) == (405, {"message": "Method Not Allowed"})


async def test_strangers_are_refused(desk: Desk) -> None:
    del desk.client.headers["x-longshore-client"]
    assert (await desk.client.get("/longshore/jobs")).status_code == 403
