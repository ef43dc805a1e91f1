"""Finding things across all regions: of all accounts, for the operator, or of one, for who has a key of it."""

from longshore.domain.errors import InvalidRequest, NotFound
from longshore.domain.ids import JobKey, parse_job_id
from longshore.ports.store import Reader

#: More than there ever are of queues or environments.
ALL = 1_000_000


def find_job(reader: Reader, text: str, account_id: str | None) -> JobKey:
    """The key of the job with this id, in whatever scope, or in those of one account.

    Raises:
        InvalidRequest: it is no job id.
        NotFound: there is no such job.
    """
    job_id = parse_job_id(text)
    if job_id is None:
        raise InvalidRequest(f"{text[:100]} is not a job id")
    scopes = {scope for scope, _ in reader.submitted_queues() if account_id in (None, scope.account_id)}
    for scope in scopes:
        key = reader.find_jobs(scope, [job_id]).get(job_id)
        if key is not None:
            return key
    raise NotFound(f"there is no job {job_id}")
