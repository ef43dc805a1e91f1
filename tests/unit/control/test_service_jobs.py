"""Service jobs under a leader: limits, priorities that change, time limits, environments that go."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.ids import JobKey
from longshore.domain.job import Wish, WishKind
from longshore.domain.policy import FairsharePolicy, SchedulingPolicy
from longshore.domain.queue import StateTimeLimitAction
from longshore.domain.service_environment import CapacityLimit, ServiceEnvironment, service_environment_key
from longshore.ports.engine import TaskState
from longshore.ports.store import NewJob
from longshore.testing.builders import AT, HERE, a_queue
from longshore.testing.forms import a_training_spec
from tests.unit.control.test_fronts import Scene

pytestmark = pytest.mark.anyio

OVER_LIMIT = "MISCONFIGURATION:SERVICE_ENVIRONMENT_MAX_RESOURCE"


def an_environment(most: int, **members: Any) -> ServiceEnvironment:
    limits = (CapacityLimit(max_capacity=most, capacity_unit="NUM_INSTANCES"),)
    given = {"state": "ENABLED", "status": "VALID", "type": "SAGEMAKER_TRAINING", "engine": "fake", **members}
    return ServiceEnvironment(scope=HERE, name="se", capacity_limits=limits, created_at=AT, **given)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    await scene.store.open()
    yield scene
    await scene.store.close()


async def set_up(scene: Scene, most: int = 1, **of_queue: Any) -> None:
    """A fair-share queue on a service environment that allows so many instances."""
    policy = SchedulingPolicy(scope=HERE, name="fair", fairshare_policy=FairsharePolicy(), created_at=AT)
    queue = replace(
        a_queue(environments=[service_environment_key("se")]),
        queue_type="SAGEMAKER_TRAINING",
        scheduling_policy_arn=policy.arn,
        **of_queue,
    )

    def work(tx: Any) -> None:
        tx.put_service_environment(an_environment(most))
        tx.put_scheduling_policy(policy)
        tx.put_queue(queue)

    await scene.store.write(work)
    await scene.lead()


async def submit(scene: Scene, *, instances: int = 1, priority: int = 0) -> JobKey:
    def work(tx: Any) -> JobKey:
        key = tx.allocate_keys(1)
        spec = a_training_spec(key=key, instances=instances)
        spec = replace(spec, share_identifier="team", scheduling_priority=priority)
        tx.insert_job(NewJob(spec=spec, created_at=AT, tags={}))
        return key

    key = await scene.store.write(work)
    scene.inbox.notify()
    await scene.settle()
    return key


async def statuses(scene: Scene, *keys: JobKey) -> list[str]:
    return [(await scene.job(key)).status for key in keys]


async def end(scene: Scene, key: JobKey) -> None:
    await scene.observe(key, TaskState.EXITED)


async def test_the_limit_of_the_environment_holds_jobs_back(scene: Scene) -> None:
    """It is free again when what holds it has ended."""
    await set_up(scene)
    keys = [await submit(scene) for _ in range(3)]
    assert await statuses(scene, *keys) == ["SCHEDULED", "RUNNABLE", "RUNNABLE"]
    assert await scene.told(keys[1]) == "Waiting: service environment se: needs 1 instance; 0 of 1 free"
    await end(scene, keys[0])
    assert await statuses(scene, *keys) == ["SUCCEEDED", "SCHEDULED", "RUNNABLE"]
    await scene.store.write(lambda tx: tx.put_service_environment(an_environment(2)))
    scene.inbox.notify()
    await scene.settle()
    assert await statuses(scene, *keys) == ["SUCCEEDED", "SCHEDULED", "SCHEDULED"]


async def test_a_priority_that_changes_moves_a_job_in_its_share(scene: Scene) -> None:
    """Also under a leader that was started after the change; a job that has started keeps its place."""
    await set_up(scene)
    keys = [await submit(scene, priority=priority) for priority in (5, 5, 5)]
    await scene.store.write(lambda tx: (tx.put_priority(keys[0], 1), tx.put_priority(keys[2], 9)))
    scene.inbox.notify()
    await scene.settle()
    assert [(await scene.job(key)).scheduling_priority for key in keys] == [1, None, 9]
    assert await scene.store.read(lambda reader: reader.prioritized_jobs(10)) == []
    scene.start()
    await scene.lead()
    await end(scene, keys[0])
    assert await statuses(scene, *keys) == ["SUCCEEDED", "RUNNABLE", "SCHEDULED"]
    await end(scene, keys[2])
    assert await statuses(scene, *keys) == ["SUCCEEDED", "SCHEDULED", "SUCCEEDED"]


async def test_a_priority_that_nobody_looked_at_yet_does_not_stop_a_placement(scene: Scene) -> None:
    """A turn for news of engines may come between a caller's write and the turn that reads it."""
    await set_up(scene)
    keys = [await submit(scene) for _ in range(2)]
    await scene.store.write(lambda tx: tx.put_priority(keys[1], 9))
    await end(scene, keys[0])
    assert await statuses(scene, *keys) == ["SUCCEEDED", "SCHEDULED"]
    scene.inbox.notify()
    await scene.settle()
    assert (await scene.job(keys[1])).scheduling_priority == 9


async def test_what_can_never_start_is_terminated_in_time(scene: Scene) -> None:
    """The words say that it was; its queue goes on meanwhile."""
    action = StateTimeLimitAction(reason=OVER_LIMIT, state="RUNNABLE", max_time_seconds=600, action="TERMINATE")
    await set_up(scene, time_limit_actions=(action,))
    large, small = await submit(scene, instances=2), await submit(scene)
    assert await statuses(scene, large, small) == ["RUNNABLE", "SCHEDULED"]
    await scene.wait(700)
    job = await scene.job(large)
    assert job.status_reason == f"Terminated by JobStateTimeLimit action due to reason: {OVER_LIMIT}"
    assert job.wish == Wish(kind=WishKind.TERMINATE, reason=job.status_reason)


async def test_an_environment_goes_when_nothing_of_it_runs(scene: Scene) -> None:
    await set_up(scene)
    key = await submit(scene)
    leaving = an_environment(1, state="DISABLED", status="DELETING")
    await scene.store.write(lambda tx: tx.put_service_environment(leaving))
    scene.inbox.notify()
    await scene.settle()
    assert await scene.store.read(lambda reader: reader.service_environment(HERE, "se")) == leaving
    await end(scene, key)
    await scene.leader.lanes["fake"].serve_once()
    scene.inbox.notify()
    await scene.settle()
    assert await scene.store.read(lambda reader: reader.service_environment(HERE, "se")) is None
