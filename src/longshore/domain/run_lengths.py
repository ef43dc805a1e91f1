"""How long attempts run, learned from those that ended: of each family of jobs a small summary that follows changes.

A family is what was submitted by one name of a job definition, in one account and region. Lengths are counted in bins,
each a tenth longer than the one before, so a length is known to 5 %. What is counted loses half of its weight with
every 200 further attempts and with every week, so that a program that has become slower is soon known to be.

The weights are read as a sample of n lengths. With a chance of 1 in n + 1 the next is none of them: shorter than the
shortest or longer than the longest, with equal chance. So what one attempt says is doubtful, and two hundred leave
little doubt. Of attempts that run longer than the longest known, every second one runs for twice that, and so on, as it
was found of processes. Source: Harchol-Balter and Downey, Exploiting Process Lifetime Distributions for Dynamic Load
Balancing, 1997.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from math import floor, log

from longshore.domain.ids import Scope
from longshore.domain.job import Attempt, JobSpec, StopCause

GROWTH = 1.1
HALVED_BY_ATTEMPTS = 200
HALVED_BY_SECONDS = 7 * 86_400.0
_SHORTEST_SECONDS = 0.001
_NEGLIGIBLE = 0.01
_LEAST_WEIGHT = 1e-9
#: Parts of names that programs make up for one use: an id in hexadecimal digits, in one piece or in the five of a UUID.
_MADE_UP = re.compile(
    r"(?<![0-9A-Za-z])(?=[a-f-]*[0-9])[0-9a-f]{8,}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?(?![0-9A-Za-z])"
)


def family_of(scope: Scope, name: str) -> str:
    """The family of jobs of the definition `name`: ids that were made up for one use do not count."""
    return f"{scope.account_id}/{scope.region}/{_MADE_UP.sub('*', name)}"


def parts_family(scope: Scope) -> str:
    """The family, of no job, whose lengths are the parts of their time-outs for which attempts run."""
    return family_of(scope, "")


def family(spec: JobSpec) -> str:
    """The family of a job; empty for one without a definition."""
    return spec.definition and family_of(spec.scope, spec.definition.rpartition(":")[0])


def run_seconds(attempt: Attempt) -> float | None:
    """How long an attempt ran, if that says anything of others: it ended by itself, or as its time-out passed.

    Whether it succeeded does not matter: a failure holds what it was given until it fails.
    """
    if attempt.started_at is None or attempt.stopped_at is None:
        return None
    if attempt.stop_cause is not StopCause.TIMED_OUT and (attempt.stop_cause is not None or attempt.exit_code is None):
        return None
    return max((attempt.stopped_at - attempt.started_at).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """What is known of a family's attempts."""

    family: str
    #: attempts that it was ever learned from
    count: int = 0
    #: when the last of them ended
    at: datetime
    #: number of the bin to the weight of what is in it
    weights: Mapping[int, float] = field(default_factory=dict[int, float])

    def learn(self, lengths: Iterable[float], at: datetime) -> "RunHistory":
        """The same with attempts that ran for so many seconds and ended at about that time."""
        found = Counter(map(_bin_of, lengths))
        added = found.total()
        age = max((at - self.at).total_seconds(), 0.0)
        left = 0.5 ** (added / HALVED_BY_ATTEMPTS + age / HALVED_BY_SECONDS)
        weights = {number: kept for number, weight in self.weights.items() if (kept := weight * left) >= _NEGLIGIBLE}
        for number, times in found.items():
            weights[number] = weights.get(number, 0.0) + times
        return replace(self, count=self.count + added, at=max(at, self.at), weights=weights)


def _bin_of(seconds: float) -> int:
    return floor(log(max(seconds, _SHORTEST_SECONDS)) / log(GROWTH))


class RunLengths:
    """The lengths that attempts of a family have, as a distribution; the history has at least one attempt."""

    def __init__(self, history: RunHistory) -> None:
        self.count: int = history.count
        self._numbers = sorted(history.weights)
        # An attempt alone would count for less with every week, but is still one that is known.
        scale = max(1.0, 1.0 / sum(history.weights.values()))
        self._weigh([history.weights[number] * scale for number in self._numbers], 1.0)

    def _weigh(self, weights: Sequence[float], unseen: float) -> None:
        self._weights, self._unseen = weights, unseen
        self._until = list(accumulate(weights))
        self._whole = self._until[-1] + unseen

    def redrawn(self, draw: Callable[[Sequence[float]], Sequence[float]]) -> "RunLengths":
        """A distribution that may just as well be theirs; `draw` is given shapes and draws from gamma distributions.

        What little is known of a family leaves open is open for all of its jobs in the same way. Source: Rubin, The
        Bayesian Bootstrap, 1981.
        """
        *weights, unseen = draw([*self._weights, self._unseen])
        other = copy(self)
        other._weigh([max(weight, _LEAST_WEIGHT) for weight in weights], max(unseen, _LEAST_WEIGHT))
        return other

    def quantile(self, share: float) -> float:
        """The seconds that so large a share of attempts (0 to below 1) does not exceed."""
        half = self._unseen / 2
        place = share * self._whole - half
        if place <= 0:
            return (place + half) / half * GROWTH ** self._numbers[0]
        if place >= self._until[-1]:
            beyond = min((place - self._until[-1]) / half, 0.999)
            return GROWTH ** (self._numbers[-1] + 1) / (1 - beyond)
        at = bisect_right(self._until, place)
        within = 1 - (self._until[at] - place) / self._weights[at]
        return GROWTH ** (self._numbers[at] + within)

    def share_below(self, seconds: float) -> float:
        """The share of attempts that run for less: the inverse of `quantile`."""
        low, high = GROWTH ** self._numbers[0], GROWTH ** (self._numbers[-1] + 1)
        half = self._unseen / 2
        if seconds <= low:
            place = (seconds / low - 1) * half
        elif seconds >= high:
            place = self._until[-1] + (1 - high / seconds) * half
        else:
            number = log(seconds) / log(GROWTH)
            at = bisect_right(self._numbers, number) - 1
            within = min(number - self._numbers[at], 1.0)
            place = self._until[at] - self._weights[at] * (1 - within)
        return (place + half) / self._whole

    def after(self, elapsed: float, share: float) -> float:
        """As `quantile`, of those attempts that run for longer than `elapsed` seconds: never less than that."""
        if elapsed <= 0:
            return self.quantile(share)
        below = self.share_below(elapsed)
        if (
            below >= 1 - self._unseen / 2 / self._whole
        ):  # longer than all that are known, where the quantiles end somewhere
            return elapsed / (1 - min(share, 0.999))
        return max(self.quantile(below + share * (1 - below)), elapsed)
