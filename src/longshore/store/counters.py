"""Rows of `counters`: numbers that are given out and never twice."""

from typing import Literal

from sqlalchemy import bindparam, select, update

from longshore.store.statements import Session, Statement, assigned
from longshore.store.tables import counters

CounterName = Literal["job_key", "intake"]

_c = counters.c
_READ = Statement(select(_c.value).where(_c.name == bindparam("of_name")), "of_name")
_RAISE = Statement(
    update(counters).values(assigned(["value"])).where(_c.name == bindparam("of_name"), _c.value < bindparam("below")),
    *("new_value", "of_name", "below"),
)


class CounterRows(Session):
    """Highest numbers given so far; 0 before the first."""

    def next_intake(self) -> int:
        return self.highest("intake") + 1

    def note_intake(self, highest: int) -> None:
        """Intake numbers up to this one are given."""
        self.raise_highest("intake", highest)

    def raise_highest(self, name: CounterName, highest: int) -> None:
        """Numbers up to this one are given."""
        self.run(_RAISE, highest, name, highest)

    def highest(self, name: CounterName) -> int:
        """The highest number that the table knows as given."""
        return self.row(_READ, name)[0]
