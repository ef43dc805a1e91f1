"""Limits on what runs at once, through turns of the leader and starts of new ones."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from longshore.domain.job import JobSpec
from longshore.domain.powers import ConcurrencyKey, JobPowers
from longshore.testing.builders import a_job_spec, a_queue, a_uuid
from tests.unit.control.small_site import SmallSite, a_small_site

pytestmark = pytest.mark.anyio

SLOW = a_queue("slow", priority=1)
RUNS, WAITS, DONE = "RUNNING", "RUNNABLE", "SUCCEEDED"


@pytest.fixture
async def site() -> AsyncIterator[SmallSite]:
    async with a_small_site(a_queue(), SLOW) as site:
        yield site


def keyed(key: int, most: int = 1, **members: object) -> JobSpec:
    spec = a_job_spec(key)
    return replace(spec, powers=JobPowers(concurrency_key=ConcurrencyKey(name="db", most=most)), **members)


async def test_a_key_is_held_until_the_end(site: SmallSite) -> None:
    """By attempts, over the start of a new leader; then the next one has it."""
    await site.submit(keyed(1), keyed(2, queue_name="slow"), a_job_spec(3))
    assert await site.statuses(1, 2, 3) == [RUNS, WAITS, RUNS]
    await site.start()
    assert await site.statuses(1, 2) == [RUNS, WAITS]
    causes = await site.causes(keyed(2, queue_name="slow"))
    assert causes == [
        "1 of at most 1 jobs hold the key db (longshore:concurrency-key)",
        f"job {a_uuid(1)} (job-1) holds its key",
    ]
    await site.end(1)
    assert await site.statuses(1, 2) == [DONE, RUNS]


async def test_children_run_so_many_at_once(site: SmallSite) -> None:
    """Also those that are tried again."""
    spec = replace(a_job_spec(1, array_size=4), powers=JobPowers(max_concurrent=2))
    await site.submit(spec)
    assert await site.statuses(2, 3, 4, 5) == [RUNS, RUNS, WAITS, WAITS]
    await site.end(2)
    await site.start()
    assert await site.statuses(2, 3, 4, 5) == [DONE, RUNS, RUNS, WAITS]


async def test_a_new_cap_of_a_queue_holds_for_what_waits(site: SmallSite) -> None:
    """As soon as it is there; what runs goes on, and counts."""
    await site.submit(*(replace(a_job_spec(key), queue_name="slow") for key in (1, 2)))
    await site.write(lambda tx: tx.put_queue(replace(SLOW, tags={"longshore:max-jobs": "1"})))
    await site.submit(*(replace(a_job_spec(key), queue_name="slow") for key in (3, 4)))
    assert await site.statuses(1, 2, 3, 4) == [RUNS, RUNS, WAITS, WAITS]
    assert await site.causes(replace(a_job_spec(3), queue_name="slow")) == [
        "2 of at most 1 jobs of job queue slow run (longshore:max-jobs)"
    ]
    await site.end(1)
    assert await site.statuses(3, 4) == [WAITS, WAITS]
    await site.write(lambda tx: tx.put_queue(replace(SLOW, tags={"longshore:max-vcpus": "2"})))
    assert await site.statuses(3, 4) == [RUNS, WAITS]


async def test_a_cap_that_was_stored_malformed_is_none(site: SmallSite) -> None:
    """Before these tags meant anything, anything could be in them."""
    await site.write(lambda tx: tx.put_queue(replace(SLOW, tags={"longshore:max-jobs": "many"})))
    await site.submit(replace(a_job_spec(1), queue_name="slow"))
    assert await site.statuses(1) == [RUNS]
