"""Statements and what runs them: SQLAlchemy Core constructs, compiled once per database, given to its driver as text.

SQLAlchemy's own execution costs more than most of our statements do, and the control loop runs thousands of them a
second; so only its compiler is used. What databases say differently is compiled by `dialects` (`InList`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from sqlalchemy import BindParameter, ColumnElement, Dialect, Select, Table, bindparam, insert
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

Row: TypeAlias = tuple[Any, ...]
AnySelect: TypeAlias = "Select[*tuple[Any, ...]]"


class Cursor(Protocol):
    """What we use of a database driver's cursor (Python DB-API, PEP 249)."""

    @property
    def rowcount(self) -> int: ...
    def execute(self, operation: str, parameters: Any = ..., /) -> Any: ...
    def executemany(self, operation: str, seq_of_parameters: Any, /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class InList(ColumnElement[bool]):
    """Whether `column` is among the values of the JSON list in parameter `name`: one text for any number of them."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values: BindParameter[Any] = bindparam(name)


class Statement:
    """A construct and the order in which its parameters are given."""

    def __init__(self, construct: ClauseElement, *names: str) -> None:
        self.construct = construct
        self.names = names
        self._prepared: dict[str, tuple[str, list[int | Row] | None]] = {}

    def text(self, dialect: Dialect) -> str:
        """The statement in the words of a database."""
        return self._prepare(dialect)[0]

    def _prepare(self, dialect: Dialect) -> tuple[str, list[int | Row] | None]:
        prepared = self._prepared.get(dialect.name)
        if prepared is None:
            compiled = self.construct.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
            assert isinstance(compiled, SQLCompiler)
            wanted = compiled.positiontup or []
            assert set(self.names) <= set(wanted), (self.names, wanted)
            order = None
            if tuple(wanted) != self.names:
                order = [self.names.index(n) if n in self.names else (compiled.params[n],) for n in wanted]
            prepared = self._prepared[dialect.name] = str(compiled), order
        return prepared

    def bound(self, dialect: Dialect, values: Row) -> tuple[str, Row]:
        """Text and parameters, each value at its place."""
        text, order = self._prepare(dialect)
        return text, values if order is None else _arranged(values, order)

    def bound_many(self, dialect: Dialect, rows: Iterable[Row]) -> tuple[str, Iterable[Row]]:
        """Text and one set of parameters for each row."""
        text, order = self._prepare(dialect)
        return text, rows if order is None else [_arranged(row, order) for row in rows]


def _arranged(values: Row, order: list[int | Row]) -> Row:
    return tuple(values[place] if isinstance(place, int) else place[0] for place in order)


def insert_into(table: Table, *columns: str) -> Statement:
    """A row of `columns` (default: all of them); the others stay NULL."""
    names = columns or tuple(table.columns.keys())
    return Statement(insert(table).values(assigned(names)), *(f"new_{name}" for name in names))


def assigned(columns: Iterable[str]) -> dict[str, BindParameter[Any]]:
    """Values for `columns` from parameters called `new_<column>`: SQLAlchemy keeps the plain names for itself."""
    return {name: bindparam(f"new_{name}") for name in columns}


class Session:
    """Runs statements on one connection, inside the transaction that its owner began."""

    def __init__(self, cursor: Cursor, dialect: Dialect) -> None:
        self._cursor = cursor
        self._dialect = dialect

    def settle(self, *, writes: bool) -> None:
        """Called before each statement but those of `peek`; `writes`: it may change rows."""

    def peek(self, statement: Statement, *values: Any) -> Any:
        """The first row that it finds, or None, in a table of which nothing is ever held back."""
        self._cursor.execute(*statement.bound(self._dialect, values))
        return self._cursor.fetchone()

    def rows(self, statement: Statement, *values: Any) -> list[Any]:
        """All rows that it finds."""
        self.settle(writes=False)
        self._cursor.execute(*statement.bound(self._dialect, values))
        return self._cursor.fetchall()

    def row(self, statement: Statement, *values: Any) -> Any:
        """The first row that it finds, or None."""
        self.settle(writes=False)
        self._cursor.execute(*statement.bound(self._dialect, values))
        return self._cursor.fetchone()

    def run(self, statement: Statement, *values: Any) -> int:
        """Returns how many rows it changed."""
        self.settle(writes=True)
        self._cursor.execute(*statement.bound(self._dialect, values))
        return self._cursor.rowcount

    def run_many(self, statement: Statement, rows: Sequence[Row]) -> int:
        """Run it once for each row of parameters; returns how many rows it changed."""
        if not rows:
            return 0
        self.settle(writes=True)
        self._cursor.executemany(*statement.bound_many(self._dialect, rows))
        return self._cursor.rowcount


class Search:
    """A query under any of several conditions; each combination that is asked for is one statement.

    `names` are the parameters that are always given; a condition holds when the parameter under its name is not None.
    """

    def __init__(self, query: AnySelect, *names: str, conditions: Mapping[str, ColumnElement[bool]]) -> None:
        self._query = query
        self._names = names
        self._conditions = conditions
        self._statements: dict[tuple[str, ...], Statement] = {}

    def statement(self, *given: str) -> Statement:
        """The query under the conditions of these names; they follow the others as parameters."""
        if given not in self._statements:
            query = self._query.where(*(self._conditions[name] for name in given))
            self._statements[given] = Statement(query, *self._names, *given)
        return self._statements[given]

    def rows(self, session: Session, *values: Any, **optional: Any) -> list[Any]:
        """What it finds under the conditions whose values are not None."""
        given = {name: value for name, value in optional.items() if value is not None}
        return session.rows(self.statement(*given), *values, *given.values())
