"""Every waiting job says what it lacks itself, what would help, where it stands and when it is likely to start."""

from datetime import datetime
from typing import Any

import pytest

from longshore.domain.consumable import ConsumableResource
from longshore.domain.job import JobSpec
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, JobBuilder, a_job, a_queue, an_environment
from tests.api.native.native_desk import Desk


def seconds_from(moment: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(moment)).total_seconds()


async def learn(desk: Desk, *, times: int = 5, seconds: float = 100) -> None:
    """Have jobs run for so long."""
    for _ in range(times):
        spec = await desk.submit(a_job())
        await desk.end(spec.uuid, 0, seconds=seconds)


async def running(desk: Desk, job: JobBuilder) -> JobSpec:
    spec = await desk.submit(job)
    await desk.start(spec.uuid)
    return spec


def remedies(told: Any) -> list[tuple[str, str | None]]:
    return [(cause["text"], cause["remedy"]) for cause in told["waitsFor"]]


async def test_the_first_in_line_is_told_whose_end_makes_room_and_when(desk: Desk) -> None:
    """By what was learned of jobs of that definition."""
    await learn(desk)
    runs = await running(desk, a_job().needing(vcpu=3))
    waiting = await desk.submit(a_job().needing(vcpu=2))
    told = await desk.explain(waiting.uuid)
    (text, remedy), (kept, _) = remedies(told)
    assert kept.startswith("host local will have room for it in ")
    assert text == "compute environment environment: host local: asks 2 vCPU, free 1 vCPU of 4 vCPU"
    assert remedy is not None
    assert remedy.startswith(f"fits when job {runs.uuid} ends, about 12:")
    assert told["position"] == {"ahead": 0, "isAtLeast": False, "waiting": 1, "firstJobId": waiting.uuid}
    start = told["start"]
    assert 80 < seconds_from(told["since"], start["at"]) < 120
    assert start["earliest"] < start["at"] < start["latest"]
    assert start["environment"] == "environment"
    assert start["text"].startswith("about 12:")
    assert "8 times of 10 between" in start["text"]


async def test_a_follower_is_told_what_it_lacks_itself(desk: Desk) -> None:
    """And that it lacks nothing but its turn."""
    await running(desk, a_job().needing(vcpu=3))
    ahead = await desk.submit(a_job().needing(vcpu=4))
    small = await desk.submit(a_job().needing(vcpu=1))
    large = await desk.submit(a_job().needing(vcpu=2))
    told = await desk.explain(large.uuid)
    room_is_kept = (f"room is kept for job {ahead.uuid}", None)
    (text, remedy), kept = remedies(told)[-2:]
    assert text == "compute environment environment: host local: asks 2 vCPU, free 1 vCPU of 4 vCPU"
    assert remedy is not None
    assert remedy.startswith("fits when job ")
    assert kept == room_is_kept
    assert told["position"] == {"ahead": 2, "isAtLeast": False, "waiting": 3, "firstJobId": ahead.uuid}
    assert remedies(await desk.explain(small.uuid))[-2:] == [
        ("compute environment environment: host local is kept free for a job ahead", None),
        room_is_kept,
    ]


async def test_what_nobody_knows_is_called_unknown(desk: Desk) -> None:
    """Of the remedy and of the start; a time-out is something to go by."""
    await running(desk, a_job().needing(vcpu=4))
    waiting = await desk.submit(a_job())
    told = await desk.explain(waiting.uuid)
    assert told["start"]["at"] is None
    assert told["start"]["text"] == (
        "unknown: no job of job definition definition has ended so far, and none has a time-out that would bound it"
    )
    ((_, remedy),) = remedies(told)
    assert remedy is not None
    assert "nobody can know when" in remedy


@pytest.mark.parametrize(
    ("job", "remedy"),
    [
        (a_job().needing(gpus=1), "ask for no more than 4 vCPU, 4096 MiB, 0 GPU, or add a larger host"),
        (a_job().in_queue("small").needing(vcpu=2), "raise its maxvCpus to 2 or more, or ask for less"),
        (a_job().in_queue("off"), "set its state to ENABLED"),
    ],
)
async def test_what_only_a_change_helps_says_which(desk: Desk, job: JobBuilder, remedy: str) -> None:
    """And that it never starts otherwise."""
    await desk.put(environment=an_environment("small", engine="fake", max_vcpus=1), queue=a_queue("small", "small"))
    await desk.put(environment=an_environment("off", engine="fake", state="DISABLED"), queue=a_queue("off", "off"))
    waiting = await desk.submit(job)
    told = await desk.explain(waiting.uuid)
    assert [each for _, each in remedies(told)] == [remedy]
    assert told["start"]["text"] == "never, as things are: what it waits for does not come by itself"


async def test_a_consumable_resource_is_there_again_when_its_holder_ends(desk: Desk) -> None:
    """Or when there is more of it."""
    licence = ConsumableResource(scope=A_SCOPE, name="licence", quantity=5, created_at=A_MOMENT)
    await desk.store.write(lambda tx: tx.put_consumable(licence))
    await learn(desk)
    holder = await running(desk, a_job().taking(licence=4))
    waiting = await desk.submit(a_job().taking(licence=3))
    beyond = await desk.submit(a_job().taking(licence=6))
    ((_, remedy),) = remedies(await desk.explain(waiting.uuid))
    assert remedy is not None
    assert remedy.startswith(f"there is enough when job {holder.uuid} ends, about 12:")
    assert "raise its total quantity by 5 or more" in [each for _, each in remedies(await desk.explain(beyond.uuid))]


async def test_a_job_that_waits_for_another_is_predicted_too(desk: Desk) -> None:
    """In `explain` and in listings; a running job is not."""
    await learn(desk)
    first = await running(desk, a_job())
    waiting = await desk.submit(a_job().after(first.key))
    told = await desk.explain(waiting.uuid)
    assert told["status"] == "PENDING"
    assert 80 < seconds_from(told["since"], told["start"]["at"]) < 120
    rows = {row["jobId"]: row["start"] for row in (await desk.ask("jobs"))["jobs"]}
    assert rows[waiting.uuid]["at"] is not None
    assert rows[first.uuid] is None


async def test_an_array_starts_with_its_next_child(desk: Desk) -> None:
    """And stands where that does."""
    await learn(desk)
    await running(desk, a_job().needing(vcpu=4))
    array = await desk.submit(a_job().needing(vcpu=4).array(3))
    told = await desk.explain(array.uuid)
    assert 80 < seconds_from(told["since"], told["start"]["at"]) < 120
    assert (told["position"]["ahead"], told["position"]["waiting"]) == (0, 3)
    assert (await desk.explain(f"{array.uuid}:2"))["position"]["ahead"] == 2
