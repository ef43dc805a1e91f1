"""What is learned of run times: close to what was seen, in step with changes, and honest about what is not known."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.ids import Scope
from longshore.domain.job import StopCause
from longshore.domain.run_lengths import GROWTH, RunHistory, RunLengths, family_of, run_seconds
from longshore.testing.job_builders import A_MOMENT, A_SCOPE, a_job, an_attempt, job_of, moment

NEW = RunHistory(family="f", at=A_MOMENT)


@given(st.lists(st.floats(0.001, 1e7), min_size=300, max_size=400))
def test_quantiles_are_those_of_what_was_seen(lengths: list[float]) -> None:
    """To the width of a bin; the median lies between those of the sample's middle."""
    found = RunLengths(NEW.learn(lengths, A_MOMENT)).quantile(0.5)
    ordered = sorted(lengths)
    low, high = ordered[len(ordered) // 2 - 2], ordered[len(ordered) // 2 + 2]
    assert low / GROWTH <= found <= high * GROWTH


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50), st.floats(0.0, 0.99))
def test_shares_are_the_inverse_of_quantiles(lengths: list[float], share: float) -> None:
    """Within what is known and beyond it."""
    known = RunLengths(NEW.learn(lengths, A_MOMENT))
    assert known.share_below(known.quantile(share)) == pytest.approx(share, abs=1e-6)


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50), st.floats(0, 1e8), st.floats(0.0, 0.999))
def test_who_runs_already_ends_later_than_now(lengths: list[float], elapsed: float, share: float) -> None:
    """However long it has run, and the later the larger the share."""
    known = RunLengths(NEW.learn(lengths, A_MOMENT))
    assert known.after(elapsed, share) >= elapsed
    assert known.after(elapsed, share) >= known.after(elapsed, share / 2)


def test_one_attempt_says_little_and_many_say_much() -> None:
    """The median is the same, the spread is not."""
    once = RunLengths(NEW.learn([10.0], A_MOMENT))
    often = RunLengths(NEW.learn([10.0] * 300, A_MOMENT))
    assert once.quantile(0.5) == pytest.approx(10.0, rel=0.1)
    assert once.quantile(0.95) > 20.0
    assert often.quantile(0.05) > 9.0
    assert often.quantile(0.95) < 11.5


def test_a_distribution_redrawn_is_as_far_off_as_little_is_known() -> None:
    """With shapes as they are it is the same; of much that is known little changes."""
    lengths = [10.0, 100.0]
    few = RunLengths(NEW.learn(lengths, A_MOMENT))
    assert few.redrawn(lambda shapes: shapes).quantile(0.7) == few.quantile(0.7)
    rng, spreads = Random(1), list[float]()

    def gammas(shapes: Sequence[float]) -> list[float]:
        return [rng.gammavariate(shape, 1) for shape in shapes]

    for known in (few, RunLengths(NEW.learn(lengths * 100, A_MOMENT))):
        redrawn = [known.redrawn(gammas) for _ in range(200)]
        below = sorted(each.share_below(50.0) for each in redrawn)
        assert below[100] == pytest.approx(0.5, abs=0.1)
        spreads.append(below[180] - below[20])
    assert spreads[0] > 3 * spreads[1]


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=20), st.floats(0.0, 0.99))
def test_shares_are_the_inverse_of_quantiles_when_redrawn(lengths: list[float], share: float) -> None:
    """Whatever is drawn, also nothing at all."""
    known = RunLengths(NEW.learn(lengths, A_MOMENT)).redrawn(
        lambda shapes: [each * (n % 3) for n, each in enumerate(shapes)]
    )
    assert known.share_below(known.quantile(share)) == pytest.approx(share, abs=1e-6)


def test_who_ran_longer_than_all_known_goes_on_as_long_again_with_an_even_chance() -> None:
    """As processes do."""
    assert RunLengths(NEW.learn([10.0] * 5, A_MOMENT)).after(3600.0, 0.5) == pytest.approx(7200.0)


def test_changes_are_followed_by_attempts_and_by_time() -> None:
    """What a program took before it was changed counts for less and less."""
    slow = NEW.learn([100.0] * 400, A_MOMENT)
    faster = slow.learn([10.0] * 400, A_MOMENT)
    assert RunLengths(faster).quantile(0.5) == pytest.approx(10.0, rel=0.1)
    later = slow.learn([10.0] * 30, A_MOMENT + timedelta(days=35))
    assert RunLengths(later).quantile(0.5) == pytest.approx(10.0, rel=0.1)
    assert (faster.count, later.count) == (800, 430)


def test_what_is_kept_is_bounded() -> None:
    """However many attempts there were, and however they differed."""
    history = NEW
    for number in range(2000):
        history = history.learn([1.01**number % 1e6 + 0.001 * number], A_MOMENT)
    assert len(history.weights) < 250
    assert sum(history.weights.values()) < 300


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("align", "align"),
        ("align-v2", "align-v2"),
        ("train-20240101", "train-*"),
        ("snakejob-map_reads-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "snakejob-map_reads-*"),
        ("nf-ubuntu-0123456789abcdef0123456789abcdef", "nf-ubuntu-*"),
        ("feedbeef-decade", "feedbeef-decade"),
    ],
)
def test_ids_made_for_one_use_do_not_part_families(name: str, told: str) -> None:
    """Words that look like hexadecimal digits stay; so do versions."""
    assert family_of(A_SCOPE, name) == f"000000000000/us-east-1/{told}"
    assert family_of(Scope(account_id="000000000000", region="eu-west-1"), name) != family_of(A_SCOPE, name)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"exit_code": 0}, 8.0),
        ({"exit_code": 3}, 8.0),
        ({"exit_code": 137, "stop_cause": StopCause.TIMED_OUT}, 8.0),
        ({"exit_code": 137, "stop_cause": StopCause.TERMINATED}, None),
        ({"exit_code": 137, "stop_cause": StopCause.PREEMPTED}, None),
        ({"status_reason": "Host EC2 (instance local) terminated."}, None),
        ({"exit_code": 0, "started_at": None}, None),
    ],
)
def test_only_ends_that_say_something_are_learned_from(changes: dict[str, object], seconds: float | None) -> None:
    """Not those that others brought about."""
    spec = a_job().new(1).spec
    whole = {"started_at": moment(2), "stopped_at": moment(10), **changes}
    assert run_seconds(an_attempt(job_of(spec), **whole)) == seconds
