"""Jobs that are held, and queues that are paused."""

from longshore.domain.errors import Conflict, InvalidRequest
from longshore.domain.ids import JobId, Scope
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.notifier import Notifier
from longshore.ports.store import Store, Transaction
from longshore.service.documents import Document
from longshore.service.everywhere import find_job
from longshore.service.powers import PAUSED
from longshore.service.tags import Tags


class JobHold(Document, frozen=True):
    """A job that was held or released."""

    job_id: str
    #: one that has begun goes on, and is held when it is to be tried again
    status: JobStatus
    is_held: bool


class QueuePause(Document, frozen=True):
    """A queue that was paused or resumed."""

    region: str
    name: str
    is_paused: bool


class Holds:
    """What may not start, though nothing else keeps it."""

    def __init__(self, store: Store, notifier: Notifier, tags: Tags) -> None:
        self._store = store
        self._notifier = notifier
        self._tags = tags

    async def hold(self, text: str, *, is_held: bool, account_id: str | None) -> JobHold:
        """Hold a job, an array job with all its children, or one child of it; or release it.

        Raises:
            InvalidRequest: `text` is no id of such a job.
            NotFound: there is no such job, or it is another account's.
            Conflict: it has ended.
        """

        def work(tx: Transaction) -> tuple[JobId, JobStatus]:
            job = find_job(tx, text, account_id).job
            if job.id.node is not None:
                raise InvalidRequest(f"{job.id} is a node: all nodes of a job are held or released together")
            if job.status.is_final:
                raise Conflict(f"job {job.id} is {job.status}: there is nothing to {'hold' if is_held else 'release'}")
            tx.put_hold(job.key, is_held=is_held)
            return job.id, job.status

        job_id, status = await self._store.write(work)
        self._notifier.notify()
        return JobHold(job_id=str(job_id), status=status, is_held=is_held)

    async def pause(self, scope: Scope, queue_name: str, *, is_paused: bool) -> QueuePause:
        """Let nothing of a queue start from now on, or let it; what runs goes on, and submissions are taken.

        Raises:
            NotFound: there is no such queue.
        """
        arn = scope.arn("job-queue", queue_name)
        if is_paused:
            await self._tags.add(scope, arn, {PAUSED: "true"})
        else:
            await self._tags.remove(scope, arn, [PAUSED])
        return QueuePause(region=scope.region, name=queue_name, is_paused=is_paused)
