"""Finding things across all regions: of all accounts, for the operator, or of one, for who has a key of it."""

from dataclasses import replace

from longshore.domain.errors import InvalidRequest, NotFound
from longshore.domain.ids import Scope, parse_job_id
from longshore.domain.service_environment import Environment, service_environment_name
from longshore.ports.store import JobView, Reader, ResourceReader
from longshore.service.nodes import node_views

#: More than there ever are of queues or environments.
ALL = 1_000_000


def load_environment(reader: ResourceReader, scope: Scope, name: str) -> Environment | None:
    """The environment that queues and attempts know by this name."""
    service = service_environment_name(name)
    return reader.environment(scope, name) if service is None else reader.service_environment(scope, service)


def find_job(reader: Reader, text: str, account_id: str | None) -> JobView:
    """The job, child or node with this id, in whatever scope, or in those of one account.

    Raises:
        InvalidRequest: it is no job id.
        NotFound: there is no such job.
    """
    job_id = parse_job_id(text)
    if job_id is None:
        raise InvalidRequest(f"{text[:100]} is not a job id")
    scopes = {scope for scope, _ in reader.submitted_queues() if account_id in (None, scope.account_id)}
    whole = replace(job_id, node=None)
    for scope in scopes:
        for view in reader.describe_jobs(list(reader.find_jobs(scope, [whole]).values())):
            for each in [view] if job_id.node is None else node_views(view, [job_id.node]):
                return each
    raise NotFound(f"there is no job {job_id}")
