"""Use cases that look at jobs: DescribeJobs and ListJobs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from longshore.domain.errors import NotFound
from longshore.domain.ids import JobId, JobKey, Scope, parse_arn
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import JobFilter, JobReader, JobView, Reader, ResourceReader, Store
from longshore.service.job_references import parse_job_reference
from longshore.service.named import find
from longshore.service.nodes import node_views
from longshore.service.paging import Page, open_token, page_of
from longshore.service.published import with_reasons
from longshore.service.refusals import invalid

_MOST_IDS = 100
_LARGEST_PAGE = 1000
_LARGEST_FILTERED_PAGE = 100
JOB_FILTERS = ("JOB_NAME", "JOB_DEFINITION", "BEFORE_CREATED_AT", "AFTER_CREATED_AT", "SHARE_IDENTIFIER")
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One filter of a listing, as given."""

    name: str
    values: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Which jobs a listing holds: those of a queue, the children of an array job or the nodes of a multi-node job."""

    queue: str | None = None
    array_job_id: str | None = None
    multi_node_job_id: str | None = None
    status: JobStatus | None = None
    filters: Sequence[Condition] = field(default_factory=list[Condition])
    max_results: int | None = None
    next_token: str | None = None


class Descriptions:
    """Jobs as callers look at them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def describe(self, scope: Scope, texts: Sequence[str]) -> Sequence[JobView]:
        """Jobs by id or ARN in the order asked for, each once; unknown ones are left out.

        Raises:
            InvalidRequest: none is asked for, or too many.
        """
        if not texts:
            raise invalid("Jobs should name at least one job")
        if len(texts) > _MOST_IDS:
            raise invalid(f"Maximum number of jobs supported is  {_MOST_IDS}")
        parsed = [parse_job_reference(text, scope) for text in texts]
        ids = list(dict.fromkeys(job_id for job_id in parsed if job_id is not None))

        def work(reader: Reader) -> Sequence[JobView]:
            whole = {job_id: replace(job_id, node=None) for job_id in ids}
            keys = reader.find_jobs(scope, whole.values())
            views = _described(reader, {keys[each] for each in whole.values() if each in keys})
            found = [(job_id, views[keys[each]]) for job_id, each in whole.items() if each in keys]
            plain = [(job_id, _with_clusters(reader, view)) for job_id, view in found if view.job.spec.training is None]
            return [each for job_id, view in plain for each in _as_asked(view, job_id)]

        return await self._store.read(work) if ids else []

    async def list(self, scope: Scope, query: JobQuery) -> Page[JobView]:
        """Jobs of a queue, newest first, or children by index; `attempts` are left empty.

        Raises:
            InvalidRequest: not exactly one kind of listing is asked for, a filter is malformed, or the token is not of
                this call.
            NotFound: there is no such queue.
        """
        given = [text for text in (query.queue, query.array_job_id, query.multi_node_job_id) if text is not None]
        if len(given) != 1:
            raise invalid("Exactly one of jobQueue, arrayJobId and multiNodeJobId should be given")
        if query.max_results is not None and query.max_results < 1:
            raise invalid(f"MaxResults should be at least 1, got {query.max_results}")
        if query.queue is not None:
            return await self._list_queue(scope, query.queue, query)
        if query.array_job_id is not None:
            return await self._list_children(scope, query.array_job_id, query)
        return await self._list_nodes(scope, given[0], query)

    async def _list_queue(self, scope: Scope, queue: str, query: JobQuery) -> Page[JobView]:
        where = parse_filter(scope, query, JOB_FILTERS)
        call = ("jobs", scope, queue, query.status, query.filters)
        cursor = open_token(query.next_token, call)
        ceiling = _LARGEST_FILTERED_PAGE if query.filters else _LARGEST_PAGE
        limit = min(query.max_results or ceiling, ceiling)

        def work(reader: Reader) -> Sequence[JobView]:
            found = find(reader.queue, "job-queue", scope, queue)
            if found is None:
                raise NotFound(f"JobQueue {queue} not found.")
            return with_reasons(reader, list_page(reader, scope, found.name, where, cursor, limit + 1))

        found = await self._store.read(work)
        page = page_of(found, limit, call, list(map(cursor_of, found)))
        return replace(page, items=[view for view in page.items if view.job.spec.training is None])

    async def _list_nodes(self, scope: Scope, parent: str, query: JobQuery) -> Page[JobView]:
        status = query.status or JobStatus.RUNNING
        call = ("nodes", scope, parent, status)
        cursor = open_token(query.next_token, call)
        after = -1 if cursor is None else int(cursor)
        limit = min(query.max_results or _LARGEST_PAGE, _LARGEST_PAGE)
        job_id = parse_job_reference(parent, scope)
        if job_id is None:
            return Page(items=[])

        def work(reader: Reader) -> Sequence[JobView]:
            views = _described(reader, reader.find_jobs(scope, [job_id]).values()).values()
            nodes = [node for view in views for node in node_views(view) if node.job.status is status]
            return [node for node in nodes if (node.node or 0) > after]

        found = await self._store.read(work)
        return page_of(found, limit, call, [str(view.node) for view in found])

    async def _list_children(self, scope: Scope, parent: str, query: JobQuery) -> Page[JobView]:
        status = query.status or JobStatus.RUNNING
        call = ("children", scope, parent, status)
        cursor = open_token(query.next_token, call)
        after = None if cursor is None else JobKey(int(cursor))
        limit = min(query.max_results or _LARGEST_PAGE, _LARGEST_PAGE)
        job_id = parse_job_reference(parent, scope)
        if job_id is None or job_id.index is not None:
            return Page(items=[])

        def work(reader: Reader) -> Sequence[JobView]:
            key = reader.find_jobs(scope, [job_id]).get(job_id)
            if key is None:
                return []
            return with_reasons(reader, reader.list_children(key, frozenset({status}), after=after, limit=limit + 1))

        found = await self._store.read(work)
        return page_of(found, limit, call, [str(view.job.key) for view in found])


