"""What a comparison says, as documents for people and programs. Light: the command line knows them all."""

from longshore.service.documents import Document


class SpreadOfJobs(Document, frozen=True):
    """A quantity of many jobs."""

    mean: float
    median: float
    p95: float
    max: float


class DelayedJobs(Document, frozen=True):
    """Jobs that start later than under the first policy."""

    than: str
    jobs: int
    mean_seconds: float
    max_seconds: float


class PolicyReport(Document, frozen=True):
    """How one policy did."""

    policy: str
    about: str
    never_started: int
    wait_seconds: SpreadOfJobs
    bounded_slowdown: SpreadOfJobs
    utilisation: float
    #: Jain's index of the shares' mean bounded slowdowns
    fairness: float
    makespan_seconds: float
    #: of the makespan over the volume bound, as a part of that
    gap: float
    #: None of the first policy
    delayed: DelayedJobs | None


class SimulationReport(Document, frozen=True):
    """Policies side by side."""

    trace: str
    remarks: tuple[str, ...]
    jobs: int
    shares: int
    fleet: str
    interval_seconds: float
    #: no schedule ends earlier
    volume_bound_seconds: float
    threshold_seconds: float
    policies: tuple[PolicyReport, ...]
