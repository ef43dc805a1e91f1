"""Finding jobs for callers: pages of a queue or of an array, and how many stand where.

The keys of a page are found in indexes, then those jobs are read. Newest first means descending keys. A condition on
an exact value has an index that ends in the key, so its matches come in order. The matches of a range (a prefix of the
name, a time) come out of order: when they are few, all are looked at and sorted; when they are many, some are soon
met on the way through the queue from its newest job, so that way is taken.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from heapq import nlargest
from operator import eq, ge, gt, lt
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Text, bindparam, func, literal_column, select, tuple_

from longshore.domain.ids import JobKey, Scope
from longshore.domain.lifecycle.status import ARRAY_STATUSES, JobStatus
from longshore.ports.store import JobFilter, QueueDepth
from longshore.store.codec import encode_list, from_ms, to_ms
from longshore.store.queue_names import QueueNameRows, fold_name
from longshore.store.statements import InList, Search, Statement
from longshore.store.tables import IS_LIVE, array_summaries, jobs

#: Up to this many matches of a range are looked at and sorted: about where both ways cost the same in a million jobs.
FEW_MATCHES = 20_000

Values = Mapping[str, Any]

#: The statuses of array children that are not final.
_OF_CHILDREN = tuple(status for status in ARRAY_STATUSES if not status.is_final)

_j = jobs.c
_ABOVE_ALL_KEYS = 2**62
_ABOVE_ALL_TEXTS = chr(0x10FFFF)

_EXACT: Mapping[str, ColumnElement[Any]] = {
    "status": _j.status,
    "name": _j.name_folded,
    "definition": _j.definition_name,
    "revision": _j.definition_revision,
    "share": _j.share_identifier,
}
_RANGES: Mapping[str, tuple[ColumnElement[Any], Callable[[Any, Any], Any]]] = {
    "name_from": (_j.name_folded, ge),
    "name_below": (_j.name_folded, lt),
    "definition_is": (_j.definition_name, eq),
    "definition_from": (_j.definition_name, ge),
    "definition_below": (_j.definition_name, lt),
    "created_above": (_j.created_at, gt),
    "created_below": (_j.created_at, lt),
}


def _by_table(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column's value in a form that no index has."""
    return func.coalesce(column, "") if isinstance(column.type, Text) else column + literal_column("0")


def _given(name: str) -> BindParameter[Any]:
    return bindparam(name)


_CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    **{name: column == bindparam(name) for name, column in _EXACT.items()},
    **{name: compare(column, _given(name)) for name, (column, compare) in _RANGES.items()},
    **{
        f"{name}_by_table": compare(_by_table(column), _given(f"{name}_by_table"))
        for name, (column, compare) in _RANGES.items()
    },
    "statuses_by_table": InList(_by_table(_j.status), "statuses_by_table"),
}
_OF_QUEUE = _j.queue_id == bindparam("queue")


def _page_by(key: ColumnElement[int]) -> Search:
    page = select(_j.key).where(_OF_QUEUE, key < bindparam("before", type_=BigInteger))
    return Search(
        page.order_by(key.desc()).limit(bindparam("at_most")), "queue", "before", "at_most", conditions=_CONDITIONS
    )


_IN_ORDER = _page_by(_j.key)
_SORTED = _page_by(_by_table(_j.key))
_ONE_MORE_MATCH = Search(
    select(literal_column("1", BigInteger)).where(_OF_QUEUE).limit(1).offset(bindparam("few")),
    *("queue", "few"),
    conditions=_CONDITIONS,
)

_CHILD_KEYS = Search(
    select(_j.key)
    .where(_j.key > bindparam("after", type_=BigInteger), _j.key <= bindparam("last", type_=BigInteger))
    .order_by(_j.key)
    .limit(bindparam("at_most")),
    *("after", "last", "at_most"),
    conditions={"statuses": InList(_j.status, "statuses")},
)

_BY_NAME = Statement(
    select(_j.key)
    .where(
        _OF_QUEUE,
        _j.name_folded >= _given("name_from"),
        _j.name_folded < _given("name_below"),
        tuple_(_j.name_folded, _j.key) < tuple_(_given("before_name"), bindparam("before", type_=BigInteger)),
    )
    .order_by(_j.name_folded.desc(), _j.key.desc())
    .limit(bindparam("at_most")),
    *("queue", "name_from", "name_below", "before_name", "before", "at_most"),
)

#: By the primary key, so that a page costs by what has ended and by what has not in between.
_ENDED_KEYS = Statement(
    select(_j.key)
    .where(_j.key > bindparam("after", type_=BigInteger), _j.stopped_at.is_not(None), _j.array_size.is_(None))
    .order_by(_j.key)
    .limit(bindparam("at_most")),
    *("after", "at_most"),
)

_LIVE_SINGLES = Statement(
    select(_j.queue_id, _j.status, func.count(), func.min(_j.created_at))
    .where(IS_LIVE, _j.array_size.is_(None))
    .group_by(_j.queue_id, _j.status)
)
_LIVE_ARRAYS = Statement(
    select(_j.queue_id, _j.created_at, *(array_summaries.c[status.lower()] for status in _OF_CHILDREN))
    .join(array_summaries, array_summaries.c.parent_key == _j.key)
    .where(IS_LIVE, _j.array_size.is_not(None))
)


