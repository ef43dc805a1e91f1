"""How good predicted starts are: those that a server would have told while a trace was replayed, beside what came.

The replay learns how long jobs run as a server does, from those that have ended, and plans with that. Now and then it
looks ahead from its present, as a server does that is asked, and notes what it would tell some of the waiting jobs.
A family is what one share submits of one size and with one limit: traces have no job definitions.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np

from longshore.domain.ids import JobKey
from longshore.domain.resources import Resources
from longshore.domain.run_lengths import RunHistory, RunLengths, parts_family
from longshore.scheduling.classes import JobClass
from longshore.scheduling.forecast.course import Arrival, Course, Ended, Started
from longshore.scheduling.forecast.outlook import MOST_RECENT, Holding, Outlook, Prediction, forecast
from longshore.scheduling.snapshot import RunLength, WaitingClass
from longshore.simulator.fleet import Fleet
from longshore.simulator.policies import Policy
from longshore.simulator.replay import class_in, present_of
from longshore.simulator.trace import Trace

_EPOCH = datetime.fromtimestamp(0, UTC)
#: Jobs that are noted of each look ahead.
_NOTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What was predicted of a job that waited, and what came; in seconds from the prediction."""

    prediction: Prediction
    started: float


def predict(
    trace: Trace,
    fleet: Fleet,
    policy: Policy,
    *,
    looks: int,
    decay_seconds: int = 86_400,
    seed: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> list[Noted]:
    """Predictions made at about so many ends of jobs, spread evenly over the trace but for its first tenth."""
    rng, families = Random(seed), _Families()
    seconds: list[float] = trace.held_seconds.tolist()
    present = replace(present_of(fleet, policy, decay_seconds), durations=families.durations)
    arrivals = list(_arrivals(trace, fleet, policy))
    course = Course(present, seconds_of=lambda key, _: seconds[key], arrivals=arrivals)
    every = max(len(trace) * 9 // 10 // looks, 1)
    noted: list[tuple[JobKey, float, Prediction]] = []
    started: dict[JobKey, float] = {}
    ends = made = 0
    for event in course.events():
        match event:
            case Started():
                started[event.placement.key] = event.at
            case Ended():
                families.learn(event)
                ends += 1
                if ends > len(trace) // 10 and ends % every == 0 and course.waiting:
                    keys = _some(course.waiting, rng)
                    found = forecast(_outlook(course, families, arrivals))
                    noted += ((key, event.at, found.of(key)) for key in keys)
                    made += 1
                    if on_progress is not None:
                        on_progress(made)
    return [Noted(prediction=told, started=started[key] - at) for key, at, told in noted if key in started]


def _outlook(course: Course, families: "_Families", arrivals: Sequence[Arrival]) -> Outlook:
    until = bisect_right(arrivals, course.now, key=lambda arrival: arrival.at)
    recent = [replace(each, at=course.now - each.at) for each in arrivals[max(until - MOST_RECENT, 0) : until]]
    holding = [
        Holding(placement=each.placement, elapsed_seconds=course.now - each.started_at) for each in course.running
    ]
    return Outlook(snapshot=course.present(), holding=holding, histories=dict(families.histories), recent=recent)


def _some(waiting: Sequence[WaitingClass], rng: Random) -> list[JobKey]:
    runs = [run for each in waiting for run in each.runs]
    chosen = rng.choices(runs, weights=[run.count for run in runs], k=_NOTED)
    return list(dict.fromkeys(JobKey(run.key + rng.randrange(run.count)) for run in chosen))


class _Families:
    """What is learned of run lengths."""

    def __init__(self) -> None:
        self.histories: dict[str, RunHistory] = {}
        #: changed in its place: the replay plans with it
        self.durations: dict[str, RunLength] = {}

    def learn(self, ended: Ended) -> None:
        job_class, length = ended.running.placement.job_class, ended.at - ended.running.started_at
        self._learn(job_class.history, length, ended.at)
        if job_class.timeout_seconds is not None:
            self._learn(parts_family(job_class.scope), length / job_class.timeout_seconds, ended.at)

    def _learn(self, name: str, length: float, now: float) -> None:
        at = _EPOCH + timedelta(seconds=now)
        history = self.histories.get(name, RunHistory(family=name, at=at)).learn([length], at)
        lengths = RunLengths(history)
        self.histories[name] = history
        self.durations[name] = RunLength(
            median=lengths.quantile(0.5), p90=lengths.quantile(0.9), bound=lengths.quantile(0.95)
        )


def _arrivals(trace: Trace, fleet: Fleet, policy: Policy) -> Iterator[Arrival]:
    classes: dict[tuple[int, int, int, int, float], JobClass] = {}
    for at in range(len(trace)):
        share, limit = int(trace.share[at]), float(trace.limit_seconds[at])
        asked = int(trace.vcpu_milli[at]), int(trace.memory_mib[at]) if fleet.has_memory else 0, int(trace.gpus[at])
        kind = share, *asked, limit
        if kind not in classes:
            resources = Resources(vcpu_milli=asked[0], memory_mib=asked[1], gpus=asked[2])
            classes[kind] = replace(
                class_in(fleet, resources),
                share=trace.shares[share] if policy.is_fair else "",
                timeout_seconds=None if np.isinf(limit) else max(int(limit), 1),
                history=" ".join(map(str, kind)),
            )
        yield Arrival(at=float(trace.submitted_at[at]), key=JobKey(at), job_class=classes[kind])
