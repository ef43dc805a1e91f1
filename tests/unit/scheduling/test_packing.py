"""Best fit comes near to what an exact solver finds."""

from statistics import mean

from tests.unit.scheduling.packing import gaps


def test_we_place_nearly_as_much_as_could_be_placed() -> None:
    """And never more, which would be over-commitment; on average no less than first fit."""
    ours, others = gaps(40)
    assert min(ours) >= 0
    assert mean(ours) < 0.07
    assert mean(ours) <= mean(others)
