"""The policies that are compared, by the names people give them."""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.domain.policy import FairsharePolicy
from longshore.domain.powers import Backfill
from longshore.scheduling.fairshare import FairShareView


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the queue of a replay is ordered, and who may pass a head that is blocked."""

    name: str
    #: in a few words, for people
    about: str
    #: what jobs behind one that has to wait may do
    backfill: Backfill
    is_fair: bool = False

    @property
    def looks_ahead(self) -> bool:
        """Whether it plans with when jobs end at the latest."""
        return self.backfill == "easy"

    def fair(self, decay_seconds: int) -> FairShareView | None:
        """The fair-share policy of the queue: all shares weigh the same, and use counts for so long."""
        if not self.is_fair:
            return None
        return FairShareView(policy=FairsharePolicy(share_decay_seconds=decay_seconds), shares={})


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy(name="fifo", about="in the order of submission; a blocked head blocks all", backfill="none"),
        Policy(name="easy", about="the same, and others may start that do not delay the head", backfill="easy"),
        Policy(name="greedy", about="whatever fits starts", backfill="greedy"),
        Policy(name="fair", about="the share that has used least first, and as easy", backfill="easy", is_fair=True),
    )
}
