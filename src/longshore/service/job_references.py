"""How callers name jobs."""

from typing import Literal

from longshore.domain.ids import JobId, Scope, parse_arn, parse_job_id

#: As in ARNs.
JobKind = Literal["job", "service-job"]


def parse_job_reference(text: str, scope: Scope, kind: JobKind = "job") -> JobId | None:
    """The job of `scope` that an id, an id with an index, or the ARN of either means; None for any other text."""
    if not text.startswith("arn:"):
        return parse_job_id(text)
    arn = parse_arn(text)
    if arn is None or arn.kind != kind or arn.scope != scope:
        return None
    return parse_job_id(arn.resource)
