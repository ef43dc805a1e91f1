"""A workload: what was submitted when, how much it asked for, and how long it ran. Held by columns, for millions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
Counts = NDArray[np.int64]


class TraceRefused(Exception):
    """A trace can't be read; says where, what is there and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Jobs in the order of submission; all columns have the same length."""

    #: where it comes from, in a few words
    about: str
    #: seconds since the first submission
    submitted_at: Seconds
    #: how long each runs when nothing stops it
    run_seconds: Seconds
    #: after so many whole seconds it is stopped; infinite where none were given
    limit_seconds: Seconds
    #: what each asks for, all of its nodes together
    vcpu_milli: Counts
    memory_mib: Counts
    gpus: Counts
    #: index into `shares`
    share: NDArray[np.int32]
    shares: tuple[str, ...]
    #: what of the source is not in it or not replayed, in plain words
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.submitted_at)

    @property
    def held_seconds(self) -> Seconds:
        """How long each holds what it asked for: until its end, or until its limit stops it."""
        return np.minimum(self.run_seconds, self.limit_seconds)

    def first(self, count: int) -> "Trace":
        """Its first jobs alone."""
        return replace(
            self,
            submitted_at=self.submitted_at[:count],
            run_seconds=self.run_seconds[:count],
            limit_seconds=self.limit_seconds[:count],
            vcpu_milli=self.vcpu_milli[:count],
            memory_mib=self.memory_mib[:count],
            gpus=self.gpus[:count],
            share=self.share[:count],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedJob:
    """One row of a trace that is read job by job."""

    submitted_at: float
    run_seconds: float
    #: None: none
    limit_seconds: int | None
    vcpu_milli: int
    memory_mib: int
    gpus: int
    share: str


def trace_of(about: str, jobs: Sequence[TracedJob], remarks: Sequence[str] = ()) -> Trace:
    """The trace of these jobs, in the order of submission; jobs of one instant stay in their order."""
    if not jobs:
        raise TraceRefused(
            f"{about}: there is no job in it that could be replayed; {'; '.join(remarks) or 'it is empty'}"
        )
    jobs = sorted(jobs, key=lambda job: job.submitted_at)
    shares = tuple(sorted({job.share for job in jobs}))
    number = {share: index for index, share in enumerate(shares)}
    first = jobs[0].submitted_at
    return Trace(
        about=about,
        submitted_at=np.array([job.submitted_at - first for job in jobs]),
        run_seconds=np.array([job.run_seconds for job in jobs], dtype=np.float64),
        limit_seconds=np.array([np.inf if job.limit_seconds is None else job.limit_seconds for job in jobs]),
        vcpu_milli=np.array([job.vcpu_milli for job in jobs], dtype=np.int64),
        memory_mib=np.array([job.memory_mib for job in jobs], dtype=np.int64),
        gpus=np.array([job.gpus for job in jobs], dtype=np.int64),
        share=np.array([number[job.share] for job in jobs], dtype=np.int32),
        shares=shares,
        remarks=tuple(remarks),
    )
