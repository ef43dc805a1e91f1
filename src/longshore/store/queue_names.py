"""Rows of `queue_names`: the number by which jobs name their queue."""

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, select

from longshore.domain.ids import Scope
from longshore.store.statements import Session, Statement, insert_into
from longshore.store.tables import queue_names

_q = queue_names.c
_FIND = Statement(
    select(_q.id).where(
        _q.account_id == bindparam("of_account"), _q.region == bindparam("of_region"), _q.name == bindparam("of_name")
    ),
    *("of_account", "of_region", "of_name"),
)
_ALL = Statement(select(_q.id, _q.account_id, _q.region, _q.name))
_INSERT = insert_into(queue_names, "account_id", "region", "name")


class QueueNameRows(Session):
    """Numbers of queues; one that was deleted and made again keeps its number."""

    def queue_id(self, scope: Scope, queue_name: str) -> int | None:
        """The number of a queue; None when no job was ever submitted to it."""
        found = self.row(_FIND, scope.account_id, scope.region, queue_name)
        return None if found is None else found[0]

    def queue_id_for(self, scope: Scope, queue_name: str) -> int:
        """The number of a queue, given now if it has none."""
        found = self.queue_id(scope, queue_name)
        if found is None:
            self.run(_INSERT, scope.account_id, scope.region, queue_name)
            found = self.queue_id(scope, queue_name)
        assert found is not None
        return found

    def submitted_queues(self) -> Sequence[tuple[Scope, str]]:
        return list(self.queues_by_id().values())

    def queues_by_id(self) -> Mapping[int, tuple[Scope, str]]:
        """All of them."""
        return {
            queue_id: (Scope(account_id=account_id, region=region), name)
            for queue_id, account_id, region, name in self.rows(_ALL)
        }


def fold_name(name: str) -> str:
    """The form in which job names are compared."""
    return name.casefold()
