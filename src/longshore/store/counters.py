"""Rows of `counters`: numbers that are given out and never twice."""

from typing import Literal

from sqlalchemy import bindparam, select, update

from longshore.domain.ids import JobKey
from longshore.store.statements import Session, Statement, assigned
from longshore.store.tables import counters

CounterName = Literal["job_key", "intake"]

_c = counters.c
_READ = Statement(select(_c.value).where(_c.name == bindparam("of_name")), "of_name")
_ADD = Statement(
    update(counters)
    .values(value=_c.value + bindparam("more"))
    .where(_c.name == bindparam("of_name"))
    .returning(_c.value),
    *("more", "of_name"),
)
_RAISE = Statement(
    update(counters).values(assigned(["value"])).where(_c.name == bindparam("of_name"), _c.value < bindparam("below")),
    *("new_value", "of_name", "below"),
)


class CounterRows(Session):
    """Highest numbers given so far; 0 before the first."""

    def allocate_keys(self, count: int) -> JobKey:
        return JobKey(self.row(_ADD, count, "job_key")[0] - count + 1)

    def next_intake(self) -> int:
        return self._highest("intake") + 1

    def note_intake(self, highest: int) -> None:
        """Intake numbers up to this one are given."""
        self.run(_RAISE, highest, "intake", highest)

    def _highest(self, name: CounterName) -> int:
        return self.row(_READ, name)[0]
