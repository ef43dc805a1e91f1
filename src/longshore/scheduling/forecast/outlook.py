"""What is likely to come: the present carried on many times, each time with run lengths drawn from what was learned.

The same jobs have the same luck in the same draw of two outlooks, whatever else is different in them: so two can be
compared job by job. A run length that nobody can know (nothing of its family has ended so far, and no time-out bounds
it) is taken to be endless: who starts nevertheless, starts in any case; of who does not it is said that it is unknown.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TypeAlias

from longshore.domain.ids import HostId, JobKey
from longshore.domain.run_lengths import RunHistory, RunLengths
from longshore.scheduling.forecast.course import Arrival, Course, Started
from longshore.scheduling.forecast.dependents import Dependents, Follower
from longshore.scheduling.forecast.luck import Luck
from longshore.scheduling.forecast.world import Running
from longshore.scheduling.plan import Placement
from longshore.scheduling.snapshot import Snapshot

DRAWS = 16
#: Jobs that are followed to their start in each draw.
MOST_STARTS = 2_000
#: An environment, and the hosts in it.
Where: TypeAlias = tuple[str, tuple[HostId, ...]]
#: With fewer nobody can tell where one of ten lies.
_LEAST_DRAWS = 9
#: Submissions of late that are remembered.
MOST_RECENT = 250
#: What came in less time is taken for what comes in so much.
_LEAST_SPAN_SECONDS = 600.0
#: Keys of jobs that are not there yet begin here.
_EXPECTED = 1 << 61


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
    #: what was submitted of late, the oldest first; each in seconds before the present, and without keys
    recent: Sequence[Arrival] = ()

    @property
    def waiting(self) -> int:
        """Jobs that may start."""
        runs = sum(run.count for each in self.snapshot.classes for run in each.runs)
        return runs + sum(each.count for each in self.followers)

    @property
    def known(self) -> Mapping[str, RunLengths]:
        """Distributions of run lengths, by `JobClass.history`."""
        return {family: RunLengths(history) for family, history in self.histories.items() if history.count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """When a job starts, in seconds from the present; each bound None where none is known."""

    #: one of ten draws has it start before; None also where there were too few
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
    """Predicted starts of the jobs that are there."""

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
        reached = [at for at, until in zip(seen, self.horizons, strict=True) if at < inf or until == inf]
        is_cut = 2 * len(reached) <= len(seen)  # most draws were not followed as far as that
        ordered = sorted(reached if is_cut and reached else seen)
        early, median, late = (quantile(ordered, share) for share in (0.1, 0.5, 0.9))
        if (is_cut or len(ordered) < _LEAST_DRAWS) and ordered[-1] > 0:
            early = late = None
        open_ends = [horizon for at, horizon in zip(seen, self.horizons, strict=True) if at == inf]
        after = max(open_ends, default=inf) if median is None else inf
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
    """What so large a share of further draws would not exceed; None: it is beyond them.

    Of n draws one more lies with even chance in each of the n + 1 gaps between and beside them.
    """
    place = min(max(share * (len(ordered) + 1) - 1, 0.0), len(ordered) - 1.0)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    if ordered[high] == inf and place > low or ordered[low] == inf:
        return None
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def forecast(
    outlook: Outlook,
    *,
    draws: int = DRAWS,
    most_starts: int = MOST_STARTS,
    is_over: Callable[[int], bool] = lambda draw: False,
) -> Forecast:
    """Carry the present on. `is_over` is asked at every step of a draw whether its time has passed.

    At least one draw is begun, and what each has seen is used.
    """
    found = Forecast()
    known = outlook.known
    for draw in range(draws):
        if found.starts and is_over(draws - 1):
            break
        luck = Luck(known, draw)
        course = Course(
            outlook.snapshot,
            seconds_of=luck.seconds_of,
            running=[_running(holding, luck) for holding in outlook.holding],
            arrivals=expected_arrivals(outlook, luck.share_of(0)),
        )
        dependents = Dependents(outlook.followers)
        starts: dict[JobKey, float] = {}
        horizon = inf
        for event in course.events():
            if isinstance(event, Started):
                key = event.placement.key
                if key not in starts and key < _EXPECTED:
                    starts[key] = event.at
                    found.places.setdefault(key, Counter())[_where(event.placement)] += 1
            elif not event.was_preempted:
                for freed in dependents.ended(event.running.placement.key):
                    course.admit(freed.job_class, intake=freed.intake, key=freed.key, count=freed.count)
            if len(starts) == outlook.waiting:
                break
            if len(starts) >= most_starts or is_over(draw):
                horizon = course.now
                break
        found.unknown |= luck.unknown
        found.starts.append(starts)
        found.horizons.append(horizon)
    return found


def expected_arrivals(outlook: Outlook, share: float) -> Sequence[Arrival]:
    """What may be submitted from now on: what was of late, once more, from some instant on and round.

    Left out is what passes nobody: what comes to a queue where the first are served first, unless it is of a higher
    priority than another queue in which jobs wait.
    """
    if not outlook.recent:
        return ()
    queues = {(queue.scope, queue.name): queue for queue in outlook.snapshot.queues}
    names = {(each.job_class.scope, each.job_class.queue_name) for each in outlook.snapshot.classes}
    lowest = min((queues[name].priority for name in names if name in queues), default=0)
    span = max(outlook.recent[0].at, _LEAST_SPAN_SECONDS)
    found: list[Arrival] = []
    key = _EXPECTED
    for each in outlook.recent:
        queue = queues.get((each.job_class.scope, each.job_class.queue_name))
        if queue is not None and (queue.fair or queue.quota or queue.priority > lowest):
            job_class = replace(each.job_class, limits=())  # those of an array were its own
            at = (span - each.at - share * span) % span
            found.append(replace(each, at=at, key=JobKey(key), job_class=job_class))
            key += each.count
    return sorted(found, key=lambda each: each.at)


def _where(placement: Placement) -> Where:
    nodes = placement.nodes or (placement,)
    return placement.environment_name, tuple(dict.fromkeys(node.host_id for node in nodes))


def _running(holding: Holding, luck: "Luck") -> Running:
    placement, elapsed = holding.placement, holding.elapsed_seconds
    ends_in = 0.0 if holding.is_going else luck.seconds_of(placement.key, placement.job_class, elapsed) - elapsed
    return Running(placement=placement, started_at=-elapsed, ends_at=max(ends_in, 0.0))
