"""How callers name jobs."""

from longshore.domain.ids import JobId, Scope, parse_arn, parse_job_id


def parse_job_reference(text: str, scope: Scope) -> JobId | None:
    """The job of `scope` that an id, an id with an index, or the ARN of either means; None for any other text."""
    if not text.startswith("arn:"):
        return parse_job_id(text)
    arn = parse_arn(text)
    if arn is None or arn.kind != "job" or arn.scope != scope:
        return None
    return parse_job_id(arn.resource)
