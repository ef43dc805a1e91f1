"""Rows that are the leader's alone: its epoch and the reasons it publishes."""

from collections.abc import Collection, Mapping

from sqlalchemy import delete, select, update

from longshore.store.codec import encode_list
from longshore.store.statements import InList, Session, Statement, insert_into
from longshore.store.tables import class_reasons, leadership

_EPOCH = Statement(select(leadership.c.epoch))
_CLAIM = Statement(update(leadership).values(epoch=leadership.c.epoch + 1))

_c = class_reasons.c
_REASONS = Statement(select(_c.class_id, _c.reason).where(InList(_c.class_id, "ids")), "ids")
_ALL_REASONS = Statement(select(_c.class_id, _c.reason))
_WITHDRAW = Statement(delete(class_reasons).where(InList(_c.class_id, "ids")), "ids")
_PUBLISH = insert_into(class_reasons, "class_id", "reason")


class ControlRows(Session):
    """Leadership and class reasons."""

    def epoch(self) -> int:
        return self.row(_EPOCH)[0]

    def claim_leadership(self) -> int:
        self.run(_CLAIM)
        return self.epoch()

    def class_reasons(self, class_ids: Collection[str] | None) -> Mapping[str, str]:
        return dict(self.rows(_ALL_REASONS) if class_ids is None else self.rows(_REASONS, encode_list(class_ids)))

    def publish_class_reasons(self, reasons: Mapping[str, str], *, withdraw: Collection[str] = ()) -> None:
        self.run(_WITHDRAW, encode_list({*withdraw, *reasons}))
        self.run_many(_PUBLISH, list(reasons.items()))
