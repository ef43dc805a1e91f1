"""Held jobs and paused queues, through turns of the leader and starts of new ones."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from longshore.domain.ids import JobKey
from longshore.domain.job import JobSpec
from longshore.domain.powers import JobPowers
from longshore.domain.retry import RetryStrategy
from longshore.ports.store import Edge, Transaction
from longshore.testing.builders import a_job_spec, a_queue
from tests.unit.control.small_site import SmallSite, a_small_site

pytestmark = pytest.mark.anyio

HELD = JobPowers(is_held=True)
PENDING, RUNS, WAITS, DONE, FAILED = "PENDING", "RUNNING", "RUNNABLE", "SUCCEEDED", "FAILED"


@pytest.fixture
async def site() -> AsyncIterator[SmallSite]:
    async with a_small_site(a_queue()) as site:
        yield site


def whole(site: SmallSite, key: int) -> JobSpec:
    """A job that needs all there is."""
    return a_job_spec(key, resources=site.total)


async def hold(site: SmallSite, *keys: int, is_held: bool = True) -> None:
    def work(tx: Transaction) -> None:
        for key in keys:
            tx.put_hold(JobKey(key), is_held=is_held)

    await site.write(work)


async def release(site: SmallSite, *keys: int) -> None:
    await hold(site, *keys, is_held=False)


async def test_a_job_submitted_so_is_held_until_it_is_released(site: SmallSite) -> None:
    """Over the start of a new leader; others pass."""
    await site.submit(replace(a_job_spec(1), powers=HELD), a_job_spec(2))
    assert await site.statuses(1, 2) == [WAITS, RUNS]
    await site.start()
    assert await site.statuses(1) == [WAITS]
    await release(site, 1)
    assert await site.statuses(1) == [RUNS]


async def test_a_released_job_has_its_place_again(site: SmallSite) -> None:
    """That of its submission."""
    await site.submit(*(whole(site, key) for key in (1, 2, 3)))
    await hold(site, 2)
    await site.end(1)
    assert await site.statuses(2, 3) == [WAITS, RUNS]
    await site.submit(whole(site, 4))
    await release(site, 2)
    await site.end(3)
    assert await site.statuses(2, 4) == [RUNS, WAITS]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_held_array_starts_no_child(site: SmallSite, *, restarts: bool) -> None:
    """Also none that is tried again, and none that was pending; what runs goes on."""
    spec = replace(a_job_spec(1, array_size=3), retry=RetryStrategy(attempts=2))
    await site.submit(spec)
    assert await site.statuses(2, 3, 4) == [RUNS, RUNS, RUNS]
    await hold(site, 1)
    await site.end(2, exit_code=1)
    if restarts:
        await site.start()
    assert await site.statuses(2, 3, 4) == [WAITS, RUNS, RUNS]
    await site.end(3)
    assert await site.statuses(2, 3, 4) == [WAITS, DONE, RUNS]
    await release(site, 1)
    assert await site.statuses(2, 4) == [RUNS, RUNS]


@pytest.mark.parametrize("restarts", [False, True])
async def test_one_child_is_held(site: SmallSite, *, restarts: bool) -> None:
    """Its siblings start; it stays held when the array is held and released."""
    await site.submit(replace(a_job_spec(1, array_size=3), powers=HELD))
    await hold(site, 3)
    if restarts:
        await site.start()
    await release(site, 1)
    assert await site.statuses(2, 3, 4) == [RUNS, WAITS, RUNS]
    await release(site, 3)
    assert await site.statuses(3) == [RUNS]


async def test_a_held_job_still_waits_for_its_dependencies(site: SmallSite) -> None:
    """Both have to go."""
    await site.submit(a_job_spec(1), a_job_spec(2), edges=(Edge(job_key=JobKey(2), on_key=JobKey(1), type=None),))
    await hold(site, 2)
    assert await site.statuses(2) == [PENDING]
    await site.end(1)
    assert await site.statuses(2) == [WAITS]
    await release(site, 2)
    assert await site.statuses(2) == [RUNS]


async def test_a_hold_is_seen_by_a_turn_that_was_not_told_of_it(site: SmallSite) -> None:
    """So that nothing starts whose hold was answered."""
    await site.submit(whole(site, 1), whole(site, 2))
    await site.store.write(lambda tx: tx.put_hold(JobKey(2), is_held=True))
    await site.end(1)
    assert await site.statuses(2) == [WAITS]


async def test_a_paused_queue_starts_nothing_and_says_so(site: SmallSite) -> None:
    """What runs goes on; afterwards all start."""
    await site.submit(a_job_spec(1))
    await site.write(lambda tx: tx.put_queue(replace(a_queue(), tags={"longshore:paused": "true"})))
    waiting = a_job_spec(2)
    await site.submit(waiting)
    assert await site.statuses(1, 2) == [RUNS, WAITS]
    assert await site.causes(waiting) == [
        "job queue queue is paused; `longshore resume queue` lets its jobs start",
    ]
    await site.write(lambda tx: tx.put_queue(a_queue()))
    assert await site.statuses(1, 2) == [RUNS, RUNS]
