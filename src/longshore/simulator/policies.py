"""The policies that are compared, by the names people give them."""

from collections.abc import Mapping
from dataclasses import dataclass

from longshore.domain.policy import FairsharePolicy
from longshore.scheduling.fairshare import FairShareView


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the queue of a replay is ordered, and who may pass a head that is blocked."""

    name: str
    #: in a few words, for people
    about: str
    is_fair: bool = False
    #: whether it plans with when jobs end at the latest
    looks_ahead: bool = False

    def fair(self, decay_seconds: int) -> FairShareView | None:
        """The fair-share policy of the queue: all shares weigh the same, and use counts for so long."""
        if not self.is_fair:
            return None
        return FairShareView(policy=FairsharePolicy(share_decay_seconds=decay_seconds), shares={})


POLICIES: Mapping[str, Policy] = {
    policy.name: policy
    for policy in (
        Policy(name="fifo", about="in the order of submission; a blocked head blocks all"),
        Policy(name="fair", about="the share that has used least first", is_fair=True),
    )
}
