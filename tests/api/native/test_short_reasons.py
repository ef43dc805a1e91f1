"""The status reason that DescribeJobs, listings and `explain` show of whatever waits, in short."""

from longshore.domain.dependency import DependencyType
from longshore.domain.job import JobSpec
from longshore.testing.job_builders import A_SCOPE, a_job
from tests.api.native.native_desk import Desk


async def reason(desk: Desk, job_id: str) -> str:
    """As AWS clients see it, and the same everywhere."""
    (view,) = await desk.services.descriptions.describe(A_SCOPE, [job_id])
    assert (await desk.explain(job_id))["statusReason"] == view.job.status_reason
    if view.job.id.index is None:
        rows = {row["jobId"]: row["statusReason"] for row in (await desk.ask("jobs"))["jobs"]}
        assert rows[job_id] == view.job.status_reason
    return view.job.status_reason


async def full(desk: Desk) -> JobSpec:
    """A job that holds all there is."""
    return await desk.submit(a_job().named("first").needing(vcpu=4))


async def test_each_runnable_job_says_what_it_lacks(desk: Desk) -> None:
    """The first of its class and the last, and those of a class behind."""
    await full(desk)
    jobs = [await desk.submit(a_job().needing(vcpu=vcpu)) for vcpu in (2, 2, 1)]
    for spec, vcpu in zip(jobs, (2, 2, 1), strict=True):
        assert (await reason(desk, spec.uuid)).startswith(
            f"Waiting: compute environment environment: host local: asks {vcpu} vCPU, free 0 vCPU of 4 vCPU"
        )


async def test_a_pending_job_says_what_it_depends_on(desk: Desk) -> None:
    """Three of them by name."""
    first = await full(desk)
    others = [await desk.submit(a_job()) for _ in range(3)]
    one = await desk.submit(a_job().after(first.key))
    assert await reason(desk, one.uuid) == f"Waiting: depends on job {first.uuid} (first), which is STARTING"
    job = a_job().after(first.key)
    for other in others:
        job = job.after(other.key)
    many = await desk.submit(job)
    assert (await reason(desk, many.uuid)).endswith(
        f"depends on job {others[1].uuid} (job), which is RUNNABLE; and 1 more"
    )


async def test_an_array_says_why_its_children_wait(desk: Desk) -> None:
    """And each child why it does."""
    await full(desk)
    array = await desk.submit(a_job().array(3))
    assert (await reason(desk, array.uuid)).startswith(
        "3 children RUNNABLE: compute environment environment: host local: asks 1 vCPU, free 0 vCPU"
    )
    after = await desk.submit(a_job().array(3).after(array.key, DependencyType.N_TO_N))
    assert await reason(desk, after.uuid) == (
        f"3 children PENDING: each child waits for the child of the same index of job {array.uuid} (N_TO_N)"
        "; 0 of its 3 children have ended"
    )
    assert await reason(desk, f"{after.uuid}:2") == f"Waiting: depends on job {array.uuid}:2 (job), which is RUNNABLE"


async def test_what_does_not_wait_has_none(desk: Desk) -> None:
    """But for how it ended."""
    first = await full(desk)
    assert await reason(desk, first.uuid) == ""
    await desk.end(first.uuid, 1)
    assert await reason(desk, first.uuid) == "Essential container in task exited"
