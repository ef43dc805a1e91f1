"""What the leader remembers of jobs that others wait for does not grow with those that have ended."""

from dataclasses import replace

import pytest

from longshore.control.present import Present
from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import Edge
from longshore.store.sqlite import InlineStore
from longshore.testing.job_builders import A_MOMENT, a_job, job_of

pytestmark = pytest.mark.anyio


async def test_jobs_that_have_ended_are_forgotten() -> None:
    store = InlineStore()
    await store.open()
    present = Present([])
    for number in range(200):
        ended = await store.write(lambda tx: a_job().stored(tx))
        last = replace(job_of(ended), status=JobStatus.SUCCEEDED, stopped_at=A_MOMENT)
        await store.write(lambda tx, last=last: tx.save_jobs([last]))
        present.watch_edge(Edge(job_key=JobKey(10_000 + number), on_key=ended.key))
        if number % 20 == 0:
            live = await store.write(lambda tx: a_job().stored(tx))
            present.watch_edge(Edge(job_key=JobKey(10_000 + number), on_key=live.key))
        await store.read(present.forget_ended)
    submitted = await store.read(lambda reader: reader.submitted_jobs(1_000))
    assert len(submitted) == 10
    assert {job.key for job in submitted} <= present.depended_on
    assert len(present.depended_on) < 50
    await store.close()
