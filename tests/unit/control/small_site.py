"""A leader over a store in memory and simulated machines, for tests that look at whole turns."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec

from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host
from longshore.domain.ids import AttemptId, JobKey
from longshore.domain.job import JobSpec
from longshore.domain.queue import JobQueue
from longshore.domain.resources import Resources
from longshore.engines.fake import Behaviour, FakeDriver, FakeSite
from longshore.ports.engine import LaunchSpec, Observation, TaskState
from longshore.ports.store import Edge, NewJob, Transaction
from longshore.scheduling.classes import class_id
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, LOCAL, an_environment
from longshore.testing.clock import VirtualClock
from longshore.testing.simulation.logs import KeptLogs

ROOMY = Resources(vcpu_milli=64_000, memory_mib=65_536)


def _attempt_ids() -> Iterator[AttemptId]:
    return (AttemptId(f"{number:032x}") for number in count(1))


def _runs_on(spec: LaunchSpec) -> Behaviour:
    return Behaviour(duration_seconds=1e6)


@asynccontextmanager
async def a_small_site(*queues: JobQueue) -> AsyncGenerator["SmallSite"]:
    """One environment and these queues, and a leader that has begun."""
    store, clock = InlineStore(), VirtualClock()
    await store.open()
    site = SmallSite(store=store, clock=clock, site=FakeSite(clock, _runs_on))

    def fill(tx: Transaction) -> None:
        tx.put_environment(an_environment())
        for queue in queues:
            tx.put_queue(queue)

    await store.write(fill)
    await site.start()
    yield site
    await store.close()


@dataclass(kw_only=True)
class SmallSite:
    """Jobs run until they are ended."""

    store: InlineStore
    clock: VirtualClock
    site: FakeSite
    total: Resources = ROOMY
    leader: Leader = field(init=False)
    inbox: Inbox = field(init=False)
    _ids: Iterator[AttemptId] = field(default_factory=_attempt_ids)

    async def start(self) -> None:
        """A leader that knows only what is stored."""
        self.inbox = Inbox()
        self.leader = Leader(
            store=self.store,
            drivers={"fake": FakeDriver(self.site, self.clock)},
            logs=KeptLogs(),
            clock=self.clock,
            inbox=self.inbox,
            hosts=[Host(id=LOCAL, total=self.total)],
            settings=ControlSettings(),
            new_attempt_id=lambda: next(self._ids),
        )
        await self.leader.lead()
        await self.leader.lanes["fake"].check_health_once()
        await self.settle()

    async def settle(self) -> None:
        """Turns, acts and observations until nothing changes."""
        lane = self.leader.lanes["fake"]
        for _ in range(4):
            while await self.leader.turn():
                pass
            await lane.serve_once()
            await lane.observe_all()
        await self.clock.advance(2.0)
        while await self.leader.turn():
            pass

    async def end(self, key: int, exit_code: int = 0, *, oom_killed: bool = False) -> None:
        """The attempt that the job holds exits, or is killed for lack of memory."""
        job = (await self.store.read(lambda reader: reader.load_jobs([JobKey(key)])))[JobKey(key)]
        assert job.attempt is not None, job
        now = self.clock.now()
        exited = Observation(
            attempt_id=job.attempt.attempt_id,
            state=TaskState.EXITED,
            started_at=now,
            stopped_at=now,
            started_boot_seconds=self.clock.boot_seconds(),
            exit_code=exit_code,
            oom_killed=oom_killed,
        )
        self.inbox.put([exited])
        await self.settle()

    async def write(self, work: Callable[[Transaction], Any]) -> None:
        """Have something written by a caller, and what follows from it."""
        await self.store.write(work)
        self.inbox.notify()
        await self.settle()

    async def submit(self, *specs: JobSpec, edges: tuple[Edge, ...] = ()) -> None:
        """Specs whose keys follow each other from 1."""

        def work(tx: Transaction) -> None:
            for spec in specs:
                assert tx.allocate_keys(1 + (spec.array_size or 0)) == spec.key
                mine = tuple(edge for edge in edges if edge.job_key == spec.key)
                tx.insert_job(NewJob(spec=spec, created_at=AT, tags={}, edges=mine))

        await self.write(work)

    async def statuses(self, *keys: int) -> list[str]:
        """Where these jobs stand."""
        wanted = [JobKey(key) for key in keys]
        found: Mapping[JobKey, Any] = await self.store.read(lambda reader: reader.statuses(wanted))
        return [str(found[key]) for key in wanted]

    async def causes(self, spec: JobSpec) -> list[str]:
        """Why jobs of this class wait, as it was published."""
        reasons = await self.store.read(lambda reader: reader.class_reasons([class_id(spec)]))
        return msgspec.json.decode(reasons[class_id(spec)])["causes"]
