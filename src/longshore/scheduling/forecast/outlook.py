"""What is likely to come: the present carried on many times, each time with run lengths drawn from what was learned.

The same jobs have the same luck in the same draw of two outlooks, whatever else is different in them: so two can be
compared job by job. A run length that nobody can know (nothing of its family has ended so far, and no time-out bounds
it) is taken to be endless: who starts nevertheless, starts in any case; of who does not it is said that it is unknown.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from longshore.domain.ids import HostId, JobKey
from longshore.domain.run_lengths import RunHistory, RunLengths
from longshore.scheduling.classes import JobClass
from longshore.scheduling.forecast.course import Course, Started
from longshore.scheduling.forecast.dependents import Dependents, Follower
from longshore.scheduling.forecast.world import Running
from longshore.scheduling.plan import Placement
from longshore.scheduling.snapshot import Snapshot

DRAWS = 16
#: Jobs that are followed to their start in each draw.
MOST_STARTS = 2_000
#: An environment, and the hosts in it.
Where: TypeAlias = tuple[str, tuple[HostId, ...]]
_MIX = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A job that holds its part of the present."""

    placement: Placement
    #: since it began to run; 0 while it is being started
    elapsed_seconds: float
    #: it is being stopped
    is_going: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A copy of the present, and what is known of run lengths."""

    snapshot: Snapshot
    holding: Sequence[Holding]
    #: by `JobClass.history`
    histories: Mapping[str, RunHistory]
    #: jobs that wait for others
    followers: Sequence[Follower] = ()

    @property
    def known(self) -> Mapping[str, RunLengths]:
        """Distributions of run lengths, by `JobClass.history`."""
        return {family: RunLengths(history) for family, history in self.histories.items() if history.count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """When a job starts, in seconds from the present; each bound None where none is known."""

    #: one of ten draws has it start before
    early: float | None
    median: float | None
    #: nine of ten do
    late: float | None
    #: where it starts most often, by name of the environment; empty where it does not
    environment: str = ""
    #: and on which hosts: several for a job of several nodes
    hosts: tuple[HostId, ...] = ()
    #: of a job that was not followed to its start: it starts later than that
    after: float | None = None


@dataclass(slots=True)
class Forecast:
    """Predicted starts."""

    #: a list for each draw; in it the second in which each job starts
    starts: list[dict[JobKey, float]] = field(default_factory=list[dict[JobKey, float]])
    #: how often each job starts where
    places: dict[JobKey, Counter[Where]] = field(default_factory=dict[JobKey, Counter[Where]])
    #: for each draw: how far it was followed; infinite: until nothing would change any more
    horizons: list[float] = field(default_factory=list[float])
    #: families of jobs that started in it, or run, and of which nobody can know how long
    unknown: set[str] = field(default_factory=set[str])

    def of(self, key: JobKey) -> Prediction:
        """What is predicted of a waiting job."""
        return self._predict([starts.get(key, inf) for starts in self.starts], self.places.get(key, Counter()))

    def first_between(self, first: JobKey, last: JobKey) -> Prediction:
        """The same of whichever job starts first of those with keys from `first` to `last`."""
        seen: list[float] = []
        where: Counter[Where] = Counter()
        for starts in self.starts:
            at, key = min(((at, key) for key, at in starts.items() if first <= key <= last), default=(inf, first))
            seen.append(at)
            where = where or self.places.get(key, where)
        return self._predict(seen, where)

    def last_between(self, first: JobKey, last: JobKey, *, count: int | None = None) -> Prediction:
        """The same of whichever starts last of `count` of these; None: of all that start at all."""
        found = [[at for key, at in starts.items() if first <= key <= last] for starts in self.starts]
        most = max(map(len, found), default=0) if count is None else count
        seen = [max(ats) if ats and len(ats) == most else inf for ats in found]
        return self._predict(seen, Counter())

    def _predict(self, seen: Sequence[float], where: Counter[Where]) -> Prediction:
        ordered = sorted(seen)
        early, median, late = (quantile(ordered, share) for share in (0.1, 0.5, 0.9))
        open_ends = [horizon for at, horizon in zip(seen, self.horizons, strict=True) if at == inf]
        after = min(open_ends, default=inf) if median is None else inf
        ((environment, hosts), _), *_ = where.most_common(1) or [(("", ()), 0)]
        return Prediction(
            early=early,
            median=median,
            late=late,
            environment=environment,
            hosts=hosts,
            after=None if after == inf else after,
        )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The quantile between the draws; None: it is beyond them."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    if ordered[high] == inf and place > low or ordered[low] == inf:
        return None
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def forecast(
    outlook: Outlook, *, draws: int = DRAWS, most_starts: int = MOST_STARTS, is_over: Callable[[], bool] = lambda: False
) -> Forecast:
    """Carry the present on. `is_over` is asked at every step: at least one draw is begun, and what it saw is used."""
    found = Forecast()
    known = outlook.known
    for draw in range(draws):
        if found.starts and is_over():
            break
        luck = Luck(known, draw)
        course = Course(
            outlook.snapshot,
            seconds_of=luck.seconds_of,
            running=[_running(holding, luck) for holding in outlook.holding],
        )
        dependents = Dependents(outlook.followers)
        starts: dict[JobKey, float] = {}
        horizon = inf
        for event in course.events():
            if isinstance(event, Started):
                key = event.placement.key
                if key not in starts:
                    starts[key] = event.at
                    found.places.setdefault(key, Counter())[_where(event.placement)] += 1
            elif not event.was_preempted:
                for freed in dependents.ended(event.running.placement.key):
                    course.admit(freed.job_class, intake=freed.intake, key=freed.key, count=freed.count)
            if len(starts) >= most_starts or is_over():
                horizon = course.now
                break
        if horizon < inf and found.starts and len(starts) < min(map(len, found.starts)):
            break  # cut short: it would say less than the draws before
        found.unknown |= luck.unknown
        found.starts.append(starts)
        found.horizons.append(horizon)
    return found


def _where(placement: Placement) -> Where:
    nodes = placement.nodes or (placement,)
    return placement.environment_name, tuple(dict.fromkeys(node.host_id for node in nodes))


def _running(holding: Holding, luck: "Luck") -> Running:
    placement, elapsed = holding.placement, holding.elapsed_seconds
    ends_in = 0.0 if holding.is_going else luck.seconds_of(placement.key, placement.job_class, elapsed) - elapsed
    return Running(placement=placement, started_at=-elapsed, ends_at=max(ends_in, 0.0))


class Luck:
    """How long jobs run in one draw."""

    def __init__(self, known: Mapping[str, RunLengths], draw: int) -> None:
        self._known = known
        self._draw = draw
        self.unknown: set[str] = set()

    def seconds_of(self, key: JobKey, job_class: JobClass, elapsed: float = 0.0) -> float:
        """In seconds, and more than have elapsed; infinite where nobody can know."""
        lengths = self._known.get(job_class.history)
        if lengths is None and job_class.timeout_seconds is None:
            self.unknown.add(job_class.history)
        seconds = inf if lengths is None else lengths.after(elapsed, self._share(key))
        return seconds if job_class.timeout_seconds is None else min(seconds, job_class.timeout_seconds)

    def _share(self, key: JobKey) -> float:
        """From 0 to below 1, evenly over the draws and over the jobs. Source: Steele, Lea and Flood, SplitMix64."""
        mixed = (key * 0x100 + self._draw + 1) * _MIX & _MASK
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        return (mixed ^ mixed >> 31) / 2**64
