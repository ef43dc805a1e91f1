"""Quota shares of one queue: who may start, and who must make room for whom.

Each share has a limit in each unit of capacity, and what it does not use of that it may lend. Rules, unit by unit:

- All shares together never hold more than the capacity.
- A share that stays within its limit starts its jobs as long as what others keep for themselves (RESERVE) is left
  alone. Where others have borrowed so much that it can't, it takes capacity back: *cross-share preemption*.
- What a share holds over its limit is borrowed. It may borrow up to its borrow limit, of what lending shares do not
  use themselves; capacity that is in no share's limit is lent by nobody. A job that has to borrow preempts no job of
  another share. Idle capacity goes to borrowers in the order of submission, never past one that waits for its own.
- A share may let its jobs make room for others of it with a higher priority: *in-share preemption*.

Only a job of a share that holds more than its limit makes room for another share, so lowering a limit has the same
effect as borrowing has. First those that are borrowed for as a whole, then lower priorities, then younger ones; nobody
makes room who need not. A job that was preempted can't preempt who took its place: that one is within the limit of its
share, or has a higher priority in the same share.

Two accounts are kept: what is held now, and what will be held when all those are gone that are being stopped. A job
starts when both allow it; when only the second does, its room is kept for it and it waits for the first. Who was
preempted has its old place in its share from the moment that it is told to stop: those behind it there start, or have
their room kept, only when there is room for it too.
Source: AWS Batch user guide, quota shares and preemption; which jobs are preempted AWS leaves open.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from longshore.domain.ids import JobKey
from longshore.domain.quota import RESOURCE_UNITS, SharingStrategy

_EXCEEDED = "MISCONFIGURATION:QUOTA_MANAGEMENT_LIMIT_EXCEEDED - Job "
OVER_LIMIT = _EXCEEDED + "requirements exceed quota share capacity limits."
OVER_BORROW_LIMIT = _EXCEEDED + "requirements exceed quota share capacity limits and borrow limits."
OVER_LENDABLE = _EXCEEDED + "requires borrowing that exceeds all configured borrowable capacity."
#: Of our own: it can only be so while the share is being deleted.
NO_SHARE = "the quota share does not exist"

#: Unit of capacity to how much of it, in parts of it (see `domain.quota`).
Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaShareView:
    """One quota share of a queue."""

    limits: Amounts
    strategy: SharingStrategy
    #: in percent of its limits; None: no limit
    borrow_percent: int | None = 0
    #: jobs make room for those of a higher priority
    has_in_share_preemption: bool = False

    @property
    def lends(self) -> bool:
        """Whether others may use what it does not."""
        return self.strategy != "RESERVE"

    def limit(self, unit: str) -> int:
        """What is its own."""
        return self.limits.get(unit, 0)

    def ceiling(self, unit: str) -> int | None:
        """What it may hold at most, borrowed capacity included; None: whatever others lend."""
        limit = self.limit(unit)
        if self.strategy != "LEND_AND_BORROW" or not limit:
            return limit
        return None if self.borrow_percent is None else limit + limit * self.borrow_percent // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A job that holds capacity."""

    key: JobKey
    share: str
    amounts: Amounts
    priority: int
    #: when it was placed: later is younger; of the same clock for all
    placed_at: float
    #: it is being stopped, for whatever reason
    is_going: bool = False
    #: the intake number at which it waits again when it was preempted; None: it would not, or is stopped for good
    returns_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """The quota shares of a queue, and who holds what."""

    capacity: Amounts
    shares: Mapping[str, QuotaShareView]
    holders: Sequence[Holder] = ()

    def asked(self, units: Amounts) -> Amounts:
        """What of these is counted: vCPU, memory and GPUs where some share of the queue has a limit in them."""
        return {unit: units[unit] for unit in units if unit in self.capacity or unit not in RESOURCE_UNITS}

    def lendable(self, borrower: str, unit: str) -> int:
        """What all shares but one could lend if they used nothing themselves."""
        return sum(share.limit(unit) for name, share in self.shares.items() if share.lends and name != borrower)


