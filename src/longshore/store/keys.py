"""Rows of access keys."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select

from longshore.domain.access_key import AccessKey
from longshore.store.codec import decode_names, encode_list, from_ms, to_ms
from longshore.store.statements import Row, Session, Statement, insert_into
from longshore.store.tables import access_keys

_k = access_keys.c
_COLUMNS = (_k.id, _k.name, _k.account_id, _k.actions, _k.is_enabled, _k.created_at, _k.sealed_secret)
_IS_IT = _k.id == bindparam("of_id")
_GET = Statement(select(*_COLUMNS).where(_IS_IT), "of_id")
_ALL = Statement(select(*_COLUMNS).order_by(_k.created_at, _k.id))
_INSERT = insert_into(access_keys)
_DELETE = Statement(delete(access_keys).where(_IS_IT), "of_id")


class KeyRows(Session):
    """Access keys."""

    def access_key(self, key_id: str) -> AccessKey | None:
        row = self.row(_GET, key_id)
        return None if row is None else _key(row)

    def access_keys(self) -> Sequence[AccessKey]:
        return [_key(row) for row in self.rows(_ALL)]

    def put_access_key(self, key: AccessKey) -> None:
        self.run(_DELETE, key.id)
        actions = None if key.actions is None else encode_list(key.actions)
        self.run(
            _INSERT,
            *(key.id, key.name, key.account_id, actions, int(key.is_enabled)),
            *(to_ms(key.created_at), key.sealed_secret),
        )

    def delete_access_key(self, key_id: str) -> None:
        self.run(_DELETE, key_id)


def _key(row: Row) -> AccessKey:
    key_id, name, account_id, actions, is_enabled, created_at, sealed_secret = row
    return AccessKey(
        id=key_id,
        name=name,
        account_id=account_id,
        actions=None if actions is None else decode_names(actions),
        is_enabled=bool(is_enabled),
        created_at=from_ms(created_at),
        sealed_secret=sealed_secret,
    )
