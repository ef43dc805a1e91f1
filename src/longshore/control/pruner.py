"""Ends history: removes jobs that ended longer ago than the operator wants to keep. Their logs stay."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from longshore.domain.errors import StaleLeader, StoreUnavailable
from longshore.ports.clock import Clock
from longshore.ports.store import Store, Transaction

_log = structlog.get_logger(__name__)

PAUSE_SECONDS = 600.0
#: Submissions that one transaction removes: it must not hold up others for long.
BATCH = 20


class Pruner:
    """Looks every ten minutes, first ten minutes after the start: no dependency waits for its answer by then."""

    def __init__(self, store: Store, clock: Clock, *, keep: timedelta, epoch: Callable[[], int]) -> None:
        """`epoch` is the present leader's own: a leader that was replaced removes nothing."""
        self._store = store
        self._clock = clock
        self._keep = keep
        self._epoch = epoch

    async def run(self) -> None:
        """Prune until cancelled."""
        while True:
            await self._clock.sleep(PAUSE_SECONDS)
            try:
                while await self.run_once():
                    pass
            except StoreUnavailable as unavailable:
                _log.warning("history_not_pruned", error=unavailable.message)

    async def run_once(self) -> bool:
        """Remove one batch; returns whether anything was removed."""
        before = self._clock.now() - self._keep

        def prune(tx: Transaction) -> int:
            if tx.epoch() != self._epoch():
                raise StaleLeader
            return tx.delete_history(stopped_before=before, limit=BATCH)

        return await self._store.write(prune) > 0
