"""Fills a store in bulk, through the store port, with what would take hours to run."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from service import Service

from longshore.domain.array import ArraySummary
from longshore.domain.ids import AttemptId, HostId, JobId, JobKey, Scope
from longshore.domain.job import Attempt, Intent, Job, JobSpec
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources
from longshore.ports.store import NewJob, Store, Transaction
from longshore.store.sqlite import SqliteStore

SCOPE = Scope(account_id="000000000000", region="us-east-1")
ARRAY_SIZE = 10_000
_BATCH = 1_000


def make_folder(folder: Path) -> JobSpec:
    """A data folder as a server leaves it; returns the spec of the one job that it ran."""
    with Service(folder) as service:
        service.register("true", ["/bin/true"])
        job_id = service.submit("true")
        service.wait_for_end(job_id)

    async def load() -> JobSpec:
        store = SqliteStore(folder / "data" / "longshore.sqlite3")
        await store.open()
        try:
            wanted = JobId(uuid=job_id)
            keys = await store.read(lambda reader: reader.find_jobs(SCOPE, [wanted]))
            jobs = await store.read(lambda reader: reader.load_jobs(keys.values()))
            return jobs[keys[wanted]].spec
        finally:
            await store.close()

    return asyncio.run(load())


def copy_folder(template: Path, folder: Path) -> None:
    """A seeded folder once more: what one server does to it, the next does not see."""
    # A socket of an engine that is gone can't be copied and is made anew.
    shutil.copytree(template, folder, ignore=lambda where, names: [n for n in names if (Path(where) / n).is_socket()])


def fill(folder: Path, work: Callable[[Store], Awaitable[None]]) -> None:
    """Run `work` on the store of a data folder that no server uses."""

    async def run() -> None:
        store = SqliteStore(folder / "data" / "longshore.sqlite3")
        await store.open()
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


async def add_finished(
    store: Store, like: JobSpec, *, arrays: int, singles: int, say: Callable[[str], None]
) -> list[str]:
    """Store finished jobs, each with the attempt it had; returns the ids of jobs and children all over."""
    ids: list[str] = []
    for number in range(arrays):
        say(f"array {number + 1} of {arrays}")
        uuid = str(uuid4())
        await store.write(lambda tx, uuid=uuid, number=number: _add_finished_array(tx, like, uuid, number))
        ids += [f"{uuid}:{index}" for index in range(0, ARRAY_SIZE, 100)]
    for at in range(0, singles, _BATCH):
        say(f"{at} of {singles} single jobs")
        uuids = [str(uuid4()) for _ in range(min(_BATCH, singles - at))]
        await store.write(lambda tx, uuids=uuids: _add_finished_singles(tx, like, uuids))
        ids += uuids[::10]
    return ids


def _add_finished_array(tx: Transaction, like: JobSpec, uuid: str, number: int) -> None:
    key = tx.allocate_keys(1 + ARRAY_SIZE)
    spec = replace(like, key=key, uuid=uuid, name=f"array-{number}", array_size=ARRAY_SIZE)
    created_at = datetime.now(UTC)
    tx.insert_job(NewJob(spec=spec, created_at=created_at, tags={}))
    intake = tx.next_intake()
    children = [
        _finished(spec, spec.child_key(index), JobId(uuid=uuid, index=index), created_at, intake + index)
        for index in range(ARRAY_SIZE)
    ]
    parent = _finished(spec, key, JobId(uuid=uuid), created_at, intake)
    tx.save_jobs([replace(parent, attempts_made=0, exit_code=None), *children])
    tx.insert_attempts([_attempt(child) for child in children])
    counts = {JobStatus.SUCCEEDED: ARRAY_SIZE}
    tx.save_summary(ArraySummary(parent_key=key, counts=counts, updated_at=created_at))


def _add_finished_singles(tx: Transaction, like: JobSpec, uuids: list[str]) -> None:
    jobs: list[Job] = []
    intake = tx.next_intake()
    created_at = datetime.now(UTC)
    for at, spec in enumerate(_insert_singles(tx, like, uuids, created_at)):
        jobs.append(_finished(spec, spec.key, JobId(uuid=spec.uuid), created_at, intake + at))
    tx.save_jobs(jobs)
    tx.insert_attempts([_attempt(job) for job in jobs])


def _insert_singles(tx: Transaction, like: JobSpec, uuids: list[str], created_at: datetime) -> Iterator[JobSpec]:
    key = tx.allocate_keys(len(uuids))
    for at, uuid in enumerate(uuids):
        spec = replace(like, key=JobKey(key + at), uuid=uuid)
        tx.insert_job(NewJob(spec=spec, created_at=created_at, tags={}))
        yield spec


def _finished(spec: JobSpec, key: JobKey, job_id: JobId, at: datetime, intake: int) -> Job:
    return Job(
        key=key,
        id=job_id,
        spec=spec,
        status=JobStatus.SUCCEEDED,
        status_reason="Essential container in task exited",
        created_at=at,
        started_at=at + timedelta(seconds=1),
        stopped_at=at + timedelta(seconds=2),
        intake=intake,
        attempts_made=1,
        exit_code=0,
    )


def _attempt(job: Job) -> Attempt:
    return Attempt(
        attempt_id=AttemptId(uuid4().hex),
        job_key=job.key,
        number=1,
        environment_name="environment",
        host_id=HostId("local"),
        resources=job.spec.resources,
        intent=Intent.NONE,
        opened_at=job.created_at,
        started_at=job.started_at,
        stopped_at=job.stopped_at,
        exit_code=0,
        status_reason=job.status_reason,
        cpu_seconds=0.5,
        peak_memory_bytes=1 << 20,
    )


async def add_waiting(store: Store, like: JobSpec, *, count: int, classes: int, say: Callable[[str], None]) -> str:
    """Store single jobs as RUNNABLE, taken in in turns from so many classes; returns the first one's id."""
    first = ""
    for at in range(0, count, _BATCH):
        say(f"{at} of {count} waiting jobs")
        uuids = [str(uuid4()) for _ in range(min(_BATCH, count - at))]
        first = first or uuids[0]
        await store.write(lambda tx, uuids=uuids: _add_waiting(tx, like, uuids, classes))
    return first


def _add_waiting(tx: Transaction, like: JobSpec, uuids: list[str], classes: int) -> None:
    jobs: list[Job] = []
    intake = tx.next_intake()
    created_at = datetime.now(UTC)
    key = tx.allocate_keys(len(uuids))
    for at, uuid in enumerate(uuids):
        resources = Resources(vcpu_milli=1000, memory_mib=16 + at % classes)
        spec = replace(like, key=JobKey(key + at), uuid=uuid, resources=resources)
        tx.insert_job(NewJob(spec=spec, created_at=created_at, tags={}))
        jobs.append(
            Job(
                key=spec.key,
                id=JobId(uuid=uuid),
                spec=spec,
                status=JobStatus.RUNNABLE,
                created_at=created_at,
                intake=intake + at,
            )
        )
    tx.save_jobs(jobs)
