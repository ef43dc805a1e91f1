"""Jobs that are given up when they have not started in time; on the real store in memory."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.control.changes import Changes
from longshore.control.intake import give_up_late_starts, look_at_requests, take_in_jobs
from longshore.control.ledger import Host
from longshore.control.present import Present
from longshore.control.start_deadlines import StartDeadlines
from longshore.domain.ids import JobKey
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle.events import HostLost, PlacementCommitted
from longshore.domain.powers import JobPowers
from longshore.domain.queue import Instant
from longshore.domain.resources import Resources
from longshore.ports.store import Edge, NewJob, Transaction
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, LOCAL, a_job_spec, a_queue, an_attempt_id, an_environment

pytestmark = pytest.mark.anyio

HOSTS = [Host(id=LOCAL, total=Resources(vcpu_milli=8000, memory_mib=8192))]
SUBMITTED = Instant(at=AT, boot_id="boot", boot_seconds=1000.0)
TOLD = ("FAILED", "Job did not start within 60 seconds of its submission")


def later(seconds: float, *, boot_id: str = "boot", wall_seconds: float | None = None) -> Instant:
    """So long after the submission; `wall_seconds` where the wall clock says something else."""
    at = AT + timedelta(seconds=seconds if wall_seconds is None else wall_seconds)
    return Instant(at=at, boot_id=boot_id, boot_seconds=1000.0 + seconds)


class Line:
    """Jobs that should start within a minute, and turns of control over them."""

    def __init__(self, store: InlineStore) -> None:
        self.store = store
        self.present = Present(HOSTS)

    async def submit(self, *, size: int | None = None, after: JobKey | None = None) -> JobKey:
        def write(tx: Transaction) -> JobKey:
            key = tx.allocate_keys(1 + (size or 0))
            spec = replace(
                a_job_spec(key, array_size=size),
                powers=JobPowers(start_deadline_seconds=60),
                submitted=SUBMITTED,
            )
            edges = () if after is None else (Edge(job_key=key, on_key=after),)
            tx.insert_job(NewJob(spec=spec, created_at=AT, tags={}, edges=edges))
            return key

        key = await self.store.write(write)
        await self.turn(lambda tx, changes: take_in_jobs(tx, self.present, changes))
        return key

    async def turn(self, work: Callable[[Transaction, Changes], object]) -> None:
        def write(tx: Transaction) -> None:
            changes = Changes(tx, self.present, AT + timedelta(seconds=61))
            work(tx, changes)
            changes.flush()

        await self.store.write(write)

    async def look(self, now: Instant) -> None:
        await self.turn(lambda tx, changes: give_up_late_starts(tx, self.present, changes, now))

    async def lose_first_attempt(self, key: JobKey) -> None:
        def run(tx: Transaction, changes: Changes) -> None:
            attempt_id = an_attempt_id(key)
            changes.load([key])
            placement = PlacementCommitted(
                attempt_id=attempt_id, environment_name="environment", host_id=LOCAL, resources=Resources()
            )
            changes.apply(key, placement)
            changes.apply(key, HostLost(attempt_id=attempt_id, free_losses=1))

        await self.turn(run)

    async def standing(self, key: int) -> tuple[str, str]:
        (job,) = (await self.store.read(lambda reader: reader.load_jobs([JobKey(key)]))).values()
        return str(job.status), job.status_reason


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    store = InlineStore()
    await store.open()
    await store.write(lambda tx: (tx.put_environment(an_environment()), tx.put_queue(a_queue())))
    yield Line(store)
    await store.close()


async def test_a_job_that_waits_is_given_up_at_its_deadline(line: Line) -> None:
    key = await line.submit()
    assert line.present.start_deadlines.next_at(later(10)) == 1060.0
    await line.look(later(59.9))
    assert await line.standing(key) == ("RUNNABLE", "")
    await line.look(later(60))
    assert await line.standing(key) == TOLD
    assert len(line.present.backlog) == 0
    assert line.present.start_deadlines.next_at(later(60)) is None


async def test_the_time_of_dependencies_counts(line: Line) -> None:
    first = await line.submit()
    second = await line.submit(after=first)
    await line.lose_first_attempt(first)
    await line.look(later(60))
    assert (await line.standing(first))[0] == "RUNNABLE"
    assert await line.standing(second) == TOLD


async def test_who_was_placed_once_has_started(line: Line) -> None:
    """Also when the attempt was lost, and the job waits to be tried again."""
    key = await line.submit()
    await line.lose_first_attempt(key)
    await line.look(later(60))
    assert (await line.standing(key))[0] == "RUNNABLE"
    assert len(line.present.backlog) == 1


async def test_of_an_array_those_end_that_have_not_started(line: Line) -> None:
    parent = await line.submit(size=3)
    await line.lose_first_attempt(JobKey(parent + 2))
    await line.look(later(60))
    standings = [await line.standing(parent + child) for child in (1, 2, 3)]
    assert [standings[0], standings[1][0], standings[2]] == [TOLD, "RUNNABLE", TOLD]
    assert (await line.standing(parent))[0] == "PENDING"
    assert len(line.present.backlog) == 1


async def test_an_array_none_of_which_started_has_failed(line: Line) -> None:
    parent = await line.submit(size=3)
    await line.look(later(60))
    assert await line.standing(parent) == ("FAILED", "Array Child Job failed")


async def test_who_is_being_cancelled_ends_as_that_says(line: Line) -> None:
    """A cancelled job with open dependencies ends when they have ended."""
    first = await line.submit()
    await line.lose_first_attempt(first)
    second = await line.submit(after=first)
    await line.store.write(lambda tx: tx.put_request(second, Wish(kind=WishKind.CANCEL, reason="no")))
    await line.turn(lambda tx, changes: look_at_requests(tx, line.present, changes))
    await line.look(later(60))
    assert (await line.standing(second))[0] == "PENDING"


@pytest.mark.parametrize(
    ("now", "is_due"),
    [
        (later(59, wall_seconds=9000), False),
        (later(61, wall_seconds=-9000), True),
        (later(5, boot_id="another boot", wall_seconds=61), True),
        (later(500, boot_id="another boot", wall_seconds=59), False),
    ],
    ids=["wall clock ahead", "wall clock behind", "over a boot", "over a boot, too early"],
)
async def test_a_new_leader_knows_the_same_deadline(line: Line, now: Instant, *, is_due: bool) -> None:
    """Within one boot the wall clock does not count; over a boot it does."""
    key = await line.submit()
    line.present = await line.store.read(lambda reader: Present.rebuild(reader, HOSTS))
    await line.look(now)
    assert (await line.standing(key) == TOLD) == is_due


async def test_deadlines_of_jobs_that_have_ended_are_forgotten(line: Line) -> None:
    deadlines = StartDeadlines()
    for number in range(1000):
        ended = replace(a_job_spec(10_000 + number), powers=JobPowers(start_deadline_seconds=60), submitted=SUBMITTED)
        deadlines.add(ended)
        deadlines.next_at(later(0))
        await line.store.read(deadlines.forget_ended)
    key = await line.submit()
    deadlines.add(replace(a_job_spec(key), powers=JobPowers(start_deadline_seconds=60), submitted=SUBMITTED))
    assert key in deadlines.take_due(later(60), 500)
    assert len(deadlines.take_due(later(60), 500)) < 500
