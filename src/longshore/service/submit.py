"""The use case SubmitJob: a request resolved into a job specification and stored as SUBMITTED."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.definition import JobDefinition, JobTimeout
from longshore.domain.dependency import Dependency, DependencyType, OwnDependency, When
from longshore.domain.errors import Conflict, InvalidRequest, NotFound
from longshore.domain.ids import JobId, JobKey, Scope
from longshore.domain.job import JobSpec
from longshore.domain.powers import JobPowers
from longshore.domain.queue import SERVICE_QUEUE, Instant, JobQueue
from longshore.domain.retry import RetryStrategy
from longshore.ports.clock import Clock
from longshore.ports.notifier import Notifier
from longshore.ports.store import Edge, NewJob, Reader, ResourceReader, Store, Transaction
from longshore.service.attempt_rules import check_retry, check_timeout
from longshore.service.client_tokens import TokenCall, digest_of, token_of
from longshore.service.consumption import check_known, resolve_consumption
from longshore.service.definitions import resolve_active
from longshore.service.depends_on import DEPENDS_ON
from longshore.service.job_references import parse_job_reference
from longshore.service.named import find
from longshore.service.naming import check_job_name, check_tags
from longshore.service.overrides import Overrides, resolve_form
from longshore.service.own_override import OVERRIDE, override_definition
from longshore.service.powers import (
    MAX_CONCURRENT,
    PREEMPTION_RETRIES,
    QUOTA_SHARE,
    check_own_tags,
    job_powers,
    without_own,
)
from longshore.service.quotas import Quotas
from longshore.service.refusals import check_size, invalid
from longshore.service.requirements import resolve_resources
from longshore.service.retry_powers import check_on_oom
from longshore.service.sharing import check_quota_share, check_sharing

#: Key of a job that is looked at before it is stored, and those of its children follow: above all that are given.
UNSTORED = JobKey(1 << 60)

_LIMIT_KIB = 30
_MOST_DEPENDENCIES = 20
_DEFAULT_RETRY = RetryStrategy()
#: What a queue of each type asks of definitions; of other types: EC2.
_CAPABILITIES = {"ECS_FARGATE": "FARGATE", "ECS_MANAGED_INSTANCES": "MANAGED_INSTANCES"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Overrides):
    """A job as its caller asks for it; what is None is left to the definition."""

    name: str
    #: name or ARN, as given
    queue: str
    #: name or ARN, each with or without a revision, as given
    definition: str
    parameters: Mapping[str, str] | None = None
    array_size: int | None = None
    depends_on: Sequence[Dependency] = ()
    retry_strategy: RetryStrategy | None = None
    timeout: JobTimeout | None = None
    propagate_tags: bool | None = None
    tags: Mapping[str, str] | None = None
    share_identifier: str | None = None
    scheduling_priority: int | None = None
    consumables: ConsumableResourceProperties | None = None
    #: as given beside the request; a tag may hold it as well
    client_token: str | None = None
    #: of the request
    size_bytes: int

    @property
    def own_override(self) -> str | None:
        """What is to be other than in the definition, beyond the overrides of the AWS API."""
        return self.parameters.get(OVERRIDE) if self.parameters else None


class Submissions:
    """The way in for jobs."""

    def __init__(self, store: Store, clock: Clock, notifier: Notifier, *, quotas: Quotas) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._array_size_max = quotas.array_size

    async def submit(self, scope: Scope, submission: Submission) -> JobId:
        """Store a new job as SUBMITTED, durably, and return its id; for a client token that was used, that job's.

        Raises:
            RequestRefused: it names something that does not exist or breaks a rule; nothing is stored.
        """
        token = self._check(submission)
        uuid, submitted = str(uuid4()), self._instant()
        call = None if token is None else TokenCall(token=token, digest=digest_of(submission))

        def work(tx: Transaction) -> str:
            earlier = None if call is None else call.earlier_job(tx, scope, uuid, at=submitted.at)
            if earlier is not None:
                return earlier
            tx.insert_job(_resolve_job(tx, scope, submission, uuid, submitted, tx.allocate_keys))
            return uuid

        storing = asyncio.ensure_future(self._store.write(work))
        # Woken now, the leader takes the job in by the commit that stores it; woken again, it misses none that had to
        # wait before it could be stored.
        self._notifier.notify()
        stored = await storing
        self._notifier.notify()
        return JobId(uuid=stored)

    async def resolve(self, scope: Scope, submission: Submission) -> NewJob:
        """The job that `submit` would store now, under `UNSTORED` as its key.

        Raises:
            RequestRefused: as `submit`.
        """
        self._check(submission)
        uuid, submitted = str(uuid4()), self._instant()
        return await self._store.read(
            lambda reader: _resolve_job(reader, scope, submission, uuid, submitted, lambda count: UNSTORED)
        )

    def _check(self, submission: Submission) -> str | None:
        """What can be told without looking at the store; returns the client token."""
        token = token_of(submission.client_token, submission.tags)
        check_job_name(submission.name)
        check_size(submission.size_bytes, limit_kib=_LIMIT_KIB, what="Job")
        if submission.tags:
            check_tags(submission.tags)
            check_own_tags(submission.tags, "a job")
            if submission.array_size is None and MAX_CONCURRENT in submission.tags:
                raise invalid(f"{MAX_CONCURRENT} is for array jobs: it says how many of their children run at once")
        if len(submission.depends_on) > _MOST_DEPENDENCIES:
            raise invalid(f"Job cannot have more than {_MOST_DEPENDENCIES} dependencies")
        size = submission.array_size
        if size is not None and not 2 <= size <= self._array_size_max:
            raise invalid(f"Array size should be between 2 and {self._array_size_max}, got {size}")
        return token

    def _instant(self) -> Instant:
        now = self._clock.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return Instant(at=now, boot_id=self._clock.boot_id(), boot_seconds=self._clock.boot_seconds())


def _resolve_job(
    reader: Reader,
    scope: Scope,
    submission: Submission,
    uuid: str,
    submitted: Instant,
    allocate_keys: Callable[[int], JobKey],
) -> NewJob:
    queue = open_queue(reader, scope, submission.queue)
    if queue.queue_type == SERVICE_QUEUE:
        raise InvalidRequest(f"JobQueue {submission.queue} is for service jobs only; SubmitServiceJob takes them")
    definition = resolve_active(reader, scope, submission.definition)
    if submission.own_override is not None:
        definition = override_definition(definition, submission.own_override)
    _check_fit(submission, definition, queue)
    check_sharing(reader, queue, submission.share_identifier, submission.scheduling_priority, now=submitted.at)
    powers = job_powers(definition.tags, submission.tags or {}, submission.parameters or {})
    check_quota_share(
        reader,
        queue,
        powers.quota_share,
        has_preemption=powers.preemption_retries is not None,
        members=(f"tag {QUOTA_SHARE}", f"tag {PREEMPTION_RETRIES}"),
    )
    dependencies = (*submission.depends_on, *powers.depends_on)
    if len(dependencies) > _MOST_DEPENDENCIES:
        raise invalid(f"Job cannot have more than {_MOST_DEPENDENCIES} dependencies, {DEPENDS_ON} counted")
    on_keys = _find_dependencies(reader, scope, dependencies, submission.array_size)
    key = allocate_keys(1 + (submission.array_size or 0))
    spec = _resolve_spec(submission, definition, queue, powers, key=key, uuid=uuid)
    check_on_oom(spec)
    if powers.start_deadline_seconds is not None:
        spec = replace(spec, submitted=submitted)
    check_known(reader, spec)
    edges = _edges(key, dependencies, on_keys)
    return NewJob(spec=spec, created_at=submitted.at, tags=submission.tags or {}, edges=edges)


def _first_given(overriding: int | None, given: int | None) -> int:
    return (given or 0) if overriding is None else overriding


def open_queue(reader: ResourceReader, scope: Scope, text: str) -> JobQueue:
    """The queue, which takes jobs now. Raises NotFound, or Conflict when it does not take any."""
    queue = find(reader.queue, "job-queue", scope, text)
    if queue is None:
        raise NotFound(f"JobQueue {text} not found.")
    if queue.state != "ENABLED":
        raise Conflict(f"JobQueue {text} is DISABLED and does not accept jobs")
    if queue.status not in ("VALID", "UPDATING"):
        raise Conflict(f"JobQueue {text} is {queue.status} and does not accept jobs")
    return queue


def _check_fit(submission: Submission, definition: JobDefinition, queue: JobQueue) -> None:
    """Raises InvalidRequest when the queue cannot take the definition, or what the submission says besides."""
    fargate = queue.queue_type == "ECS_FARGATE"
    if definition.runs_pods != (queue.queue_type == "EKS"):
        kinds = ("Amazon EKS", "Amazon ECS") if definition.runs_pods else ("Amazon ECS", "Amazon EKS")
        raise invalid(f"A job definition for {kinds[0]} cannot run in a job queue with {kinds[1]} compute environments")
    capabilities = definition.platform_capabilities or ("EC2",)
    if _CAPABILITIES.get(queue.queue_type, "EC2") not in capabilities:
        raise InvalidRequest(
            f"Job Queue is attached to Compute Environment that can not run Jobs with capability {capabilities[0]}"
        )
    overrides = submission.container_overrides
    if fargate and overrides is not None and (overrides.vcpus is not None or overrides.memory is not None):
        raise invalid("vcpus and memory are not applicable for Fargate.")
    if submission.array_size is not None and definition.node_properties is not None:
        raise invalid("A multi-node parallel job cannot be an array job")
    if submission.propagate_tags is not None and definition.runs_pods:
        raise invalid("propagateTags should not be set for a job definition with eksProperties")


def _resolve_spec(
    submission: Submission, definition: JobDefinition, queue: JobQueue, powers: JobPowers, *, key: JobKey, uuid: str
) -> JobSpec:
    """What the definition leaves open comes from the submission, which also overrides it.

    Raises:
        InvalidRequest: what comes out breaks a rule.
    """
    parameters = definition.parameters
    if submission.parameters:
        parameters = {**parameters, **submission.parameters}
    formed = resolve_form(definition, submission, without_own(parameters))
    retry, timeout = _resolve_attempts(definition, submission)
    propagate_tags = bool(definition.propagate_tags if submission.propagate_tags is None else submission.propagate_tags)
    return JobSpec(
        scope=queue.scope,
        key=key,
        uuid=uuid,
        name=submission.name,
        queue_name=queue.name,
        definition=f"{definition.name}:{definition.revision}",
        container=formed.container,
        ecs_properties=formed.ecs_properties,
        eks_properties=formed.eks_properties,
        node_properties=formed.node_properties,
        resources=resolve_resources(formed.form, fargate=queue.queue_type == "ECS_FARGATE"),
        retry=retry,
        timeout_seconds=None if timeout is None else timeout.attempt_duration_seconds,
        array_size=submission.array_size,
        depends_on=tuple(submission.depends_on),
        parameters=parameters,
        powers=powers,
        propagate_tags=propagate_tags,
        task_tags={**definition.tags, **(submission.tags or {})} if propagate_tags else {},
        platform_capabilities=definition.platform_capabilities,
        share_identifier=submission.share_identifier,
        quota_share_name=powers.quota_share,
        preemption_retries=powers.preemption_retries,
        scheduling_priority=_first_given(submission.scheduling_priority, definition.scheduling_priority),
        consumable_resource_properties=resolve_consumption(
            definition.consumable_resource_properties, submission.consumables, queue.scope
        ),
    )


def _resolve_attempts(definition: JobDefinition, submission: Submission) -> tuple[RetryStrategy, JobTimeout | None]:
    """The submission's retry strategy and time-out, each whole, else the definition's."""
    retry, timeout = submission.retry_strategy, submission.timeout
    if retry is not None:
        check_retry(retry)
    if timeout is not None:
        check_timeout(timeout)
    if timeout is None or timeout.attempt_duration_seconds is None:
        timeout = definition.timeout
    return retry or definition.retry_strategy or _DEFAULT_RETRY, timeout


def _find_dependencies(
    reader: Reader, scope: Scope, dependencies: Sequence[Dependency], array_size: int | None
) -> Mapping[str, JobKey]:
    """The keys of the jobs that a submission's dependencies name, by the text they are named with.

    Raises:
        InvalidRequest: a dependency has no meaning for this job.
        NotFound: a job does not exist.
    """
    if not dependencies:
        return {}
    ids: dict[str, JobId] = {}
    for dependency in dependencies:
        text, where = dependency.job_id, _place_of(dependency)
        if dependency.type is not None and array_size is None:
            raise invalid(f"A dependency of type {dependency.type} is for array jobs only")
        if text is None:
            if dependency.type is not DependencyType.SEQUENTIAL:
                raise invalid("A dependency needs a jobId")
            continue
        job_id = parse_job_reference(text, scope)
        if job_id is None:
            raise NotFound(f"Job {text[:200]} of {where} does not exist")
        ids[text] = job_id
    found = reader.find_jobs(scope, set(ids.values()))
    for dependency in dependencies:
        text = dependency.job_id
        if text is not None and ids[text] not in found:
            raise NotFound(f"Job {text} of {_place_of(dependency)} does not exist")
    keys = {text: found[job_id] for text, job_id in ids.items()}
    _check_pairs(reader, dependencies, array_size, keys)
    return keys


def _place_of(dependency: Dependency) -> str:
    """Where it was given."""
    return DEPENDS_ON if isinstance(dependency, OwnDependency) else "dependsOn"


def _check_pairs(
    reader: Reader, dependencies: Sequence[Dependency], array_size: int | None, keys: Mapping[str, JobKey]
) -> None:
    paired = {each.job_id: each for each in dependencies if each.type is DependencyType.N_TO_N and each.job_id}
    if not paired:
        return
    jobs = reader.load_jobs([keys[text] for text in paired])
    for text, dependency in paired.items():
        job, where = jobs[keys[text]], _place_of(dependency)
        if not job.is_array_parent:
            raise invalid(f"Job {text} of {where} is no array job: a dependency of type N_TO_N needs one")
        if job.spec.array_size != array_size:
            raise invalid(
                f"Job {text} of {where} has {job.spec.array_size} children and this job {array_size}: "
                "a dependency of type N_TO_N needs equal sizes"
            )


def _edges(key: JobKey, dependencies: Sequence[Dependency], on_keys: Mapping[str, JobKey]) -> tuple[Edge, ...]:
    """What the job waits for, each once. SEQUENTIAL with a job waits for that job and then goes child by child."""
    edges: dict[Edge, None] = {}
    for dependency in dependencies:
        when = dependency.when if isinstance(dependency, OwnDependency) else When.SUCCESS
        if dependency.job_id is not None:
            paired = DependencyType.N_TO_N if dependency.type is DependencyType.N_TO_N else None
            edges[Edge(job_key=key, on_key=on_keys[dependency.job_id], type=paired, when=when)] = None
        if dependency.type is DependencyType.SEQUENTIAL:
            edges[Edge(job_key=key, on_key=key, type=DependencyType.SEQUENTIAL, when=when)] = None
    return tuple(edges)
