"""A signature that was seen before: an honest repeat, or a replay."""

import pytest

from longshore.api.aws import replay
from longshore.api.aws.faults import SignAnew, WrongSignature
from longshore.api.aws.replay import REPEAT_SECONDS, SeenSignatures

START = 1_000_000
HERE, THERE = "192.0.2.1:1000", "192.0.2.2:1000"


class Door:
    """Remembers signatures on a clock of its own."""

    def __init__(self) -> None:
        self.boot = 50.0
        self.seen = SeenSignatures(began_at=START, window_seconds=900, read_boot_clock=lambda: self.boot)

    def admit(
        self, signature: bytes = b"a", *, date: int = START, connection: str = HERE, is_read: bool = False
    ) -> None:
        now = START + int(self.boot - 50)
        self.seen.admit(signature, date=date, connection=connection, is_read=is_read, now=now)


@pytest.fixture
def door() -> Door:
    return Door()


def test_equal_requests_of_one_moment_are_all_answered_on_one_connection(door: Door) -> None:
    """boto3 sends them so: its signatures of one second are the same for the same request."""
    for _ in range(3):
        door.admit()
        door.boot += REPEAT_SECONDS / 3


def test_a_change_from_another_connection_must_be_signed_anew(door: Door) -> None:
    door.admit()
    with pytest.raises(SignAnew):
        door.admit(connection=THERE)
    door.admit()


def test_a_read_from_another_connection_is_answered(door: Door) -> None:
    door.admit(is_read=True)
    door.admit(is_read=True, connection=THERE)


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize("connection", [HERE, THERE])
@pytest.mark.parametrize("later", [REPEAT_SECONDS + 0.1, 200.0])
def test_later_repeats_are_replays(door: Door, is_read: bool, connection: str, later: float) -> None:
    door.admit(is_read=is_read)
    door.boot += later
    with pytest.raises(WrongSignature, match="used before"):
        door.admit(connection=connection, is_read=is_read)
    door.admit(b"b", date=START + int(later), connection=connection)


def test_what_came_before_the_memory_began_must_be_signed_anew(door: Door) -> None:
    with pytest.raises(SignAnew):
        door.admit(date=START - 1)


def test_memory_is_bounded_and_what_it_gives_up_is_not_let_in_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "CAPACITY", 100)
    for number in range(1000):
        door.admit(b"%d" % number, date=START + number // 50)
        door.boot = 50 + number // 50
    kept = door.seen._by_date
    assert sum(map(len, kept.values())) <= 100
    for number in range(850):
        with pytest.raises(SignAnew):
            door.admit(b"%d" % number, date=START + number // 50)
    door.boot += REPEAT_SECONDS + 1
    for number in range(950, 1000):
        with pytest.raises(WrongSignature):
            door.admit(b"%d" % number, date=START + number // 50)


def test_what_is_too_old_to_be_let_in_is_forgotten(door: Door) -> None:
    for second in range(5000):
        door.boot = 50.0 + second
        door.admit(b"%d" % second, date=START + second)
    assert len(door.seen._by_date) <= 1801
    with pytest.raises(WrongSignature):
        door.admit(b"4500", date=START + 4500)
