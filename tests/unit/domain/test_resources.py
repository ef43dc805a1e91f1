"""Arithmetic of resource vectors is exact."""

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.resources import Resources

AMOUNTS = st.integers(0, 10**9)
VECTORS = st.builds(Resources, vcpu_milli=AMOUNTS, memory_mib=AMOUNTS, gpus=st.integers(0, 16))


@given(a=VECTORS, b=VECTORS, c=VECTORS)
def test_addition(a: Resources, b: Resources, c: Resources) -> None:
    """The order does not matter, nothing is lost, and nothing changes nothing."""
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b) - b == a
    assert a + Resources() == a - Resources() == a


@given(a=VECTORS, b=VECTORS)
def test_fits_says_whether_it_can_be_taken(a: Resources, b: Resources) -> None:
    """What fits leaves nothing below zero, what does not leaves something below it."""
    assert a.fits(b) == (not (b - a).is_negative())
    assert a.fits(a + b)


@given(a=VECTORS, b=VECTORS, c=VECTORS)
def test_fitting_is_an_order(a: Resources, b: Resources, c: Resources) -> None:
    """What fits into something fits into all that is larger; two that fit each other are equal."""
    assert a.fits(a)
    if a.fits(b) and b.fits(c):
        assert a.fits(c)
    if a.fits(b) and b.fits(a):
        assert a == b


def test_each_amount_counts() -> None:
    """One amount that is short is enough."""
    room = Resources(vcpu_milli=1000, memory_mib=100, gpus=1)
    assert room.fits(room)
    assert not Resources(vcpu_milli=1001, memory_mib=0).fits(room)
    assert not Resources(memory_mib=101).fits(room)
    assert not Resources(gpus=2).fits(room)
