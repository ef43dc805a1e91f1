"""What a lane does when engines and logs answer late, wrongly or not at all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from longshore.control.inbox import Inbox
from longshore.control.lane import HEARING_SECONDS, RETRY_SECONDS, SWEEP_SECONDS, Lane
from longshore.control.launching import render_launch
from longshore.control.ledger import OpenAttempt
from longshore.control.provisions import CannotProvide, Provider, Provision
from longshore.domain.container import ContainerProperties, LogConfiguration, Secret
from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import AttemptId, Scope
from longshore.domain.job import Intent
from longshore.engines.fake import Behaviour, CallFate, FakeDriver, FakeSite, Faults, LaunchFate
from longshore.ports.engine import (
    EngineUnavailable,
    Fingerprint,
    LaunchFailed,
    LaunchOutcome,
    LaunchSpec,
    Observation,
    StopRequest,
    TaskState,
)
from longshore.testing.builders import a_job, a_job_spec
from longshore.testing.clock import VirtualClock
from longshore.testing.simulation.logs import KeptLogs
from tests.unit.control.openings import an_open_attempt, changed

pytestmark = pytest.mark.anyio

ENTRY = an_open_attempt()
ATTEMPT_ID = ENTRY.attempt.attempt_id
ENDS_AT_ONCE = Behaviour(output=b"hello")


class Scripted(Faults):
    """Faults that a test sets by hand."""

    launch_fate = LaunchFate.ANSWERED
    refused: frozenset[str] = frozenset()

    def call(self, method: str, at: float) -> CallFate:
        return CallFate.REFUSED if method in self.refused else CallFate.ANSWERED

    def launch(self, spec: LaunchSpec, at: float) -> LaunchFate:
        return self.launch_fate


class SlowLogs(KeptLogs):
    """Logs that let others run before they answer, and that may be full."""

    is_full = False

    def __init__(self) -> None:
        super().__init__()
        self.groups_may_answer = asyncio.Event()
        self.groups_may_answer.set()

    async def cursor(self, attempt_id: AttemptId) -> str:
        found = await super().cursor(attempt_id)
        await asyncio.sleep(0)
        return found

    async def has_group(self, scope: Scope, name: str, *, create: bool) -> bool:
        await self.groups_may_answer.wait()
        return True

    async def seal(self, attempt_ids: Sequence[AttemptId]) -> None:
        if self.is_full:
            raise StoreUnavailable("no space left on device")
        await super().seal(attempt_ids)


class SlowDriver(FakeDriver):
    """A driver that notes what it is asked for, and launches when it may."""

    def __init__(self, site: FakeSite, clock: VirtualClock, faults: Faults) -> None:
        super().__init__(site, clock, faults=faults)
        self.asked: list[tuple[str, AttemptId]] = []
        self.may_launch = asyncio.Event()
        self.may_launch.set()

    async def launch(self, specs: Sequence[LaunchSpec]) -> Sequence[LaunchOutcome]:
        self.asked += [("launch", spec.attempt_id) for spec in specs]
        await self.may_launch.wait()
        return await super().launch(specs)

    async def stop(self, requests: Sequence[StopRequest]) -> None:
        self.asked += [("stop", request.handle.attempt_id) for request in requests]
        await super().stop(requests)


SECRETIVE = an_open_attempt(
    a_job(
        replace(
            a_job_spec(3),
            container=ContainerProperties(command=("true",), secrets=(Secret(name="S", value_from="s"),)),
        )
    )
)
SECRETIVE_ID = SECRETIVE.attempt.attempt_id


class SlowProvider(Provider):
    """Has what is asked for when it is told to have it."""

    def __init__(self, *, clock: VirtualClock) -> None:
        super().__init__(clock=clock)
        self.problem = ""
        self.may_answer = asyncio.Event()

    async def provide(self, entry: OpenAttempt, *, pulls_images: bool) -> Provision:
        await self.may_answer.wait()
        if self.problem:
            raise CannotProvide(self.problem)
        return Provision(settings=entry.container.properties)


class Scene:
    """A lane to a fake site, and one open attempt."""

    def __init__(self, behaviour: Behaviour = ENDS_AT_ONCE) -> None:
        self.clock = clock = VirtualClock()
        self.site = FakeSite(clock, lambda spec: behaviour)
        self.faults = Scripted()
        self.driver = SlowDriver(self.site, clock, self.faults)
        self.inbox = Inbox()
        self.logs = SlowLogs()
        self.open: list[OpenAttempt] = [ENTRY]
        self.provider = SlowProvider(clock=clock)
        self.lane = Lane(
            "fake",
            self.driver,
            logs=self.logs,
            inbox=self.inbox,
            clock=clock,
            open_attempts=lambda: self.open,
            stop_grace_seconds=5,
            provider=self.provider,
        )

    @property
    def starts(self) -> int:
        return self.site.ledger.starts[ATTEMPT_ID]

    def states(self) -> list[TaskState]:
        return [news.state for news in self.inbox.take(100) if isinstance(news, Observation)]


async def test_what_was_not_launched_yet_is_not_gone() -> None:
    """An engine that does not know it says nothing new: it is on its way, or was stopped before that."""
    scene = Scene()
    await scene.lane.observe_all()
    stopped = changed(ENTRY, intent=Intent.STOP)
    scene.open = [stopped]
    scene.lane.act([stopped])
    await scene.lane.observe_all()
    assert scene.states() == []
    await scene.lane.serve_once()
    assert scene.states() == [TaskState.GONE]


async def test_gone_after_its_launch_was_confirmed() -> None:
    """Then it is over."""
    scene = Scene()
    scene.open = [changed(ENTRY, intent=Intent.NONE, handle="1")]
    await scene.lane.observe_all()
    assert scene.states() == [TaskState.GONE]


@pytest.mark.parametrize("fate", [LaunchFate.ANSWER_LOST, LaunchFate.REQUEST_LOST])
async def test_uncertain_launch(fate: LaunchFate) -> None:
    """It is asked after until there is an answer, and launched again only if the engine knows nothing of it."""
    scene = Scene()
    scene.faults.launch_fate = fate
    scene.faults.refused = frozenset({"observe"})
    scene.lane.act([ENTRY])
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await scene.lane.serve_once()
    scene.faults.launch_fate, scene.faults.refused = LaunchFate.ANSWERED, frozenset()
    if fate is LaunchFate.REQUEST_LOST:
        with pytest.raises(EngineUnavailable):
            await scene.lane.serve_once()
    await scene.lane.serve_once()
    assert scene.starts == 1
    assert scene.states() == [TaskState.STARTING if fate is LaunchFate.REQUEST_LOST else TaskState.EXITED]


async def test_acts_do_not_wait_for_those_of_other_attempts() -> None:
    """A launch goes to the engine while it has not answered another; a stop comes after the launch of its attempt."""
    scene = Scene(Behaviour(duration_seconds=1000))
    other = an_open_attempt(a_job(a_job_spec(2)))
    scene.open.append(other)
    scene.driver.may_launch.clear()
    scene.lane.act([ENTRY])
    first = asyncio.create_task(scene.lane.serve_once())
    await asyncio.sleep(0)
    scene.lane.act([other, changed(ENTRY, intent=Intent.STOP)])
    second = asyncio.create_task(scene.lane.serve_once())
    await asyncio.sleep(0)
    launches = [("launch", ATTEMPT_ID), ("launch", other.attempt.attempt_id)]
    assert scene.driver.asked == launches
    scene.driver.may_launch.set()
    await asyncio.gather(first, second)
    assert scene.driver.asked == launches
    await scene.lane.serve_once()
    assert scene.driver.asked == [*launches, ("stop", ATTEMPT_ID)]


async def test_refused_launch_is_told_when_the_logs_take_it() -> None:
    """While they can't the launch stays asked for."""
    scene = Scene(Behaviour(rejection="CannotPullContainerError: no"))
    scene.logs.is_full = True
    scene.lane.act([ENTRY])
    with pytest.raises(StoreUnavailable):
        await scene.lane.serve_once()
    assert scene.inbox.take(1) == []
    scene.logs.is_full = False
    await scene.lane.serve_once()
    (news,) = scene.inbox.take(100)
    assert isinstance(news, LaunchFailed)


