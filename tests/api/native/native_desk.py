"""The native API over a real leader and store, with an engine that says what a test tells it to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any, cast

import httpx

from longshore.api.aws.batch.handlers import build_handlers
from longshore.api.http import FrontDoor
from longshore.api.limits import DoorSettings
from longshore.api.native.app import native_app
from longshore.control.inbox import Inbox
from longshore.control.leader import ControlSettings, Leader
from longshore.control.ledger import Host
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.errors import NotFound
from longshore.domain.ids import AttemptId, HostId, Scope
from longshore.domain.job import JobSpec
from longshore.domain.lifecycle import reasons
from longshore.domain.prices import Price, Prices
from longshore.domain.queue import JobQueue
from longshore.domain.resources import Resources
from longshore.engines.fake import FakeDriver, FakeSite
from longshore.ports.engine import Capabilities, Observation, TaskState, Usage
from longshore.ports.overview import EngineHealth, HostUse
from longshore.scheduling.forecast.outlook import Outlook
from longshore.service.log_pages import LogLine
from longshore.service.services import build_services
from longshore.store.sqlite import InlineStore
from longshore.telemetry.metrics import Metrics
from longshore.testing.clock import VirtualClock
from longshore.testing.job_builders import A_MOMENT, JobBuilder, a_queue, an_environment
from longshore.testing.simulation.logs import KeptLogs

LOCAL = HostId("local")


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a log."""

    events: Sequence[LogLine]
    forward_token: str


@dataclass(kw_only=True)
class Streams:
    """Streams by name; a token is the number of lines before it."""

    lines: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    async def get_events(
        self,
        scope: Scope,
        group: str,
        stream: str,
        *,
        token: str | None = None,
        from_head: bool = False,
        limit: int = 10_000,
    ) -> Page:
        if stream not in self.lines:
            raise NotFound("The specified log stream does not exist.")
        start = int(token or 0)
        found = self.lines[stream][start : start + limit]
        return Page(
            events=[LogLine(timestamp=0, message=text) for text in found], forward_token=str(start + len(found))
        )