def list_page(
    reader: JobReader, scope: Scope, queue_name: str, where: JobFilter, cursor: str | None, limit: int
) -> Sequence[JobView]:
    """Jobs behind `cursor`, newest first; those that were asked for by the beginning of their names by name.

    Source: AWS Batch API, ListJobs: the results of JOB_NAME are grouped by name.
    """
    key, _, name = (cursor or "").partition(" ")
    before = JobKey(int(key)) if key else None
    if where.name is None or not where.name.endswith("*"):
        return reader.list_jobs(scope, queue_name, where, before=before, limit=limit)
    last = None if before is None else (name, before)
    return reader.list_named(scope, queue_name, where.name[:-1], before=last, limit=limit)


def cursor_of(view: JobView) -> str:
    """Where a list goes on behind this job."""
    return f"{view.job.key} {view.job.spec.name}"


def _described(reader: Reader, keys: Collection[JobKey]) -> Mapping[JobKey, JobView]:
    return {view.job.key: view for view in with_reasons(reader, reader.describe_jobs(list(keys)))}


def _with_clusters(reader: ResourceReader, view: JobView) -> JobView:
    """Pods are told of with the cluster that their environment belongs to."""
    spec = view.job.spec
    if not spec.runs_pods:
        return view
    names = {attempt.environment_name for attempt in view.attempts}
    found = [each for name in names if (each := reader.environment(spec.scope, name)) is not None]
    return replace(view, cluster_arns={each.name: arn for each in found if (arn := each.eks_cluster_arn)})


def _as_asked(view: JobView, job_id: JobId) -> Sequence[JobView]:
    """The job, or that one of its nodes which `job_id` means, if it has it."""
    return [view] if job_id.node is None else node_views(view, [job_id.node])


def parse_filter(scope: Scope, query: JobQuery, known: Sequence[str]) -> JobFilter:
    """The store's filter, `known` names those there are. With one `jobStatus` does not count, but for SHARE_IDENTIFIER.

    Source: AWS Batch API, ListJobs and ListServiceJobs.

    Raises:
        InvalidRequest: it is another one, or not whole.
    """
    statuses = frozenset({query.status or JobStatus.RUNNING})
    if not query.filters:
        return JobFilter(statuses=statuses)
    if len(query.filters) > 1:
        raise invalid("Only one filter can be given")
    condition = query.filters[0]
    if len(condition.values) != 1:
        raise invalid(f"The filter {condition.name[:100]} needs exactly one value")
    value = condition.values[0]
    if condition.name not in known:
        raise invalid(f"Filters are {', '.join(known[:-1])} and {known[-1]}, not {condition.name[:100]}")
    match condition.name:
        case "JOB_NAME":
            return JobFilter(name=value)
        case "JOB_DEFINITION":
            return JobFilter(definition=_definition_pattern(scope, value))
        case "BEFORE_CREATED_AT":
            return JobFilter(created_before=_parse_time(value))
        case "AFTER_CREATED_AT":
            return JobFilter(created_after=_parse_time(value))
        case _:
            return JobFilter(statuses=statuses, share_identifier=value)


def _definition_pattern(scope: Scope, value: str) -> str:
    if not value.startswith("arn:"):
        return value
    arn = parse_arn(value)
    if arn is None or arn.kind != "job-definition" or "*" in value:
        raise invalid("An ARN in the filter JOB_DEFINITION should be that of one job definition")
    # No name holds a slash, so nothing of this scope matches.
    return arn.resource if arn.scope == scope else "/"


def _parse_time(text: str) -> datetime:
    """Source: AWS Batch API, ListJobs: milliseconds since the epoch, as text."""
    try:
        if not text.isascii() or not text.isdecimal():
            raise ValueError(text)
        return _EPOCH + timedelta(milliseconds=int(text))
    except (ValueError, OverflowError):
        raise invalid(f"Times in filters are milliseconds since the epoch, got {text[:100]}") from None
