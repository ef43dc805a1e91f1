"""Rows that are the leader's alone: its epoch, the reasons it publishes and what it learned of run times."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.json import Decoder
from sqlalchemy import delete, select, update

from longshore.domain.run_lengths import RunHistory
from longshore.store.codec import encode_document, encode_list
from longshore.store.documents import DOCUMENT_VERSION, decoded
from longshore.store.statements import InList, Session, Statement, insert_into
from longshore.store.tables import class_reasons, leadership, run_histories

_EPOCH = Statement(select(leadership.c.epoch))
_CLAIM = Statement(update(leadership).values(epoch=leadership.c.epoch + 1))

_c = class_reasons.c
_REASONS = Statement(select(_c.class_id, _c.reason).where(InList(_c.class_id, "ids")), "ids")
_ALL_REASONS = Statement(select(_c.class_id, _c.reason))
_WITHDRAW = Statement(delete(class_reasons).where(InList(_c.class_id, "ids")), "ids")
_PUBLISH = insert_into(class_reasons, "class_id", "reason")

_h = run_histories.c
_HISTORIES = Statement(select(_h.version, _h.body))
_FORGET_HISTORIES = Statement(delete(run_histories).where(InList(_h.family, "families")), "families")
_SAVE_HISTORY = insert_into(run_histories)
_history_decoder = Decoder(RunHistory)


class ControlRows(Session):
    """Leadership, class reasons and run times."""

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

    def run_histories(self) -> Sequence[RunHistory]:
        return [decoded(_history_decoder, row) for row in self.rows(_HISTORIES)]

    def save_run_histories(self, histories: Iterable[RunHistory]) -> None:
        histories = list(histories)
        self.forget_run_histories([each.family for each in histories])
        self.run_many(_SAVE_HISTORY, [(each.family, DOCUMENT_VERSION, encode_document(each)) for each in histories])

    def forget_run_histories(self, families: Collection[str]) -> None:
        self.run(_FORGET_HISTORIES, encode_list(families))