async def test_nobody_waits_for_the_secrets_of_others() -> None:
    """An attempt goes to the engine when all that it needs is there."""
    scene = Scene(Behaviour(duration_seconds=1000))
    scene.open.append(SECRETIVE)
    scene.lane.act([SECRETIVE, ENTRY])
    await scene.lane.serve_once()
    await scene.lane.serve_once()
    assert scene.driver.asked == [("launch", ATTEMPT_ID)]
    scene.provider.may_answer.set()
    await settled()
    await scene.lane.serve_once()
    assert scene.driver.asked == [("launch", ATTEMPT_ID), ("launch", SECRETIVE_ID)]


async def test_stop_while_secrets_are_fetched() -> None:
    """It is not launched afterwards."""
    scene = Scene()
    stopped = changed(SECRETIVE, intent=Intent.STOP)
    scene.open = [SECRETIVE]
    scene.lane.act([SECRETIVE])
    await scene.lane.serve_once()
    scene.open = [stopped]
    scene.lane.act([stopped])
    scene.provider.may_answer.set()
    await settled()
    await scene.lane.serve_once()
    await settled()
    await scene.lane.serve_once()
    assert scene.driver.asked == [("stop", SECRETIVE_ID)]
    assert scene.states() == [TaskState.GONE]


async def test_stop_just_before_secrets_are_fetched() -> None:
    """While the lane looks for a log group: the fetch is not begun, or comes to nothing."""
    scene = Scene()
    grouped = LogConfiguration(log_driver="awslogs", options={"awslogs-group": "g"})
    container = replace(SECRETIVE.container.properties, log_configuration=grouped)
    spec = replace(SECRETIVE.job.spec, uuid="0" * 36, container=container)
    entry = replace(SECRETIVE, job=replace(SECRETIVE.job, spec=spec))
    stopped = changed(entry, intent=Intent.STOP)
    scene.open = [stopped]
    scene.logs.groups_may_answer.clear()
    scene.lane.act([entry])
    serving = asyncio.create_task(scene.lane.serve_once())
    await settled()
    scene.lane.act([stopped])
    scene.logs.groups_may_answer.set()
    await serving
    scene.provider.may_answer.set()
    await settled()
    await scene.lane.serve_once()
    await settled()
    await scene.lane.serve_once()
    assert scene.driver.asked == [("stop", SECRETIVE_ID)]


