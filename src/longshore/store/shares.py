"""Rows of `share_uses`, and which shares of a queue have jobs."""

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, delete, func, select

from longshore.domain.ids import Scope
from longshore.domain.queue import Instant, ShareUse
from longshore.store.codec import from_ms, to_ms
from longshore.store.queue_names import QueueNameRows
from longshore.store.statements import Row, Search, Statement, insert_into
from longshore.store.tables import LIVES_IN_SHARE, jobs, share_uses

_u = share_uses.c
_KEY = ("of_account", "of_region", "of_queue", "of_share")
_IS_IT = (
    _u.account_id == bindparam("of_account"),
    _u.region == bindparam("of_region"),
    _u.queue_name == bindparam("of_queue"),
    _u.share_identifier == bindparam("of_share"),
)
_USES = Search(
    select(share_uses).order_by(_u.account_id, _u.region, _u.queue_name, _u.share_identifier),
    conditions=dict(zip(_KEY, _IS_IT, strict=True)),
)
_INSERT = insert_into(share_uses)
_DELETE = Statement(delete(share_uses).where(*_IS_IT), *_KEY)


def _live_shares() -> Statement:
    """From each share straight to the next: however many jobs a share has, one of them is looked at."""
    of_queue = (LIVES_IN_SHARE, jobs.c.queue_id == bindparam("queue"))
    shares = select(func.min(jobs.c.share_identifier).label("share")).where(*of_queue).cte("shares", recursive=True)
    another = (
        select(func.min(jobs.c.share_identifier))
        .where(*of_queue, jobs.c.share_identifier > shares.c.share)
        .scalar_subquery()
    )
    shares = shares.union_all(select(another).where(shares.c.share.is_not(None)))
    return Statement(select(shares.c.share).where(shares.c.share.is_not(None)), "queue")


_LIVE_SHARES = _live_shares()


class ShareRows(QueueNameRows):
    """What shares of queues have used, and which have work."""

    def live_shares(self, scope: Scope, queue_name: str) -> Sequence[str]:
        queue = self.queue_id(scope, queue_name)
        return () if queue is None else [share for (share,) in self.rows(_LIVE_SHARES, queue)]

    def share_uses(self, scope: Scope | None = None, queue_name: str | None = None) -> Sequence[ShareUse]:
        rows = _USES.rows(
            self,
            of_account=None if scope is None else scope.account_id,
            of_region=None if scope is None else scope.region,
            of_queue=queue_name,
        )
        return [_use(row) for row in rows]

    def save_share_uses(self, uses: Iterable[ShareUse]) -> None:
        uses = list(uses)
        self.forget_share_uses(uses)
        self.run_many(
            _INSERT,
            [(*_key(use), use.milli_seconds, to_ms(use.at.at), use.at.boot_id, use.at.boot_seconds) for use in uses],
        )

    def forget_share_uses(self, uses: Iterable[ShareUse]) -> None:
        self.run_many(_DELETE, [_key(use) for use in uses])


def _key(use: ShareUse) -> Row:
    return use.scope.account_id, use.scope.region, use.queue_name, use.share_identifier


def _use(row: Row) -> ShareUse:
    account_id, region, queue_name, share_identifier, milli_seconds, at, boot_id, boot_seconds = row
    return ShareUse(
        scope=Scope(account_id=account_id, region=region),
        queue_name=queue_name,
        share_identifier=share_identifier,
        milli_seconds=milli_seconds,
        at=Instant(at=from_ms(at), boot_id=boot_id, boot_seconds=boot_seconds),
    )
