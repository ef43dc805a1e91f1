"""What one scheduling cycle looks at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from longshore.domain.ids import HostId, JobKey, Scope
from longshore.domain.powers import Backfill
from longshore.domain.resources import Resources
from longshore.domain.service_environment import demand_on
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fairshare import FairShareView
from longshore.scheduling.limits import Cap, Counted, Use
from longshore.scheduling.quota import QuotaView

#: What becomes of a job that asks for more than any host has: `wait`, or run alone on a whole host.
Oversize = Literal["wait", "run-alone"]
EnvironmentName = tuple[Scope, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Waiting jobs with consecutive intake numbers and consecutive keys."""

    intake: int
    key: JobKey
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingClass:
    """The RUNNABLE jobs of a class, in the order of their intake numbers; never empty."""

    job_class: JobClass
    runs: Sequence[Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """One host and what is left of it."""

    id: HostId
    total: Resources
    free: Resources
    free_gpus: tuple[str, ...]

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs on it."""
        return self.free == self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentView:
    """One compute environment or service environment."""

    name: EnvironmentName
    #: in plain words why nothing may be placed here now; empty when jobs may be
    problem: str
    #: vCPU that the environment's own cap allows in all and has left; None: no cap
    cap_milli: int | None
    free_cap_milli: int | None
    hosts: tuple[HostId, ...]
    #: whether jobs of several nodes may be placed here
    runs_gangs: bool = True
    #: of a service environment: how much of each unit it allows in all and has left
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    free_limits: Mapping[str, int] = field(default_factory=dict[str, int])

    def could_allow(self, job_class: JobClass) -> bool:
        """Whether its cap and its limits are as large as that, used up or not."""
        if self.cap_milli is not None and job_class.resources.vcpu_milli > self.cap_milli:
            return False
        return all(count <= self.limits.get(unit, 0) for unit, count in self.demand(job_class).items())

    def demand(self, job_class: JobClass) -> Mapping[str, int]:
        """What a job takes of its limits, by unit."""
        return demand_on(self.limits, job_class.instances)

    def demands(self, job_class: JobClass) -> tuple[int, ...]:
        """What a job takes of its cap and its limits, in the order of `left`."""
        capped = () if self.cap_milli is None else (job_class.resources.vcpu_milli,)
        if not self.limits:
            return capped
        demand = self.demand(job_class)
        return (*capped, *(demand.get(unit, 0) for unit in self.limits))

    @property
    def left(self) -> tuple[int, ...]:
        """What its cap and its limits have left."""
        capped = () if self.free_cap_milli is None else (self.free_cap_milli,)
        return (*capped, *(self.free_limits.get(unit, 0) for unit in self.limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """One job queue."""

    scope: Scope
    name: str
    priority: int
    #: in the order they are tried
    environments: tuple[str, ...]
    #: None: first in, first out, unless jobs are in quota shares
    fair: FairShareView | None = None
    quota: QuotaView | None = None
    #: whether none of its jobs may start
    is_paused: bool = False
    #: what jobs behind one that has to wait may do
    backfill: Backfill = "easy"
    #: jobs with smaller intake numbers have waited so long that they come before all others; 0: none has
    aged_intake: int = 0
    #: limits on what runs of it at once, the narrowest first
    caps: tuple[Cap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumableView:
    """One consumable resource."""

    #: what there is of it, held or not
    total: int
    #: what nobody holds; never negative
    free: int
    #: whether a job that ends gives back what it took
    is_replenishable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLength:
    """How long jobs of one history run, as learned from those that ended; in seconds."""

    median: float
    #: nine of ten were over by then
    p90: float
    #: nearly all were: what is planned with
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningView:
    """A job that holds its part of hosts and of its environment; instants on the clock of `Snapshot.now`."""

    key: JobKey
    job_class: JobClass
    environment: EnvironmentName
    #: what it holds of which host
    held: tuple[tuple[HostId, Resources], ...]
    #: when it was placed, or began to run once that is known
    since: float
    #: its time-out stops it then
    ends_by: float | None = None
    #: by what was learned it is over by then, nearly always
    expected_by: float | None = None
    #: by what was learned it is as likely over by then as not
    likely_ends: float | None = None

    def bound(self, now: float) -> float | None:
        """When it is over as far as can be told: it may have run longer than was learned."""
        ends_by, expected_by = self.ends_by, self.expected_by
        if expected_by is None or expected_by <= now:
            return ends_by
        return expected_by if ends_by is None else min(expected_by, ends_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The present, as far as placement needs it."""

    queues: Sequence[QueueView]
    environments: Mapping[EnvironmentName, EnvironmentView]
    #: mostly a `Fleet`
    hosts: Mapping[HostId, HostView]
    classes: Sequence[WaitingClass]
    oversize: Oversize
    consumables: Mapping[tuple[Scope, str], ConsumableView] = field(
        default_factory=dict[tuple[Scope, str], ConsumableView]
    )
    #: what runs: mostly a `Roster`
    running: Collection[RunningView] = ()
    #: how long jobs run, by `JobClass.history`, as far as was learned
    durations: Mapping[str, RunLength] = field(default_factory=dict[str, RunLength])
    #: the present on the clock by which the ends of `running` are given, in seconds
    now: float = 0.0
    #: what running jobs take of limits; nothing of those that are left out
    limits: Mapping[Counted, Use] = field(default_factory=dict[Counted, Use])
    #: upper bound of one plan
    max_placements: int = 1000
