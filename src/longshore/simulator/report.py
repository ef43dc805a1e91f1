"""The report on a comparison."""

from collections.abc import Sequence
from dataclasses import asdict

from longshore.simulator.comparison import Setting
from longshore.simulator.documents import DelayedJobs, PolicyReport, SimulationReport, SpreadOfJobs
from longshore.simulator.measures import THRESHOLD_SECONDS, delay, measure
from longshore.simulator.replay import Replay


def report_on(setting: Setting, replays: Sequence[Replay]) -> SimulationReport:
    """The report on replays of one trace; the first one is what the others are compared with."""
    trace, fleet = setting.trace, setting.fleet
    found = [measure(trace, fleet, replay) for replay in replays]
    policies = [
        PolicyReport(
            policy=replay.policy.name,
            about=replay.policy.about,
            never_started=measures.never_started,
            wait_seconds=SpreadOfJobs(**asdict(measures.wait_seconds)),
            bounded_slowdown=SpreadOfJobs(**asdict(measures.bounded_slowdown)),
            utilisation=measures.utilisation,
            fairness=measures.fairness,
            makespan_seconds=measures.makespan_seconds,
            gap=measures.gap,
            delayed=DelayedJobs(**asdict(delay(replay, replays[0]))) if replay is not replays[0] else None,
        )
        for replay, measures in zip(replays, found, strict=True)
    ]
    without_memory = trace.memory_mib.any() and not fleet.has_memory
    remarks = (*trace.remarks, *(["the fleet has no memory given, so none is asked for"] if without_memory else []))
    return SimulationReport(
        trace=trace.about,
        remarks=remarks,
        jobs=len(trace),
        shares=len(trace.shares),
        fleet=str(fleet),
        interval_seconds=setting.interval_seconds,
        volume_bound_seconds=found[0].bound_seconds,
        threshold_seconds=THRESHOLD_SECONDS,
        policies=tuple(policies),
    )
