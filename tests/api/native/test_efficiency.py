"""`/longshore/efficiency`: what was used of what was held, what it cost, and what would have been enough."""

import pytest

from longshore.domain.lifecycle import reasons
from longshore.domain.prices import Prices
from longshore.testing.job_builders import a_job, a_queue, an_environment
from tests.api.native.native_desk import Desk

HOUR = 3600
GIB = 2**30


async def has_run(desk: Desk, *, exit_code: int = 0, queue: str = "queue", name: str = "align", **usage: float) -> str:
    """A job of 2 vCPU and 1,024 MiB that ran for an hour; returns its id."""
    job = a_job().named(name).needing(vcpu=2, memory_mib=1024).in_queue(queue)
    spec = await desk.submit(job)
    await desk.end(spec.uuid, exit_code, seconds=HOUR, **usage)
    return spec.uuid


async def test_what_was_used_is_compared_with_what_was_held(desk: Desk) -> None:
    """One used 1 of 2 vCPU and a quarter of its memory; of one nothing was measured, which counts for cost alone."""
    await has_run(desk, cpu_seconds=HOUR, peak_memory_bytes=GIB // 4)
    await has_run(desk, exit_code=1)
    report = await desk.ask("efficiency")
    assert (report["by"], report["currency"], report["isPartial"], report["unpriced"]) == (
        *("definition", "USD", False),
        [],
    )
    (row,) = report["rows"]
    assert (row["attempts"], row["failed"], row["runHours"], row["gpuHours"]) == (2, 1, 2, 0)
    assert row["cpu"] == {"heldHours": 4, "measuredHours": 2, "usedHours": 1}
    assert row["memory"] == {"heldHours": 2, "measuredHours": 1, "usedHours": 0.25}
    hour = 2 * 0.04 + 1 * 0.01
    assert row["cost"] == {
        "total": pytest.approx(2 * hour),
        "wasted": pytest.approx(0.5 * 2 * 0.04 + 0.75 * 0.01),
        "savedBySpot": 0,
    }
    assert row["suggestion"] is None, "two attempts say too little"
    assert {**report["total"], "group": row["group"]} == row


async def test_spot_capacity_costs_less(desk: Desk) -> None:
    await desk.put(
        environment=an_environment("cheap", engine="fake", resource_type="SPOT"), queue=a_queue("spot", "cheap")
    )
    await has_run(desk, queue="spot", cpu_seconds=HOUR)
    (row,) = (await desk.ask("efficiency", by="environment"))["rows"]
    hour = 2 * 0.04 + 1 * 0.01
    assert row["group"] == "cheap"
    assert row["cost"]["total"] == pytest.approx(hour * 0.25)
    assert row["cost"]["savedBySpot"] == pytest.approx(hour * 0.75)
    assert row["cost"]["wasted"] == pytest.approx(0.5 * 2 * 0.04 * 0.25)


async def test_a_request_that_was_too_large_is_told_with_its_reason(desk: Desk) -> None:
    for peak in (100, 110, 120):
        await has_run(desk, cpu_seconds=HOUR * 0.5, peak_memory_bytes=peak * 2**20)
    (row,) = (await desk.ask("efficiency"))["rows"]
    assert (row["suggestion"]["vcpus"], row["suggestion"]["memoryMib"]) == (1, 192)
    cpu, memory = row["suggestion"]["because"]
    assert cpu == "95% of 3 good ends used up to 0.50 vCPU on average, asked 2"
    assert memory == "the highest peak of 3 good ends is 120 MiB, asked 1,024; a fifth is added"


async def test_a_request_that_was_too_small_is_told(desk: Desk) -> None:
    spec = await desk.submit(a_job().needing(vcpu=2, memory_mib=1024))
    await desk.end(spec.uuid, 137, reason=reasons.OUT_OF_MEMORY)
    (row,) = (await desk.ask("efficiency"))["rows"]
    assert (row["suggestion"]["vcpus"], row["suggestion"]["memoryMib"]) == (None, 2048)
    assert row["suggestion"]["because"] == ["1 ran out of memory with up to 1,024 MiB"]


async def test_groups(desk: Desk) -> None:
    first = await has_run(desk, name="one", cpu_seconds=HOUR)
    second = await has_run(desk, name="two", cpu_seconds=2 * HOUR)
    assert [row["group"] for row in (await desk.ask("efficiency", by="job"))["rows"]] == [
        f"{first} one",
        f"{second} two",
    ], "the one that wasted more comes first"
    assert [row["group"] for row in (await desk.ask("efficiency", by="job", limit=1))["rows"]] == [f"{first} one"]
    assert [row["group"] for row in (await desk.ask("efficiency", by="job", job=second))["rows"]] == [f"{second} two"]
    assert [row["group"] for row in (await desk.ask("efficiency", by="queue"))["rows"]] == ["queue"]
    assert [row["group"] for row in (await desk.ask("efficiency", by="share"))["rows"]] == ["queue: (no share)"]
    tagged = await desk.ask("efficiency", by="tag:team")
    assert (tagged["by"], [row["group"] for row in tagged["rows"]]) == ("tag team", ["(none)"])
    assert (await desk.ask("efficiency", queue="queue"))["total"]["attempts"] == 2
    await desk.clock.advance(10 * 86_400)
    assert (await desk.ask("efficiency"))["rows"] == []
    assert (await desk.ask("efficiency", since=20 * 86_400))["total"]["attempts"] == 2


async def test_without_prices_there_is_no_cost(desk: Desk) -> None:
    await has_run(desk)
    desk.price(Prices())
    report = await desk.ask("efficiency")
    assert (report["total"]["cost"], report["unpriced"]) == (None, [])


async def test_what_cannot_be_asked_is_refused(desk: Desk) -> None:
    assert await desk.refused("efficiency", by="colour") == (
        400,
        "by colour is none of job, definition, queue, share, environment, tag:KEY",
    )
    assert (await desk.refused("efficiency", by="tag"))[0] == 400
    assert (await desk.refused("efficiency", since="soon"))[0] == 400
    assert await desk.refused("efficiency", queue="south") == (404, "there is no job queue south")
    assert (await desk.refused("efficiency", job="x"))[0] == 400