class Account:
    """What shares hold of each unit."""

    def __init__(self, view: QuotaView, holders: Collection[Holder]) -> None:
        self._view = view
        self._held: dict[str, Counter[str]] = {name: Counter() for name in view.shares}
        for holder in holders:
            self.add(holder.share, holder.amounts)

    def add(self, share: str, amounts: Amounts, sign: int = 1) -> None:
        """So much more is held, or less."""
        held = self._held.setdefault(share, Counter())
        for unit, amount in amounts.items():
            held[unit] += sign * amount

    def by_share(self) -> Mapping[str, Amounts]:
        """What each share holds, without what it has nothing of."""
        return {
            share: {unit: amount for unit, amount in sorted(held.items()) if amount}
            for share, held in sorted(self._held.items())
        }

    def held(self, share: str, unit: str) -> int:
        """What a share holds."""
        return self._held[share][unit] if share in self._held else 0

    def total(self, unit: str) -> int:
        """What all shares hold."""
        return sum(held[unit] for held in self._held.values())

    def borrowed(self, share: str, unit: str) -> int:
        """What a share holds over its limit."""
        view = self._view.shares.get(share)
        return max(self.held(share, unit) - (view.limit(unit) if view else 0), 0)

    def borrowed_with(self, share: str, unit: str, amount: int) -> int:
        """The same if it held so much more."""
        return max(self.held(share, unit) + amount - self._view.shares[share].limit(unit), 0)

    def all_borrowed(self, unit: str) -> int:
        """The same of all shares."""
        return sum(self.borrowed(share, unit) for share in self._held)

    def idle(self, unit: str, *, lent: bool, but: str = "") -> int:
        """What shares that lend, or those that don't, have of their own and do not use."""
        return sum(
            max(share.limit(unit) - self.held(name, unit), 0)
            for name, share in self._view.shares.items()
            if share.lends is lent and name != but
        )

    def is_own(self, share: str, asked: Amounts) -> bool:
        """Whether a share that holds so much more stays within its limit."""
        view = self._view.shares[share]
        return all(self.held(share, unit) + amount <= view.limit(unit) for unit, amount in asked.items())

    def allows(self, share: str, asked: Amounts) -> bool:
        """Whether a job that asks for so much may start."""
        self.add(share, asked)
        try:
            return all(self._keeps_rules(share, unit) for unit, amount in asked.items() if amount)
        finally:
            self.add(share, asked, -1)

    def _keeps_rules(self, share: str, unit: str) -> bool:
        """Whether a share may hold what it holds of a unit."""
        view = self._view.shares[share]
        capacity, total = self._view.capacity.get(unit, 0), self.total(unit)
        ceiling = view.ceiling(unit)
        if total > capacity or (ceiling is not None and self.held(share, unit) > ceiling):
            return False
        borrowed = self.all_borrowed(unit)
        if not self.borrowed(share, unit):
            return not borrowed or total + self.idle(unit, lent=False, but=share) <= capacity
        promised = sum(each.limit(unit) for each in self._view.shares.values())
        return borrowed <= self.idle(unit, lent=True) + min(capacity - promised, 0)


def never(view: QuotaView, share: str, asked: Amounts) -> str:
    """Why a job can't start in its share as all is set up, in AWS Batch's words; empty if it could.

    Source: AWS Batch user guide, service jobs stuck in RUNNABLE.
    """
    mine = view.shares.get(share)
    if mine is None:
        return NO_SHARE
    for unit, amount in asked.items():
        limit, ceiling = mine.limit(unit), mine.ceiling(unit)
        if mine.strategy != "LEND_AND_BORROW" and amount > limit:
            return OVER_LIMIT
        if ceiling is not None and amount > ceiling:
            return OVER_BORROW_LIMIT
        if amount > max(limit, 0) and amount - limit > view.lendable(share, unit):
            return OVER_LENDABLE
    return ""
