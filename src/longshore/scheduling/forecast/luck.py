"""How long jobs run in one draw, of what was learned of their families.

What little is known of a family leaves open is open for all of its jobs in the same way: each draw has a distribution
of its own for each family. Besides, jobs of one array, or of one day, are more like each other than like those that
were learned from: a part of what makes a job longer or shorter than others is common to its family in a draw. Were it
each job's own, it would cancel out along a queue, and starts would be taken to be surer than they are.
"""

from collections.abc import Callable, Mapping
from math import inf
from statistics import NormalDist
from zlib import crc32

from numpy.random import PCG64, Generator

from longshore.domain.ids import JobKey
from longshore.domain.run_lengths import RunLengths, parts_family
from longshore.scheduling.classes import JobClass

#: The common part, of the variance.
_COMMON = 0.5
_NORMAL = NormalDist()
_MIX = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def likely_seconds(
    job_class: JobClass, elapsed: float, share: float, lengths: Callable[[str], RunLengths | None]
) -> float:
    """How long so large a share of such jobs runs at most, of those that have run for `elapsed` seconds.

    Of a family of which nothing has ended it is known for which part of their time-outs others ran. Infinite where
    nobody can know.
    """
    timeout, known = job_class.timeout_seconds, lengths(job_class.history)
    if known is not None:
        seconds = known.after(elapsed, share)
    elif timeout is None:
        return inf
    else:
        parts = lengths(parts_family(job_class.scope))
        seconds = timeout if parts is None else timeout * parts.after(elapsed / timeout, share)
    return seconds if timeout is None else min(seconds, timeout)


class Luck:
    """How long jobs run in one draw."""

    def __init__(self, known: Mapping[str, RunLengths], draw: int) -> None:
        self._known = known
        self._draw = draw
        #: by family: what may be its distribution in this draw, and what is common to its jobs
        self._drawn: dict[str, tuple[RunLengths | None, float]] = {}
        self.unknown: set[str] = set()

    def seconds_of(self, key: JobKey, job_class: JobClass, elapsed: float = 0.0) -> float:
        """In seconds, and more than have elapsed; infinite where nobody can know."""
        _, common = self._of(job_class.history)
        share = _NORMAL.cdf(_COMMON**0.5 * common + (1 - _COMMON) ** 0.5 * self._deviation(key))
        seconds = likely_seconds(job_class, elapsed, share, lambda family: self._of(family)[0])
        if seconds == inf:
            self.unknown.add(job_class.history)
        return seconds

    def _of(self, family: str) -> tuple[RunLengths | None, float]:
        if family not in self._drawn:
            number = crc32(family.encode())
            lengths = self._known.get(family)
            if lengths is not None:
                gammas = Generator(PCG64((number, self._draw)))
                lengths = lengths.redrawn(lambda shapes: gammas.standard_gamma(shapes).tolist())
            self._drawn[family] = lengths, self._deviation(number)
        return self._drawn[family]

    def _deviation(self, number: int) -> float:
        """By how many standard deviations a job, or a family, is longer than others."""
        return _NORMAL.inv_cdf(max(self.share_of(number), 2**-53))

    def share_of(self, number: int) -> float:
        """From 0 to below 1, evenly over the draws and over the numbers. Source: Steele, Lea and Flood, SplitMix64."""
        mixed = (number * 0x100 + self._draw + 1) * _MIX & _MASK
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        return (mixed ^ mixed >> 31) / 2**64