class Desk:
    """A host of 4 vCPU and 4,096 MiB, an environment and a queue on it, and what people ask of them."""

    def __init__(self) -> None:
        self.store, self.clock, self.inbox, self.streams = InlineStore(), VirtualClock(now=A_MOMENT), Inbox(), Streams()
        numbers = count(1)
        driver = FakeDriver(FakeSite(self.clock), self.clock)
        self.leader = Leader(
            store=self.store,
            drivers={"fake": driver},
            logs=KeptLogs(),
            clock=self.clock,
            inbox=self.inbox,
            hosts=[Host(id=LOCAL, total=Resources(vcpu_milli=4000, memory_mib=4096))],
            settings=ControlSettings(oversize="wait", free_losses=1),
            new_attempt_id=lambda: AttemptId(f"{next(numbers):032x}"),
        )
        self.capabilities = driver.capabilities()
        self.services = build_services(
            self.store,
            self.clock,
            self.inbox,
            engines=("fake",),
            resolve_engine=self._resolve_engine,
            largest_host=Resources(vcpu_milli=4000, memory_mib=4096),
        )
        self.metrics = Metrics(self.store, self, self.clock)
        self.price(Prices(environments={"default": Price(vcpu=0.04, gib=0.01, spot=0.25)}))

    def price(self, prices: Prices) -> None:
        """Open the door of a server with these prices."""
        native = native_app(
            store=self.store,
            overview=self,
            clock=self.clock,
            logs=self.streams,
            metrics=self.metrics,
            prices=prices,
            submissions=self.services.submissions,
            holds=self.services.holds,
            submit_job=build_handlers(self.services)["SubmitJob"],
        )
        door = FrontDoor(DoorSettings(), fronts={}, native=native)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(door),
            base_url="http://localhost",
            headers={"x-longshore-client": "test"},
        )

    async def open(self) -> None:
        await self.store.open()
        await self.put(environment=an_environment(engine="fake"), queue=a_queue())
        await self.leader.lead()
        await self.leader.lanes["fake"].check_health_once()
        await self.settle()

    async def close(self) -> None:
        await self.client.aclose()
        await self.store.close()

    def engines(self) -> Sequence[EngineHealth]:
        problem = self.leader.lanes["fake"].problem
        return [EngineHealth(name="fake", problem=problem, capabilities=self.capabilities)]

    def hosts(self) -> Sequence[HostUse]:
        held = [entry.attempt.resources for entry in self.leader.open_tasks() or () if not entry.attempt.has_ended]
        total = Resources(vcpu_milli=4000, memory_mib=4096)
        return [HostUse(id=LOCAL, total=total, free=total - sum(held, Resources()))]

    async def outlook(self) -> Outlook | None:
        return await self.leader.outlook()

    async def _resolve_engine(self) -> str:
        return "fake"

    def be_able(self, **capabilities: Any) -> None:
        """Change what the engine says that it can do."""
        self.capabilities = cast(Capabilities, replace(self.capabilities, **capabilities))

    async def put(self, *, environment: ComputeEnvironment | None = None, queue: JobQueue | None = None) -> None:
        """Store an environment, a queue, or both."""
        if environment is not None:
            await self.store.write(lambda tx: tx.put_environment(environment))
        if queue is not None:
            await self.store.write(lambda tx: tx.put_queue(queue))
        self.inbox.notify()

    async def submit(self, job: JobBuilder) -> JobSpec:
        """Submit and let the leader do what it does."""
        spec = await self.store.write(lambda tx: job.stored(tx))
        self.inbox.notify()
        await self.settle()
        return spec

    async def settle(self) -> None:
        """Let the leader take turns until it is idle and its reasons are published."""
        while await self.leader.turn():
            pass
        await self.clock.advance(1)
        while await self.leader.turn():
            pass

    async def attempt_of(self, job_id: str) -> AttemptId:
        """Id of the job's latest attempt."""
        return AttemptId((await self.explain(job_id))["attempts"][-1]["attemptId"])

    async def start(self, job_id: str) -> None:
        """The job's attempt runs."""
        attempt_id = await self.attempt_of(job_id)
        started = Observation(attempt_id=attempt_id, state=TaskState.RUNNING, started_at=self.clock.now())
        self.inbox.put([started])
        await self.settle()

    async def end(self, job_id: str, exit_code: int, *, seconds: float = 10, reason: str = "", **usage: float) -> None:
        """The job's attempt ends `seconds` after it began; AWS's text for a lack of memory says that it was killed."""
        attempt_id = await self.attempt_of(job_id)
        began = self.clock.now()
        ended = Observation(
            attempt_id=attempt_id,
            state=TaskState.EXITED,
            started_at=began,
            stopped_at=began + timedelta(seconds=seconds),
            exit_code=exit_code,
            reason=reason,
            oom_killed=reason == reasons.OUT_OF_MEMORY,
            usage=Usage(**cast(dict[str, Any], usage)),
        )
        self.inbox.put([ended])
        await self.settle()

    async def lose(self, job_id: str) -> None:
        """The job's attempt is lost with its host."""
        self.inbox.put([Observation(attempt_id=await self.attempt_of(job_id), state=TaskState.LOST)])
        await self.settle()

    async def ask(self, path: str, **arguments: str | int | Sequence[str]) -> Any:
        """The document at `path`, which must be there."""
        answer = await self.client.get(f"/longshore/{path}", params=cast(Mapping[str, Any], arguments))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def send(self, path: str, body: Mapping[str, Any], **arguments: str) -> Any:
        """The answer to a request with a body, which must be accepted."""
        answer = await self.client.post(f"/longshore/{path}", json=body, params=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused_body(self, path: str, body: Mapping[str, Any], **arguments: str) -> tuple[int, str]:
        """Status and message of a request with a body that must be refused."""
        answer = await self.client.post(f"/longshore/{path}", json=body, params=arguments)
        assert answer.status_code != 200, answer.text
        return answer.status_code, answer.json()["message"]

    async def refused(self, path: str, **arguments: str | int) -> tuple[int, str]:
        """Status and message of a question that must be refused."""
        answer = await self.client.get(f"/longshore/{path}", params=cast(Mapping[str, Any], arguments))
        assert answer.status_code != 200, answer.text
        return answer.status_code, answer.json()["message"]

    async def explain(self, job_id: str) -> Any:
        """The explanation of a job."""
        return await self.ask(f"jobs/{job_id}/explain")

    async def waits(self, job_id: str) -> str:
        """What the job waits for, a line for each cause."""
        return "\n".join(f"{cause['kind']}: {cause['text']}" for cause in (await self.explain(job_id))["waitsFor"])
