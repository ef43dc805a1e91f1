"""Scheduling policies, fronts of queues, what shares used, and consumable resources."""

from dataclasses import replace
from datetime import timedelta

import pytest

from longshore.domain.consumable import ConsumableResource
from longshore.domain.ids import JobKey, Scope
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.policy import FairsharePolicy, QuotaSharePolicy, SchedulingPolicy, ShareAttributes
from longshore.domain.queue import FrontJob, HeadJob, Instant, QueueFront, ShareUse
from longshore.ports.store import JobFilter, Store
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, a_job, a_queue, an_attempt, job_of, moment

ELSEWHERE = Scope(account_id="000000000000", region="eu-west-1")
NOW = Instant(at=A_MOMENT, boot_id="boot", boot_seconds=12.5)


def a_use(share: str, milli_seconds: float = 1.5, *, queue: str = "queue", scope: Scope = A_SCOPE) -> ShareUse:
    return ShareUse(scope=scope, queue_name=queue, share_identifier=share, milli_seconds=milli_seconds, at=NOW)


@pytest.mark.anyio
class SharingContract:
    """What is kept beside jobs of their queue and of what they take."""

    async def test_policies_are_kept_whole_replaced_and_deleted(self, store: Store) -> None:
        """Of both kinds, by name and scope, in the order of names."""
        shares = (ShareAttributes(share_identifier="a*", weight_factor=0.0001),)
        fair = SchedulingPolicy(
            scope=A_SCOPE,
            name="fair",
            fairshare_policy=FairsharePolicy(
                share_decay_seconds=604_800, compute_reservation=99, share_distribution=shares
            ),
            tags={"a": "b"},
            created_at=A_MOMENT,
        )
        strategy = QuotaSharePolicy(idle_resource_assignment_strategy="FIFO")
        quota = SchedulingPolicy(scope=A_SCOPE, name="b", quota_share_policy=strategy, created_at=A_MOMENT)
        await store.write(lambda tx: (tx.put_scheduling_policy(fair), tx.put_scheduling_policy(quota)))
        assert await store.read(lambda reader: reader.scheduling_policies(A_SCOPE)) == [quota, fair]
        assert await store.read(lambda reader: reader.scheduling_policies(None, names=["fair"])) == [fair]
        assert await store.read(lambda reader: reader.scheduling_policy(ELSEWHERE, "fair")) is None
        changed = replace(fair, fairshare_policy=FairsharePolicy())
        await store.write(lambda tx: tx.put_scheduling_policy(changed))
        assert await store.read(lambda reader: reader.scheduling_policy(A_SCOPE, "fair")) == changed
        await store.write(lambda tx: tx.delete_scheduling_policy(A_SCOPE, "fair"))
        assert await store.read(lambda reader: reader.scheduling_policies(A_SCOPE)) == [quota]

    async def test_fronts_and_uses_go_with_their_queue(self, store: Store) -> None:
        """They are kept whole and replaced one by one."""
        front = QueueFront(
            scope=A_SCOPE,
            name="queue",
            jobs=(FrontJob(key=JobKey(7), since=moment(1)),),
            heads=(HeadJob(key=JobKey(7), code="CAPACITY", since=NOW, is_blocked=True),),
            held_milli={"": 1000},
            active_shares=2,
            updated_at=moment(2),
        )
        uses = [a_use("a"), a_use("b", 2.25), a_use("a", queue="other"), a_use("a", scope=ELSEWHERE)]
        await store.write(lambda tx: (tx.put_queue(a_queue()), tx.put_queue_front(front), tx.save_share_uses(uses)))
        assert await store.read(lambda reader: reader.queue_front(A_SCOPE, "queue")) == front
        assert await store.read(lambda reader: reader.queue_fronts()) == [front]
        assert await store.read(lambda reader: reader.share_uses(A_SCOPE, "queue")) == uses[:2]
        changed = a_use("b", 3.0)
        await store.write(lambda tx: (tx.save_share_uses([changed]), tx.forget_share_uses(uses[:1])))
        assert await store.read(lambda reader: reader.share_uses(A_SCOPE, "queue")) == [changed]
        await store.write(lambda tx: tx.delete_queue(A_SCOPE, "queue"))
        assert await store.read(lambda reader: reader.queue_fronts()) == []
        assert set(await store.read(lambda reader: reader.share_uses())) == set(uses[2:])

    async def test_live_shares_have_jobs_that_have_not_ended(self, store: Store) -> None:
        """Each once, of their own queue."""
        await store.write(
            lambda tx: [
                *(a_job().sharing_as(share).stored(tx) for share in ("b", "a", "b")),
                a_job().stored(tx),
                a_job().in_queue("other").sharing_as("c").stored(tx),
            ]
        )
        assert await store.read(lambda reader: reader.live_shares(A_SCOPE, "queue")) == ["a", "b"]
        ended = await store.read(lambda reader: reader.load_jobs([JobKey(2)]))
        done = replace(ended[JobKey(2)], status=JobStatus.FAILED, stopped_at=A_MOMENT)
        await store.write(lambda tx: tx.save_jobs([done]))
        assert await store.read(lambda reader: reader.live_shares(A_SCOPE, "queue")) == ["b"]
        assert await store.read(lambda reader: reader.live_shares(A_SCOPE, "nowhere")) == ()

    async def test_consumable_resources_are_kept_whole_replaced_and_deleted(self, store: Store) -> None:
        """As other resources are."""
        resource = ConsumableResource(
            scope=A_SCOPE,
            name="r",
            resource_type="NON_REPLENISHABLE",
            quantity=2**53,
            used_up=7,
            tags={"a": ""},
            created_at=A_MOMENT,
        )
        other = ConsumableResource(scope=A_SCOPE, name="q", quantity=0, created_at=A_MOMENT)
        await store.write(lambda tx: (tx.put_consumable(resource), tx.put_consumable(other)))
        assert await store.read(lambda reader: reader.consumable(A_SCOPE, "r")) == resource
        assert await store.read(lambda reader: reader.consumables(None)) == [other, resource]
        assert await store.read(lambda reader: reader.consumables(A_SCOPE, after="q")) == [resource]
        await store.write(lambda tx: tx.delete_consumable(A_SCOPE, "r"))
        assert await store.read(lambda reader: reader.consumables(A_SCOPE)) == [other]

    async def test_what_open_attempts_take_is_in_use(self, store: Store) -> None:
        """Children take what their parent's submission says, each; what has ended takes nothing."""
        single, array, ended = await store.write(
            lambda tx: [
                a_job().taking(r=2, q=1).stored(tx),
                a_job().taking(r=3).array(2).stored(tx),
                a_job().taking(r=100).stored(tx),
            ]
        )
        attempts = [
            an_attempt(job_of(single)),
            *(an_attempt(job_of(array, index)) for index in range(2)),
            an_attempt(job_of(ended), stopped_at=A_MOMENT, intent="release"),
        ]
        await store.write(lambda tx: tx.insert_attempts(attempts))
        assert await store.read(lambda reader: reader.consumables_in_use(A_SCOPE)) == {"r": 8, "q": 1}
        assert await store.read(lambda reader: reader.consumables_in_use(ELSEWHERE)) == {}
        assert await store.read(lambda reader: reader.is_consumable_awaited(A_SCOPE, "q"))
        assert not await store.read(lambda reader: reader.is_consumable_awaited(A_SCOPE, "s"))
        done = replace(job_of(single), status=JobStatus.SUCCEEDED, stopped_at=A_MOMENT)
        await store.write(lambda tx: tx.save_jobs([done]))
        assert not await store.read(lambda reader: reader.is_consumable_awaited(A_SCOPE, "q"))

    async def test_jobs_that_take_a_consumable_are_found(self, store: Store) -> None:
        """Newest first, by status and by name; they go with their history."""
        first, second, third = await store.write(
            lambda tx: [
                a_job().named("Alpha").taking(r=1).stored(tx),
                a_job().named("beta").taking(r=2).array(2).stored(tx),
                a_job().named("alpine").taking(r=3, q=1).stored(tx),
            ]
        )
        done = replace(job_of(third), status=JobStatus.SUCCEEDED, stopped_at=A_MOMENT)
        await store.write(lambda tx: tx.save_jobs([done]))

        async def found(before: JobKey | None = None, limit: int = 9, **where: object) -> list[tuple[JobKey, int]]:
            condition = JobFilter(**where)  # type: ignore[arg-type]
            return list(
                await store.read(
                    lambda reader: reader.jobs_with_consumable(A_SCOPE, "r", condition, before=before, limit=limit)
                )
            )

        assert await found() == [(third.key, 3), (second.key, 2), (first.key, 1)]
        assert await found(limit=1, before=third.key) == [(second.key, 2)]
        assert await found(name="ALP*") == [(third.key, 3), (first.key, 1)]
        assert await found(name="alpha", statuses=frozenset({JobStatus.SUBMITTED})) == [(first.key, 1)]
        assert await found(statuses=frozenset({JobStatus.RUNNING})) == []
        await store.write(lambda tx: tx.delete_history(stopped_before=moment(1), limit=10))
        assert await found() == [(second.key, 2), (first.key, 1)]

    async def test_a_call_is_noted_once(self, store: Store) -> None:
        """Until it is old; its token is of one operation and one scope."""

        async def note(payload: str, seconds: float, *, operation: str = "Do", scope: Scope = A_SCOPE) -> str | None:
            at = moment(seconds)
            return await store.write(
                lambda tx: tx.note_call(scope, operation, "t", payload, at=at, forget_before=at - timedelta(seconds=9))
            )

        assert [await note("a", 0), await note("b", 5), await note("c", 9)] == [None, "a", "a"]
        assert await note("d", 10) is None
        assert await note("e", 10, operation="Undo") is None
        assert await note("f", 10, scope=ELSEWHERE) is None
        assert [await note("g", 18, operation="Undo"), await note("h", 19)] == ["e", "d"]

    async def test_calls_of_one_operation_do_not_age_those_of_another(self, store: Store) -> None:
        """Each counts for as long as its operation says, up to a day; then it goes, however many there are."""

        async def note(operation: str, token: str, hours: float, life: timedelta) -> str | None:
            at = moment(hours * 3600)
            return await store.write(
                lambda tx: tx.note_call(A_SCOPE, operation, token, f"at {hours}", at=at, forget_before=at - life)
            )

        day, hour = timedelta(days=1), timedelta(hours=1)
        for number in range(250):
            await note("Long", f"t{number}", 0, day)
        assert await note("Short", "t", 2, hour) is None
        assert await note("Short", "t", 4, hour) is None
        assert await note("Long", "t0", 24, day) == "at 0"
        assert {await note("Long", f"t{number}", 25, day) for number in range(250)} == {None}
