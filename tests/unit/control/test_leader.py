"""A turn whose transaction is undone and run again."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar

import pytest

from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host
from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import JobKey
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources
from longshore.engines.fake import FakeDriver, FakeSite
from longshore.ports.store import NewJob, Transaction
from longshore.scheduling.classes import class_id
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, LOCAL, a_job_spec, a_queue, an_attempt_id, an_environment
from longshore.testing.clock import VirtualClock
from longshore.testing.simulation.logs import KeptLogs

pytestmark = pytest.mark.anyio

T = TypeVar("T")
JOB = JobKey(1)
SPEC = a_job_spec(JOB)


class Hesitant(InlineStore):
    """Undoes each work once and runs it again, as when the group that it shared a commit with failed."""

    is_hesitant = False
    #: what is committed is not told of
    is_mute = False

    async def write(self, work: Callable[[Transaction], T]) -> T:
        def undone(tx: Transaction) -> None:
            work(tx)
            raise KeyboardInterrupt

        if self.is_hesitant:
            with suppress(KeyboardInterrupt):
                await super().write(undone)
        done = await super().write(work)
        if self.is_mute:
            raise StoreUnavailable("disk I/O error")
        return done


@pytest.fixture
async def store() -> AsyncIterator[Hesitant]:
    store = Hesitant()
    await store.open()

    def fill(tx: Transaction) -> None:
        tx.put_environment(an_environment())
        tx.put_queue(a_queue())
        assert tx.allocate_keys(1) == JOB
        tx.insert_job(NewJob(spec=SPEC, created_at=AT, tags={}))

    await store.write(fill)
    yield store
    await store.close()


def a_leader(store: InlineStore, site: FakeSite | None = None) -> Leader:
    clock = VirtualClock()
    return Leader(
        store=store,
        drivers={"fake": FakeDriver(site or FakeSite(clock), clock)},
        logs=KeptLogs(),
        clock=clock,
        inbox=Inbox(),
        hosts=[Host(id=LOCAL, total=Resources(vcpu_milli=1000, memory_mib=1024))],
        settings=ControlSettings(),
        new_attempt_id=lambda: an_attempt_id(JOB),
    )


async def test_it_plans_again(store: Hesitant) -> None:
    """What was placed in the undone transaction is placed in the second."""
    leader = a_leader(store)
    await leader.lead()
    await leader.turn()  # nothing is placed: the engine was not asked yet
    await leader.lanes["fake"].check_health_once()
    store.is_hesitant = True
    await leader.turn()
    statuses = await store.read(lambda reader: reader.statuses([JOB]))
    assert statuses == {JOB: JobStatus.STARTING}


async def test_it_acts_on_what_was_committed_unknown_to_it(store: Hesitant) -> None:
    """An attempt whose commit was answered with an error is launched all the same."""
    site = FakeSite(VirtualClock())
    leader = a_leader(store, site)
    await leader.lead()
    await leader.turn()
    await leader.lanes["fake"].check_health_once()
    store.is_mute = True
    with pytest.raises(StoreUnavailable):
        await leader.turn()
    store.is_mute = False
    await leader.turn()
    await leader.lanes["fake"].serve_once()
    assert site.ledger.starts[an_attempt_id(JOB)] == 1


async def test_it_tells_reasons_again(store: Hesitant) -> None:
    """Reasons that were published in the undone transaction are published in the second."""
    leader = a_leader(store)
    await leader.lead()
    store.is_hesitant = True
    await leader.turn()
    reasons = await store.read(lambda reader: reader.class_reasons([class_id(SPEC)]))
    assert "not asked yet" in reasons[class_id(SPEC)]


async def test_it_withdraws_what_a_former_leader_told(store: Hesitant) -> None:
    """Of classes that wait no more; what still holds stays."""
    former = a_leader(store)
    await former.lead()
    await former.turn()
    await store.write(
        lambda tx: (
            tx.publish_class_reasons({"of a class that is no more": "{}"}),
            tx.put_request(JOB, Wish(kind=WishKind.TERMINATE, reason="")),
        )
    )
    leader = a_leader(store)
    await leader.lead()
    told = await store.read(lambda reader: reader.class_reasons(None))
    assert told.keys() == {class_id(SPEC), "of a class that is no more"}
    await leader.turn()
    assert await store.read(lambda reader: reader.class_reasons(None)) == {}
