"""How the server is: its engines, its hosts, and what waits in each queue and why."""

from collections.abc import Sequence
from datetime import datetime

from longshore import __version__
from longshore.domain.ids import Scope
from longshore.domain.lifecycle.status import WAITING_STATUSES, JobStatus
from longshore.ports.overview import EngineHealth, HostUse
from longshore.ports.store import QueueDepth, Reader
from longshore.service.documents import Amounts, Document, amounts_of
from longshore.service.everywhere import ALL
from longshore.service.powers import queue_powers
from longshore.service.published import root_reason


class EngineStatus(Document, frozen=True):
    """One engine."""

    name: str
    #: why it can't be used now; empty when it can
    problem: str


class HostStatus(Document, frozen=True):
    """One host."""

    name: str
    total: Amounts
    free: Amounts


class QueueStatus(Document, frozen=True):
    """One queue; `depths` count array children, not their parents, that have not ended."""

    account_id: str
    region: str
    name: str
    state: str
    status: str
    priority: int
    #: nothing of it starts
    is_paused: bool
    depths: dict[JobStatus, int]
    oldest_waiting_at: datetime | None
    #: why its first RUNNABLE job waits; empty when there is none or when it is not known yet
    head_waits: str


class ServerStatus(Document, frozen=True):
    """The whole server."""

    version: str
    at: datetime
    engines: tuple[EngineStatus, ...]
    hosts: tuple[HostStatus, ...]
    queues: tuple[QueueStatus, ...]
    oldest_waiting_seconds: float | None


def report_status(
    reader: Reader,
    engines: Sequence[EngineHealth],
    hosts: Sequence[HostUse],
    now: datetime,
    *,
    account_id: str | None = None,
) -> ServerStatus:
    """How the server is at `now`; with an account, without the queues of others."""
    queues = _queues(reader, account_id)
    oldest = min((queue.oldest_waiting_at for queue in queues if queue.oldest_waiting_at), default=None)
    return ServerStatus(
        version=__version__,
        at=now,
        engines=tuple(EngineStatus(name=engine.name, problem=engine.problem) for engine in engines),
        hosts=tuple(
            HostStatus(name=host.id, total=amounts_of(host.total), free=amounts_of(host.free)) for host in hosts
        ),
        queues=tuple(queues),
        oldest_waiting_seconds=None if oldest is None else max((now - oldest).total_seconds(), 0.0),
    )


def _queues(reader: Reader, account_id: str | None) -> Sequence[QueueStatus]:
    depths: dict[tuple[Scope, str], list[QueueDepth]] = {}
    for depth in reader.queue_depths():
        depths.setdefault((depth.scope, depth.queue_name), []).append(depth)
    statuses: list[QueueStatus] = []
    queues = [queue for queue in reader.queues(None, limit=ALL) if account_id in (None, queue.scope.account_id)]
    for queue in sorted(queues, key=lambda queue: (-queue.priority, queue.name, queue.scope)):
        own = depths.get((queue.scope, queue.name), [])
        counts = {depth.status: depth.count for depth in own if depth.count}
        waiting = [depth.oldest_created_at for depth in own if depth.count and depth.status in WAITING_STATUSES]
        status = QueueStatus(
            account_id=queue.scope.account_id,
            region=queue.scope.region,
            name=queue.name,
            state=queue.state,
            status=queue.status,
            priority=queue.priority,
            is_paused=queue_powers(queue.tags).is_paused,
            depths=counts,
            oldest_waiting_at=min((at for at in waiting if at is not None), default=None),
            head_waits=_head_waits(reader, queue.scope, queue.name) if JobStatus.RUNNABLE in counts else "",
        )
        statuses.append(status)
    return statuses


def _head_waits(reader: Reader, scope: Scope, queue_name: str) -> str:
    """What the job waits for that comes first in the queue; the leader publishes which one that is."""
    front = reader.queue_front(scope, queue_name)
    keys = [] if front is None else [each.key for each in front.jobs[:1]]
    for job in reader.load_jobs(keys).values():
        reason = root_reason(reader, job)
        return "; ".join(reason.causes) if reason is not None else ""
    return ""
