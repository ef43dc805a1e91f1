"""Submissions, descriptions, requests and timelines."""

from dataclasses import replace

import pytest

from longshore.domain.array import ArraySummary
from longshore.domain.dependency import Dependency, DependencyType
from longshore.domain.ids import JobId, JobKey, Scope
from longshore.domain.job import Attempt, Job, JobSpec, TimelineEntry, Wish, WishKind
from longshore.domain.lifecycle.status import ARRAY_STATUSES, JobStatus
from longshore.domain.retry import EvaluateOnExit, RetryStrategy
from longshore.ports.store import Edge, JobView, NewJob, Store
from longshore.testing.forms import a_training_spec
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, JobBuilder, a_job, an_attempt, job_of, moment
from longshore.testing.store_contract.resources import A_FULL_CONTAINER

CANCEL = Wish(kind=WishKind.CANCEL, reason="no longer needed")
TERMINATE = Wish(kind=WishKind.TERMINATE, reason="stop")


async def submitted(store: Store, *builders: JobBuilder) -> list[JobSpec]:
    """Specs of these jobs, stored in this order in one work."""
    return await store.write(lambda tx: [builder.stored(tx) for builder in builders])


async def described(store: Store, *keys: int) -> list[JobView]:
    """Views of those of the jobs that exist."""
    return list(await store.read(lambda reader: reader.describe_jobs([JobKey(key) for key in keys])))


def entry(key: int, status_from: JobStatus | None, status_to: JobStatus, *, of_children: bool = False) -> TimelineEntry:
    """One step of a timeline."""
    return TimelineEntry(
        job_key=JobKey(key),
        of_children=of_children,
        at=moment(1.5),
        status_from=status_from,
        status_to=status_to,
        cause="Something",
        detail="why",
    )


