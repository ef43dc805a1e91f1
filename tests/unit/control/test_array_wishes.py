"""What callers wish of arrays and their children holds when the dependencies end; on the real store in memory."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.control.changes import Changes
from longshore.control.dependencies import resolve_dependencies
from longshore.control.intake import drain_deleted, look_at_requests, take_in_jobs
from longshore.control.ledger import Host
from longshore.control.present import Present
from longshore.domain.ids import JobKey
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle.events import PlacementCommitted, TaskExited
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources
from longshore.ports.store import Edge, NewJob, Transaction
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, LOCAL, a_job_spec, a_queue, an_attempt_id, an_environment

pytestmark = pytest.mark.anyio

HOSTS = [Host(id=LOCAL, total=Resources(vcpu_milli=8000, memory_mib=8192))]
FIRST, PARENT = JobKey(1), JobKey(2)
CHILDREN = (JobKey(3), JobKey(4))
NOT_NEEDED = Wish(kind=WishKind.CANCEL, reason="not needed")
RUNNABLE, FAILED = ("RUNNABLE", ""), ("FAILED", "not needed")


class Control:
    """Turns of control over one job and an array of two that waits for it."""

    def __init__(self, store: InlineStore) -> None:
        self.store = store

    async def submit(self) -> None:
        def write(tx: Transaction) -> None:
            tx.put_environment(an_environment())
            tx.put_queue(a_queue())
            assert tx.allocate_keys(4) == FIRST
            tx.insert_job(NewJob(spec=a_job_spec(FIRST), created_at=AT, tags={}))
            edge = Edge(job_key=PARENT, on_key=FIRST)
            tx.insert_job(NewJob(spec=a_job_spec(PARENT, array_size=2), created_at=AT, tags={}, edges=(edge,)))

        await self.store.write(write)
        self.present = await self.store.read(lambda reader: Present.rebuild(reader, HOSTS))
        await self.turn(lambda tx, changes: take_in_jobs(tx, self.present, changes))

    async def turn(self, work: Callable[[Transaction, Changes], object]) -> None:
        def write(tx: Transaction) -> None:
            changes = Changes(tx, self.present, AT + timedelta(seconds=1))
            work(tx, changes)
            changes.flush()
            while self.present.checks:
                resolve_dependencies(tx, self.present, changes)

        await self.store.write(write)

    async def wish(self, key: JobKey, wish: Wish) -> None:
        await self.store.write(lambda tx: tx.put_request(key, wish))
        await self.turn(lambda tx, changes: look_at_requests(tx, self.present, changes))

    async def end_first(self, exit_code: int) -> None:
        attempt_id = an_attempt_id(FIRST)

        def run(tx: Transaction, changes: Changes) -> None:
            changes.load([FIRST])
            placement = PlacementCommitted(
                attempt_id=attempt_id, environment_name="environment", host_id=LOCAL, resources=Resources()
            )
            changes.apply(FIRST, placement)
            changes.apply(FIRST, TaskExited(attempt_id=attempt_id, exit_code=exit_code, stopped_at=AT))

        await self.turn(run)

    async def standing(self, key: JobKey) -> tuple[str, str]:
        job = (await self.store.read(lambda reader: reader.load_jobs([key])))[key]
        return str(job.status), job.status_reason


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    store = InlineStore()
    await store.open()
    control = Control(store)
    await control.submit()
    yield control
    await store.close()


@pytest.mark.parametrize("exit_code", [0, 1])
async def test_cancelled_array_fails_when_its_dependencies_have_ended(control: Control, exit_code: int) -> None:
    """However they ended: none of its children ever starts, and the caller's reason is everybody's."""
    await control.wish(PARENT, NOT_NEEDED)
    assert await control.standing(CHILDREN[0]) == ("PENDING", "")
    await control.end_first(exit_code)
    assert [await control.standing(key) for key in (PARENT, *CHILDREN)] == [FAILED] * 3
    assert len(control.present.backlog) == 0


async def test_cancelled_child_fails_and_its_sibling_goes_on(control: Control) -> None:
    """A wish that concerns one child concerns no other."""
    await control.wish(CHILDREN[0], NOT_NEEDED)
    await control.end_first(0)
    assert [await control.standing(key) for key in CHILDREN] == [FAILED, RUNNABLE]
    assert len(control.present.backlog) == 1


async def test_cancelled_child_of_an_array_whose_dependency_failed(control: Control) -> None:
    """It keeps its own reason."""
    await control.wish(CHILDREN[0], NOT_NEEDED)
    await control.end_first(1)
    assert [await control.standing(key) for key in CHILDREN] == [FAILED, ("FAILED", "Dependent Job failed")]
    assert (await control.standing(PARENT))[0] == JobStatus.FAILED


async def test_environment_is_kept_until_its_last_attempt_is_released(control: Control) -> None:
    """A restart in between must still find the engine that is to release it."""
    await control.end_first(0)

    def delete(tx: Transaction, changes: Changes) -> None:
        tx.put_environment(replace(an_environment(), status="DELETING"))
        control.present.forget_resources()
        drain_deleted(tx, control.present, changes)

    await control.turn(delete)
    present = await control.store.read(lambda reader: Present.rebuild(reader, HOSTS))
    (entry,) = present.ledger.open_attempts()
    await control.turn(lambda tx, changes: (changes.released(entry), changes.flush(), delete(tx, changes)))
    assert await control.store.read(lambda reader: reader.environments(None, limit=9)) == []


async def test_wishes_for_an_array_and_its_child_in_one_turn(control: Control) -> None:
    """What concerns the array does not make what concerns the running child forgotten."""
    await control.end_first(0)
    child = CHILDREN[0]
    placement = PlacementCommitted(
        attempt_id=an_attempt_id(child), environment_name="environment", host_id=LOCAL, resources=Resources()
    )

    def run(tx: Transaction, changes: Changes) -> None:
        changes.load([child])
        changes.apply(child, placement)

    await control.turn(run)
    wish = Wish(kind=WishKind.TERMINATE, reason="stop it")
    await control.store.write(lambda tx: tx.put_request(PARENT, NOT_NEEDED))
    await control.store.write(lambda tx: tx.put_request(child, wish))
    await control.turn(lambda tx, changes: look_at_requests(tx, control.present, changes))
    jobs = await control.store.read(lambda reader: reader.load_jobs([child]))
    assert jobs[child].wish == wish
