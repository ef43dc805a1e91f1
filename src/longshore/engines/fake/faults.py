"""What goes wrong between the caller and the site, and when."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from longshore.domain.ids import AttemptId
from longshore.ports.engine import LaunchSpec, Observation


class CallFate(Enum):
    """What becomes of one call of the driver."""

    ANSWERED = auto()
    REFUSED = auto()  #: EngineUnavailable; nothing was done
    CUT_OFF = auto()  #: EngineUnavailable; yet everything was done
    HANGS = auto()  #: no answer before `Faults.hang_seconds` have passed; then as REFUSED


class LaunchFate(Enum):
    """What becomes of one launch within a call that is answered."""

    ANSWERED = auto()
    UNAVAILABLE = auto()  #: not accepted, and the caller is told so
    ANSWER_LOST = auto()  #: accepted, but the caller is told UNCERTAIN
    REQUEST_LOST = auto()  #: not accepted, and the caller is told UNCERTAIN


class WatchFate(Enum):
    """What becomes of one batch of news."""

    DELIVERED = auto()
    DROPPED = auto()
    REPEATED = auto()  #: delivered twice, with an older batch behind it
    LATE = auto()  #: delivered behind the next batch
    CUT_OFF = auto()  #: dropped, and the watch ends with EngineUnavailable


class Faults:
    """Nothing goes wrong. Override what shall; each method is asked once per case, `at` is the boot clock's reading."""

    #: how long a call that hangs does
    hang_seconds = 60.0

    def call(self, method: str, at: float) -> CallFate:
        """The fate of a call of the driver's `method` (`launch`, `observe`, `stop`, `watch`, ...)."""
        return CallFate.ANSWERED

    def launch(self, spec: LaunchSpec, at: float) -> LaunchFate:
        """The fate of one launch."""
        return LaunchFate.ANSWERED

    def unknown(self, attempt_id: AttemptId, at: float) -> bool:
        """Whether the driver cannot tell the state of the attempt now."""
        return False

    def watch(self, batch: Sequence[Observation], at: float) -> WatchFate:
        """The fate of a batch of news."""
        return WatchFate.DELIVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From `begins_at` until before `ends_at`, by the boot clock, no call is answered."""

    begins_at: float
    ends_at: float
    fate: CallFate = CallFate.REFUSED


class SeededFaults(Faults):
    """Faults by chance, the same for the same seed and the same questions, and given outages."""

    def __init__(
        self, seed: int, *, rate: float = 0.05, outages: Sequence[Outage] = (), until: float = float("inf")
    ) -> None:
        """`rate` is the share of cases that go wrong in some way; none do after `until`, so that work can end."""
        self._random = random.Random(seed)
        self._rate = rate
        self._outages = tuple(outages)
        self._until = until

    def _strikes(self, at: float) -> bool:
        return at < self._until and self._random.random() < self._rate

    def call(self, method: str, at: float) -> CallFate:
        for outage in self._outages:
            if outage.begins_at <= at < outage.ends_at:
                return outage.fate
        if self._strikes(at):
            return self._random.choice((CallFate.REFUSED, CallFate.CUT_OFF))
        return CallFate.ANSWERED

    def launch(self, spec: LaunchSpec, at: float) -> LaunchFate:
        if self._strikes(at):
            return self._random.choice((LaunchFate.UNAVAILABLE, LaunchFate.ANSWER_LOST, LaunchFate.REQUEST_LOST))
        return LaunchFate.ANSWERED

    def unknown(self, attempt_id: AttemptId, at: float) -> bool:
        return self._strikes(at)

    def watch(self, batch: Sequence[Observation], at: float) -> WatchFate:
        if self._strikes(at):
            return self._random.choice((WatchFate.DROPPED, WatchFate.REPEATED, WatchFate.LATE, WatchFate.CUT_OFF))
        return WatchFate.DELIVERED
