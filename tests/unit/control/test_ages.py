"""Who is over the age bound is told by intake numbers: a little late, never early."""

from datetime import timedelta

from longshore.control.ages import SAMPLES, Ages, chosen
from longshore.domain.queue import Instant
from longshore.testing.builders import AT


def at(seconds: float, boot: str = "boot") -> Instant:
    return Instant(at=AT + timedelta(seconds=seconds), boot_id=boot, boot_seconds=seconds)


def test_who_was_taken_in_before_the_bound_is_over_it() -> None:
    ages = Ages()
    ages.bound_seconds = 1000
    assert ages.aged_intake(None, at(0)) == 0
    for second in range(0, 2000, 10):
        ages.note(second + 1, at(second))
    assert ages.aged_intake(None, at(999)) == 0
    assert ages.aged_intake(None, at(1000)) == 1
    assert ages.aged_intake(None, at(1505)) == 501
    assert ages.aged_intake(100, at(1505)) == 1401


def test_entries_are_bounded_and_stay_true() -> None:
    """However long the server runs with a short bound beside a long one."""
    ages = Ages()
    ages.aged_intake(10, at(0))
    for second in range(50_000):
        ages.note(second + 1, at(second))
    for bound in (1, 10, 100, 10_000, 40_000):
        found = ages.aged_intake(bound, at(50_000))
        assert 50_001 - bound - 20_000 < found <= 50_001 - bound
    assert ages.aged_intake(100, at(50_000)) >= 49_899


def test_ages_go_on_after_a_restart() -> None:
    """By the times of submission of jobs that wait, on the wall clock."""
    ages = Ages()
    ages.recall((intake, AT + timedelta(seconds=intake)) for intake in (300, 100, 200))
    now = Instant(at=AT + timedelta(seconds=1250), boot_id="next", boot_seconds=5)
    assert [ages.aged_intake(bound, now) for bound in (2000, 1150, 1050, 950, 10)] == [0, 101, 201, 301, 301]
    ages.note(400, now)
    later = Instant(at=now.at, boot_id="next", boot_seconds=100)
    assert ages.aged_intake(60, later) == 400


def test_a_few_of_many_are_chosen() -> None:
    assert chosen([1, 2, 3]) == [1, 2, 3]
    found = chosen(range(100_000))
    assert (len(found), found[0], found[-1]) == (SAMPLES, 0, 99_999)
    assert sorted(set(found)) == list(found)
