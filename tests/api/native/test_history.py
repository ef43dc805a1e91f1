"""`/longshore/history`: what has ended, in the order of submission."""

from longshore.testing.job_builders import a_job
from tests.api.native.native_desk import Desk


async def test_what_has_ended(desk: Desk) -> None:
    """Children of arrays are listed, parents and what has not ended are not."""
    done = await desk.submit(a_job().named("done").needing(vcpu=2))
    await desk.submit(a_job().named("array").array(2).needing(vcpu=1))
    await desk.submit(a_job().named("waits").needing(vcpu=4))
    await desk.start(done.uuid)
    await desk.end(done.uuid, 0, seconds=10, cpu_seconds=4.5, peak_memory_bytes=2**20)
    page = await desk.ask("history")
    assert page["nextCursor"] is None
    [row] = page["jobs"]
    assert (row["jobId"], row["name"], row["status"], row["exitCode"]) == (done.uuid, "done", "SUCCEEDED", 0)
    assert row["asked"]["vcpus"] == 2
    assert (row["used"]["cpuSeconds"], row["used"]["peakMemoryBytes"]) == (4.5, 2**20)
    assert row["submittedAt"] <= row["startedAt"] < row["stoppedAt"]
    assert row["share"] is None
    assert len(row["classId"]) == 24


async def test_pages_join_without_gap_or_repeat(desk: Desk) -> None:
    array = await desk.submit(a_job().array(4).needing(vcpu=1))
    for index in range(4):
        job_id = f"{array.uuid}:{index}"
        await desk.start(job_id)
        await desk.end(job_id, index)
    first = await desk.ask("history", limit=3)
    rest = await desk.ask("history", limit=3, cursor=first["nextCursor"])
    assert rest["nextCursor"] is None
    rows = [*first["jobs"], *rest["jobs"]]
    assert [row["jobId"] for row in rows] == [f"{array.uuid}:{index}" for index in range(4)]
    assert [row["exitCode"] for row in rows] == [0, 1, 2, 3]
    assert await desk.refused("history", limit=0) == (400, "limit 0 is not a whole number from 1 to 1000")
    assert (await desk.refused("history", queue="q"))[0] == 400
