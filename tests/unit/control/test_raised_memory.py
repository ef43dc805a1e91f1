"""Jobs whose memory is raised after a kill for lack of it, through turns of the leader and starts of new ones."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from longshore.domain.ids import JobKey
from longshore.domain.job import Job, JobSpec
from longshore.domain.powers import JobPowers
from longshore.domain.resources import Resources
from longshore.domain.retry import OnOom
from longshore.testing.builders import a_job_spec, a_queue, a_retry
from tests.unit.control.small_site import SmallSite, a_small_site

pytestmark = pytest.mark.anyio

WAITS, RUNS, DONE, FAILED = "RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"
HALF = Resources(vcpu_milli=1000, memory_mib=32_768)


@pytest.fixture
async def site() -> AsyncIterator[SmallSite]:
    """A host of 64 GiB."""
    async with a_small_site(a_queue()) as site:
        yield site


def doubling(spec: JobSpec, attempts: int = 3, most_mib: int | None = None) -> JobSpec:
    on_oom = OnOom(factor_milli=2000, most_mib=most_mib)
    return replace(spec, powers=JobPowers(on_oom=on_oom), retry=a_retry(attempts))


async def jobs(site: SmallSite, *keys: int) -> Sequence[Job]:
    found = await site.store.read(lambda reader: reader.load_jobs([JobKey(key) for key in keys]))
    return [found[JobKey(key)] for key in keys]


async def memory(site: SmallSite, *keys: int) -> list[tuple[int | None, int | None]]:
    """What these jobs ask, if not as submitted, and what their attempts hold."""
    return [(job.memory_mib, job.attempt and job.attempt.resources.memory_mib) for job in await jobs(site, *keys)]


async def test_the_next_attempt_has_more(site: SmallSite) -> None:
    """After another end it has as much as the last one."""
    await site.submit(doubling(a_job_spec(1, resources=Resources(vcpu_milli=1000, memory_mib=1000))))
    assert await memory(site, 1) == [(None, 1000)]
    await site.end(1, 137, oom_killed=True)
    assert await memory(site, 1) == [(2000, 2000)]
    await site.end(1, 137)
    assert await memory(site, 1) == [(2000, 2000)]
    await site.end(1, 0)
    assert await site.statuses(1) == [DONE]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_raised_job_waits_for_room_of_its_own(site: SmallSite, *, restarts: bool) -> None:
    """As large as it is now: what was submitted like it and was not raised passes."""
    spec = doubling(a_job_spec(1, resources=HALF))
    await site.submit(spec, replace(doubling(a_job_spec(2, resources=HALF)), timeout_seconds=60))
    await site.end(1, 137, oom_killed=True)
    if restarts:
        await site.start()
    assert await site.statuses(1, 2) == [WAITS, RUNS]
    (job, _) = await jobs(site, 1, 2)
    assert job.memory_mib == 65_536
    await site.end(2)
    assert await memory(site, 1) == [(65_536, 65_536)]


async def test_no_more_than_the_host_has_is_asked(site: SmallSite) -> None:
    """Then the retry is as any other."""
    await site.submit(doubling(a_job_spec(1, resources=Resources(vcpu_milli=1000, memory_mib=60_000))))
    await site.end(1, 137, oom_killed=True)
    assert await memory(site, 1) == [(65_536, 65_536)]
    await site.end(1, 137, oom_killed=True)
    assert await memory(site, 1) == [(65_536, 65_536)]
    await site.end(1, 137, oom_killed=True)
    assert await site.statuses(1) == [FAILED]


@pytest.mark.parametrize("restarts", [False, True])
async def test_children_are_raised_by_themselves(site: SmallSite, *, restarts: bool) -> None:
    """Some wait with more than their siblings, and all are held, released and ended as one."""
    await site.submit(doubling(a_job_spec(1, array_size=4, resources=HALF)))
    assert await site.statuses(2, 3, 4, 5) == [RUNS, RUNS, WAITS, WAITS]
    await site.end(2, 137, oom_killed=True)
    if restarts:
        await site.start()
    assert await site.statuses(2, 3, 4, 5) == [WAITS, RUNS, WAITS, WAITS]
    for is_held in (True, False):
        await site.write(lambda tx, is_held=is_held: tx.put_hold(JobKey(1), is_held=is_held))
    await site.end(3)
    assert await memory(site, 2, 4) == [(65_536, 65_536), (None, None)]
    await site.end(2)
    assert await site.statuses(2, 3, 4, 5) == [DONE, DONE, RUNS, RUNS]
    await site.end(4)
    await site.end(5)
    assert await site.statuses(1) == [DONE]
