"""The copy of the present that is looked ahead from: who holds what since when, who waits, and who waits for whom."""

from collections.abc import AsyncIterator

import pytest

from longshore.domain.dependency import DependencyType, When
from longshore.domain.ids import JobKey
from longshore.ports.engine import Observation, TaskState
from longshore.ports.store import Edge, NewJob, Transaction
from longshore.scheduling.forecast.dependents import Awaited
from longshore.scheduling.forecast.outlook import Outlook, forecast
from longshore.testing.builders import AT, a_job_spec, a_queue, an_environment
from tests.unit.control.test_run_lengths import Scene

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.store.open()
    await scene.store.write(lambda tx: (tx.put_environment(an_environment()), tx.put_queue(a_queue())))
    await scene.lead()
    yield scene
    await scene.store.close()


async def submit(
    scene: Scene, *waits_for: tuple[JobKey, DependencyType | None], array_size: int | None = None
) -> JobKey:
    """A job, of an array if it has a size; it waits for itself where a key is 0."""

    def work(tx: Transaction) -> JobKey:
        key = tx.allocate_keys(1 + (array_size or 0))
        edges = tuple(Edge(job_key=key, on_key=on_key or key, type=kind) for on_key, kind in waits_for)
        spec = a_job_spec(key, array_size=array_size)
        tx.insert_job(NewJob(spec=spec, created_at=AT, tags={}, edges=edges))
        return key

    key = await scene.store.write(work)
    await scene.settle()
    return key


async def outlook_of(scene: Scene) -> Outlook:
    outlook = await scene.leader.outlook()
    assert outlook is not None
    return outlook


async def test_who_runs_and_for_how_long(scene: Scene) -> None:
    """Counted from when it was seen to run; the copy does not follow the present."""
    await scene.run(10.0)
    key, waiting = await submit(scene), await submit(scene)
    attempt = (await scene.store.read(lambda reader: reader.load_jobs([key])))[key].attempt
    assert attempt is not None
    scene.inbox.put([Observation(attempt_id=attempt.attempt_id, state=TaskState.RUNNING, started_at=scene.clock.now())])
    await scene.settle()
    await scene.clock.advance(4)
    outlook = await outlook_of(scene)
    (holding,) = outlook.holding
    assert (holding.placement.key, holding.elapsed_seconds, holding.is_going) == (key, 4.0, False)
    (line,) = outlook.snapshot.classes
    assert [(run.key, run.count) for run in line.runs] == [(waiting, 1)]
    await submit(scene)
    assert len(line.runs) == 1
    found = forecast(outlook).of(waiting)
    assert found.median == pytest.approx(6.0, abs=1.0)
    assert found.late is not None
    assert found.late > found.median


async def test_who_waits_for_whom(scene: Scene) -> None:
    """Of single jobs, arrays, twins and rows; who waits for nothing that is left is not among them."""
    first = await submit(scene, array_size=3)
    alone = await submit(scene, (first, None))
    twins = await submit(scene, (first, DependencyType.N_TO_N), array_size=3)
    row = await submit(scene, (JobKey(0), DependencyType.SEQUENTIAL), (alone, None), array_size=2)
    children = Awaited(first=JobKey(first + 1), last=JobKey(first + 3), left=3)
    found = {each.key: each for each in (await outlook_of(scene)).followers}
    single = Awaited(first=alone, last=alone, left=1)
    assert {key: set(each.awaits) for key, each in found.items()} == {
        alone: {children},
        **{JobKey(twins + n): {Awaited(first=JobKey(first + n), last=JobKey(first + n), left=1)} for n in (1, 2, 3)},
        JobKey(row + 1): {single},
        JobKey(row + 2): {single, Awaited(first=JobKey(row + 1), last=JobKey(row + 1), left=1)},
    }
    assert [found[JobKey(key)].intake for key in (alone, twins + 1, twins + 3, row + 2)] == [4, 5, 7, 9]


async def test_who_waits_for_a_failure_is_not_expected(scene: Scene) -> None:
    """Jobs are taken to succeed."""
    first = await submit(scene)

    def work(tx: Transaction) -> None:
        key = tx.allocate_keys(1)
        edge = Edge(job_key=key, on_key=first, when=When.FAILURE)
        tx.insert_job(NewJob(spec=a_job_spec(key), created_at=AT, tags={}, edges=(edge,)))

    await scene.store.write(work)
    await scene.settle()
    assert (await outlook_of(scene)).followers == ()


async def test_what_came_of_late_is_remembered(scene: Scene) -> None:
    """With how many; without what waits for others. What the clock says is yet to come is taken to be of now."""
    first = await submit(scene, array_size=3)
    await submit(scene, (first, None))
    (recent,) = (await outlook_of(scene)).recent
    assert (recent.at, recent.count) == (0.0, 3)
    assert recent.job_class.queue_name == a_queue().name
