"""Use cases on service jobs: submit, describe, list, update. They are ended by `requests`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import uuid4

from longshore.domain.definition import JobTimeout
from longshore.domain.errors import Conflict, InvalidRequest, NotFound
from longshore.domain.ids import JobId, JobKey, Scope
from longshore.domain.instance_types import INSTANCE_TYPES
from longshore.domain.job import Job, JobSpec
from longshore.domain.lifecycle.status import WAITING_STATUSES, JobStatus
from longshore.domain.queue import SERVICE_QUEUE
from longshore.domain.resources import Resources
from longshore.domain.retry import RetryStrategy
from longshore.domain.training import TrainingRequest, parse_training_request
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import JobView, NewJob, Reader, Store, Transaction
from longshore.service.attempt_rules import check_service_retry, check_timeout
from longshore.service.consumables import TOKEN_LIFE
from longshore.service.describe import Condition, JobQuery, cursor_of, list_page, parse_filter
from longshore.service.job_references import parse_job_reference
from longshore.service.named import find
from longshore.service.naming import check_job_name, check_tags
from longshore.service.paging import Page, open_token, page_of
from longshore.service.powers import check_own_tags, job_powers
from longshore.service.published import with_reasons
from longshore.service.refusals import check_size, invalid
from longshore.service.sharing import check_priority, check_quota_share, check_share_of
from longshore.service.submit import open_queue

_PAYLOAD_KIB = 10
_REQUEST_KIB = 30
_LARGEST_PAGE = 100
_FILTERS = ("JOB_NAME", "BEFORE_CREATED_AT", "AFTER_CREATED_AT", "SHARE_IDENTIFIER", "QUOTA_SHARE_NAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSubmission:
    """A service job as its caller asks for it."""

    name: str
    #: name or ARN, as given
    queue: str
    #: JSON text of a CreateTrainingJob request
    payload: str
    retry_strategy: RetryStrategy | None = None
    timeout: JobTimeout | None = None
    share_identifier: str | None = None
    quota_share_name: str | None = None
    #: how often it goes back to RUNNABLE when it is preempted; None: always
    preemption_retries: int | None = None
    scheduling_priority: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    client_token: str | None = None
    #: of the request
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceJobQuery:
    """Which service jobs of a queue a listing holds."""

    queue: str | None = None
    status: JobStatus | None = None
    filters: Sequence[Condition] = ()
    max_results: int | None = None
    next_token: str | None = None


class ServiceJobs:
    """Service jobs of all scopes."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier, *, largest_host: Resources) -> None:
        """Instances are given as much of `largest_host` as it has."""
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._largest_host = largest_host

    async def submit(self, scope: Scope, submission: ServiceSubmission) -> JobId:
        """Store a new service job as SUBMITTED, durably, and return its id.

        Raises:
            RequestRefused: it names something that does not exist or breaks a rule; nothing is stored.
        """
        check_job_name(submission.name)
        check_size(len(submission.payload.encode()), limit_kib=_PAYLOAD_KIB, what="serviceRequestPayload")
        check_size(submission.size_bytes, limit_kib=_REQUEST_KIB, what="Job")
        check_tags(submission.tags)
        check_own_tags(submission.tags, "a service job")
        if submission.retry_strategy is not None:
            check_service_retry(submission.retry_strategy)
        if submission.timeout is not None:
            check_timeout(submission.timeout)
        if submission.scheduling_priority is not None:
            check_priority(submission.scheduling_priority, "schedulingPriority")
        retries = submission.preemption_retries
        if retries is not None and retries < 0:
            raise invalid(f"preemptionRetriesBeforeTermination should be at least 0, got {retries}")
        training = parse_training_request(submission.payload)
        resources = resources_of_training(training, self._largest_host)
        uuid, now = str(uuid4()), self._clock.now()
        created_at = now.replace(microsecond=now.microsecond // 1000 * 1000)

        def work(tx: Transaction) -> None:
            queue = open_queue(tx, scope, submission.queue)
            if queue.queue_type != SERVICE_QUEUE:
                raise InvalidRequest(f"JobQueue {submission.queue} is {queue.queue_type} and takes no service jobs")
            check_share_of(tx, queue, submission.share_identifier, now=now)
            check_quota_share(
                tx, queue, submission.quota_share_name, has_preemption=submission.preemption_retries is not None
            )
            _note_token(tx, scope, submission.client_token, uuid, now)
            timeout = submission.timeout
            spec = JobSpec(
                scope=scope,
                key=tx.allocate_keys(1),
                uuid=uuid,
                name=submission.name,
                queue_name=queue.name,
                training=training,
                resources=resources,
                powers=job_powers({}, submission.tags, {}),
                retry=submission.retry_strategy or RetryStrategy(),
                timeout_seconds=None if timeout is None else timeout.attempt_duration_seconds,
                share_identifier=submission.share_identifier,
                quota_share_name=submission.quota_share_name,
                preemption_retries=submission.preemption_retries,
                scheduling_priority=submission.scheduling_priority or 0,
            )
            tx.insert_job(NewJob(spec=spec, created_at=created_at, tags=submission.tags))

        await self._store.write(work)
        self._notifier.notify()
        return JobId(uuid=uuid)

    async def describe(self, scope: Scope, text: str) -> JobView:
        """The service job of that id.

        Raises:
            NotFound: there is no such service job.
        """

        def work(reader: Reader) -> JobView:
            return _described(reader, [_find(reader, scope, text).key])[0]

        return await self._store.read(work)

    async def list(self, scope: Scope, query: ServiceJobQuery) -> Page[JobView]:
        """Service jobs of a queue, newest first.

        Raises:
            InvalidRequest: no queue is named, a filter is malformed, or the token is not of this call.
            NotFound: there is no such queue.
        """
        name = query.queue
        if name is None:
            raise invalid("jobQueue should be given")
        if query.max_results is not None and not 1 <= query.max_results <= _LARGEST_PAGE:
            raise invalid(f"MaxResults should be between 1 and {_LARGEST_PAGE}, got {query.max_results}")
        where = parse_filter(scope, JobQuery(queue=name, status=query.status, filters=query.filters), _FILTERS)
        call = ("service jobs", scope, name, query.status, query.filters)
        cursor = open_token(query.next_token, call)
        limit = query.max_results or _LARGEST_PAGE

        def work(reader: Reader) -> Sequence[JobView]:
            queue = find(reader.queue, "job-queue", scope, name)
            if queue is None:
                raise NotFound(f"JobQueue {name} not found.")
            listed = list_page(reader, scope, queue.name, where, cursor, limit + 1)
            return _described(reader, [view.job.key for view in listed])

        found = await self._store.read(work)
        page = page_of(found, limit, call, list(map(cursor_of, found)))
        # a queue of containers may have had the name before
        return replace(page, items=[view for view in page.items if view.job.spec.training is not None])

    async def update(self, scope: Scope, text: str, *, scheduling_priority: int) -> Job:
        """Give a service job that has not been placed another priority.

        Raises:
            InvalidRequest: no job can have this priority.
            NotFound: there is no such service job.
            Conflict: it does not wait any more.
        """
        check_priority(scheduling_priority, "schedulingPriority")

        def work(tx: Transaction) -> Job:
            job = _find(tx, scope, text)
            if job.status not in WAITING_STATUSES:
                raise Conflict(f"Service job {job.id} is {job.status}; its priority does not count any more")
            tx.put_priority(job.key, scheduling_priority)
            return job

        job = await self._store.write(work)
        self._notifier.notify()
        return job


def resources_of_training(training: TrainingRequest, largest_host: Resources) -> Resources:
    """What all instances hold together: each as its type offers, but no more than its part of `largest_host`.

    GPUs are never less than the type has. Instances of several groups are all given what the largest is.

    Raises:
        InvalidRequest: a type of instances is not known.
    """
    types = [group.instance_type for group in training.instance_groups]
    unknown = next((name for name in types if name not in INSTANCE_TYPES), None)
    if unknown is not None:
        raise InvalidRequest(f"serviceRequestPayload: {unknown[:100]} is no instance type that is known here")
    asked, count = [INSTANCE_TYPES[name] for name in types], training.instance_count
    return Resources(
        vcpu_milli=min(max(each.vcpu_milli for each in asked), largest_host.vcpu_milli // count) * count,
        memory_mib=min(max(each.memory_mib for each in asked), largest_host.memory_mib // count) * count,
        gpus=max(each.gpus for each in asked) * count,
    )


def _note_token(tx: Transaction, scope: Scope, token: str | None, uuid: str, now: datetime) -> None:
    """Source: AWS Batch API, SubmitServiceJob: the second request with a clientToken is rejected."""
    if token is None:
        return
    earlier = tx.note_call(scope, "SubmitServiceJob", token, uuid, at=now, forget_before=now - TOKEN_LIFE)
    if earlier is not None:
        raise Conflict(f"The clientToken {token} was used already, to submit service job {earlier}")


def _find(reader: Reader, scope: Scope, text: str) -> Job:
    job_id = parse_job_reference(text, scope, "service-job")
    keys = [] if job_id is None else list(reader.find_jobs(scope, [job_id]).values())
    for job in reader.load_jobs(keys).values():
        if job.spec.training is not None:
            return job
    raise NotFound(f"Service job {text[:300]} does not exist")


def _described(reader: Reader, keys: Sequence[JobKey]) -> Sequence[JobView]:
    return with_reasons(reader, reader.describe_jobs(keys))
