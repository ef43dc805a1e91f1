"""Amounts in words."""

import pytest

from longshore.service.wording import counted, duration, mebibytes


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (0.2534, "0.253 s"),
        (9.994, "9.99 s"),
        (41.4, "41 s"),
        (59.7, "1 min 0 s"),
        (185, "3 min 5 s"),
        (7440, "2 h 4 min"),
        (435_600, "5 d 1 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes_and_numbers() -> None:
    assert mebibytes(1_572_864) == "1.5 MiB"
    assert mebibytes(5000 * 2**20) == "5,000 MiB"
    assert (counted(1, "job"), counted(1200, "job"), counted(2, "child", "children")) == (
        "1 job",
        "1,200 jobs",
        "2 children",
    )
