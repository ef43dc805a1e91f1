"""Predictions over a replay: what would have been told, beside what came."""

from statistics import median

from longshore.simulator.fleet import parse_hosts
from longshore.simulator.models import MODELS, Mix
from longshore.simulator.policies import POLICIES
from longshore.simulator.predicting import predict
from tests.unit.simulator.test_replay import FOUR, Row, a_trace


def test_what_is_certain_is_predicted() -> None:
    """Jobs that all run as long as those before: none starts far from when it was said to."""
    rows: list[Row] = [(10.0 * number, 100.0, 4) for number in range(30)]
    noted = predict(a_trace(*rows), FOUR, POLICIES["fifo"], looks=4)
    assert noted
    for each in noted:
        assert each.prediction.median is not None
        assert abs(each.started - each.prediction.median) < 0.1 * each.started + 60


def test_starts_lie_in_their_error_bars() -> None:
    """Mostly, and are about where they are said to be."""
    fleet = parse_hosts(["1x16:64GiB"])
    trace = MODELS["poisson-arrays"](Mix(jobs=300, load=0.8, users=5, largest=16, seed=2), fleet)
    noted = predict(trace, fleet, POLICIES["easy"], looks=6)
    told = [(each, each.prediction.early, each.prediction.late) for each in noted]
    covered = [early <= each.started <= late for each, early, late in told if early is not None and late is not None]
    assert len(covered) >= 8
    assert sum(covered) / len(covered) > 0.5
    errors = [abs(each.started - (each.prediction.median or 0.0)) for each in noted]
    assert median(errors) < median(each.started for each in noted)
