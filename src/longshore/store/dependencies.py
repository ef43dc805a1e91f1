"""Rows of `job_dependencies`: who waits for whom."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import select

from longshore.domain.dependency import DependencyType, When
from longshore.domain.ids import JobKey
from longshore.ports.store import Edge
from longshore.store.codec import encode_list
from longshore.store.statements import InList, Row, Session, Statement, insert_into
from longshore.store.tables import job_dependencies

_d = job_dependencies.c
_EDGES = select(_d.job_key, _d.on_key, _d.type, _d.outcome).order_by(_d.job_key, _d.on_key)
_OF = Statement(_EDGES.where(InList(_d.job_key, "keys")), "keys")
_ON = Statement(_EDGES.where(InList(_d.on_key, "keys")), "keys")
_INSERT = insert_into(job_dependencies, "job_key", "on_key", "type", "outcome")

_TYPES = {"": None, **{str(kind): kind for kind in DependencyType}}
_OUTCOMES = {str(when): when for when in When}


class DependencyRows(Session):
    """Edges both ways."""

    def insert_edges(self, edges: Iterable[Edge]) -> None:
        """Keep them; the same one twice counts once."""
        rows = {(e.job_key, e.on_key, "" if e.type is None else str(e.type), str(e.when)): None for e in edges}
        self.run_many(_INSERT, list(rows))

    def edges_of(self, keys: Collection[JobKey]) -> Sequence[Edge]:
        return [_edge(row) for row in self.rows(_OF, encode_list(keys))]

    def edges_on(self, keys: Collection[JobKey]) -> Sequence[Edge]:
        return [_edge(row) for row in self.rows(_ON, encode_list(keys))]


def _edge(row: Row) -> Edge:
    job_key, on_key, kind, outcome = row
    return Edge(job_key=JobKey(job_key), on_key=JobKey(on_key), type=_TYPES[kind], when=_OUTCOMES[outcome])