@pytest.mark.anyio
class JobContract:
    """What callers do with jobs."""

    async def test_keys_are_given_once_and_in_a_row(self, store: Store) -> None:
        """Each allocation starts behind the last of the one before."""
        first = await store.write(lambda tx: tx.allocate_keys(1))
        assert first > 0
        assert await store.write(lambda tx: (tx.allocate_keys(10), tx.allocate_keys(2))) == (first + 1, first + 11)
        assert await store.write(lambda tx: tx.allocate_keys(1)) == first + 13

    async def test_submission_is_kept_whole(self, store: Store) -> None:
        """The spec comes back as it was given, and the job as SUBMITTED; a time is kept to the millisecond."""
        key = await store.write(lambda tx: tx.allocate_keys(1))
        new = a_job().created(0.123).tagged(a="1", b="").retried(3, EvaluateOnExit(action="EXIT")).new(key)
        spec = replace(
            new.spec,
            container=A_FULL_CONTAINER,
            timeout_seconds=60,
            depends_on=(Dependency(job_id="a", type=DependencyType.N_TO_N), Dependency()),
            parameters={"x": "y"},
            propagate_tags=True,
            platform_capabilities=("FARGATE",),
            share_identifier="share",
            scheduling_priority=7,
        )
        await store.write(lambda tx: tx.insert_job(replace(new, spec=spec)))
        job = job_of(spec, created_at=moment(0.123))
        assert await described(store, key) == [JobView(job=job, attempts=(), tags={"a": "1", "b": ""}, summary=None)]
        assert spec.retry == RetryStrategy(attempts=3, evaluate_on_exit=(EvaluateOnExit(action="EXIT"),))

    async def test_array_has_its_children(self, store: Store) -> None:
        """The children follow their parent by index, share its spec and tags; the parent has their summary."""
        (spec,) = await submitted(store, a_job().array(3).tagged(a="1"))
        views = await described(store, *range(spec.key, spec.key + 4))
        assert [view.job for view in views] == [job_of(spec), *(job_of(spec, index) for index in range(3))]
        assert [str(view.job.id) for view in views[1:]] == [f"{spec.uuid}:{index}" for index in range(3)]
        assert [view.job.is_array_parent for view in views] == [True, False, False, False]
        assert all(view.tags == {"a": "1"} for view in views)
        counts = {status: 3 if status is JobStatus.SUBMITTED else 0 for status in ARRAY_STATUSES}
        assert views[0].summary == ArraySummary(parent_key=spec.key, counts=counts, updated_at=A_MOMENT)
        assert [view.summary for view in views[1:]] == [None] * 3

    async def test_jobs_are_found_by_id(self, store: Store) -> None:
        """Submitted ones and children, those of the caller's scope, and nothing beyond an array's size."""
        single, array = await submitted(store, a_job(), a_job().array(2))
        ids = {
            JobId(uuid=single.uuid): single.key,
            JobId(uuid=array.uuid): array.key,
            JobId(uuid=array.uuid, index=1): array.key + 2,
        }
        unknown = [JobId(uuid=single.uuid, index=0), JobId(uuid=array.uuid, index=2), JobId(uuid="nobody")]
        assert await store.read(lambda reader: reader.find_jobs(A_SCOPE, [*ids, *unknown])) == ids
        elsewhere = Scope(account_id=A_SCOPE.account_id, region="eu-west-1")
        assert await store.read(lambda reader: reader.find_jobs(elsewhere, list(ids))) == {}
        assert await store.read(lambda reader: reader.find_jobs(A_SCOPE, [])) == {}

    async def test_descriptions_come_in_the_order_asked_for(self, store: Store) -> None:
        """Unknown keys are left out, and a key asked for twice is shown twice."""
        first, second = await submitted(store, a_job(), a_job())
        views = await described(store, second.key, 10**9, first.key, second.key)
        assert [view.job.key for view in views] == [second.key, first.key, second.key]

    async def test_description_shows_all_attempts(self, store: Store) -> None:
        """Finished ones and the present one, oldest first."""
        (spec,) = await submitted(store, a_job())
        job = job_of(spec)
        past = [an_attempt(job, number=n, stopped_at=moment(n), exit_code=n) for n in (1, 2)]
        present = an_attempt(job, number=3)
        running = replace(job, status=JobStatus.STARTING, attempts_made=3, attempt=present)
        await store.write(lambda tx: (tx.insert_attempts([*past, present]), tx.save_jobs([running])))
        (view,) = await described(store, spec.key)
        assert view.attempts == (*past, present)
        assert view.job == running

    async def test_tags_change(self, store: Store) -> None:
        """They are replaced as a whole; the spec stays."""
        (spec,) = await submitted(store, a_job().tagged(a="1", b="2"))
        await store.write(lambda tx: tx.put_job_tags(spec.key, {"c": "3"}))
        (view,) = await described(store, spec.key)
        assert (view.tags, view.job.spec) == ({"c": "3"}, spec)

    async def test_requests_are_kept_until_cleared(self, store: Store) -> None:
        """In the order of keys, at most as many as asked for; children may have them too."""
        single, array = await submitted(store, a_job(), a_job().array(3))
        child = array.child_key(1)
        await store.write(lambda tx: (tx.put_request(child, TERMINATE), tx.put_request(single.key, CANCEL)))
        requests = await store.read(lambda reader: reader.requested_jobs(10))
        assert [(job.key, wish) for job, wish in requests] == [(single.key, CANCEL), (child, TERMINATE)]
        assert len(await store.read(lambda reader: reader.requested_jobs(1))) == 1
        await store.write(lambda tx: tx.clear_requests([single.key, array.key]))
        assert [job.key for job, _ in await store.read(lambda reader: reader.requested_jobs(10))] == [child]

    async def test_service_job_and_its_priority_are_kept(self, store: Store) -> None:
        """It has no definition; the priority that is asked for stands until it was looked at."""
        key = await store.write(lambda tx: tx.allocate_keys(1))
        spec = a_training_spec(key=key, instances=2, scope=A_SCOPE)
        await store.write(lambda tx: tx.insert_job(NewJob(spec=spec, created_at=A_MOMENT, tags={})))
        job = job_of(spec)
        assert await store.read(lambda reader: reader.load_jobs([key])) == {key: job}
        await store.write(lambda tx: (tx.put_priority(key, 3), tx.put_priority(key, 7)))
        asked = replace(job, requested_priority=7)
        assert await store.read(lambda reader: reader.prioritized_jobs(10)) == [asked]
        given = replace(job, scheduling_priority=7, status=JobStatus.SCHEDULED)
        await store.write(lambda tx: (tx.save_jobs([given]), tx.clear_priorities([key])))
        assert await store.read(lambda reader: reader.load_jobs([key])) == {key: given}
        assert await store.read(lambda reader: reader.prioritized_jobs(10)) == []

    async def test_holds_are_asked_for_and_kept(self, store: Store) -> None:
        """The last one asked for counts; a held array is found as a whole, a held child is left out of the runs."""
        spec = await store.write(lambda tx: a_job().array(3).stored(tx))
        key = spec.key
        child = spec.child_key(1)
        await store.write(lambda tx: (tx.put_hold(child, is_held=False), tx.put_hold(child, is_held=True)))
        (asked,) = await store.read(lambda reader: reader.jobs_to_hold(10))
        assert (asked.key, asked.requested_hold) == (child, True)
        jobs = await store.read(lambda reader: reader.load_jobs([spec.child_key(at) for at in range(3)]))
        runnable = [replace(job, status=JobStatus.RUNNABLE, intake=job.key) for job in jobs.values()]
        held = [replace(job, held_at=A_MOMENT if job.key == child else None) for job in runnable]
        await store.write(lambda tx: (tx.save_jobs(held), tx.clear_holds([child])))
        assert await store.read(lambda reader: reader.jobs_to_hold(10)) == []
        assert (await store.read(lambda reader: reader.load_jobs([child])))[child].held_at == A_MOMENT
        runs = await store.read(lambda reader: reader.ranges(spec, JobStatus.RUNNABLE))
        assert [keys.first for keys, *_ in runs] == [spec.child_key(0), spec.child_key(2)]
        assert await store.read(lambda reader: reader.held_arrays()) == []
        parent = (await store.read(lambda reader: reader.load_jobs([key])))[key]
        await store.write(lambda tx: tx.save_jobs([replace(parent, held_at=A_MOMENT)]))
        assert await store.read(lambda reader: reader.held_arrays()) == [key]
        assert await store.read(lambda reader: list(reader.live_runs(JobStatus.RUNNABLE))) == []

    @pytest.mark.parametrize(
        ("first", "then", "kept"),
        [
            (CANCEL, TERMINATE, TERMINATE),
            (TERMINATE, CANCEL, TERMINATE),
            (CANCEL, replace(CANCEL, reason="again"), CANCEL),
            (TERMINATE, replace(TERMINATE, reason="again"), TERMINATE),
        ],
    )
    async def test_only_a_termination_replaces_a_cancellation(
        self, store: Store, first: Wish, then: Wish, kept: Wish
    ) -> None:
        """Of two that were not looked at the first stays, but a cancellation may become a termination."""
        (spec,) = await submitted(store, a_job())
        for request in (first, then):
            await store.write(lambda tx, request=request: tx.put_request(spec.key, request))
        assert await store.read(lambda reader: reader.requested_jobs(10)) == [(job_of(spec), kept)]

    async def test_final_job_takes_no_request(self, store: Store) -> None:
        """There is nothing left to ask for."""
        (spec,) = await submitted(store, a_job())
        ended = replace(job_of(spec), status=JobStatus.FAILED, stopped_at=A_MOMENT)
        await store.write(lambda tx: (tx.save_jobs([ended]), tx.put_request(spec.key, TERMINATE)))
        assert await store.read(lambda reader: reader.requested_jobs(10)) == []

    async def test_dependencies_are_found_both_ways(self, store: Store) -> None:
        """A plain one, one on a child, N_TO_N and SEQUENTIAL; the same one twice counts once."""
        first, array = await submitted(store, a_job(), a_job().array(2).one_by_one())
        single = a_job().after(first.key).after(array.child_key(1)).after(first.key)
        like = a_job().array(2).after(array.key, DependencyType.N_TO_N)
        single_spec, like_spec = await submitted(store, single, like)
        plain = Edge(job_key=single_spec.key, on_key=first.key)
        on_child = Edge(job_key=single_spec.key, on_key=array.child_key(1))
        n_to_n = Edge(job_key=like_spec.key, on_key=array.key, type=DependencyType.N_TO_N)
        sequential = Edge(job_key=array.key, on_key=array.key, type=DependencyType.SEQUENTIAL)

        async def of(*keys: JobKey) -> list[Edge]:
            return list(await store.read(lambda reader: reader.edges_of(keys)))

        async def on(*keys: JobKey) -> list[Edge]:
            return list(await store.read(lambda reader: reader.edges_on(keys)))

        assert await of(first.key) == []
        assert await of(single_spec.key, array.key) == [sequential, plain, on_child]
        assert await of(like_spec.key) == [n_to_n]
        assert await on(first.key) == [plain]
        assert await on(array.child_key(1)) == [on_child]
        assert await on(array.key, array.child_key(0)) == [sequential, n_to_n]

    async def test_timeline_is_told_in_order(self, store: Store) -> None:
        """Every entry of the job, oldest first, as it was appended."""
        one, other = await submitted(store, a_job(), a_job())
        steps = [
            entry(one.key, None, JobStatus.SUBMITTED),
            entry(one.key, JobStatus.SUBMITTED, JobStatus.RUNNABLE),
            replace(entry(one.key, JobStatus.RUNNABLE, JobStatus.FAILED), detail=""),
        ]
        await store.write(
            lambda tx: tx.append_events([steps[0], entry(other.key, None, JobStatus.SUBMITTED), steps[1]])
        )
        await store.write(lambda tx: tx.append_events(steps[2:]))
        assert await store.read(lambda reader: reader.timeline(one.key)) == steps
        assert await store.read(lambda reader: reader.timeline(JobKey(10**9))) == []

    async def test_child_shares_in_what_befell_all_children(self, store: Store) -> None:
        """An entry for all children is in a child's timeline if it found it in that status; the parent's own is not."""
        (spec,) = await submitted(store, a_job().array(2))
        s = JobStatus
        taken_in = entry(spec.key, s.SUBMITTED, s.RUNNABLE, of_children=True)
        own = [entry(spec.key + 1, s.RUNNABLE, s.STARTING), entry(spec.key + 1, s.STARTING, s.SUCCEEDED)]
        parents = entry(spec.key, s.SUBMITTED, s.PENDING)
        failed = entry(spec.key, s.RUNNABLE, s.FAILED, of_children=True)
        await store.write(lambda tx: tx.append_events([taken_in, own[0], parents, failed, own[1]]))
        assert await store.read(lambda reader: reader.timeline(spec.child_key(0))) == [taken_in, *own]
        assert await store.read(lambda reader: reader.timeline(spec.child_key(1))) == [taken_in, failed]
        assert await store.read(lambda reader: reader.timeline(spec.key)) == [taken_in, parents, failed]


def with_attempt(job: Job, attempt: Attempt) -> Job:
    """The job while it holds `attempt`."""
    return replace(job, status=JobStatus.STARTING, attempts_made=attempt.number, attempt=attempt)
