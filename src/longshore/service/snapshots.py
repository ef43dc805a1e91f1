"""The use case GetJobQueueSnapshot: who comes next in a queue, and what its jobs hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshore.domain.errors import NotFound
from longshore.domain.ids import Scope, resource_name
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import SERVICE_QUEUE, FrontJob, QueueFront
from longshore.domain.service_environment import NUM_INSTANCES
from longshore.ports.store import Reader, Store
from longshore.service.sharing import fairshare_of, has_quota_shares

#: What capacity is counted in, by the type of the queue. Source: AWS Batch API, QueueSnapshotCapacityUsage.
_UNITS = {SERVICE_QUEUE: NUM_INSTANCES, "EKS": "cpu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """The front of a queue, as the leader last published it."""

    #: what capacity is counted in
    unit: str
    is_fair_share: bool
    #: None before the leader has looked at the queue for the first time
    front: QueueFront | None
    #: each with its ARN
    jobs: Sequence[tuple[str, FrontJob]]
    #: of a queue with quota shares: the first job of each, with its ARN; None: of another queue
    share_jobs: Mapping[str, tuple[str, FrontJob]] | None = None


class Snapshots:
    """Fronts of queues."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, scope: Scope, text: str) -> QueueSnapshot:
        """The front of a queue. Jobs that have left it since it was published are left out.

        Raises:
            NotFound: there is no such queue.
        """

        def work(reader: Reader) -> QueueSnapshot:
            name = resource_name(text, "job-queue", scope)
            queue = None if name is None else reader.queue(scope, name)
            if queue is None:
                raise NotFound(f"JobQueue {text[:300]} not found.")
            front = reader.queue_front(scope, queue.name)
            placed = () if front is None else front.jobs
            firsts: Mapping[str, FrontJob] = {} if front is None else front.share_jobs
            jobs = reader.load_jobs([each.key for each in (*placed, *firsts.values())])
            waiting = {key: job.arn for key, job in jobs.items() if job.status is JobStatus.RUNNABLE}
            return QueueSnapshot(
                unit=_UNITS.get(queue.queue_type, "VCPU"),
                is_fair_share=fairshare_of(reader, queue) is not None,
                front=front,
                jobs=[(waiting[each.key], each) for each in placed if each.key in waiting],
                share_jobs={share: (waiting[each.key], each) for share, each in firsts.items() if each.key in waiting}
                if has_quota_shares(reader, queue)
                else None,
            )

        return await self._store.read(work)
