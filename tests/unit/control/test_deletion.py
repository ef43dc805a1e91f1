"""What is left in a queue that is being deleted is told to end; on the real store in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.control import intake
from longshore.control.changes import Changes
from longshore.control.intake import drain_deleted, take_in_jobs
from longshore.control.ledger import Host
from longshore.control.present import Present
from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.events import PlacementCommitted
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources
from longshore.ports.store import NewJob, Transaction
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, LOCAL, a_job_spec, a_queue, an_attempt_id, an_environment

pytestmark = pytest.mark.anyio

KEYS = [JobKey(key) for key in range(1, 6)]
RUNNING = KEYS[2:]


async def test_jobs_that_are_slow_to_stop_hide_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: what waits behind them is not placed any more."""
    monkeypatch.setattr(intake, "BATCH", 2)
    store = InlineStore()
    await store.open()
    present = Present([Host(id=LOCAL, total=Resources(vcpu_milli=8000, memory_mib=8192))])

    def fill(tx: Transaction) -> None:
        tx.put_environment(an_environment())
        tx.put_queue(a_queue())
        tx.allocate_keys(len(KEYS))
        for key in KEYS:
            tx.insert_job(NewJob(spec=a_job_spec(key), created_at=AT, tags={}))
        changes = Changes(tx, present, AT)
        while take_in_jobs(tx, present, changes):
            pass
        changes.load(RUNNING)
        for key in RUNNING:
            placement = PlacementCommitted(
                attempt_id=an_attempt_id(key), environment_name="environment", host_id=LOCAL, resources=Resources()
            )
            changes.apply(key, placement)
        changes.flush()
        tx.put_queue(replace(a_queue(), status="DELETING"))
        present.forget_resources()

    def drain(tx: Transaction) -> bool:
        return drain_deleted(tx, present, Changes(tx, present, AT + timedelta(seconds=1)))

    await store.write(fill)
    for _ in KEYS:
        if not await store.write(drain):
            break
    jobs = await store.read(lambda reader: reader.load_jobs(KEYS))
    assert [jobs[key].status for key in KEYS] == [JobStatus.FAILED] * 2 + [JobStatus.STARTING] * 3
    assert all(jobs[key].wish for key in KEYS)
    assert await store.read(lambda reader: reader.queues(None, limit=1)) != []
    await store.close()
