"""Query strings of our own API, parsed. Every function raises InvalidRequest, which names the argument."""

from collections.abc import Collection
from datetime import datetime, timedelta

from starlette.datastructures import QueryParams

from longshore.domain.errors import InvalidRequest
from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.status import JobStatus
from longshore.service.efficiency import EfficiencyQuery, parse_grouping
from longshore.service.job_table import JobQuery
from longshore.service.log_pages import LogQuery

_MOST_JOBS = 1000
_MOST_LINES = 10_000
_MOST_WAIT_SECONDS = 2
_MOST_ATTEMPTS = 10_000
_MOST_GROUPS, _GROUPS = 10_000, 50
_WEEK_SECONDS = 7 * 86_400
#: A hundred years.
_MOST_SECONDS = 100 * 365 * 86_400


def parse_job_query(given: QueryParams) -> JobQuery:
    """Arguments of `/longshore/jobs`: queue, status (repeated: any of them), name, limit, cursor."""
    _refuse_unknown(given, {"queue", "status", "name", "limit", "cursor"})
    cursor = _whole(given, "cursor", 1, 2**62)
    return JobQuery(
        queue_name=given.get("queue"),
        statuses=frozenset(map(_status, given.getlist("status"))),
        name=given.get("name"),
        limit=_whole(given, "limit", 1, _MOST_JOBS) or JobQuery().limit,
        cursor=None if cursor is None else JobKey(cursor),
    )


def parse_history_query(given: QueryParams) -> tuple[JobKey | None, int]:
    """Arguments of `/longshore/history`: cursor, limit."""
    _refuse_unknown(given, {"cursor", "limit"})
    cursor = _whole(given, "cursor", 1, 2**62)
    return None if cursor is None else JobKey(cursor), _whole(given, "limit", 1, _MOST_JOBS) or _MOST_JOBS


def parse_log_query(job_id: str, given: QueryParams) -> LogQuery:
    """Arguments of `/longshore/jobs/{id}/log`: attempt, container, token, limit, wait (seconds for a first line)."""
    _refuse_unknown(given, {"attempt", "container", "token", "limit", "wait"})
    return LogQuery(
        job_id=job_id,
        attempt=_whole(given, "attempt", 1, _MOST_ATTEMPTS),
        container=given.get("container"),
        token=given.get("token"),
        limit=_whole(given, "limit", 1, _MOST_LINES) or _MOST_LINES,
        wait_seconds=_whole(given, "wait", 0, _MOST_WAIT_SECONDS) or 0,
    )


def parse_efficiency_query(given: QueryParams, now: datetime) -> EfficiencyQuery:
    """Arguments of `/longshore/efficiency`: by, since (seconds ago), queue, job, limit."""
    _refuse_unknown(given, {"by", "since", "queue", "job", "limit"})
    by, tag = parse_grouping(given.get("by", "definition"))
    seconds = _whole(given, "since", 1, _MOST_SECONDS) or _WEEK_SECONDS
    return EfficiencyQuery(
        by=by,
        tag=tag,
        since=now - timedelta(seconds=seconds),
        queue_name=given.get("queue"),
        job_id=given.get("job"),
        limit=_whole(given, "limit", 1, _MOST_GROUPS) or _GROUPS,
    )


def parse_region(given: QueryParams) -> str | None:
    """The only argument of what is sent as a body: region."""
    _refuse_unknown(given, {"region"})
    return given.get("region")


def _refuse_unknown(given: QueryParams, known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise InvalidRequest(f"there is no argument {name[:100]}; there are {', '.join(sorted(known))}")


def _status(text: str) -> JobStatus:
    try:
        return JobStatus(text)
    except ValueError:
        raise InvalidRequest(f"status {text[:100]} is none of {', '.join(JobStatus)}") from None


def _whole(given: QueryParams, name: str, low: int, high: int) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise InvalidRequest(f"{name} {text[:100]} is not a whole number from {low} to {high}")
    return int(text)
