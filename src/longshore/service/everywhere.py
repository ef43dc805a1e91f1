"""Finding jobs across all accounts and regions, for the operator's own view; AWS callers see their own."""

from collections.abc import Sequence
from dataclasses import replace

from longshore.domain.errors import InvalidRequest, NotFound
from longshore.domain.ids import Scope, parse_job_id
from longshore.ports.store import JobView, Reader, ResourceReader
from longshore.service.nodes import node_views

#: More than there ever are of queues or environments.
ALL = 1_000_000


def scopes(reader: ResourceReader) -> Sequence[Scope]:
    """Every account and region that has a queue or an environment."""
    resources = (*reader.queues(None, limit=ALL), *reader.environments(None, limit=ALL))
    return sorted({resource.scope for resource in resources})


def find_job(reader: Reader, text: str) -> JobView:
    """The job, child or node with this id, in whatever scope.

    Raises:
        InvalidRequest: it is no job id.
        NotFound: there is no such job.
    """
    job_id = parse_job_id(text)
    if job_id is None:
        raise InvalidRequest(f"{text[:100]} is not a job id")
    whole = replace(job_id, node=None)
    for scope in scopes(reader):
        for view in reader.describe_jobs(list(reader.find_jobs(scope, [whole]).values())):
            for each in [view] if job_id.node is None else node_views(view, [job_id.node]):
                return each
    raise NotFound(f"there is no job {job_id}")
