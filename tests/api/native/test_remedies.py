"""What helps against limits, shares, gangs and dependencies, for jobs that wait for them."""

from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.job import JobSpec
from longshore.domain.policy import FairsharePolicy, SchedulingPolicy
from longshore.domain.powers import ConcurrencyKey, JobPowers
from longshore.testing.forms import some_nodes
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, JobBuilder, a_job, a_queue, an_environment
from tests.api.native.native_desk import Desk
from tests.api.native.test_predictions import learn, remedies, running


def with_powers(job: JobBuilder, **powers: Any) -> JobBuilder:
    return replace(job, spec=replace(job.spec, powers=JobPowers(**powers)))


def on_nodes(count: int, vcpu: int) -> JobBuilder:
    return a_job().on_nodes(some_nodes(count)).needing(vcpu=count * vcpu)


async def remedy_of(desk: Desk, spec: JobSpec | str, text: str) -> str | None:
    """Of the one cause that has this text."""
    told = remedies(await desk.explain(spec if isinstance(spec, str) else spec.uuid))
    (found,) = [remedy for cause, remedy in told if text in cause]
    return found


async def test_an_array_is_allowed_one_more_when_a_child_ends(desk: Desk) -> None:
    await learn(desk)
    array = await desk.submit(with_powers(a_job().array(2), max_concurrent=1))
    await desk.start(f"{array.uuid}:0")
    remedy = await remedy_of(desk, f"{array.uuid}:1", "(longshore:max-concurrent)")
    assert remedy is not None
    assert remedy.startswith(f"it allows one more when job {array.uuid}:0 ends, about 12:")


async def test_a_key_is_free_when_its_holder_ends(desk: Desk) -> None:
    await learn(desk)
    key = ConcurrencyKey(name="k")
    holder = await running(desk, with_powers(a_job(), concurrency_key=key))
    waiting = await desk.submit(with_powers(a_job(), concurrency_key=key))
    remedy = await remedy_of(desk, waiting, "(longshore:concurrency-key)")
    assert remedy is not None
    assert remedy.startswith(f"it allows one more when job {holder.uuid} ends, about 12:")


@pytest.mark.parametrize(
    ("tags", "vcpu", "tag", "remedy"),
    [
        ({"longshore:max-jobs": "1"}, 1, "longshore:max-jobs", "raise longshore:max-jobs of its job queue"),
        ({"longshore:max-vcpus": "2"}, 2, "longshore:max-vcpus", "raise longshore:max-vcpus of its job queue"),
        (
            {"longshore:max-vcpus": "2"},
            3,
            "longshore:max-vcpus",
            "raise longshore:max-vcpus of its job queue to 3 or more, or ask for less",
        ),
    ],
)
async def test_a_queue_allows_more_when_its_jobs_end_or_its_tag_is_raised(
    desk: Desk, tags: dict[str, str], vcpu: int, tag: str, remedy: str
) -> None:
    await learn(desk)
    await desk.put(queue=a_queue("capped", tags=tags))
    runs = await running(desk, a_job().in_queue("capped"))
    waiting = await desk.submit(a_job().needing(vcpu=vcpu).in_queue("capped"))
    found = await remedy_of(desk, waiting, f"({tag})")
    assert found is not None
    assert found.endswith(remedy)
    assert found.startswith(f"it allows one more when job {runs.uuid} ends, about 12:") == (vcpu < 3)


async def test_capacity_that_is_kept_for_other_shares(desk: Desk) -> None:
    """And what gives a share more."""
    policy = SchedulingPolicy(
        scope=A_SCOPE, name="p", fairshare_policy=FairsharePolicy(compute_reservation=50), created_at=A_MOMENT
    )
    await desk.store.write(lambda tx: tx.put_scheduling_policy(policy))
    await desk.put(queue=a_queue("fair", scheduling_policy_arn=policy.arn))
    runs = await running(desk, a_job().needing(vcpu=2).in_queue("fair").sharing_as("red").limited_to(600))
    waiting = await desk.submit(a_job().needing(vcpu=2).in_queue("fair").sharing_as("red"))
    remedy = await remedy_of(desk, waiting, "computeReservation")
    assert remedy is not None
    assert remedy.startswith(f"it may start when job {runs.uuid} ends, about 12:")
    assert remedy.endswith(", or lower computeReservation in the scheduling policy of its job queue")
    behind = await desk.submit(a_job().needing(vcpu=2).in_queue("fair").sharing_as("red"))
    assert "a lower weightFactor" in (await remedy_of(desk, behind, "shares take turns") or "")


async def test_a_gang_fits_when_there_is_room_for_all_its_nodes(desk: Desk) -> None:
    """Unless there never is."""
    await learn(desk)
    runs = await running(desk, a_job().needing(vcpu=3))
    waiting = await desk.submit(on_nodes(2, 1))
    remedy = await remedy_of(desk, waiting, "all at once; free on its hosts")
    assert remedy is not None
    assert remedy.startswith(f"fits when job {runs.uuid} ends, about 12:")
    large = await desk.submit(on_nodes(9, 1))
    assert await remedy_of(desk, large, "all at once; its 1 hosts") == "add hosts, or ask for fewer or smaller nodes"
    unmanaged = an_environment("unmanaged", engine="fake", type="UNMANAGED", resource_type=None)
    await desk.put(environment=unmanaged, queue=a_queue("alone", "unmanaged"))
    alone = await desk.submit(on_nodes(2, 1).in_queue("alone"))
    remedy = await remedy_of(desk, alone, "run on managed On-Demand EC2 environments only")
    assert remedy == "give its job queue a managed On-Demand EC2 environment"


async def test_a_time_out_lets_a_job_pass(desk: Desk) -> None:
    """Where nobody knows how long it runs."""
    await running(desk, a_job().needing(vcpu=3).limited_to(600))
    await desk.submit(a_job().needing(vcpu=4))
    behind = await desk.submit(a_job())
    remedy = await remedy_of(desk, behind, "is kept for a job ahead")
    assert remedy == "give such jobs a time-out: those that are over in time may pass"


async def test_a_dependency_is_told_when_it_ends_or_starts(desk: Desk) -> None:
    """Of an array when its last child starts; nothing where nobody knows."""
    unknown = await running(desk, a_job())
    before = await desk.submit(a_job().after(unknown.key))
    assert await remedy_of(desk, before, "depends on job") == (
        "nobody can know when it ends: no such job has ended so far, and it has no time-out"
    )
    await desk.end(unknown.uuid, 0)
    await desk.end(before.uuid, 0)
    await learn(desk)
    runs = await running(desk, a_job().needing(vcpu=4))
    single = await desk.submit(a_job().needing(vcpu=4))
    array = await desk.submit(a_job().needing(vcpu=4).array(2))
    for other, text in (
        (runs, "it is likely to end about 12:"),
        (single, "it is likely to start about 12:"),
        (array, "its last child is likely to start about 12:"),
    ):
        waiting = await desk.submit(a_job().after(other.key))
        assert (await remedy_of(desk, waiting, "depends on job") or "").startswith(text)
