"""Fronts of queues: the places of jobs, heads that wait too long, and what shares have used; over restarts too."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host
from longshore.domain.consumable import ConsumableResource, ConsumableResourceProperties, ConsumableResourceRequirement
from longshore.domain.ids import AttemptId, JobKey
from longshore.domain.job import Job
from longshore.domain.policy import FairsharePolicy, SchedulingPolicy
from longshore.domain.queue import StateTimeLimitAction
from longshore.domain.resources import Resources
from longshore.engines.fake import FakeDriver, FakeSite
from longshore.ports.engine import Observation, TaskState
from longshore.ports.store import NewJob
from longshore.service.published import published_reasons
from longshore.store.sqlite import InlineStore
from longshore.testing.builders import AT, HERE, LOCAL, a_job_spec, a_queue, an_environment
from longshore.testing.clock import VirtualClock
from longshore.testing.simulation.logs import KeptLogs

pytestmark = pytest.mark.anyio

TOO_LARGE = Resources(vcpu_milli=1000, memory_mib=128, gpus=1)
ALL = Resources(vcpu_milli=2000, memory_mib=256)


def an_action(code: str, seconds: int) -> StateTimeLimitAction:
    return StateTimeLimitAction(reason=code, state="RUNNABLE", max_time_seconds=seconds, action="CANCEL")


class Clock(VirtualClock):
    """A clock of a machine that can boot."""

    boots = 1

    def boot_id(self) -> str:
        return f"boot {self.boots}"


class Scene:
    """A leader over a host of 2 vCPUs, which can die and come back."""

    def __init__(self) -> None:
        self.store = InlineStore()
        self.clock = Clock()
        self.numbers = count(1)
        self.start()

    def start(self) -> None:
        """Another server."""
        self.inbox = Inbox()
        self.leader = Leader(
            store=self.store,
            drivers={"fake": FakeDriver(FakeSite(self.clock), self.clock)},
            logs=KeptLogs(),
            clock=self.clock,
            inbox=self.inbox,
            hosts=[Host(id=LOCAL, total=ALL)],
            settings=ControlSettings(oversize="wait"),
            new_attempt_id=lambda: AttemptId(f"{next(self.numbers):032x}"),
        )

    async def lead(self) -> None:
        await self.leader.lead()
        await self.leader.lanes["fake"].check_health_once()
        await self.settle()

    async def settle(self) -> None:
        """Take turns until all is done and told."""
        while await self.leader.turn():
            pass
        await self.clock.advance(1)
        while await self.leader.turn():
            pass

    async def wait(self, seconds: float) -> None:
        """Let so much time pass, with turns when the leader wants them."""
        ends_at = self.clock.boot_seconds() + seconds
        while (due := self.leader.idle_seconds()) is not None and self.clock.boot_seconds() + due <= ends_at:
            await self.clock.advance(due)
            await self.leader.turn()
        await self.clock.advance_to(ends_at)

    async def submit(self, **members: Any) -> JobKey:
        extras = {name: members.pop(name) for name in ("share", "takes") if name in members}

        def work(tx: Any) -> JobKey:
            key = tx.allocate_keys(1)
            spec = a_job_spec(key, **members)
            if "share" in extras:
                spec = replace(spec, share_identifier=extras["share"])
            if "takes" in extras:
                requirement = ConsumableResourceRequirement(consumable_resource="r", quantity=extras["takes"])
                properties = ConsumableResourceProperties(consumable_resource_list=(requirement,))
                spec = replace(spec, consumable_resource_properties=properties)
            tx.insert_job(NewJob(spec=spec, created_at=self.clock.now(), tags={}))
            return key

        key = await self.store.write(work)
        self.inbox.notify()
        await self.settle()
        return key

    async def job(self, key: JobKey) -> Job:
        return (await self.store.read(lambda reader: reader.load_jobs([key])))[key]

    async def told(self, key: JobKey) -> str:
        """Why the job waits, as callers see it."""
        job = await self.job(key)
        return (await self.store.read(lambda reader: published_reasons(reader, [job])))[key].status_reason

    async def observe(self, key: JobKey, state: TaskState, **members: Any) -> None:
        attempt = (await self.job(key)).attempt
        assert attempt is not None
        now = self.clock.now()
        times = {"started_at": now, "stopped_at": now, "exit_code": 0} if state is TaskState.EXITED else {}
        self.inbox.put([Observation(attempt_id=attempt.attempt_id, state=state, **times, **members)])
        await self.settle()

    async def front(self, queue: str = "queue") -> Any:
        return await self.store.read(lambda reader: reader.queue_front(HERE, queue))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.store.open()
    policy = SchedulingPolicy(scope=HERE, name="p", fairshare_policy=FairsharePolicy(), created_at=AT)
    actions = (
        an_action("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT", 700),
        an_action("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", 900),
    )
    await scene.store.write(lambda tx: tx.put_environment(an_environment()))
    await scene.store.write(lambda tx: tx.put_scheduling_policy(policy))
    await scene.store.write(lambda tx: tx.put_queue(replace(a_queue(), time_limit_actions=actions)))
    await scene.store.write(lambda tx: tx.put_queue(replace(a_queue("fair"), scheduling_policy_arn=policy.arn)))
    await scene.lead()
    yield scene
    await scene.store.close()


async def test_a_head_that_waits_too_long_is_ended(scene: Scene) -> None:
    """By the boot clock, whatever the wall clock does; its follower begins to count then."""
    first, second = await scene.submit(resources=TOO_LARGE), await scene.submit(resources=TOO_LARGE)
    scene.clock.jump_wall(5000)
    await scene.wait(690)
    assert (await scene.job(first)).status == "RUNNABLE"
    await scene.wait(15)
    ended = await scene.job(first)
    reason = "Canceled by JobStateTimeLimit action due to reason: MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT"
    assert (ended.status, ended.status_reason) == ("FAILED", reason)
    await scene.wait(690)
    assert (await scene.job(second)).status == "RUNNABLE"
    await scene.wait(15)
    assert (await scene.job(second)).status == "FAILED"
    assert scene.leader.idle_seconds() is None


@pytest.mark.parametrize("boots", [False, True])
async def test_the_wait_of_a_head_goes_on_after_a_restart(scene: Scene, boots: bool) -> None:
    """Also over a boot, by the wall clock then."""
    head = await scene.submit(resources=TOO_LARGE)
    await scene.wait(400)
    scene.start()
    scene.clock.boots += boots
    await scene.lead()
    await scene.wait(290)
    assert (await scene.job(head)).status == "RUNNABLE"
    await scene.wait(15)
    assert (await scene.job(head)).status == "FAILED"


async def test_room_that_others_hold_counts_as_lack_of_capacity_after_a_while(scene: Scene) -> None:
    """Callers are told after ten minutes; what has a queue without actions waits on."""
    runs = await scene.submit(resources=ALL)
    head, other = await scene.submit(), await scene.submit(queue="fair", share="a")
    waits = "Waiting: compute environment environment: host local: asks 1 vCPU, free 0 vCPU of 2 vCPU"
    assert (await scene.told(head)).startswith(waits)
    await scene.wait(590)
    assert (await scene.told(head)).startswith(waits)
    await scene.wait(20)
    code = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - Service cannot fulfill the capacity requested for instance type"
    assert (await scene.told(head)).startswith(f"{code} [local] (compute environment environment: host local: asks")
    await scene.wait(300)
    assert [(await scene.job(key)).status for key in (runs, head, other)] == ["STARTING", "FAILED", "RUNNABLE"]


async def test_a_head_that_starts_in_time_is_not_ended(scene: Scene) -> None:
    """What it waited before is forgotten, if it comes back."""
    runs = await scene.submit(resources=ALL)
    head = await scene.submit(resources=ALL, retry=a_job_spec().retry.__class__(attempts=2))
    await scene.wait(800)
    await scene.observe(runs, TaskState.EXITED)
    blocker = await scene.submit(resources=ALL)
    attempt = (await scene.job(head)).attempt
    assert attempt is not None
    scene.inbox.put([Observation(attempt_id=attempt.attempt_id, state=TaskState.LOST)])
    await scene.settle()
    assert (await scene.job(head)).status == "STARTING", "retries come first"
    await scene.wait(800)
    assert [(await scene.job(key)).status for key in (head, blocker)] == ["STARTING", "RUNNABLE"]


async def test_jobs_have_places(scene: Scene) -> None:
    """Each with since when; the next server keeps that."""
    await scene.submit(resources=ALL)
    keys = [await scene.submit() for _ in range(2)]
    before = await scene.front()
    assert [each.key for each in before.jobs] == keys
    assert before.held_milli == {"": 2000}
    await scene.wait(30)
    last = await scene.submit()
    scene.start()
    await scene.lead()
    after = await scene.front()
    assert after.jobs[:2] == before.jobs
    assert (after.jobs[2].key, after.jobs[2].since > before.jobs[1].since) == (last, True)


async def test_what_shares_used_outlives_the_server(scene: Scene) -> None:
    """What a running job of a share uses counts while no server runs; both sides agree at the end."""
    job = await scene.submit(queue="fair", share="a")
    await scene.wait(100)
    scene.start()
    await scene.lead()
    await scene.wait(50)
    await scene.observe(job, TaskState.EXITED)
    (use,) = await scene.store.read(lambda reader: reader.share_uses())
    assert use.milli_seconds == pytest.approx(131_000, rel=0.03), "some 155 vCPU-seconds, older ones counted less"
    running = await scene.submit(queue="fair", share="a", resources=ALL)
    behind, ahead = await scene.submit(queue="fair", share="a"), await scene.submit(queue="fair", share="b")
    assert (await scene.job(running)).status == "STARTING"
    assert [each.key for each in (await scene.front("fair")).jobs] == [ahead, behind]


async def test_consumable_resources_are_given_back_or_used_up(scene: Scene) -> None:
    """By how they are and whether the attempt ran; what is left is known to the next server."""
    for resource_type, left in (("REPLENISHABLE", 2), ("NON_REPLENISHABLE", 0)):
        resource = ConsumableResource(scope=HERE, name="r", resource_type=resource_type, quantity=2, created_at=AT)
        await scene.store.write(lambda tx, resource=resource: tx.put_consumable(resource))
        scene.inbox.notify()
        first, second = await scene.submit(takes=2), await scene.submit(takes=2)
        assert [(await scene.job(key)).status for key in (first, second)] == ["STARTING", "RUNNABLE"]
        assert await scene.told(second) == "Waiting: asks 2 of consumable resource r, free 0 of 2"
        await scene.observe(first, TaskState.FAILED_TO_START, reason="no such image")
        assert (await scene.job(second)).status == "STARTING", "the first never ran"
        await scene.observe(second, TaskState.EXITED)
        scene.start()
        await scene.lead()
        found = await scene.store.read(lambda reader: reader.consumable(HERE, "r"))
        assert found is not None
        assert found.total == left
        third = await scene.submit(takes=2)
        if left:
            assert (await scene.job(third)).status == "STARTING"
            await scene.observe(third, TaskState.EXITED)
        else:
            assert await scene.told(third) == "Waiting: asks 2 of consumable resource r, of which there are 0 in all"


async def test_a_total_below_what_is_held_lets_nothing_start(scene: Scene) -> None:
    """What runs goes on; the rest waits until less is held."""
    resource = ConsumableResource(scope=HERE, name="r", quantity=4, created_at=AT)
    await scene.store.write(lambda tx: tx.put_consumable(resource))
    first, second = await scene.submit(takes=2), await scene.submit(takes=2)
    await scene.store.write(lambda tx: tx.put_consumable(replace(resource, quantity=3)))
    third = await scene.submit(takes=1)
    assert [(await scene.job(key)).status for key in (first, second, third)] == ["STARTING", "STARTING", "RUNNABLE"]
    assert await scene.told(third) == "Waiting: asks 1 of consumable resource r, free 0 of 3"
    await scene.observe(first, TaskState.EXITED)
    assert (await scene.job(third)).status == "STARTING"


@pytest.mark.parametrize("restarts", [False, True])
async def test_who_is_over_the_age_bound_comes_before_higher_queues(scene: Scene, restarts: bool) -> None:
    """The bound is its queue's; how long it has waited outlives the server."""
    low = replace(a_queue("low"), priority=0, tags={"longshore:age-bound": "600"})
    await scene.store.write(lambda tx: tx.put_queue(low))
    running = await scene.submit(resources=ALL)
    await scene.observe(running, TaskState.RUNNING)
    old = await scene.submit(resources=ALL, queue="low")
    await scene.wait(590)
    young = await scene.submit(resources=ALL, queue="low")
    high = await scene.submit(resources=ALL)
    if restarts:
        scene.start()
        await scene.lead()
    await scene.wait(30)
    await scene.observe(running, TaskState.EXITED)
    assert (await scene.job(old)).attempt is not None
    await scene.observe(old, TaskState.EXITED)
    assert (await scene.job(high)).attempt is not None
    assert (await scene.job(young)).attempt is None
