"""The callers: they submit, cancel, terminate and delete as planned, and try again when nobody answers."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from longshore.domain.consumable import ConsumableResourceProperties, ConsumableResourceRequirement
from longshore.domain.container import ContainerOverrides
from longshore.domain.definition import JobTimeout
from longshore.domain.dependency import Dependency
from longshore.domain.errors import Conflict, InvalidRequest, RequestRefused, StoreUnavailable
from longshore.domain.ids import JobId
from longshore.domain.job import Wish, WishKind
from longshore.ports.clock import Clock
from longshore.service.consumables import ConsumableUpdate
from longshore.service.depends_on import DEPENDS_ON
from longshore.service.queues import QueueChanges
from longshore.service.retry_powers import HOST_RETRIES, START_DEADLINE
from longshore.service.submit import Submission
from longshore.testing.builders import HERE, a_container
from longshore.testing.simulation.broken import broken
from longshore.testing.simulation.gates import ServerDied
from longshore.testing.simulation.history import Census
from longshore.testing.simulation.scenario import (
    PlannedDependency,
    PlannedJob,
    PlannedRequest,
    PlannedUpdate,
    Scenario,
)
from longshore.testing.simulation.server import Server

T = TypeVar("T")

_AGAIN_SECONDS = 1.0
_LOOK_SECONDS = 0.1


class Line(Protocol):
    """The way to the server that is up."""

    async def __call__(self, work: Callable[[Server], Coroutine[Any, Any, T]]) -> T:
        """Do `work` in it. Raises ServerDied when it may or may not have been done."""
        ...


class Client:
    """Everybody who calls."""

    def __init__(
        self,
        scenario: Scenario,
        census: Census,
        clock: Clock,
        call: Line,
        *,
        statuses: Mapping[int, str],
        accepted: set[int],
    ) -> None:
        """`statuses` of jobs by key is what can be seen; keys of answered submissions are added to `accepted`."""
        self._scenario = scenario
        self._census = census
        self._clock = clock
        self._call = call
        self._statuses = statuses
        self._accepted = accepted
        #: by how much updates that were answered have changed each consumable resource
        self.updated: Counter[str] = Counter()
        self._ids: dict[int, JobId] = {}
        self._is_known = {job.number: asyncio.Event() for job in scenario.jobs}

    async def run(self) -> None:
        """Do all that is planned."""
        async with asyncio.TaskGroup() as group:
            for request in self._scenario.requests:
                group.create_task(self._request(request))
            for number, update in enumerate(self._scenario.updates):
                group.create_task(self._update(number, update))
            for name, (disabled_at, deleted_at) in self._scenario.deleted_queues.items():
                group.create_task(self._delete_queue(name, disabled_at, deleted_at))
            for job in self._scenario.jobs:
                await self._until(job.at)
                await self._submit(job)
                self._is_known[job.number].set()

    async def give_up_the_impossible(self) -> None:
        """Terminate what could wait for ever."""
        for job in self._scenario.jobs:
            job_id = self._census.id_of(job.number)
            if job_id is not None and not self._scenario.can_ever_run(job):
                await self._ask(JobId(uuid=job_id), Wish(kind=WishKind.TERMINATE, reason="it can never run"))

    async def _submit(self, job: PlannedJob) -> None:
        kept = tuple(each for each in job.depends_on if each.number is None or each.number in self._ids)
        self._census.dependencies[job.number] = kept
        submission = Submission(
            name=job.name,
            queue=job.queue,
            definition=job.definition.name,
            container_overrides=None
            if job.form is not None
            else ContainerOverrides(
                command=("job", str(job.number)),
                resource_requirements=a_container(resources=job.resources).resource_requirements,
            ),
            array_size=job.array_size,
            depends_on=[self._dependency(each) for each in kept if each.when is None],
            parameters=self._parameters(kept),
            retry_strategy=job.retry,
            share_identifier=job.share,
            scheduling_priority=job.priority if job.share is not None else None,
            consumables=_consumption(job),
            timeout=JobTimeout(attempt_duration_seconds=job.timeout_seconds),
            # Most are named, and asked for until there is an answer.
            client_token=job.name if job.number % 4 else None,
            tags={
                name: str(value)
                for name, value in ((START_DEADLINE, job.start_deadline_seconds), (HOST_RETRIES, job.host_retries))
                if value is not None
            },
            size_bytes=1000,
        )
        while True:
            try:
                job_id = await self._call(lambda server: server.services.submissions.submit(HERE, submission))
            except ServerDied:
                if submission.client_token is None:
                    return  # nobody knows whether it was stored; nothing refers to it
                await self._clock.sleep(_AGAIN_SECONDS)
                continue
            except StoreUnavailable:
                await self._clock.sleep(_AGAIN_SECONDS)
                continue
            except RequestRefused as refused:
                if job.queue not in self._scenario.deleted_queues:
                    broken("what is valid is accepted", f"{job}: {refused}")
                return
            break
        self._ids[job.number] = job_id
        key = self._census.key_of(job.number)
        if key is None:
            broken("no job is lost", f"{job.name} was accepted and is not stored")
        self._accepted.add(key)

    def _dependency(self, planned: PlannedDependency) -> Dependency:
        if planned.number is None:
            return Dependency(type=planned.type)
        uuid = self._ids[planned.number].uuid
        return Dependency(job_id=str(JobId(uuid=uuid, index=planned.index)), type=planned.type)

    def _parameters(self, kept: Sequence[PlannedDependency]) -> Mapping[str, str] | None:
        entries = [
            {"jobId": each.job_id, "type": each.type, "when": planned.when}
            for planned in kept
            if planned.when is not None and (each := self._dependency(planned))
        ]
        return {DEPENDS_ON: json.dumps(entries)} if entries else None

    async def _request(self, request: PlannedRequest) -> None:
        await self._until(request.at)
        await self._is_known[request.number].wait()
        job_id = self._ids.get(request.number)
        if job_id is not None:
            if request.once_placed:
                await self._until_placed(request)
            reason = f"{request.kind} of job-{request.number}"
            await self._ask(JobId(uuid=job_id.uuid, index=request.index), Wish(kind=request.kind, reason=reason))

    async def _until_placed(self, request: PlannedRequest) -> None:
        """Return when the job has an attempt, or is over, or nothing goes wrong any more."""
        key = self._census.key_of(request.number)
        assert key is not None
        key = key if request.index is None else key + 1 + request.index
        while self._statuses[key] in ("SUBMITTED", "PENDING", "RUNNABLE"):
            if self._clock.boot_seconds() > self._scenario.calm_at:
                return
            await self._clock.sleep(_LOOK_SECONDS)

    async def _ask(self, job_id: JobId, wish: Wish) -> None:
        await self._insist(lambda server: server.services.requests.request(HERE, str(job_id), wish))

    async def _delete_queue(self, name: str, disabled_at: float, deleted_at: float) -> None:
        await self._until(disabled_at)
        await self._insist(lambda server: server.services.queues.update(HERE, name, QueueChanges(state="DISABLED")))
        await self._until(deleted_at)
        await self._insist(lambda server: server.services.queues.delete(HERE, name))
        for environment in self._scenario.queue(name).environment_names:
            if environment in self._scenario.deleted_environments:
                await self._delete_environment(environment)

    async def _delete_environment(self, name: str) -> None:
        async def disable(server: Server) -> None:
            await server.services.environments.update(HERE, name, state="DISABLED", document={})

        await self._insist(disable)
        while True:
            try:
                await self._insist(lambda server: server.services.environments.delete(HERE, name))
                return
            except Conflict as conflict:
                if "being modified" in conflict.message:
                    return  # a call without an answer did it
                await self._clock.sleep(_AGAIN_SECONDS)  # the queue is not gone yet

    async def _update(self, number: int, update: PlannedUpdate) -> None:
        """Again and again under one token, until there is an answer: it is done once."""
        await self._until(update.at)
        change = ConsumableUpdate(operation=update.operation, quantity=update.quantity, client_token=f"update-{number}")
        try:
            await self._insist(lambda server: server.services.consumables.update(HERE, update.name, change))
        except InvalidRequest:
            return  # there is less than was to be removed
        self.updated[update.name] += update.quantity if update.operation == "ADD" else -update.quantity

    async def _insist(self, work: Callable[[Server], Coroutine[Any, Any, object]]) -> None:
        """Call until there is an answer."""
        while True:
            try:
                await self._call(work)
                return
            except (ServerDied, StoreUnavailable):
                await self._clock.sleep(_AGAIN_SECONDS)

    async def _until(self, at: float) -> None:
        await self._clock.sleep(at - self._clock.boot_seconds())


def _consumption(job: PlannedJob) -> ConsumableResourceProperties | None:
    requirements = (
        ConsumableResourceRequirement(consumable_resource=name, quantity=quantity) for name, quantity in job.consumables
    )
    return ConsumableResourceProperties(consumable_resource_list=tuple(requirements)) if job.consumables else None
