"""Rows of `job_consumables` and `client_tokens`: who takes consumable resources, and which calls were done already."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, and_, bindparam, delete, func, select, tuple_

from longshore.domain.consumption import consumables_of
from longshore.domain.ids import JobKey, Scope
from longshore.domain.job import JobSpec
from longshore.ports.store import JobFilter
from longshore.store.codec import encode_list, to_ms
from longshore.store.queue_names import fold_name
from longshore.store.statements import InList, Search, Session, Statement, insert_into
from longshore.store.tables import IS_LIVE, IS_OPEN, attempts, client_tokens, job_consumables, jobs

_c, _j, _t = job_consumables.c, jobs.c, client_tokens.c
_SCOPE = ("of_account", "of_region")
_OF_SCOPE = and_(_c.account_id == bindparam("of_account"), _c.region == bindparam("of_region"))
_INSERT = insert_into(job_consumables)
#: A child takes what its parent's submission says.
_IN_USE = Statement(
    select(_c.name, func.sum(_c.quantity))
    .select_from(attempts)
    .join(jobs, _j.key == attempts.c.job_key)
    .join(job_consumables, _c.job_key == func.coalesce(_j.parent_key, _j.key))
    .where(IS_OPEN, attempts.c.stopped_at.is_(None), _OF_SCOPE)
    .group_by(_c.name),
    *_SCOPE,
)
_IS_AWAITED = Statement(
    select(_j.key)
    .join(job_consumables, _c.job_key == _j.key)
    .where(IS_LIVE, _OF_SCOPE, _c.name == bindparam("of_name"))
    .limit(1),
    *(*_SCOPE, "of_name"),
)
_ABOVE_ALL_TEXTS = chr(0x10FFFF)
_JOBS = Search(
    select(_c.job_key, _c.quantity)
    .join(jobs, _j.key == _c.job_key)
    .where(_OF_SCOPE, _c.name == bindparam("of_name"), _c.job_key < bindparam("before", type_=BigInteger))
    .order_by(_c.job_key.desc())
    .limit(bindparam("at_most")),
    *(*_SCOPE, "of_name", "before", "at_most"),
    conditions={
        "statuses": InList(_j.status, "statuses"),
        "name": _j.name_folded == bindparam("name"),
        "name_from": _j.name_folded >= bindparam("name_from"),
        "name_below": _j.name_folded < bindparam("name_below"),
    },
)

_IS_CALL = (
    _t.account_id == bindparam("of_account"),
    _t.region == bindparam("of_region"),
    _t.operation == bindparam("of_operation"),
    _t.token == bindparam("of_token"),
)
_CALL = (*_SCOPE, "of_operation", "of_token")
_EARLIER_CALL = Statement(select(_t.payload, _t.at).where(*_IS_CALL), *_CALL)
_REMEMBER = insert_into(client_tokens)
_REPLACE = Statement(delete(client_tokens).where(*_IS_CALL), *_CALL)
#: No operation's tokens count for longer.
_KEPT_FOR = timedelta(days=1)
#: A call removes more than it adds, and never waits for the rows of a whole day.
_MOST_FORGOTTEN = 100
_old = client_tokens.alias("old")
_FORGET = Statement(
    delete(client_tokens).where(
        tuple_(*client_tokens.primary_key).in_(
            select(*_old.primary_key)
            .where(_old.c.at < bindparam("before"))
            .order_by(_old.c.at)
            .limit(bindparam("at_most"))
        )
    ),
    *("before", "at_most"),
)


class ConsumableRows(Session):
    """Who takes what."""

    def insert_consumables(self, spec: JobSpec) -> None:
        """Note what each job, or child, of a new submission takes."""
        scope = spec.scope
        rows = [(scope.account_id, scope.region, name, spec.key, amount) for name, amount in consumables_of(spec)]
        self.run_many(_INSERT, rows)

    def consumables_in_use(self, scope: Scope) -> Mapping[str, int]:
        return dict(self.rows(_IN_USE, scope.account_id, scope.region))

    def is_consumable_awaited(self, scope: Scope, name: str) -> bool:
        return self.row(_IS_AWAITED, scope.account_id, scope.region, name) is not None

    def jobs_with_consumable(
        self, scope: Scope, name: str, where: JobFilter, *, before: JobKey | None, limit: int
    ) -> Sequence[tuple[JobKey, int]]:
        conditions: dict[str, Any] = {}
        if where.statuses is not None:
            conditions["statuses"] = encode_list(sorted(where.statuses))
        if where.name is not None and where.name.endswith("*"):
            prefix = fold_name(where.name[:-1])
            conditions |= {"name_from": prefix, "name_below": prefix + _ABOVE_ALL_TEXTS}
        elif where.name is not None:
            conditions["name"] = fold_name(where.name)
        return [
            (JobKey(key), quantity)
            for key, quantity in _JOBS.rows(
                self, scope.account_id, scope.region, name, before or 2**62, limit, **conditions
            )
        ]

    def note_call(
        self, scope: Scope, operation: str, token: str, payload: str, *, at: datetime, forget_before: datetime
    ) -> str | None:
        self.run(_FORGET, to_ms(at - _KEPT_FOR), _MOST_FORGOTTEN)
        place = scope.account_id, scope.region, operation, token
        earlier = self.row(_EARLIER_CALL, *place)
        if earlier is not None:
            known, noted_at = earlier
            if noted_at >= to_ms(forget_before):
                return known
            self.run(_REPLACE, *place)
        self.run(_REMEMBER, *place, payload, to_ms(at))
        return None
