"""Which lines begin an event, by the options of the awslogs driver."""

import pytest

from longshore.logs.joined import compile_start
from longshore.service.log_events import event_start


@pytest.mark.parametrize(
    ("form", "fits", "others"),
    [
        ("%Y-%m-%d %H:%M:%S%L", ["[x] 2026-11-23 23:59:07.123 started"], ["2026-13-23 23:59:07.123", "at foo.py:3"]),
        ("[%b %d, %Y %I:%M:%S %p]", ["[Nov 03, 2026 07:15:00 AM] x"], ["Nov 03, 2026 07:15:00 AM", "[Foo 03, 2026"]),
        ("%A %j %U %w %y%z %Z", ["Monday 327 47 1 26+0100 CET x"], ["Mon 327 47 1 26+0100 CET"]),
        ("%a %B %f 100%%", ["Tue March 123456 100%"], ["Tue March 12345 100%"]),
        ("%q.%d", [".31"], ["x31"]),
    ],
)
def test_times_in_a_format(form: str, fits: list[str], others: list[str]) -> None:
    begins = compile_start(event_start({"awslogs-datetime-format": form}))
    assert [text for text in (*fits, *others) if begins(text)] == fits


def test_the_format_of_times_wins() -> None:
    """Source: AWS Batch API, LogConfiguration."""
    both = {"awslogs-datetime-format": "%Y", "awslogs-multiline-pattern": "^x"}
    assert event_start(both) == "[0-9]{4}"
    assert event_start({"awslogs-multiline-pattern": "^x"}) == "^x"
    assert event_start({}) == ""
