"""Fair share: whose turn it is in a queue.

Each share has used so much: thousandths of a vCPU times seconds, where what lies back counts less. It halves with every
half of the policy's window, so that a share which holds the same for long comes to rest at a fixed use. What a share
holds now counts as if it had been held for `HOLDING_SECONDS` already; so shares that start from nothing take turns. The
sum times the weight of the share is its standing, and the lowest standing is served next. AWS Batch does not publish
its curve; this one keeps what it documents: a share of weight 0.125 gets eight times as much as one of weight 1.
Source: AWS Batch user guide, fair share scheduling policies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log

from longshore.domain.policy import FairsharePolicy

#: What is held counts as use of so long from the start.
HOLDING_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareView:
    """One active share of a queue."""

    #: thousandths of a vCPU times seconds, older use counted less
    milli_seconds: float = 0.0
    #: thousandths of a vCPU that its jobs hold now
    held_milli: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FairShareView:
    """A fair-share queue's policy and its active shares."""

    policy: FairsharePolicy
    shares: Mapping[str, ShareView]
    #: thousandths of a vCPU that a reservation is a part of; None: all that the queue has
    reservable_milli: int | None = None

    def weight(self, share: str) -> float:
        """The share's weight. An entry with `*` divides its part among those that it covers."""
        for entry in self.policy.share_distribution:
            if entry.covers(share):
                if not entry.share_identifier.endswith("*"):
                    return entry.weight_factor
                return entry.weight_factor * sum(map(entry.covers, self.shares))
        return 1.0

    def limit_milli(self, capacity_milli: int) -> int | None:
        """How much of this capacity the active shares may hold together; None: nothing is kept for others."""
        if self.policy.compute_reservation == 0:
            return None
        kept = (self.policy.compute_reservation / 100) ** max(len(self.shares), 1)
        of = capacity_milli if self.reservable_milli is None else min(capacity_milli, self.reservable_milli)
        return int(of * (1 - kept)) + capacity_milli - of


def use_after(milli_seconds: float, held_milli: int, seconds: float, policy: FairsharePolicy) -> float:
    """What a share has used so many seconds later, if it holds the same for that time."""
    rate = log(2) / (policy.window_seconds / 2)
    left = exp(-rate * seconds)
    return milli_seconds * left + held_milli * (1 - left) / rate


class Standings:
    """The shares of one queue while a cycle gives away capacity."""

    def __init__(self, fair: FairShareView, capacity_milli: int) -> None:
        self._weights = {share: fair.weight(share) for share in fair.shares}
        self._use = {share: view.milli_seconds for share, view in fair.shares.items()}
        self._held = {share: view.held_milli for share, view in fair.shares.items()}
        self.limit_milli = fair.limit_milli(capacity_milli)
        self.held_milli = sum(self._held.values())

    def of(self, share: str) -> float:
        """The share's standing; lower is served first."""
        return (self._use[share] + self._held[share] * HOLDING_SECONDS) * self._weights[share]

    def take(self, share: str, milli: int) -> None:
        """So much more is held."""
        self._held[share] += milli
        self.held_milli += milli

    def keep(self, milli: int) -> None:
        """So much more counts as held, by no share."""
        self.held_milli += milli

    def allow(self, milli: int) -> bool:
        """Whether the limit lets so much more be held. A queue that holds nothing may always start one job."""
        limit = self.limit_milli
        return limit is None or self.held_milli == 0 or self.held_milli + milli <= limit