@pytest.mark.parametrize("is_there", [True, False])
async def test_secrets_that_went_after_a_launch(is_there: bool) -> None:
    """An attempt that a server before this one launched is not failed because its secret is gone now."""
    scene = Scene(Behaviour(duration_seconds=1000))
    scene.open = [SECRETIVE]
    if is_there:
        scene.site.accept(render_launch(SECRETIVE, scene.logs), "longshore")
    scene.provider.problem = "ResourceInitializationError: gone"
    scene.provider.may_answer.set()
    scene.lane.act([SECRETIVE])
    await scene.lane.serve_once()
    await settled()
    await scene.lane.serve_once()
    (news,) = scene.inbox.take(100)
    if is_there:
        assert isinstance(news, Observation)
        assert news.state is not TaskState.GONE
    else:
        assert isinstance(news, LaunchFailed)
        assert news.reason == scene.provider.problem


async def settled() -> None:
    """Whatever can go on has gone on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_log_is_read_once() -> None:
    """Two who hear of the end at the same time do not append the output twice."""
    scene = Scene()
    scene.lane.act([ENTRY])
    await scene.lane.serve_once()
    scene.open = [changed(ENTRY, intent=Intent.NONE, handle="1")]
    await asyncio.gather(scene.lane.observe_all(), scene.lane.observe_all())
    assert scene.logs.output[ATTEMPT_ID] == b"hello"


async def test_failed_sweep_is_made_again_soon() -> None:
    """What an engine could not tell at one look is asked again before the next is due."""
    scene = Scene(Behaviour(duration_seconds=1e6))
    scene.open = []
    run = asyncio.create_task(scene.lane.run())
    await scene.clock.advance(SWEEP_SECONDS - 1)
    scene.site.accept(render_launch(ENTRY, scene.logs), "longshore")
    scene.faults.refused = frozenset({"discover"})
    await scene.clock.advance(2)
    scene.faults.refused = frozenset()
    await scene.clock.advance(2 * RETRY_SECONDS)
    assert scene.site.tasks("longshore") == []
    run.cancel()


async def test_engine_whose_news_is_refused_is_not_used() -> None:
    """It answers pings, but nobody would hear of the ends of its jobs. The problem stands until a watch lasts."""

    class Mute(FakeDriver):
        is_mute = True

        async def watch(self) -> AsyncIterator[Sequence[Observation]]:
            if self.is_mute:
                raise EngineUnavailable("events are refused")
            async for news in super().watch():
                yield news

    clock = VirtualClock()
    driver, inbox = Mute(FakeSite(clock), clock), Inbox()
    lane = Lane(
        "fake",
        driver,
        logs=KeptLogs(),
        inbox=inbox,
        clock=clock,
        open_attempts=lambda: [],
        stop_grace_seconds=5,
        provider=Provider(clock=clock),
    )
    run = asyncio.create_task(lane.run())
    await clock.advance(RETRY_SECONDS)
    seen: set[str] = set()
    for _ in range(100):
        await clock.advance(0.25)
        seen.add(lane.problem)
    assert seen == {"events are refused"}
    driver.is_mute = False
    await clock.advance(RETRY_SECONDS + HEARING_SECONDS)
    assert lane.problem == ""
    run.cancel()


async def test_engine_that_is_unwell_without_a_word_is_not_used() -> None:
    """That it does not say why makes it no better."""

    class Taciturn(FakeDriver):
        async def fingerprint(self) -> Fingerprint:
            return Fingerprint(healthy=False)

    clock = VirtualClock()
    lane = Lane(
        "fake",
        Taciturn(FakeSite(clock), clock),
        logs=KeptLogs(),
        inbox=Inbox(),
        clock=clock,
        open_attempts=lambda: [],
        stop_grace_seconds=5,
        provider=Provider(clock=clock),
    )
    await lane.check_health_once()
    assert lane.problem == "it does not say what is wrong"
