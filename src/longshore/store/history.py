"""The end of history: submissions that ended long ago go, with everything that hangs on them."""

from datetime import datetime

from sqlalchemy import Integer, bindparam, delete, exists, func, select

from longshore.store.codec import to_ms
from longshore.store.statements import Session, Statement
from longshore.store.tables import (
    HAS_ENDED,
    IS_OPEN,
    array_summaries,
    attempt_parts,
    attempts,
    events,
    job_consumables,
    job_dependencies,
    job_specs,
    jobs,
)

_j = jobs.c
_last = _j.key + func.coalesce(_j.array_size, 0)
#: An attempt that was not released yet keeps its submission: what is left of it would never be cleared away.
_OLD = Statement(
    select(_j.key, _last)
    .where(
        HAS_ENDED,
        _j.stopped_at < bindparam("before", type_=Integer),
        ~exists().where(attempts.c.job_key >= _j.key, attempts.c.job_key <= _last, IS_OPEN),
    )
    .order_by(_j.stopped_at)
    .limit(bindparam("at_most")),
    *("before", "at_most"),
)
_BY_KEY = (
    attempts.c.job_key,
    attempt_parts.c.job_key,
    events.c.job_key,
    job_dependencies.c.job_key,
    job_dependencies.c.on_key,
    array_summaries.c.parent_key,
    job_consumables.c.job_key,
    job_specs.c.key,
    jobs.c.key,
)
_DELETES = tuple(
    Statement(delete(key.table).where(key >= bindparam("first"), key <= bindparam("last")), "first", "last")
    for key in _BY_KEY
)


class HistoryRows(Session):
    """Everything of a submission, by its range of keys."""

    def delete_history(self, *, stopped_before: datetime, limit: int) -> int:
        old = list(self.rows(_OLD, to_ms(stopped_before), limit))
        for first, last in old:
            for statement in _DELETES:
                self.run(statement, first, last)
        return len(old)
