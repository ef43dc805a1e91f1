"""What the leader reads and writes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.domain.ids import HostId, JobKey
from longshore.domain.job import Intent, Job, JobSpec, StopCause, TimelineEntry, Wish, WishKind
from longshore.domain.lifecycle.events import PlacedNode
from longshore.domain.lifecycle.parts import open_parts
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.resources import Resources
from longshore.domain.run_lengths import RunHistory
from longshore.domain.workload import workload_of
from longshore.ports.store import KeyRange, RunOfJobs, Store, Transaction
from longshore.testing.forms import some_nodes
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, a_job, an_attempt, job_of, moment
from longshore.testing.store_contract.jobs import described, submitted, with_attempt

S = JobStatus
A_WISH = Wish(kind=WishKind.CANCEL, reason="no longer needed")


async def loaded(store: Store, key: JobKey) -> Job:
    """The job as the leader reads it."""
    return (await store.read(lambda reader: reader.load_jobs([key])))[key]


async def run_of(store: Store, spec: JobSpec, status: JobStatus) -> list[tuple[int, int, int]]:
    """Runs of a submission as (first offset, last offset, intake) from its key."""
    found = await store.read(lambda reader: reader.ranges(spec, status))
    assert list(await store.read(lambda reader: reader.live_runs(status))) == [(spec.key, run) for run in found]
    return [(keys.first - spec.key, keys.last - spec.key, intake) for keys, intake, _ in found]


@pytest.mark.anyio
class ControlContract:
    """How jobs move."""

    async def test_job_is_saved_whole(self, store: Store) -> None:
        """Every member that may change comes back, of submitted jobs and of children; others are left alone."""
        single, array = await submitted(store, a_job(), a_job().array(3))
        for job in (job_of(single), job_of(array), job_of(array, 1)):
            changed = replace(
                job,
                status=S.FAILED,
                status_reason="Essential container in task exited",
                started_at=moment(1.001),
                stopped_at=moment(2.999),
                intake=7,
                attempts_made=3,
                lost_hosts=1,
                preemptions=2,
                wish=A_WISH,
                exit_code=-9,
                reason="OutOfMemoryError: \u2603",
                memory_mib=4096,
            )
            await store.write(lambda tx, changed=changed: tx.save_jobs([changed]))
            assert await loaded(store, job.key) == changed
            await store.write(lambda tx, job=job: tx.save_jobs([job]))
            assert await loaded(store, job.key) == job
        keys = [array.child_key(2), array.child_key(0), JobKey(10**9)]
        assert await store.read(lambda reader: reader.load_jobs(keys)) == {
            array.child_key(index): job_of(array, index) for index in (0, 2)
        }

    async def test_job_that_does_not_exist_is_not_saved(self, store: Store) -> None:
        """That is a bug, and the whole work is undone."""
        (spec,) = await submitted(store, a_job())
        ghost = replace(job_of(spec), key=JobKey(10**9))
        with pytest.raises(AssertionError):
            await store.write(lambda tx: tx.save_jobs([replace(job_of(spec), status=S.RUNNABLE), ghost]))
        assert (await loaded(store, spec.key)).status is S.SUBMITTED

    async def test_final_job_without_an_end_is_refused(self, store: Store) -> None:
        """The schema itself keeps to it that exactly final jobs have `stopped_at`."""
        (spec,) = await submitted(store, a_job())
        for job in (replace(job_of(spec), status=S.FAILED), replace(job_of(spec), stopped_at=A_MOMENT)):
            with pytest.raises(Exception, match="final_stopped_at"):
                await store.write(lambda tx, job=job: tx.save_jobs([job]))

    async def test_attempt_is_kept_whole(self, store: Store) -> None:
        """As it is opened, and as it changes."""
        (spec,) = await submitted(store, a_job())
        opened = an_attempt(
            job_of(spec),
            resources=Resources(vcpu_milli=250, memory_mib=64, gpus=2, scratch_mib=2**33, gpu_milli=250),
            gpu_names=("GPU-a", "GPU-b"),
        )
        job = with_attempt(job_of(spec), opened)
        await store.write(lambda tx: (tx.insert_attempts([opened]), tx.save_jobs([job])))
        assert await loaded(store, spec.key) == job
        running = replace(
            opened,
            intent=Intent.STOP,
            handle='{"v":1}',
            started_at=moment(0.25),
            started_boot_id="boot",
            started_boot_seconds=12345.678901,
            stop_cause=StopCause.TIMED_OUT,
        )
        await store.write(lambda tx: tx.save_attempts([running]))
        assert (await loaded(store, spec.key)).attempt == running
        preempted = replace(running, stop_cause=StopCause.PREEMPTED)
        await store.write(lambda tx: tx.save_attempts([preempted]))
        assert (await loaded(store, spec.key)).attempt == preempted
        ended = replace(
            running,
            intent=Intent.RELEASE,
            stopped_at=moment(9),
            exit_code=137,
            reason="killed",
            status_reason="Job attempt duration exceeded timeout",
            cpu_seconds=0.125,
            peak_memory_bytes=2**40,
            peak_scratch_bytes=2**41,
        )
        await store.write(lambda tx: tx.save_attempts([ended]))
        assert (await loaded(store, spec.key)).attempt is None
        assert [view.attempts for view in await described(store, spec.key)] == [(ended,)]

    async def test_attempt_is_kept_with_its_parts(self, store: Store) -> None:
        """They come with it wherever it is read, in order, and change one by one; other attempts have none."""
        (plain, spec) = await submitted(store, a_job(), a_job().on_nodes(some_nodes(2)))
        other, opened = an_attempt(job_of(plain)), an_attempt(job_of(spec))
        nodes = [PlacedNode(host_id=HostId(f"h{i}"), resources=spec.resources, address=f"127.0.0.{i}") for i in (1, 2)]
        opened = replace(opened, parts=open_parts(workload_of(spec), opened, nodes))
        await store.write(lambda tx: tx.insert_attempts([opened, other]))
        live = replace(job_of(spec), status=S.STARTING, attempts_made=1)
        await store.write(lambda tx: tx.save_jobs([live]))
        assert (await loaded(store, spec.key)).attempt == opened
        ended = replace(
            opened.parts[1],
            intent=Intent.RELEASE,
            handle="handle",
            address="10.0.0.1",
            started_at=moment(1),
            started_boot_id="boot",
            started_boot_seconds=1.5,
            stopped_at=moment(2),
            exit_code=1,
            reason="why",
            status_reason="what",
            cpu_seconds=0.5,
            peak_memory_bytes=2**40,
            peak_scratch_bytes=2**41,
        )
        await store.write(lambda tx: tx.save_parts([ended]))
        changed = replace(opened, parts=(opened.parts[0], ended))
        assert (await loaded(store, spec.key)).attempt == changed
        assert await store.read(lambda reader: reader.open_attempts()) == [other, changed]
        assert [view.attempts for view in await described(store, spec.key)] == [(changed,)]
        with pytest.raises(AssertionError):
            await store.write(lambda tx: tx.save_parts([replace(ended, number=7)]))

    async def test_open_attempts_are_those_with_something_left_to_do(self, store: Store) -> None:
        """Not ended, or ended and not released."""
        (spec,) = await submitted(store, a_job().array(4))
        live, idle, ended, released = (an_attempt(job_of(spec, index)) for index in range(4))
        idle = replace(idle, intent=Intent.NONE)
        ended = replace(ended, intent=Intent.RELEASE, stopped_at=A_MOMENT)
        released = replace(released, intent=Intent.RELEASE, stopped_at=A_MOMENT)
        await store.write(lambda tx: tx.insert_attempts([live, idle, ended, released]))
        assert await store.read(lambda reader: reader.open_attempts()) == [live, idle, ended, released]
        await store.write(lambda tx: tx.save_attempts([replace(released, intent=Intent.NONE)]))
        assert await store.read(lambda reader: reader.open_attempts()) == [live, idle, ended]

    async def test_attempt_has_one_number(self, store: Store) -> None:
        """A second attempt under a number that was used is refused."""
        (spec,) = await submitted(store, a_job())
        await store.write(lambda tx: tx.insert_attempts([an_attempt(job_of(spec))]))
        with pytest.raises(Exception, match="attempts"):
            await store.write(lambda tx: tx.insert_attempts([an_attempt(job_of(spec))]))

    async def test_submitted_jobs_wait_for_intake_in_order(self, store: Store) -> None:
        """Oldest first, parents among them, children not, up to the limit, until they have an intake number or end."""
        first, array, last = await submitted(store, a_job(), a_job().array(2), a_job())

        async def waiting(limit: int = 10) -> list[JobKey]:
            return [job.key for job in await store.read(lambda reader: reader.submitted_jobs(limit))]

        assert await waiting() == [first.key, array.key, last.key]
        assert await waiting(2) == [first.key, array.key]
        ended = replace(job_of(last), status=S.FAILED, stopped_at=A_MOMENT)
        await store.write(lambda tx: tx.save_jobs([replace(job_of(array), intake=1), ended]))
        assert await waiting() == [first.key]

    async def test_children_move_together(self, store: Store) -> None:
        """Those in the status named, with what is given, numbered by their index; the rest stays."""
        spec, other = await submitted(store, a_job().array(4), a_job().array(2))
        odd = replace(job_of(spec, 1), status=S.RUNNING)
        await store.write(lambda tx: tx.save_jobs([odd]))

        def move(tx: Transaction) -> int:
            like = replace(job_of(spec), status=S.RUNNABLE)
            return tx.save_children(spec.key, status_from=S.SUBMITTED, like=like, intake_of_first=5)

        assert await store.write(move) == 3
        jobs = [await loaded(store, spec.child_key(index)) for index in range(4)]
        assert [(job.status, job.intake) for job in jobs] == [
            (S.RUNNABLE, 5), (S.RUNNING, None), (S.RUNNABLE, 7), (S.RUNNABLE, 8)
        ]  # fmt: skip
        assert (await loaded(store, spec.key)).status is S.SUBMITTED
        assert (await loaded(store, other.child_key(0))).status is S.SUBMITTED

        def fail(tx: Transaction) -> int:
            like = replace(job_of(spec), status=S.FAILED, status_reason="x", stopped_at=A_MOMENT, wish=A_WISH)
            return tx.save_children(spec.key, status_from=S.RUNNABLE, like=like, intake_of_first=None)

        assert await store.write(fail) == 3
        failed = replace(
            job_of(spec, 2), status=S.FAILED, status_reason="x", stopped_at=A_MOMENT, wish=A_WISH, intake=7
        )
        assert await loaded(store, spec.child_key(2)) == failed

    async def test_runs_join_neighbours(self, store: Store) -> None:
        """A run breaks where a key or an intake number is missing; the parent is in none."""
        (spec,) = await submitted(store, a_job().array(8))
        assert await run_of(store, spec, S.SUBMITTED) == []
        intakes = {0: 10, 1: 11, 2: 12, 4: 14, 5: 20, 6: 21}
        jobs = [replace(job_of(spec, index), status=S.RUNNABLE, intake=n) for index, n in intakes.items()]
        jobs.append(replace(job_of(spec), status=S.RUNNABLE, intake=9))
        await store.write(lambda tx: tx.save_jobs(jobs))
        assert await run_of(store, spec, S.RUNNABLE) == [(1, 3, 10), (5, 5, 14), (6, 7, 20)]
        assert await run_of(store, spec, S.PENDING) == []

    async def test_runs_have_equal_memory(self, store: Store) -> None:
        """Children whose memory was raised have runs of their own; so is a single job read at start."""
        array, single = await submitted(store, a_job().array(4), a_job())
        raised = {2: 512, 3: 1024}
        jobs = [replace(job_of(array, n), status=S.RUNNABLE, intake=1 + n, memory_mib=raised.get(n)) for n in range(4)]
        jobs.append(replace(job_of(single), status=S.RUNNABLE, intake=9, memory_mib=64))
        await store.write(lambda tx: tx.save_jobs(jobs))

        def runs(spec: JobSpec, *ends: tuple[int, int, int, int | None]) -> list[tuple[JobKey, RunOfJobs]]:
            return [
                (spec.key, RunOfJobs(KeyRange(first=JobKey(spec.key + a), last=JobKey(spec.key + b)), intake, memory))
                for a, b, intake, memory in ends
            ]

        expected = runs(array, (1, 2, 1, None), (3, 3, 3, 512), (4, 4, 4, 1024)) + runs(single, (0, 0, 9, 64))
        assert list(await store.read(lambda reader: reader.live_runs(S.RUNNABLE))) == expected
        found = await store.read(lambda reader: reader.ranges(array, S.RUNNABLE))
        assert found == [run for key, run in expected if key == array.key]

    async def test_runs_of_single_jobs_stay_apart(self, store: Store) -> None:
        """Each submission has its own runs, even where keys and numbers go on; final ones have none."""
        specs = await submitted(store, a_job(), a_job(), a_job())
        jobs = [replace(job_of(spec), status=S.RUNNABLE, intake=n) for n, spec in enumerate(specs, 1)]
        jobs[2] = replace(jobs[2], status=S.FAILED, stopped_at=A_MOMENT)
        await store.write(lambda tx: tx.save_jobs(jobs))
        runs = [
            (spec.key, RunOfJobs(KeyRange(first=spec.key, last=spec.key), n)) for n, spec in enumerate(specs[:2], 1)
        ]
        assert await store.read(lambda reader: reader.live_runs(S.RUNNABLE)) == runs
        assert await store.read(lambda reader: reader.ranges(specs[1], S.RUNNABLE)) == [runs[1][1]]

    async def test_live_specs_are_of_submissions_that_go_on(self, store: Store) -> None:
        """Oldest first, array parents included."""
        first, gone, array = await submitted(store, a_job(), a_job(), a_job().array(2))
        await store.write(lambda tx: tx.save_jobs([replace(job_of(gone), status=S.FAILED, stopped_at=A_MOMENT)]))
        assert await store.read(lambda reader: reader.live_specs()) == [first, array]

    async def test_statuses_are_read_for_any_jobs(self, store: Store) -> None:
        """Of those that exist."""
        (spec,) = await submitted(store, a_job().array(2))
        await store.write(lambda tx: tx.save_jobs([replace(job_of(spec, 1), status=S.RUNNABLE)]))
        keys = [spec.key, spec.child_key(1), JobKey(10**9)]
        assert await store.read(lambda reader: reader.statuses(keys)) == {
            spec.key: S.SUBMITTED,
            spec.child_key(1): S.RUNNABLE,
        }

    async def test_intake_goes_on_above_the_highest_number(self, store: Store) -> None:
        """Whether a job or an array's last child has it, and also after that job is gone."""
        single, array = await submitted(store, a_job(), a_job().array(3))
        assert await store.read(lambda reader: reader.next_intake()) == 1
        await store.write(lambda tx: tx.save_jobs([replace(job_of(single), intake=4)]))
        await store.write(lambda tx: tx.save_jobs([replace(job_of(array), intake=2)]))
        assert await store.read(lambda reader: reader.next_intake()) == 5
        like = replace(job_of(array), status=S.RUNNABLE)
        await store.write(lambda tx: tx.save_children(array.key, status_from=S.SUBMITTED, like=like, intake_of_first=5))
        assert await store.read(lambda reader: reader.next_intake()) == 8

    async def test_summary_is_saved(self, store: Store) -> None:
        """It is as it was last given; a single job has none, and a count below zero is refused."""
        single, array = await submitted(store, a_job(), a_job().array(3))
        before = await store.read(lambda reader: reader.summary(array.key))
        assert before is not None
        after = before.moved({S.SUBMITTED: -2, S.FAILED: 2}, now=moment(3))
        await store.write(lambda tx: tx.save_summary(after))
        assert await store.read(lambda reader: reader.summary(array.key)) == after
        assert await store.read(lambda reader: reader.summary(single.key)) is None
        with pytest.raises(Exception, match="array_summaries"):
            await store.write(lambda tx: tx.save_summary(replace(after, counts={S.FAILED: 4, S.RUNNING: -1})))

    async def test_each_leader_has_a_higher_epoch(self, store: Store) -> None:
        """Zero before the first."""
        assert await store.read(lambda reader: reader.epoch()) == 0
        assert [await store.write(lambda tx: tx.claim_leadership()) for _ in range(2)] == [1, 2]
        assert await store.read(lambda reader: reader.epoch()) == 2

    async def test_class_reasons_are_published_and_withdrawn(self, store: Store) -> None:
        """A class has one reason, the last that was published."""
        await store.write(lambda tx: tx.publish_class_reasons({"a": "x", "b": "y", "c": "z"}))
        await store.write(lambda tx: tx.publish_class_reasons({"a": "w"}, withdraw=["b", "unknown"]))
        found = await store.read(lambda reader: reader.class_reasons(["a", "b", "c", "d"]))
        assert found == await store.read(lambda reader: reader.class_reasons(None)) == {"a": "w", "c": "z"}

    async def test_old_history_goes_whole(self, store: Store) -> None:
        """Oldest end first, up to the limit; what lives, ended later or holds an unreleased attempt stays."""
        old, array, young, live, held = await submitted(
            store, *(a_job().array(2) if n == 1 else a_job() for n in range(5))
        )
        (waiting,) = await submitted(store, a_job().after(old.key))
        day = timedelta(days=1)

        def end(tx: Transaction) -> None:
            for spec, stopped_at in ((array, A_MOMENT - 3 * day), (old, A_MOMENT - 2 * day), (young, A_MOMENT)):
                tx.save_jobs([replace(job_of(spec), status=S.FAILED, stopped_at=stopped_at)])
            tx.save_jobs([replace(job_of(held), status=S.FAILED, stopped_at=A_MOMENT - 3 * day)])
            for job in (job_of(old), job_of(array, 1), job_of(young), job_of(held)):
                ended = an_attempt(job, stopped_at=A_MOMENT, intent=Intent.NONE)
                tx.insert_attempts([replace(ended, intent=Intent.RELEASE) if job.key == held.key else ended])
                step = TimelineEntry(
                    job_key=job.key, at=A_MOMENT, status_from=None, status_to=S.FAILED, cause="TaskExited"
                )
                tx.append_events([step])

        await store.write(end)
        before = A_MOMENT - day
        assert await store.write(lambda tx: tx.delete_history(stopped_before=before, limit=1)) == 1
        assert [view.job.key for view in await described(store, array.key, old.key)] == [old.key]
        assert await store.write(lambda tx: tx.delete_history(stopped_before=before, limit=10)) == 1
        assert await store.write(lambda tx: tx.delete_history(stopped_before=before, limit=10)) == 0
        keys = [old.key, *range(array.key, array.last_key + 1)]
        assert await described(store, *keys) == []
        for key in map(JobKey, keys):
            assert await store.read(lambda reader, key=key: reader.timeline(key)) == []
        assert await store.read(lambda reader: reader.summary(array.key)) is None
        assert await store.read(lambda reader: reader.edges_on([old.key])) == []
        kept = [young.key, live.key, held.key, waiting.key]
        assert [view.job.key for view in await described(store, *kept)] == kept
        assert len(await store.read(lambda reader: reader.timeline(young.key))) == 1
        assert await store.read(lambda reader: reader.find_jobs(A_SCOPE, [job_of(old).id])) == {}

    async def test_run_times_are_kept_replaced_and_forgotten(self, store: Store) -> None:
        """Of each family whole."""
        first, second = (RunHistory(family=name, at=A_MOMENT).learn([0.01, 3600], A_MOMENT) for name in ("a", "b"))
        more = first.learn([1e7], moment(5))
        await store.write(lambda tx: tx.save_run_histories([first, second]))
        await store.write(lambda tx: tx.save_run_histories([more]))
        known = await store.read(lambda reader: reader.run_histories())
        assert sorted(known, key=lambda each: each.family) == [more, second]
        await store.write(lambda tx: tx.forget_run_histories(["a", "none"]))
        assert await store.read(lambda reader: reader.run_histories()) == [second]
