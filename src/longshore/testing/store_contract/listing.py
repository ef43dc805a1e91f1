"""Pages of queues and arrays, and depths."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from longshore.domain.ids import JobId, JobKey, Scope
from longshore.domain.job import Attempt, Job, JobSpec
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import AttemptUse, JobFilter, JobView, Store, Transaction
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, JobBuilder, a_job, a_queue, an_attempt, job_of, moment
from longshore.testing.store_contract.jobs import submitted, with_attempt

ALL = JobFilter()
S = JobStatus

FILTERS: dict[str, list[Any]] = {
    "name": [None, "Align", "align-10", "ALIGN*", "al*", "*", "nobody", "100%*", "a_*"],
    "definition": [None, "align", "al*", "align:2", "align:3", "align*", "sort:1", "*", "sort:x"],
    "created_before": [None, moment(5), moment(5.001), moment(-1), moment(100)],
    "created_after": [None, moment(5), moment(4.999), moment(100)],
    "share_identifier": [None, "red", "blue"],
    "statuses": [None, frozenset({S.SUBMITTED}), frozenset({S.SUBMITTED, S.FAILED}), frozenset[JobStatus]()],
}


def _meets(view: JobView, where: JobFilter) -> bool:
    """What the port says of a filter, said again without a database."""
    spec, created_at = view.job.spec, view.job.created_at
    name, definition, revision = spec.name.casefold(), *spec.definition.split(":")
    wanted = None if where.name is None else where.name.casefold()
    conditions = [
        where.statuses is None or view.job.status in where.statuses,
        wanted is None or (name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted),
        where.definition in (None, definition, f"{definition}:{revision}")
        or (str(where.definition).endswith("*") and definition.startswith(str(where.definition)[:-1])),
        where.created_before is None or created_at < where.created_before,
        where.created_after is None or created_at > where.created_after,
        where.share_identifier is None or spec.share_identifier == where.share_identifier,
    ]
    return all(conditions)


def _many_jobs() -> list[JobBuilder]:
    names = ["align", "Align-10", "ALIGNED", "sort", "100%", "a_b", "axb"]
    definitions = ["align:1", "align:2", "aligner:2", "sort:1", "Sort:1"]
    shares = [None, "red", "blue"]
    builders: list[JobBuilder] = []
    for number, (name, definition) in enumerate(product(names, definitions)):
        # Every fifth was submitted while the clock was behind.
        builder = a_job().named(name).defined_by(definition).created(number / 3 - (4 if number % 5 == 0 else 0))
        share = shares[number % 3]
        builder = builder if share is None else builder.sharing_as(share)
        builders.append(builder.array(2) if number % 4 == 0 else builder)
    return builders


async def _listed(
    store: Store, where: JobFilter = ALL, *, before: int | None = None, limit: int = 100
) -> list[JobView]:
    key = None if before is None else JobKey(before)
    return list(await store.read(lambda reader: reader.list_jobs(A_SCOPE, "queue", where, before=key, limit=limit)))


async def _end(store: Store, *specs: JobSpec) -> None:
    ended = [replace(job_of(spec), status=S.FAILED, stopped_at=A_MOMENT) for spec in specs]
    await store.write(lambda tx: tx.save_jobs(ended))


@pytest.mark.anyio
class ListingContract:
    """How callers find jobs."""

    async def test_queue_is_listed_newest_first(self, store: Store) -> None:
        """Submitted jobs and parents, not children, of this queue in this scope alone."""
        elsewhere = Scope(account_id="111111111111", region="us-east-1")
        single, array, *_ = await submitted(
            store, a_job(), a_job().array(2).tagged(a="1"), a_job().in_queue("other"),
            a_job().in_queue("queue", scope=elsewhere),
        )  # fmt: skip
        views = await _listed(store)
        assert [view.job.key for view in views] == [array.key, single.key]
        assert (views[0].tags, views[0].summary is not None, views[0].attempts) == ({"a": "1"}, True, ())
        assert await store.read(lambda r: r.list_jobs(A_SCOPE, "unknown", ALL, before=None, limit=9)) == []

    async def test_queues_are_known_by_their_jobs(self, store: Store) -> None:
        """Each once, in all scopes; deleting a queue does not take it from its jobs."""
        elsewhere = Scope(account_id="111111111111", region="us-east-1")
        await store.write(lambda tx: (tx.put_queue(a_queue()), tx.put_queue(a_queue("unused"))))
        await submitted(store, a_job(), a_job(), a_job().in_queue("queue", scope=elsewhere))
        await store.write(lambda tx: tx.delete_queue(A_SCOPE, "queue"))
        queues = await store.read(lambda reader: reader.submitted_queues())
        assert sorted(queues) == [(A_SCOPE, "queue"), (elsewhere, "queue")]

    @pytest.mark.parametrize("statuses", [None, frozenset({S.SUBMITTED}), frozenset({S.SUBMITTED, S.FAILED})])
    async def test_queue_is_paged(self, store: Store, statuses: frozenset[JobStatus] | None) -> None:
        """Each page goes on below the last key of the one before."""
        specs = await submitted(store, *(a_job() for _ in range(7)))
        await _end(store, specs[2], specs[3])
        where = JobFilter(statuses=statuses)
        wanted = [view.job.key for view in await _listed(store, where)]
        seen: list[JobKey] = []
        while page := await _listed(store, where, before=seen[-1] if seen else None, limit=2):
            seen += [view.job.key for view in page]
        assert seen == wanted
        assert len(seen) == (5 if statuses == {S.SUBMITTED} else 7)

    async def test_listing_shows_the_held_attempt_in_no_list(self, store: Store) -> None:
        """`attempts` of a listed job are empty, whatever it did."""
        (spec,) = await submitted(store, a_job())
        attempt = an_attempt(job_of(spec))
        job = with_attempt(job_of(spec), attempt)
        await store.write(lambda tx: (tx.insert_attempts([attempt]), tx.save_jobs([job])))
        assert [view.attempts for view in await _listed(store)] == [()]

    async def test_listing_shows_when_the_latest_attempt_was_placed(self, store: Store) -> None:
        """Of each job and child that was placed at all; so do descriptions."""
        once, array, never = await submitted(store, a_job(), a_job().array(2), a_job())
        child = replace(job_of(array), key=array.child_key(1), id=JobId(uuid=array.uuid, index=1))
        placed = [(job_of(once), 1, moment(7)), (job_of(once), 2, moment(3)), (child, 1, moment(5))]
        attempts = [an_attempt(job, number=number, opened_at=at) for job, number, at in placed]
        await store.write(lambda tx: tx.insert_attempts(attempts))
        await store.write(
            lambda tx: tx.save_jobs(
                [replace(job_of(once), attempts_made=2), replace(child, status=S.RUNNABLE, attempts_made=1)]
            )
        )
        views = {view.job.key: view.scheduled_at for view in await _listed(store)}
        assert views == {once.key: moment(3), array.key: None, never.key: None}
        children = await store.read(lambda r: r.list_children(array.key, None, after=None, limit=9))
        assert [view.scheduled_at for view in children] == [None, moment(5)]
        described = await store.read(lambda r: r.describe_jobs([once.key, never.key]))
        assert [view.scheduled_at for view in described] == [moment(3), None]

    async def test_jobs_by_name_stand_together(self, store: Store) -> None:
        """Those of one name newest first, whatever its case; pages go on where the one before ended."""
        names = ["b", "a1", "B", "a2", "a1", "c", "A1"]
        specs = await submitted(store, *(a_job().named(name) for name in names))
        keys = [spec.key for spec in specs]
        for prefix, wanted in (("a", [3, 6, 4, 1]), ("A1", [6, 4, 1]), ("x", []), ("", [5, 2, 0, 3, 6, 4, 1])):
            for limit in (1, 2, 100):
                seen: list[JobView] = []
                before: tuple[str, JobKey] | None = None
                while page := await store.read(
                    lambda r, prefix=prefix, before=before, limit=limit: r.list_named(
                        A_SCOPE, "queue", prefix, before=before, limit=limit
                    )
                ):
                    seen += page
                    before = (page[-1].job.spec.name, page[-1].job.key)
                assert [view.job.key for view in seen] == [keys[at] for at in wanted]
        assert await store.read(lambda r: r.list_named(A_SCOPE, "unknown", "", before=None, limit=9)) == []

    async def test_uses_are_those_of_attempts_that_ran_and_ended(self, store: Store) -> None:
        """Of submissions that are alive first, then of those that ended last; each child's are its submission's."""
        elsewhere = Scope(account_id="111111111111", region="us-east-1")
        old, new, array, foreign, never = await submitted(
            store, a_job().sharing_as("red"), a_job(), a_job().array(2), a_job().in_queue("queue", scope=elsewhere),
            a_job(),
        )  # fmt: skip

        def ran(job: Job, **values: Any) -> Attempt:
            return an_attempt(job, started_at=moment(1), stopped_at=moment(3), exit_code=0, **values)

        attempts = [
            ran(job_of(old), cpu_seconds=1.5, peak_memory_bytes=7, reason="r"),
            ran(job_of(new), number=1),
            ran(job_of(new), number=2),
            ran(job_of(array, 1)),
            an_attempt(job_of(array, 0), started_at=moment(1)),
            ran(job_of(foreign)),
            an_attempt(job_of(never), stopped_at=moment(3)),
        ]
        ends = [(old, moment(3)), (new, moment(4)), (foreign, moment(2)), (never, moment(5))]
        ended = [replace(job_of(spec), status=S.FAILED, stopped_at=at) for spec, at in ends]
        await store.write(lambda tx: (tx.insert_attempts(attempts), tx.save_jobs(ended)))

        async def uses(limit: int = 10, **where: Any) -> Sequence[AttemptUse]:
            after = where.pop("stopped_after", moment(0))
            return await store.read(lambda reader: reader.attempt_uses(stopped_after=after, limit=limit, **where))

        found = await uses()
        assert [use.submission for use in found] == [array.key, new.key, new.key, old.key, foreign.key]
        assert found[3] == AttemptUse(
            submission=old.key,
            scope=A_SCOPE,
            queue_name="queue",
            definition=old.definition,
            share="red",
            environment_name="environment",
            resources=old.resources,
            started_at=moment(1),
            stopped_at=moment(3),
            exit_code=0,
            reason="r",
            cpu_seconds=1.5,
            peak_memory_bytes=7,
        )
        assert list(await uses(limit=2)) == list(found[:2])
        assert [use.submission for use in await uses(account_id="111111111111")] == [foreign.key]
        assert [use.submission for use in await uses(submission=new.key)] == [new.key, new.key]
        assert [use.submission for use in await uses(stopped_after=moment(3))] == [array.key, new.key, new.key, old.key]
        assert await uses(stopped_after=moment(3.5)) == []

    async def test_filters_hold_what_they_say(self, store: Store) -> None:
        """Every condition alone, and all pairs of them, agree with the plain reading of the port."""
        specs = await submitted(store, *_many_jobs())
        await _end(store, *(spec for spec in specs[::2] if spec.array_size is None))
        everything = await _listed(store, limit=1000)
        assert len(everything) == len(specs)
        names = list(FILTERS)
        for one, other in product(names, names):
            for value, other_value in product(FILTERS[one], FILTERS[other]):
                where = JobFilter(**{one: value, other: other_value})
                wanted = [view.job.key for view in everything if _meets(view, where)]
                found = [view.job.key for view in await _listed(store, where, limit=1000)]
                assert found == wanted, where
                if wanted:
                    page = await _listed(store, where, before=wanted[0], limit=3)
                    assert [view.job.key for view in page] == wanted[1:4], where

    async def test_what_has_ended_is_listed_as_it_was_submitted(self, store: Store) -> None:
        """Jobs and children of all queues, no parents, each in one page."""
        elsewhere = Scope(account_id="111111111111", region="us-east-1")
        single, array, other, live = await submitted(
            store, a_job(), a_job().array(3), a_job().in_queue("other", scope=elsewhere), a_job()
        )
        await _end(store, other, single, array)
        ended = [replace(job_of(array, index), status=S.FAILED, stopped_at=A_MOMENT) for index in (2, 0)]
        await store.write(lambda tx: tx.save_jobs(ended))

        async def keys(after: int | None = None, limit: int = 10) -> list[JobKey]:
            start = None if after is None else JobKey(after)
            return list(await store.read(lambda reader: reader.ended_keys(after=start, limit=limit)))

        expected = [single.key, array.child_key(0), array.child_key(2), other.key]
        assert await keys() == expected
        assert await keys(limit=2) == expected[:2]
        assert await keys(after=expected[1]) == expected[2:]
        assert await keys(after=live.key) == []

    async def test_children_are_listed_by_index(self, store: Store) -> None:
        """Those in the statuses asked for, on from the last key seen; a single job has none, nor has an unknown one."""
        array, single = await submitted(store, a_job().array(5), a_job())
        await store.write(lambda tx: tx.save_jobs(replace(job_of(array, index), status=S.RUNNABLE) for index in (1, 3)))

        async def indexes(
            parent: int, *statuses: JobStatus, after: int | None = None, limit: int = 10
        ) -> list[int | None]:
            wanted = frozenset(statuses) or None
            start = None if after is None else JobKey(after)
            views = await store.read(
                lambda reader: reader.list_children(JobKey(parent), wanted, after=start, limit=limit)
            )
            return [view.job.id.index for view in views]

        assert await indexes(array.key) == [0, 1, 2, 3, 4]
        assert await indexes(array.key, S.RUNNABLE) == [1, 3]
        assert await indexes(array.key, S.RUNNABLE, S.SUBMITTED, limit=2) == [0, 1]
        assert await indexes(array.key, after=array.child_key(1), limit=2) == [2, 3]
        assert await indexes(single.key) == await indexes(10**9) == []

    async def test_depths_count_jobs_and_children(self, store: Store) -> None:
        """Of each queue and status that is not final, parents aside, with the oldest creation."""
        old, _, array, ended, _ = await submitted(
            store, a_job().created(1), a_job().created(2), a_job().array(3).created(3), a_job().created(0),
            a_job().in_queue("other").created(4),
        )  # fmt: skip
        moved = {S.SUBMITTED: -2, S.RUNNING: 1, S.SUCCEEDED: 1}

        def move_children(tx: Transaction) -> None:
            summary = tx.summary(array.key)
            assert summary is not None
            tx.save_summary(summary.moved(moved, now=A_MOMENT))

        await _end(store, ended)
        await store.write(move_children)
        await store.write(lambda tx: tx.save_jobs([replace(job_of(old, created_at=moment(1)), status=S.RUNNABLE)]))
        depths = await store.read(lambda reader: reader.queue_depths())
        assert {(d.queue_name, d.status): (d.count, d.oldest_created_at) for d in depths} == {
            ("queue", S.RUNNABLE): (1, moment(1)),
            ("queue", S.SUBMITTED): (2, moment(2)),
            ("queue", S.RUNNING): (1, moment(3)),
            ("other", S.SUBMITTED): (1, moment(4)),
        }
        assert {depth.scope for depth in depths} == {A_SCOPE}
