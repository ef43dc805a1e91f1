"""What attempts used, over all submissions: for reports, which read much at once."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, func, literal_column, select

from longshore.domain.ids import JobKey, Scope
from longshore.ports.store import AttemptUse
from longshore.store.codec import from_ms, resources_from, to_ms
from longshore.store.statements import Row, Search, Session
from longshore.store.tables import HAS_ENDED, IS_LIVE, attempts, jobs, queue_names

_a, _j, _q = attempts.c, jobs.c, queue_names.c
_SINCE = bindparam("since", type_=BigInteger)
_COLUMNS = (
    *(_j.key, _j.definition_name, _j.definition_revision, _j.share_identifier),
    *(_q.account_id, _q.region, _q.name, _a.environment_name),
    *(_a.started_at, _a.stopped_at, _a.exit_code, _a.reason, _a.cpu_seconds, _a.peak_memory_bytes),
    *(_a.vcpu_milli, _a.memory_mib, _a.gpus, _a.scratch_mib, _a.gpu_milli),
)
_USES = (
    select(*_COLUMNS)
    .join(attempts, (_a.job_key >= _j.key) & (_a.job_key <= _j.key + func.coalesce(_j.array_size, 0)))
    .join(queue_names, _q.id == _j.queue_id)
    .where(_a.started_at.is_not(None), _a.stopped_at >= _SINCE)
    .limit(bindparam("at_most"))
)
_CONDITIONS = {
    "account": _q.account_id == bindparam("account"),
    "submission": _j.key == bindparam("submission", type_=BigInteger),
}
#: Sorted by an expression: by the key itself, all jobs would be gone through.
_OF_LIVE = Search(
    _USES.where(IS_LIVE).order_by((_j.key + literal_column("0")).desc()), "since", "at_most", conditions=_CONDITIONS
)
_OF_ENDED = Search(
    _USES.where(HAS_ENDED, _j.stopped_at >= _SINCE).order_by(_j.stopped_at.desc(), _j.key.desc()),
    *("since", "at_most"),
    conditions=_CONDITIONS,
)


class UseRows(Session):
    """Attempts that ran, with what their submissions were."""

    def attempt_uses(
        self, *, stopped_after: datetime, account_id: str | None = None, submission: JobKey | None = None, limit: int
    ) -> Sequence[AttemptUse]:
        found: list[AttemptUse] = []
        for search in (_OF_LIVE, _OF_ENDED):
            rows = search.rows(
                self, to_ms(stopped_after), limit - len(found), account=account_id, submission=submission
            )
            found += map(_use_from, rows)
        return found


def _use_from(row: Row) -> AttemptUse:
    """The use of a row of `_COLUMNS`."""
    key, name, revision, share, account_id, region, queue_name, environment_name, *rest = row
    started_at, stopped_at, exit_code, reason, cpu_seconds, peak_memory_bytes, *amounts = rest
    return AttemptUse(
        submission=JobKey(key),
        scope=Scope(account_id=account_id, region=region),
        queue_name=queue_name,
        definition=f"{name}:{revision}" if name else "",
        share=share or "",
        environment_name=environment_name,
        resources=resources_from(*amounts),
        started_at=from_ms(started_at),
        stopped_at=from_ms(stopped_at),
        exit_code=exit_code,
        reason=reason,
        cpu_seconds=cpu_seconds,
        peak_memory_bytes=peak_memory_bytes,
    )
