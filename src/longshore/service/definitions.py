"""Use cases on job definitions: register, find, describe, deregister."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from longshore.domain.consumable import ConsumableResourceProperties
from longshore.domain.definition import Formed, JobDefinition, JobTimeout
from longshore.domain.errors import NotFound
from longshore.domain.ids import Scope, resource_name
from longshore.domain.retry import RetryStrategy
from longshore.ports.clock import Clock
from longshore.ports.store import Reader, ResourceReader, Store, Transaction
from longshore.service.attempt_rules import check_retry, check_timeout
from longshore.service.consumption import check_consumption
from longshore.service.form_rules import check_form, completed
from longshore.service.naming import check_name, check_tags
from longshore.service.own_override import OVERRIDE
from longshore.service.paging import Page, check_page, open_token, page_of
from longshore.service.powers import PREFIX, check_own_tags
from longshore.service.refusals import check_size, invalid

_LIMIT_KIB = 24
_NAME_AND_REVISION = re.compile(r"([^:]*)(?::([1-9][0-9]{0,8}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionDraft(Formed):
    """A job definition that is to be registered; how many forms it has is not known yet."""

    name: str
    type: Literal["container", "multinode"]
    parameters: Mapping[str, str]
    scheduling_priority: int | None = None
    retry_strategy: RetryStrategy | None = None
    timeout: JobTimeout | None = None
    propagate_tags: bool | None = None
    platform_capabilities: tuple[str, ...] = ()
    consumables: ConsumableResourceProperties | None = None
    tags: Mapping[str, str]
    #: of the request
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionQuery:
    """Which definitions a description shows: those of `definitions`, else those that match the rest."""

    definitions: Sequence[str] = ()
    name: str | None = None
    status: str | None = None
    max_results: int | None = None
    next_token: str | None = None


class Definitions:
    """Job definitions of all scopes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def register(self, scope: Scope, draft: DefinitionDraft) -> JobDefinition:
        """Store the next revision and return it.

        Raises:
            InvalidRequest: the draft breaks a rule.
        """
        _check_draft(draft)
        formed = completed(draft, fargate="FARGATE" in draft.platform_capabilities)
        definition = JobDefinition(
            scope=scope,
            name=draft.name,
            revision=0,
            type=draft.type,
            status="ACTIVE",
            container=formed.container,
            ecs_properties=formed.ecs_properties,
            eks_properties=formed.eks_properties,
            node_properties=formed.node_properties,
            parameters=draft.parameters,
            scheduling_priority=draft.scheduling_priority,
            retry_strategy=draft.retry_strategy,
            timeout=draft.timeout,
            propagate_tags=draft.propagate_tags,
            platform_capabilities=draft.platform_capabilities,
            consumable_resource_properties=draft.consumables,
            tags=draft.tags,
            registered_at=self._clock.now(),
        )

        def work(tx: Transaction) -> JobDefinition:
            numbered = replace(definition, revision=tx.next_revision(scope, draft.name))
            tx.put_definition(numbered)
            return numbered

        return await self._store.write(work)

    async def deregister(self, scope: Scope, text: str) -> None:
        """Make a revision INACTIVE; once is enough. A bare name means its latest ACTIVE revision.

        Raises:
            NotFound: there is no such revision.
        """
        now = self._clock.now()

        def work(tx: Transaction) -> None:
            name, revision = parse_definition(scope, text)
            if name is None:
                found = None
            elif revision is None:
                found = tx.latest_active_definition(scope, name)
            else:
                found = tx.definition(scope, name, revision)
            if found is None:
                raise _no_such_definition(text)
            if found.status == "ACTIVE":
                tx.put_definition(replace(found, status="INACTIVE", deregistered_at=now))

        await self._store.write(work)

    async def describe(self, scope: Scope, query: DefinitionQuery) -> Page[JobDefinition]:
        """Definitions by name, newest revision first.

        Raises:
            InvalidRequest: the arguments exclude each other, or the token is not of this call.
        """
        limit = check_page(query.definitions, query.max_results, "JobDefinitions")
        if query.status not in (None, "ACTIVE", "INACTIVE"):
            raise invalid(f"Status should be ACTIVE or INACTIVE, got {query.status[:100]}")
        if not query.definitions:
            return await self._list(scope, query, limit)
        if query.name is not None or query.status is not None or query.next_token is not None:
            raise invalid("JobDefinitions cannot be set together with other parameters")
        return Page(items=await self._store.read(lambda reader: _named(reader, scope, query.definitions)))

    async def _list(self, scope: Scope, query: DefinitionQuery, limit: int) -> Page[JobDefinition]:
        call = ("definitions", scope, query.name, query.status)
        cursor = open_token(query.next_token, call)
        after = None if cursor is None else (cursor.partition(":")[0], int(cursor.partition(":")[2]))

        def work(reader: Reader) -> Sequence[JobDefinition]:
            return reader.definitions(scope, name=query.name, status=query.status, after=after, limit=limit + 1)

        found = await self._store.read(work)
        return page_of(found, limit, call, [f"{each.name}:{each.revision}" for each in found])


