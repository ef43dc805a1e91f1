"""Dependencies on the success, the failure or any end of another job; on the real store in memory."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from longshore.control.changes import Changes
from longshore.control.dependencies import resolve_dependencies
from longshore.control.intake import take_in_jobs
from longshore.control.ledger import Host
from longshore.control.present import Present
from longshore.domain.dependency import DependencyType, When
from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.events import PlacementCommitted, TaskExited
from longshore.domain.resources import Resources
from longshore.ports.store import Edge, NewJob, Transaction
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, LOCAL, a_job_spec, a_queue, an_attempt_id, an_environment

pytestmark = pytest.mark.anyio

HOSTS = [Host(id=LOCAL, total=Resources(vcpu_milli=8000, memory_mib=8192))]
NEITHER = "was not needed either"


class Jobs:
    """Jobs that wait for each other, and turns of control over them."""

    def __init__(self, store: InlineStore) -> None:
        self.store = store
        self.present = Present(HOSTS)

    async def submit(self, *waits: tuple[JobKey, When], size: int | None = None, kind: str | None = None) -> JobKey:
        """A job that is taken in; `kind` holds of all that it waits for."""

        def write(tx: Transaction) -> JobKey:
            key = tx.allocate_keys(1 + (size or 0))
            paired = None if kind is None else DependencyType(kind)
            on_self = kind == "SEQUENTIAL"
            edges = (Edge(job_key=key, on_key=key if on_self else on, type=paired, when=when) for on, when in waits)
            tx.insert_job(NewJob(spec=a_job_spec(key, array_size=size), created_at=AT, tags={}, edges=tuple(edges)))
            return key

        key = await self.store.write(write)
        await self.turn(lambda tx, changes: take_in_jobs(tx, self.present, changes))
        return key

    async def turn(self, work: Callable[[Transaction, Changes], object]) -> None:
        def write(tx: Transaction) -> None:
            changes = Changes(tx, self.present, AT + timedelta(seconds=1))
            work(tx, changes)
            changes.flush()
            while self.present.checks:
                resolve_dependencies(tx, self.present, changes)

        await self.store.write(write)

    async def end(self, key: JobKey, exit_code: int) -> None:
        """A RUNNABLE job runs, and ends so."""
        attempt_id = an_attempt_id(key)

        def run(tx: Transaction, changes: Changes) -> None:
            changes.load([key])
            placement = PlacementCommitted(
                attempt_id=attempt_id, environment_name="environment", host_id=LOCAL, resources=Resources()
            )
            changes.apply(key, placement)
            changes.apply(key, TaskExited(attempt_id=attempt_id, exit_code=exit_code, stopped_at=AT))

        await self.turn(run)

    async def standing(self, key: int) -> tuple[str, str]:
        (job,) = (await self.store.read(lambda reader: reader.load_jobs([JobKey(key)]))).values()
        return str(job.status), job.status_reason.replace(str(job.id), "itself")

    async def name(self, key: int) -> str:
        (job,) = (await self.store.read(lambda reader: reader.load_jobs([JobKey(key)]))).values()
        return str(job.id)


@pytest.fixture
async def jobs() -> AsyncIterator[Jobs]:
    store = InlineStore()
    await store.open()
    await store.write(lambda tx: (tx.put_environment(an_environment()), tx.put_queue(a_queue())))
    yield Jobs(store)
    await store.close()


@pytest.mark.parametrize("ended_before", [False, True], ids=["while it waits", "before it is submitted"])
@pytest.mark.parametrize(
    ("when", "exit_code", "status"),
    [
        (When.SUCCESS, 0, "RUNNABLE"),
        (When.SUCCESS, 1, "FAILED"),
        (When.FAILURE, 0, "FAILED"),
        (When.FAILURE, 1, "RUNNABLE"),
        (When.END, 0, "RUNNABLE"),
        (When.END, 1, "RUNNABLE"),
    ],
)
async def test_what_an_end_makes_of_a_dependent(
    jobs: Jobs, when: When, exit_code: int, status: str, *, ended_before: bool
) -> None:
    first = await jobs.submit()
    if ended_before:
        await jobs.end(first, exit_code)
    second = await jobs.submit((first, when))
    if not ended_before:
        assert (await jobs.standing(second))[0] == "PENDING"
        await jobs.end(first, exit_code)
    reason = ""
    if status == "FAILED":
        not_needed = f"Not needed: job {await jobs.name(first)} succeeded, and its failure was waited for"
        reason = "Dependent Job failed" if exit_code else not_needed
    assert await jobs.standing(second) == (status, reason)


async def test_what_waits_for_a_job_that_was_not_needed(jobs: Jobs) -> None:
    """It was no failure, so nothing is repaired or reported; and no success, so nothing goes on with its result."""
    first = await jobs.submit()
    repair = await jobs.submit((first, When.FAILURE))
    report = await jobs.submit((repair, When.FAILURE))
    go_on = await jobs.submit((repair, When.SUCCESS))
    clean_up = await jobs.submit((repair, When.END))
    await jobs.end(first, 0)
    told = ("FAILED", f"Not needed: job {await jobs.name(repair)} {NEITHER}")
    assert [await jobs.standing(key) for key in (report, go_on)] == [told, told]
    assert await jobs.standing(clean_up) == ("RUNNABLE", "")


async def test_a_failure_counts_before_what_was_not_needed(jobs: Jobs) -> None:
    good, bad = await jobs.submit(), await jobs.submit()
    both = await jobs.submit((good, When.FAILURE), (bad, When.SUCCESS), (bad, When.END))
    await jobs.turn(lambda tx, changes: None)
    await jobs.end(bad, 1)
    assert await jobs.standing(both) == ("FAILED", "Dependent Job failed")


async def test_all_outcomes_are_waited_for(jobs: Jobs) -> None:
    first, second = await jobs.submit(), await jobs.submit()
    both = await jobs.submit((first, When.FAILURE), (second, When.END))
    await jobs.end(first, 1)
    assert (await jobs.standing(both))[0] == "PENDING"
    await jobs.end(second, 1)
    assert (await jobs.standing(both))[0] == "RUNNABLE"


async def test_children_that_repair_their_twins(jobs: Jobs) -> None:
    """N_TO_N on failure: those run whose twins failed; of the array no child failed, so nobody reports it."""
    array = await jobs.submit(size=2)
    repair = await jobs.submit((array, When.FAILURE), size=2, kind="N_TO_N")
    report = await jobs.submit((repair, When.FAILURE))
    await jobs.end(JobKey(array + 1), 0)
    await jobs.end(JobKey(array + 2), 1)
    assert (await jobs.standing(repair + 1))[1].startswith("Not needed: ")
    assert (await jobs.standing(repair + 2))[0] == "RUNNABLE"
    await jobs.end(JobKey(repair + 2), 0)
    assert (await jobs.standing(repair))[0] == "FAILED"
    assert await jobs.standing(report) == ("FAILED", f"Not needed: job {await jobs.name(repair)} {NEITHER}")


async def test_children_that_are_tried_one_after_another(jobs: Jobs) -> None:
    """SEQUENTIAL on failure: each stands in for the one before; none is needed after the first that did it."""
    chain = await jobs.submit((JobKey(0), When.FAILURE), size=4, kind="SEQUENTIAL")
    await jobs.end(JobKey(chain + 1), 1)
    await jobs.end(JobKey(chain + 2), 0)
    last = [await jobs.standing(chain + child) for child in (3, 4)]
    assert [status for status, _ in last] == ["FAILED", "FAILED"]
    assert [reason.startswith("Not needed: ") for _, reason in last] == [True, True]


async def test_children_that_run_one_after_another_whatever_comes(jobs: Jobs) -> None:
    """SEQUENTIAL on any end."""
    chain = await jobs.submit((JobKey(0), When.END), size=3, kind="SEQUENTIAL")
    await jobs.end(JobKey(chain + 1), 1)
    assert [(await jobs.standing(chain + child))[0] for child in (2, 3)] == ["RUNNABLE", "PENDING"]


async def test_an_array_that_waits_for_a_failure_ends_as_a_whole(jobs: Jobs) -> None:
    first = await jobs.submit()
    array = await jobs.submit((first, When.FAILURE), size=3)
    await jobs.end(first, 0)
    standings = {await jobs.standing(array + child) for child in range(4)}
    told = f"Not needed: job {await jobs.name(first)} succeeded, and its failure was waited for"
    assert standings == {("FAILED", told)}
