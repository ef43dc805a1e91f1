"""Scheduling policies: how the shares of a queue get their parts of its capacity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from longshore.domain.ids import Scope

#: Use counts at least so long. Source: AWS Batch API, FairsharePolicy.shareDecaySeconds.
LEAST_DECAY_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareAttributes:
    """The weight of one share, or of all whose identifiers begin with what stands before a `*` at the end."""

    share_identifier: str
    #: lower gets more
    weight_factor: float = 1.0

    def covers(self, share: str) -> bool:
        """Whether the weight is that of this share."""
        entry = self.share_identifier
        return share.startswith(entry[:-1]) if entry.endswith("*") else share == entry

    def overlaps(self, other: "ShareAttributes") -> bool:
        """Whether some share could be covered by both."""
        mine, theirs = self.share_identifier, other.share_identifier
        return self.covers(theirs.removesuffix("*")) or other.covers(mine.removesuffix("*"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FairsharePolicy:
    """Who has used least, by weight, comes next. Source: AWS Batch API, FairsharePolicy."""

    share_decay_seconds: int = 0
    #: percent of the capacity that is kept for shares which are not active yet, to the power of those that are
    compute_reservation: int = 0
    share_distribution: tuple[ShareAttributes, ...] = ()

    @property
    def window_seconds(self) -> int:
        """How long use counts, and how long a share is active after its last job."""
        return max(self.share_decay_seconds, LEAST_DECAY_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSharePolicy:
    """For queues of service jobs."""

    idle_resource_assignment_strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulingPolicy:
    """One policy of a scope; exactly one of its two kinds, for life."""

    scope: Scope
    name: str
    fairshare_policy: FairsharePolicy | None = None
    quota_share_policy: QuotaSharePolicy | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    created_at: datetime

    @property
    def arn(self) -> str:
        """Its ARN."""
        return self.scope.arn("scheduling-policy", self.name)
