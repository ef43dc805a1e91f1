"""Limits on what runs at once: children of an array job, holders of a key, jobs and vCPUs of a queue or a share.

All are one thing: something that is counted, in a unit, and the most there may be of it. A job brings the limits of its
array and of its key; those of a queue and its shares are the queue's, and may change while jobs wait.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from longshore.domain.ids import JobKey, Scope
from longshore.domain.job import JobSpec
from longshore.domain.powers import QueuePowers

Unit = Literal["jobs", "vcpu_milli"]


class LimitKind(StrEnum):
    """Whose jobs are counted."""

    ARRAY = "array"
    KEY = "key"
    SHARE = "share"
    QUEUE = "queue"


#: A job that lacks a narrow limit keeps nothing of a wider one from others; see `LimitRoom.keep`.
_WIDTHS = {LimitKind.ARRAY: 0, LimitKind.KEY: 0, LimitKind.SHARE: 1, LimitKind.QUEUE: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What is counted; array children and multi-node jobs count as one job each."""

    scope: Scope
    kind: LimitKind
    #: UUID of the array job, the key, the queue's name, or that and the share's
    name: str

    @property
    def width(self) -> int:
        """Larger for what more jobs have in common."""
        return _WIDTHS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most there may be at once."""

    counted: Counted
    unit: Unit = "jobs"
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """A limit that a queue has on its jobs, or on those of each share."""

    unit: Unit
    most: int
    is_per_share: bool = False


def caps_of(powers: QueuePowers) -> tuple[Cap, ...]:
    """Those that a queue has, the narrowest first."""
    found: tuple[tuple[Unit, int | None, bool], ...] = (
        ("jobs", powers.max_jobs_per_share, True),
        ("vcpu_milli", powers.max_vcpu_milli_per_share, True),
        ("jobs", powers.max_jobs, False),
        ("vcpu_milli", powers.max_vcpu_milli, False),
    )
    return tuple(Cap(unit=unit, most=most, is_per_share=is_per_share) for unit, most, is_per_share in found if most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What jobs that run take of a limit."""

    jobs: int = 0
    vcpu_milli: int = 0
    #: of a key: the lowest number that one of them came with, which holds for all
    lowest: int | None = None
    #: of a key: the first few that hold it
    holders: tuple[JobKey, ...] = ()

    def of(self, unit: Unit) -> int:
        """How much it is."""
        return self.jobs if unit == "jobs" else self.vcpu_milli


def own_limits(spec: JobSpec) -> tuple[Limit, ...]:
    """Those that a job, or each child, brings."""
    powers, limits = spec.powers, list[Limit]()
    if powers.max_concurrent is not None and spec.array_size is not None:
        array = Counted(scope=spec.scope, kind=LimitKind.ARRAY, name=spec.uuid)
        limits.append(Limit(counted=array, most=powers.max_concurrent))
    if powers.concurrency_key is not None:
        key = Counted(scope=spec.scope, kind=LimitKind.KEY, name=powers.concurrency_key.name)
        limits.append(Limit(counted=key, most=powers.concurrency_key.most))
    return tuple(limits)
