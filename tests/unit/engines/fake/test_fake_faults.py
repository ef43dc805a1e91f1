"""What the fake engine can do wrong, and what its ledger sees of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.domain.ids import AttemptId, HostId
from longshore.domain.resources import Resources
from longshore.engines.fake import (
    Behaviour,
    CallFate,
    FakeDriver,
    FakeSite,
    Faults,
    LaunchFate,
    Outage,
    SeededFaults,
    WatchFate,
)
from longshore.ports.engine import (
    EngineUnavailable,
    Handle,
    LaunchFailed,
    LaunchFault,
    LaunchSpec,
    Observation,
    StopRequest,
    TaskState,
)
from longshore.testing.builders import a_launch
from longshore.testing.clock import VirtualClock

pytestmark = pytest.mark.anyio

TEN_SECONDS = Behaviour(start_delay_seconds=1.0, duration_seconds=10.0, exit_code=3)


class Scripted(Faults):
    """Faults that a test sets by hand."""

    call_fate = CallFate.ANSWERED
    launch_fate = LaunchFate.ANSWERED
    watch_fates: tuple[WatchFate, ...] = ()
    untold = False

    def call(self, method: str, at: float) -> CallFate:
        return self.call_fate

    def launch(self, spec: LaunchSpec, at: float) -> LaunchFate:
        return self.launch_fate

    def unknown(self, attempt_id: AttemptId, at: float) -> bool:
        return self.untold

    def watch(self, batch: Sequence[Observation], at: float) -> WatchFate:
        fate, *rest = self.watch_fates or (WatchFate.DELIVERED,)
        self.watch_fates = tuple(rest)
        return fate


class Scene:
    """A site, its clock and a driver with faults between them."""

    def __init__(self, behaviour: Behaviour = TEN_SECONDS) -> None:
        self.clock = VirtualClock()
        self.site = FakeSite(self.clock, lambda spec: behaviour)
        self.faults = Scripted()
        self.driver = FakeDriver(self.site, self.clock, faults=self.faults)

    def spec(self) -> LaunchSpec:
        return a_launch(log_path=Path("/nowhere/output"))

    async def state(self, spec: LaunchSpec) -> TaskState:
        (seen,) = await self.driver.observe([Handle(attempt_id=spec.attempt_id)])
        return seen.state


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize(
    ("fate", "fault", "state"),
    [
        (LaunchFate.UNAVAILABLE, LaunchFault.UNAVAILABLE, TaskState.GONE),
        (LaunchFate.REQUEST_LOST, LaunchFault.UNCERTAIN, TaskState.GONE),
        (LaunchFate.ANSWER_LOST, LaunchFault.UNCERTAIN, TaskState.STARTING),
    ],
)
async def test_launch_that_fails(scene: Scene, fate: LaunchFate, fault: LaunchFault, state: TaskState) -> None:
    """The caller hears of the fault; whether the task is there, `observe` tells. A later launch makes it one task."""
    spec = scene.spec()
    scene.faults.launch_fate = fate
    (outcome,) = await scene.driver.launch([spec])
    assert isinstance(outcome, LaunchFailed)
    assert outcome.fault is fault
    assert await scene.state(spec) is state
    scene.faults.launch_fate = LaunchFate.ANSWERED
    (outcome,) = await scene.driver.launch([spec])
    assert isinstance(outcome, Handle)
    assert scene.site.ledger.starts == {spec.attempt_id: 1}


@pytest.mark.parametrize(("fate", "starts"), [(CallFate.REFUSED, 0), (CallFate.CUT_OFF, 1)])
async def test_call_that_is_not_answered(scene: Scene, fate: CallFate, starts: int) -> None:
    """A refused call does nothing, one that is cut off does all; both raise EngineUnavailable."""
    scene.faults.call_fate = fate
    with pytest.raises(EngineUnavailable):
        await scene.driver.launch([scene.spec()])
    assert scene.site.ledger.starts.total() == starts
    assert not (await scene.driver.fingerprint()).healthy


async def test_call_that_hangs(scene: Scene) -> None:
    """A call that hangs raises when its time is over."""
    scene.faults.call_fate = CallFate.HANGS
    call = asyncio.create_task(scene.driver.launch([scene.spec()]))
    await scene.clock.advance(scene.faults.hang_seconds - 1)
    assert not call.done()
    await scene.clock.advance(1)
    with pytest.raises(EngineUnavailable):
        await call
    assert scene.site.ledger.starts.total() == 0


async def test_rejected_launch_starts_nothing() -> None:
    """What the script rejects is told with its reason."""
    scene = Scene(Behaviour(rejection="too odd"))
    spec = scene.spec()
    (outcome,) = await scene.driver.launch([spec])
    assert outcome == LaunchFailed(attempt_id=spec.attempt_id, fault=LaunchFault.REJECTED, reason="too odd")
    assert scene.site.ledger.starts.total() == 0


async def test_state_that_cannot_be_told(scene: Scene) -> None:
    """An unknown state says nothing about the task, which goes on."""
    spec = scene.spec()
    await scene.driver.launch([spec])
    scene.faults.untold = True
    assert await scene.state(spec) is TaskState.UNKNOWN
    scene.faults.untold = False
    assert await scene.state(spec) is TaskState.STARTING


async def test_lost_host(scene: Scene) -> None:
    """Its live tasks are lost without an exit code; those that were over, or elsewhere, stay as they are."""
    over, live = scene.spec(), scene.spec()
    elsewhere = replace(live, attempt_id=AttemptId("e" * 32), job_id="other", host_id=HostId("other"))
    await scene.driver.launch([over])
    await scene.clock.advance(20)
    await scene.driver.launch([live, elsewhere])
    await scene.clock.advance(2)
    scene.site.lose_host(live.host_id)
    assert [await scene.state(spec) for spec in (over, live, elsewhere)] == [
        TaskState.EXITED,
        TaskState.LOST,
        TaskState.RUNNING,
    ]
    (lost,) = await scene.driver.observe([Handle(attempt_id=live.attempt_id)])
    assert lost.exit_code is None
    assert scene.site.in_use(HostId("local")) == Resources()


async def test_times_are_exact_however_late_one_asks(scene: Scene) -> None:
    """Start and stop bear the time at which they were due, not at which somebody looked, wall clock jumps or not."""
    scene.clock.before_jump.append(scene.site.catch_up)
    spec = scene.spec()
    begin = scene.clock.now()
    await scene.driver.launch([spec])
    await scene.clock.advance(5)
    scene.clock.jump_wall(3600)
    await scene.clock.advance(500)
    (seen,) = await scene.driver.observe([Handle(attempt_id=spec.attempt_id)])
    assert seen.started_at == begin + timedelta(seconds=1)
    assert seen.stopped_at == begin + timedelta(seconds=11 + 3600)
    assert seen.usage.cpu_seconds == 10.0


async def test_ledger_holds_usage_and_breaches(scene: Scene) -> None:
    """Use of the host rises and falls with live tasks; two live attempts of a job, and a live release, are recorded."""
    first = scene.spec()
    second = replace(first, attempt_id=AttemptId("f" * 32))
    share = first.container.resources
    await scene.driver.launch([first])
    await scene.clock.advance(2)
    await scene.driver.launch([second])
    await scene.driver.release([Handle(attempt_id=first.attempt_id)])
    await scene.clock.advance(100)
    scene.site.catch_up()
    assert scene.site.ledger.overlaps == [(first.job_id, first.attempt_id, second.attempt_id)]
    assert scene.site.ledger.released_alive == [first.attempt_id]
    assert [(change.at, change.in_use) for change in scene.site.ledger.usage] == [
        (1000.0, share),
        (1002.0, share + share),
        (1011.0, share),
        (1013.0, Resources()),
    ]


async def test_start_after_release_is_counted(scene: Scene) -> None:
    """A released attempt that is launched again counts as a second start: the ledger forgets nothing."""
    spec = scene.spec()
    await scene.driver.launch([spec])
    await scene.clock.advance(100)
    await scene.driver.release([Handle(attempt_id=spec.attempt_id)])
    await scene.driver.launch([spec])
    assert scene.site.ledger.starts == {spec.attempt_id: 2}
    assert scene.site.ledger.overlaps == []


async def test_shorter_grace_wins() -> None:
    """A later stop with less grace ends a task sooner; one with more does not let it live on."""
    scene = Scene(replace(TEN_SECONDS, ignores_term=True))
    spec = scene.spec()
    await scene.driver.launch([spec])
    await scene.clock.advance(2)
    for grace_seconds in (8, 2, 6):
        await scene.driver.stop([StopRequest(handle=Handle(attempt_id=spec.attempt_id), grace_seconds=grace_seconds)])
    await scene.clock.advance(20)
    (seen,) = await scene.driver.observe([Handle(attempt_id=spec.attempt_id)])
    assert seen.exit_code == 137
    assert seen.stopped_at == scene.clock.now() - timedelta(seconds=18)


@pytest.mark.parametrize(
    ("fates", "heard"),
    [
        ((), ["starting", "running", "exited"]),
        ((WatchFate.DELIVERED, WatchFate.DROPPED), ["starting", "exited"]),
        ((WatchFate.DELIVERED, WatchFate.LATE), ["starting", "exited", "running"]),
        ((WatchFate.DELIVERED, WatchFate.REPEATED), ["starting", "running", "running", "starting", "exited"]),
        ((WatchFate.DELIVERED, WatchFate.CUT_OFF), ["starting", "cut off"]),
    ],
)
async def test_news_goes_astray(scene: Scene, fates: tuple[WatchFate, ...], heard: list[str]) -> None:
    """Batches of a watch are dropped, late, repeated, or end the watch, as the faults say."""
    scene.faults.watch_fates = fates
    told: list[str] = []

    async def listen() -> None:
        try:
            async for batch in scene.driver.watch():
                told.extend(seen.state.value for seen in batch)
        except EngineUnavailable:
            told.append("cut off")

    listener = asyncio.create_task(listen())
    await scene.clock.settle()
    await scene.driver.launch([scene.spec()])
    await scene.clock.advance(20)
    listener.cancel()
    await asyncio.wait([listener])
    assert told == heard


async def test_seeded_faults_repeat_and_end() -> None:
    """The same seed gives the same faults; outages come on time; after the given time nothing goes wrong any more."""

    def fates(seed: int) -> list[CallFate]:
        faults = SeededFaults(seed, rate=0.5, until=100.0, outages=[Outage(begins_at=200.0, ends_at=202.0)])
        return [faults.call("observe", float(at)) for at in range(300)]

    assert fates(1) == fates(1) != fates(2)
    assert set(fates(1)[:100]) == {CallFate.ANSWERED, CallFate.REFUSED, CallFate.CUT_OFF}
    assert [at for at, fate in enumerate(fates(1)) if at >= 100 and fate is not CallFate.ANSWERED] == [200, 201]