class ListingRows(QueueNameRows):
    """Keys of pages, and depths."""

    def listed_keys(
        self, scope: Scope, queue_name: str, where: JobFilter, *, before: JobKey | None, limit: int
    ) -> Sequence[JobKey]:
        """Submitted jobs and array parents of a queue that meet `where`, newest first."""
        queue = self.queue_id(scope, queue_name)
        if queue is None:
            return ()
        exact, ranges = _exact_values(where), _ranges(where)

        def found(search: Search, values: Values) -> list[JobKey]:
            return [key for (key,) in search.rows(self, queue, before or _ABOVE_ALL_KEYS, limit, **values)]

        if where.statuses is not None and not exact and not ranges:
            pages = (found(_IN_ORDER, {"status": str(status)}) for status in where.statuses)
            return nlargest(limit, (key for page in pages for key in page))
        by_status = {} if where.statuses is None else {"statuses_by_table": encode_list(sorted(where.statuses))}
        if not exact:
            for leading in ranges:
                if not _ONE_MORE_MATCH.rows(self, queue, FEW_MATCHES, **leading):
                    others = [values for values in ranges if values is not leading]
                    return found(_SORTED, {**leading, **by_status, **_by_table_values(others)})
        return found(_IN_ORDER, {**exact, **by_status, **_by_table_values(ranges)})

    def named_keys(
        self, scope: Scope, queue_name: str, prefix: str, *, before: tuple[str, JobKey] | None, limit: int
    ) -> Sequence[JobKey]:
        """Submitted jobs and array parents of a queue whose names begin so, those of one name together."""
        queue = self.queue_id(scope, queue_name)
        if queue is None:
            return ()
        first = fold_name(prefix)
        below = first + _ABOVE_ALL_TEXTS
        name, key = (below, _ABOVE_ALL_KEYS) if before is None else (fold_name(before[0]), before[1])
        return [key for (key,) in self.rows(_BY_NAME, queue, first, below, name, key, limit)]

    def child_keys(
        self, first: JobKey, last: JobKey, statuses: frozenset[JobStatus] | None, *, after: JobKey | None, limit: int
    ) -> Sequence[JobKey]:
        """Children `first` to `last` in one of `statuses`, by ascending index."""
        wanted = None if statuses is None else encode_list(sorted(statuses))
        start = max(first - 1, after or 0)
        return [key for (key,) in _CHILD_KEYS.rows(self, start, last, limit, statuses=wanted)]

    def ended_keys(self, *, after: JobKey | None, limit: int) -> Sequence[JobKey]:
        return [key for (key,) in self.rows(_ENDED_KEYS, after or 0, limit)]

    def queue_depths(self) -> Sequence[QueueDepth]:
        """Of the statuses that are not final: what has ended is history, and counting it would cost by its length."""
        counts: dict[tuple[int, JobStatus], int] = defaultdict(int)
        oldest: dict[tuple[int, JobStatus], int] = {}

        def add(place: tuple[int, JobStatus], count: int, created_at: int) -> None:
            if count:
                counts[place] += count
                oldest[place] = min(created_at, oldest.get(place, created_at))

        for queue_id, status, count, created_at in self.rows(_LIVE_SINGLES):
            add((queue_id, JobStatus(status)), count, created_at)
        for queue_id, created_at, *of_children in self.rows(_LIVE_ARRAYS):
            for status, count in zip(_OF_CHILDREN, of_children, strict=True):
                add((queue_id, status), count, created_at)
        names = self.queues_by_id()
        return [
            QueueDepth(
                scope=names[queue_id][0],
                queue_name=names[queue_id][1],
                status=status,
                count=count,
                oldest_created_at=from_ms(oldest[queue_id, status]),
            )
            for (queue_id, status), count in sorted(counts.items())
        ]


def _exact_values(where: JobFilter) -> Values:
    values: dict[str, Any] = {}
    if where.name is not None and not where.name.endswith("*"):
        values["name"] = fold_name(where.name)
    if where.definition is not None:
        name, _, revision = where.definition.rpartition(":")
        if name and revision.isdecimal():
            values |= {"definition": name, "revision": int(revision)}
    if where.share_identifier is not None:
        values["share"] = where.share_identifier
    return values


def _ranges(where: JobFilter) -> list[Values]:
    """The ranges asked for, the one that is likely the shortest first."""
    ranges: list[Values] = []
    if where.definition is not None and not where.definition.rpartition(":")[2].isdecimal():
        ranges.append(_prefix("definition", where.definition) or {"definition_is": where.definition})
    if where.name is not None and where.name.endswith("*"):
        ranges.append(_prefix("name", fold_name(where.name)))
    created: dict[str, Any] = {}
    if where.created_after is not None:
        created["created_above"] = to_ms(where.created_after)
    if where.created_before is not None:
        created["created_below"] = to_ms(where.created_before)
    return [*ranges, created] if created else ranges


def _prefix(column: str, pattern: str) -> Values:
    if not pattern.endswith("*"):
        return {}
    prefix = pattern[:-1]
    return {f"{column}_from": prefix, f"{column}_below": prefix + _ABOVE_ALL_TEXTS}


def _by_table_values(ranges: Sequence[Values]) -> Values:
    return {f"{name}_by_table": value for values in ranges for name, value in values.items()}
