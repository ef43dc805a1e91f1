"""What a row of the speed budget measured, and whether it meets its bar."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured line. Every value stands for one repetition; those of `ours` and `peer` were taken in turns."""

    row: str
    what: str
    unit: str
    ours: Sequence[float]
    peer_name: str = ""
    peer: Sequence[float] = field(default_factory=tuple[float, ...])
    #: of the ratio to the peer where there is one, else of our own value; None: told for information
    bar: float | None = None
    #: whether more is better; the bar is a floor then, else a ceiling
    is_rate: bool
    note: str = ""

    @property
    def compared(self) -> Sequence[float]:
        """What is held against the bar, one value for each repetition."""
        if not self.peer:
            return self.ours
        return [ours / peer for ours, peer in zip(self.ours, self.peer, strict=True)]

    @property
    def value(self) -> float:
        """The median of what is held against the bar."""
        return median(self.compared)

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is reached; None where there is none."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.is_rate else self.value < self.bar


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]
