"""The leader learns how long attempts run, with the ends that it learns from; a later leader goes on with that."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from longshore.control import run_lengths
from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host
from longshore.control.run_lengths import Learning
from longshore.domain.ids import AttemptId, JobKey
from longshore.domain.resources import Resources
from longshore.domain.run_lengths import RunHistory, RunLengths, family, parts_family
from longshore.engines.fake import FakeDriver, FakeSite
from longshore.ports.engine import Observation, TaskState
from longshore.ports.store import NewJob, Transaction
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, LOCAL, a_job_spec, a_queue, an_environment
from longshore.testing.clock import VirtualClock
from longshore.testing.job_builders import an_attempt, job_of
from longshore.testing.simulation.logs import KeptLogs

pytestmark = pytest.mark.anyio


class Scene:
    """A leader over a host with room for one job."""

    def __init__(self) -> None:
        self.store = InlineStore()
        self.clock = VirtualClock()
        self.numbers = count(1)

    async def lead(self) -> None:
        """Another server takes over."""
        self.inbox = Inbox()
        self.leader = Leader(
            store=self.store,
            drivers={"fake": FakeDriver(FakeSite(self.clock), self.clock)},
            logs=KeptLogs(),
            clock=self.clock,
            inbox=self.inbox,
            hosts=[Host(id=LOCAL, total=Resources(vcpu_milli=1000, memory_mib=128))],
            settings=ControlSettings(),
            new_attempt_id=lambda: AttemptId(f"{next(self.numbers):032x}"),
        )
        await self.leader.lead()
        await self.leader.lanes["fake"].check_health_once()
        await self.settle()

    async def settle(self) -> None:
        self.inbox.notify()
        while await self.leader.turn():
            pass

    async def run(self, seconds: float, exit_code: int = 0) -> JobKey:
        """Submit a job and have it run for so long."""

        def work(tx: Transaction) -> JobKey:
            key = tx.allocate_keys(1)
            tx.insert_job(NewJob(spec=a_job_spec(key), created_at=AT, tags={}))
            return key

        key = await self.store.write(work)
        await self.settle()
        attempt = (await self.store.read(lambda reader: reader.load_jobs([key])))[key].attempt
        assert attempt is not None
        begun = self.clock.now()
        observed = Observation(
            attempt_id=attempt.attempt_id,
            state=TaskState.EXITED,
            started_at=begun,
            stopped_at=begun + timedelta(seconds=seconds),
            exit_code=exit_code,
        )
        self.inbox.put([observed])
        await self.settle()
        return key

    async def stored(self) -> dict[str, RunHistory]:
        return {each.family: each for each in await self.store.read(lambda reader: reader.run_histories())}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.store.open()
    await scene.store.write(lambda tx: (tx.put_environment(an_environment()), tx.put_queue(a_queue())))
    await scene.lead()
    yield scene
    await scene.store.close()


async def test_every_end_is_learned_from_once_over_restarts(scene: Scene) -> None:
    """Failures too; a job that was learned from is not learned from again by the next leader."""
    await scene.run(10.0)
    await scene.run(10.0, exit_code=3)
    await scene.lead()
    await scene.run(10.0)
    (name,) = await scene.stored()
    history = (await scene.stored())[name]
    assert name == family(a_job_spec(1))
    assert history.count == 3
    assert RunLengths(history).quantile(0.5) == pytest.approx(10.0, rel=0.1)


async def test_the_part_of_a_time_out_is_learned_as_well(scene: Scene) -> None:
    """Of all definitions together."""
    learning = Learning()
    spec = replace(a_job_spec(1), timeout_seconds=100)
    attempt = an_attempt(job_of(spec), started_at=AT, stopped_at=AT + timedelta(seconds=50), exit_code=0)
    learning.note(attempt, spec)
    await scene.store.write(lambda tx: learning.flush(tx, AT))
    parts = (await scene.stored())[parts_family(spec.scope)]
    assert RunLengths(parts).quantile(0.5) == pytest.approx(0.5, rel=0.1)


async def test_families_beyond_the_bound_go_the_oldest_first(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth more than has to, from the store too."""
    monkeypatch.setattr(run_lengths, "MOST_FAMILIES", 10)
    known = [
        RunHistory(family=f"{days:02}", at=AT - timedelta(days=days)).learn([1], AT - timedelta(days=days))
        for days in range(10)
    ]
    await scene.store.write(lambda tx: tx.save_run_histories(known))
    await scene.lead()
    await scene.run(1.0)
    assert set(await scene.stored()) == {*(f"{days:02}" for days in range(8)), family(a_job_spec(1))}
