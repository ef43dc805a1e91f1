"""A job's output, page by page, with what a follower must know of the job to go on or to end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from longshore.domain.errors import InvalidRequest, NotFound
from longshore.domain.ids import Scope
from longshore.domain.job import Attempt, Part
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.workload import Condition, WorkNode, workload_of
from longshore.ports.clock import Clock
from longshore.ports.store import JobView, Reader, Store
from longshore.service.documents import Document
from longshore.service.everywhere import find_job
from longshore.service.log_streams import keeps_output, log_stream
from longshore.service.published import with_reasons

#: How often a growing log is looked at for somebody who waits for more of it.
LOOK_SECONDS = 0.1


class StreamEvent(Protocol):
    """One line of output."""

    @property
    def timestamp(self) -> int: ...

    @property
    def message(self) -> str: ...


class StreamPage(Protocol):
    """Consecutive events of one stream."""

    @property
    def events(self) -> Sequence[StreamEvent]: ...

    @property
    def forward_token(self) -> str: ...


class StreamReader(Protocol):
    """What is needed of the log store."""

    async def get_events(
        self,
        scope: Scope,
        group: str,
        stream: str,
        *,
        token: str | None = None,
        from_head: bool = False,
        limit: int = ...,
    ) -> StreamPage:
        """Events from the head, or behind `token`. Raises NotFound for a stream that does not exist (yet)."""
        ...


class LogLine(Document, frozen=True):
    """One line of output."""

    #: epoch milliseconds at which it was read
    timestamp: int
    message: str


class LogPage(Document, frozen=True):
    """Some lines of one attempt, and where the job stands."""

    job_id: str
    status: JobStatus
    status_reason: str
    attempts_made: int
    #: None: the job has not come to the attempt that was asked for
    attempt: int | None
    group: str
    stream: str
    region: str
    lines: tuple[LogLine, ...]
    #: goes on behind these lines; None as long as nothing was written
    next_token: str | None
    #: whether no line will ever follow these: the attempt has ended and this is the end of its output
    is_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which page."""

    job_id: str
    #: None: of whatever account
    account_id: str | None = None
    #: from 1; None: the latest
    attempt: int | None = None
    #: of a job with several; None: the first of those that decide over its success
    container: str | None = None
    token: str | None = None
    limit: int = 10_000
    #: how long to wait for a first line when there is none yet
    wait_seconds: float = 0.0


class LogPages:
    """Reads the output of jobs."""

    def __init__(self, store: Store, logs: StreamReader, clock: Clock) -> None:
        self._store = store
        self._logs = logs
        self._clock = clock

    async def read(self, query: LogQuery) -> LogPage:
        """The page asked for; an empty one when there is nothing (yet).

        Raises:
            InvalidRequest: it is no job id, the job has no such container, or the token is of another stream.
            NotFound: there is no such job, or its log is not kept any more.
        """
        until = self._clock.boot_seconds() + query.wait_seconds
        while True:
            page = await self._read_now(query)
            if page.lines or page.is_end or self._clock.boot_seconds() >= until:
                return page
            await self._clock.sleep(LOOK_SECONDS)

    async def _read_now(self, query: LogQuery) -> LogPage:
        # The job is read before its log, and a log is whole before an attempt's end is stored: so nothing is missed.
        view = await self._store.read(lambda reader: _find(reader, query))
        job, spec = view.job, view.job.spec
        attempt = _choose(view, query.attempt)
        part = _choose_part(view, attempt, query.container) if attempt else None
        group, stream = log_stream(spec, attempt.attempt_id, part) if attempt else ("", "")
        lines: tuple[LogLine, ...] = ()
        next_token = query.token
        if attempt is not None:
            try:
                page = await self._logs.get_events(
                    spec.scope, group, stream, token=query.token, from_head=True, limit=query.limit
                )
                lines = tuple(LogLine(timestamp=event.timestamp, message=event.message) for event in page.events)
                next_token = page.forward_token
            except NotFound:
                if not keeps_output(spec, part):
                    raise NotFound("its output is not kept: its log driver is none") from None
                if attempt.has_ended and attempt.started_at is not None:
                    raise NotFound(f"the log of attempt {attempt.number} is not kept any more") from None
        has_ended = job.status.is_final if attempt is None else attempt.has_ended
        return LogPage(
            job_id=str(job.id),
            status=job.status,
            status_reason=job.status_reason,
            attempts_made=job.attempts_made,
            attempt=attempt.number if attempt else None,
            group=group,
            stream=stream,
            region=spec.scope.region,
            lines=lines,
            next_token=next_token,
            is_end=has_ended and not lines,
        )


def _find(reader: Reader, query: LogQuery) -> JobView:
    """The job, and why it stands where it stands."""
    view = find_job(reader, query.job_id, query.account_id)
    if view.job.is_array_parent:
        last = (view.job.spec.array_size or 0) - 1
        raise InvalidRequest(
            f"array job {query.job_id} has no output of its own: name one of its children, 0 to {last}"
        )
    return with_reasons(reader, [view])[0]


def _choose(view: JobView, number: int | None) -> Attempt | None:
    """The attempt asked for; None when the job has not come to it."""
    return next((attempt for attempt in reversed(view.attempts) if number in (None, attempt.number)), None)


def _choose_part(view: JobView, attempt: Attempt, container: str | None) -> Part | None:
    """The part whose output is asked for: of the node that the view shows, else of the main one."""
    workload = workload_of(view.job.spec)
    node = workload.nodes[workload.main_node if view.node is None else view.node]
    names = [each.name for each in node.containers]
    if container is not None and container not in names:
        raise InvalidRequest(f"job {view.job.id} has no container {container[:100]}, it has {', '.join(names)}")
    wanted = container or _decisive(node)
    return next((part for part in attempt.parts if (part.node, part.container) == (node.index, wanted)), None)


def _decisive(node: WorkNode) -> str:
    """The first container that must succeed and that no other waits for to end."""
    awaited = {name for each in node.containers for name, until in each.depends_on if until is not Condition.START}
    return next(each.name for each in node.containers if each.must_succeed and each.name not in awaited)
