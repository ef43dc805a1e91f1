"""Predicted starts: right where run lengths are certain, spread where they are not, silent where nothing is known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from longshore.domain.ids import HostId, JobKey
from longshore.domain.policy import FairsharePolicy
from longshore.domain.run_lengths import RunHistory, parts_family
from longshore.scheduling.fairshare import FairShareView
from longshore.scheduling.forecast.comparing import Shift, delays
from longshore.scheduling.forecast.course import Arrival
from longshore.scheduling.forecast.dependents import Awaited, Follower
from longshore.scheduling.forecast.outlook import (
    Forecast,
    Holding,
    Outlook,
    Prediction,
    expected_arrivals,
    forecast,
)
from longshore.scheduling.plan import Placement
from longshore.scheduling.snapshot import Snapshot, WaitingClass
from longshore.testing.job_builders import A_MOMENT, A_SCOPE
from tests.unit.scheduling.situations import FOUR_VCPUS, a_host, a_snapshot, some, waiting

ALL = some(4, 4096)
CERTAIN = {"ten": [10.0] * 5000, "hundred": [100.0] * 5000}


def learned(lengths: Mapping[str, Sequence[float]]) -> dict[str, RunHistory]:
    return {name: RunHistory(family=name, at=A_MOMENT).learn(found, A_MOMENT) for name, found in lengths.items()}


def a_holding(elapsed: float = 0.0, *, history: str = "ten", key: int = 1, **members: Any) -> Holding:
    """A job that holds the whole host."""
    job_class = waiting(ALL, 1, history=history, **members).job_class
    placement = Placement(
        key=JobKey(key),
        intake=0,
        job_class=job_class,
        environment_name="environment",
        host_id=HostId("local"),
        resources=ALL,
        gpu_names=(),
    )
    return Holding(placement=placement, elapsed_seconds=elapsed)


def an_outlook(snapshot: Snapshot, *holding: Holding, lengths: Mapping[str, Sequence[float]] = CERTAIN) -> Outlook:
    return Outlook(snapshot=snapshot, holding=holding, histories=learned(lengths))


def full(*classes: WaitingClass) -> Snapshot:
    return a_snapshot(*classes, hosts=[a_host(used=FOUR_VCPUS)])


def near(seconds: float) -> object:
    return pytest.approx(seconds, rel=0.15)


def test_jobs_start_as_those_before_them_end() -> None:
    """One after the other on a host that each needs whole; who runs already has done a part."""
    outlook = an_outlook(full(waiting(ALL, 1, 2, history="ten")), a_holding(4.0))
    found = forecast(outlook)
    first, second = found.of(JobKey(1001)), found.of(JobKey(1002))
    assert first.median == pytest.approx(6.0, abs=1.0)
    assert second.median == pytest.approx(16.0, abs=2.0)
    assert (first.environment, first.after) == ("environment", None)
    assert found.first_between(JobKey(1000), JobKey(1002)) == first


def test_what_is_free_starts_at_once() -> None:
    """At the present."""
    assert forecast(an_outlook(a_snapshot(waiting(ALL, 1)))).of(JobKey(1001)) == Prediction(
        early=0.0, median=0.0, late=0.0, environment="environment", hosts=(HostId("local"),)
    )


def test_spread_of_lengths_is_spread_of_starts() -> None:
    """Early and late stand as far apart as what was learned."""
    lengths = {"ten": [2.0] * 100 + [50.0] * 100}
    found = forecast(an_outlook(full(waiting(ALL, 1)), a_holding(), lengths=lengths), draws=64).of(JobKey(1001))
    assert found.early == near(2.0)
    assert found.late == near(50.0)


def test_who_waits_for_what_nobody_knows_has_no_prediction() -> None:
    """Nor a time that it starts after; a time-out is a bound."""
    unknown = forecast(an_outlook(full(waiting(ALL, 1)), a_holding(history="new")))
    assert unknown.of(JobKey(1001)) == Prediction(early=None, median=None, late=None)
    assert unknown.unknown == {"new"}
    bounded = forecast(an_outlook(full(waiting(ALL, 1)), a_holding(5.0, history="new", timeout_seconds=30)))
    assert bounded.of(JobKey(1001)).late == 25.0


def test_work_is_bounded_and_what_lies_beyond_starts_later() -> None:
    """The bound is in jobs, and in whatever the caller counts."""
    outlook = an_outlook(full(waiting(ALL, *range(1, 50), history="ten")), a_holding())
    found = forecast(outlook, most_starts=5)
    assert found.of(JobKey(1005)).median == near(50.0)
    assert found.of(JobKey(1006)).after == near(50.0)
    asked = iter([False] * 10 + [True] * 1000)
    cut = forecast(outlook, is_over=lambda draw: next(asked))
    assert len(cut.starts) == 1
    assert cut.of(JobKey(1049)).median is None
    assert 0 < (cut.of(JobKey(1049)).after or inf) < 100


def test_what_only_the_first_draw_reaches_is_told_without_an_error_bar() -> None:
    """What more of them reach is told with one."""
    outlook = an_outlook(full(waiting(ALL, *range(1, 30), history="ten")), a_holding())
    steps = Counter[int]()

    def is_over(draw: int) -> bool:
        steps[draw] += 1
        return draw > 0 and steps[draw] > 10

    found = forecast(outlook, is_over=is_over)
    near_by, far = found.of(JobKey(1002)), found.of(JobKey(1029))
    assert (near_by.median, near_by.late is None) == (near(20.0), False)
    assert (far.median, far.early, far.late) == (near(290.0), None, None)


def test_dependents_come_in_their_place_when_what_they_await_has_ended() -> None:
    """Of a job, and of the last child of an array."""
    snapshot = full(waiting(ALL, 1, 2, 9, history="ten"))
    job_class = waiting(ALL, 3, history="hundred").job_class
    array = Awaited(first=JobKey(1001), last=JobKey(1002), left=2)
    runner = Awaited(first=JobKey(1), last=JobKey(1), left=1)
    follower = Follower(key=JobKey(500), intake=3, job_class=job_class, count=2, awaits=(array, runner))
    outlook = Outlook(snapshot=snapshot, holding=[a_holding()], histories=learned(CERTAIN), followers=[follower])
    found = forecast(outlook)
    assert found.of(JobKey(500)).median == near(30.0)
    assert found.of(JobKey(501)).median == near(130.0)
    assert found.of(JobKey(1009)).median == near(230.0)


def test_two_outlooks_of_one_present_differ_by_their_difference_alone() -> None:
    """The luck of a job does not depend on who else is there."""
    lengths = {"ten": [1.0, 10.0, 100.0, 1000.0] * 20}
    plain = an_outlook(full(waiting(ALL, 1, 3, history="ten")), a_holding(), lengths=lengths)
    more = an_outlook(full(waiting(ALL, 1, 3, 7, history="ten")), a_holding(), lengths=lengths)
    without, with_it = forecast(plain), forecast(more)
    assert [starts[JobKey(1003)] for starts in without.starts] == [starts[JobKey(1003)] for starts in with_it.starts]


def test_a_new_family_runs_for_a_part_of_its_time_out_as_others_did() -> None:
    """And no longer than it allows."""
    waits = full(waiting(ALL, 1))
    holding = a_holding(history="new", timeout_seconds=1000)
    parts = learned({parts_family(A_SCOPE): [0.1] * 300})
    found = forecast(Outlook(snapshot=waits, holding=[holding], histories=parts)).of(JobKey(1001))
    assert found.median == pytest.approx(100, rel=0.1)
    unknown = forecast(an_outlook(waits, holding)).of(JobKey(1001))
    assert unknown.median == 1000


def test_jobs_of_a_family_share_a_part_of_their_luck() -> None:
    """So that the start behind many of them is not taken to be surer than that of one."""
    lengths = {"ten": [1.0, 10.0, 100.0] * 50}
    outlook = an_outlook(full(waiting(ALL, *range(1, 20), history="ten")), a_holding(), lengths=lengths)
    last = forecast(outlook, draws=32).of(JobKey(1019))
    assert last.early is not None
    assert last.late is not None
    assert last.late > 2 * last.early


def test_two_courses_tell_no_error_bar() -> None:
    """Unless the job starts at once in both."""
    lengths = {"ten": [1.0, 10.0, 100.0] * 50}
    found = forecast(an_outlook(full(waiting(ALL, 1)), a_holding(), lengths=lengths), draws=2).of(JobKey(1001))
    assert found.median is not None
    assert (found.early, found.late) == (None, None)
    assert forecast(an_outlook(a_snapshot(waiting(ALL, 1))), draws=2).of(JobKey(1001)).late == 0


def test_what_came_of_late_comes_again_where_it_may_pass() -> None:
    """To a queue whose shares take turns, and to one that comes first; each but once, and under no key of a job."""
    job_class = waiting(ALL, 1).job_class
    recent = [Arrival(at=float(ago), key=JobKey(0), job_class=job_class, count=2) for ago in (900, 500, 1)]
    snapshot = full(waiting(ALL, 1))
    plain = Outlook(snapshot=snapshot, holding=[a_holding()], histories={}, recent=recent)
    assert not expected_arrivals(plain, 0.5)
    fair = FairShareView(policy=FairsharePolicy(), shares={})
    shared = replace(plain, snapshot=replace(snapshot, queues=[replace(each, fair=fair) for each in snapshot.queues]))
    found = expected_arrivals(shared, 0.5)
    assert [each.at for each in found] == [449, 450, 850]
    keys = [key for each in found for key in range(each.key, each.key + each.count)]
    assert len(set(keys)) == 6
    assert forecast(shared).starts[0].keys() <= {JobKey(1001)}


def test_how_much_later_others_start_is_told_draw_by_draw() -> None:
    """Of what was followed in both; what starts no more is later by all time."""

    def forecast_of(*starts: dict[int, float], horizon: float = inf) -> Forecast:
        found = [{JobKey(key): at for key, at in each.items()} for each in starts]
        return Forecast(starts=found, horizons=[horizon] * len(starts))

    before = forecast_of({1: 0.0, 2: 10.0, 3: 5.0}, {1: 0.0, 2: 100.0, 3: 5.0})
    assert delays(before, forecast_of({1: 0.5, 2: 40.0, 3: 5.0}, {1: 0.5, 2: 130.0, 3: 5.0})) == {
        2: Shift(median=30.0, late=30.0)
    }
    assert delays(before, forecast_of({1: 0.0, 2: 10.0}, {1: 0.0, 2: 100.0})) == {3: Shift(median=None, late=None)}
    cut = delays(before, forecast_of({1: 0.0}, {1: 0.0}, horizon=8.0))
    assert cut == {3: Shift(median=3.0, late=3.0)}