def resolve_active(reader: ResourceReader, scope: Scope, text: str) -> JobDefinition:
    """The ACTIVE revision that a submission means by `text`: a name or an ARN, each with or without a revision.

    Raises:
        NotFound: there is none.
    """
    name, revision = parse_definition(scope, text)
    if name is not None and revision is None:
        found = reader.latest_active_definition(scope, name)
    else:
        found = None if name is None or revision is None else reader.definition(scope, name, revision)
    if found is None or found.status != "ACTIVE":
        raise _no_such_definition(text)
    return found


def parse_definition(scope: Scope, text: str) -> tuple[str | None, int | None]:
    """Name and revision of a name or an ARN; no name for what cannot be of `scope`."""
    resource = resource_name(text, "job-definition", scope)
    match = None if resource is None else _NAME_AND_REVISION.fullmatch(resource)
    if match is None:
        return None, None
    return match[1], None if match[2] is None else int(match[2])


def _no_such_definition(text: str) -> NotFound:
    if text.startswith("arn:"):
        return NotFound(f"JobDefinition {text} not found.")
    return NotFound(f"JobDefinition name {text} does not exist or is not in ACTIVE status")


def _named(reader: Reader, scope: Scope, texts: Sequence[str]) -> list[JobDefinition]:
    """Those of `texts` that exist, each once; a text without a revision means the name's newest 100."""
    found: dict[tuple[str, int], JobDefinition] = {}
    for text in texts:
        name, revision = parse_definition(scope, text)
        if name is None:
            continue
        if revision is None:
            matching = reader.definitions(scope, name=name)
        else:
            matching = filter(None, [reader.definition(scope, name, revision)])
        found |= {(each.name, each.revision): each for each in matching}
    return list(found.values())


def _check_draft(draft: DefinitionDraft) -> None:
    check_name(draft.name, "Job definition")
    check_size(draft.size_bytes, limit_kib=_LIMIT_KIB, what="Job definition")
    check_tags(draft.tags)
    check_own_tags(draft.tags, "a job definition")
    check_consumption(draft.consumables)
    if OVERRIDE in draft.parameters:
        raise invalid(f"{OVERRIDE} is a parameter of SubmitJob: a definition can say the same in its properties")
    if own := [name for name in draft.parameters if name.startswith(PREFIX)]:
        raise invalid(f"{own[0][:128]}: names with {PREFIX} are for parameters of SubmitJob, not of a definition")
    priority = draft.scheduling_priority
    if priority is not None and not 0 <= priority <= 9999:
        raise invalid(f"schedulingPriority should be between 0 and 9999, got {priority}")
    check_form(
        draft,
        draft.type,
        capabilities=draft.platform_capabilities,
        propagates_tags=draft.propagate_tags is not None,
    )
    if draft.retry_strategy is not None:
        check_retry(draft.retry_strategy)
    if draft.timeout is not None:
        check_timeout(draft.timeout)
