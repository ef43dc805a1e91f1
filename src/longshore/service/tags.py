"""Use cases on tags of all that bears tags."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from longshore.domain.errors import NotFound
from longshore.domain.ids import Arn, JobKey, Scope, parse_arn, parse_job_id
from longshore.domain.quota import share_in_arn
from longshore.domain.service_environment import Environment, ServiceEnvironment
from longshore.ports.notifier import Notifier
from longshore.ports.store import Reader, Store, Transaction
from longshore.service.definitions import parse_definition
from longshore.service.naming import ENGINE_TAG, check_tag_keys, check_tags
from longshore.service.powers import check_own_tags, check_queue_tags
from longshore.service.refusals import invalid


class Tags:
    """Tags by ARN."""

    def __init__(self, store: Store, notifier: Notifier) -> None:
        self._store = store
        self._notifier = notifier

    async def list(self, scope: Scope, arn: str) -> Mapping[str, str]:
        """The tags of a resource.

        Raises:
            InvalidRequest: `arn` is none, or of something that bears no tags.
            NotFound: there is no such resource.
        """
        target = _parse(scope, arn)
        return await self._store.read(lambda reader: _load(reader, target, arn))

    async def add(self, scope: Scope, arn: str, tags: Mapping[str, str]) -> None:
        """Set `tags`; others stay.

        Raises:
            InvalidRequest: a tag breaks a rule, or there would be too many; or as in `list`.
            NotFound: there is no such resource.
        """
        target = _parse(scope, arn)
        check_tags(tags)

        def work(tx: Transaction) -> None:
            merged = {**_load(tx, target, arn), **tags}
            check_tags(merged)
            _save(tx, target, merged)

        await self._write(target, work)

    async def remove(self, scope: Scope, arn: str, keys: Collection[str]) -> None:
        """Remove the tags under `keys`, as far as there are any.

        Raises:
            InvalidRequest: a key is reserved; or as in `list`.
            NotFound: there is no such resource.
        """
        target = _parse(scope, arn)
        check_tag_keys(keys)

        def work(tx: Transaction) -> None:
            present = _load(tx, target, arn)
            _save(tx, target, {key: value for key, value in present.items() if key not in keys})

        await self._write(target, work)

    async def _write(self, target: Arn, work: Callable[[Transaction], None]) -> None:
        await self._store.write(work)
        if target.kind == "job-queue":  # its limits take effect at once
            self._notifier.notify()


def _parse(scope: Scope, text: str) -> Arn:
    arn = parse_arn(text)
    if arn is None:
        raise invalid(f"Invalid resource ARN: {text[:300]}")
    if arn.kind == "job" and (":" in arn.resource or "#" in arn.resource):
        raise invalid("Array children and nodes of multi-node jobs cannot be tagged")
    if arn.scope != scope:
        raise _missing(text)
    return arn


def _missing(text: str) -> NotFound:
    return NotFound(f"{text[:300]} does not exist")


def _load(reader: Reader, arn: Arn, text: str) -> Mapping[str, str]:
    match arn.kind:
        case "compute-environment":
            found = reader.environment(arn.scope, arn.resource)
        case "service-environment":
            found = reader.service_environment(arn.scope, arn.resource)
        case "job-queue":
            names = share_in_arn(arn.resource)
            found = reader.quota_share(arn.scope, *names) if names else reader.queue(arn.scope, arn.resource)
        case "scheduling-policy":
            found = reader.scheduling_policy(arn.scope, arn.resource)
        case "consumable-resource":
            found = reader.consumable(arn.scope, arn.resource)
        case "job-definition":
            name, revision = parse_definition(arn.scope, arn.resource)
            found = None if name is None or revision is None else reader.definition(arn.scope, name, revision)
        case "job" | "service-job":
            key = _job_key(reader, arn)
            found = None if key is None else next(iter(reader.describe_jobs([key])), None)
            found = None if found is None or found.job.spec.arn_kind != arn.kind else found
        case _:
            found = None
    if found is None:
        raise _missing(text)
    return found.tags


def _save(tx: Transaction, arn: Arn, tags: Mapping[str, str]) -> None:
    """Replace the tags of a resource that `_load` has found in the same transaction."""
    match arn.kind:
        case "compute-environment":
            environment = tx.environment(arn.scope, arn.resource)
            assert environment is not None
            _check_engine(environment, tags)
            tx.put_environment(replace(environment, tags=tags))
        case "service-environment":
            service = tx.service_environment(arn.scope, arn.resource)
            assert service is not None
            _check_engine(service, tags)
            tx.put_service_environment(replace(service, tags=tags))
        case "job-queue" if (names := share_in_arn(arn.resource)) is not None:
            share = tx.quota_share(arn.scope, *names)
            assert share is not None
            tx.put_quota_share(replace(share, tags=tags))
        case "job-queue":
            queue = tx.queue(arn.scope, arn.resource)
            assert queue is not None
            queue = replace(queue, tags=tags)
            check_queue_tags(queue)
            tx.put_queue(queue)
        case "scheduling-policy":
            policy = tx.scheduling_policy(arn.scope, arn.resource)
            assert policy is not None
            tx.put_scheduling_policy(replace(policy, tags=tags))
        case "consumable-resource":
            resource = tx.consumable(arn.scope, arn.resource)
            assert resource is not None
            tx.put_consumable(replace(resource, tags=tags))
        case "job-definition":
            name, revision = parse_definition(arn.scope, arn.resource)
            definition = None if name is None or revision is None else tx.definition(arn.scope, name, revision)
            assert definition is not None
            check_own_tags(tags, "a job definition")
            tx.put_definition(replace(definition, tags=tags))
        case _:
            key = _job_key(tx, arn)
            assert key is not None
            tx.put_job_tags(key, tags)


def _check_engine(environment: Environment, tags: Mapping[str, str]) -> None:
    """Raises InvalidRequest for tags that name another engine than the one of the environment."""
    if tags.get(ENGINE_TAG, environment.engine) != environment.engine:
        kind = "service" if isinstance(environment, ServiceEnvironment) else "compute"
        raise invalid(f"The engine of a {kind} environment is fixed when it is created: {environment.engine}")


def _job_key(reader: Reader, arn: Arn) -> JobKey | None:
    job_id = parse_job_id(arn.resource)
    return None if job_id is None else reader.find_jobs(arn.scope, [job_id]).get(job_id)
