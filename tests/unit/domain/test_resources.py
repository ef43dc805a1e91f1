"""Arithmetic of resource vectors is exact."""

from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from longshore.domain.resources import Resources

AMOUNTS = st.integers(0, 10**9)
VECTORS = st.builds(
    Resources,
    vcpu_milli=AMOUNTS,
    memory_mib=AMOUNTS,
    gpus=st.integers(0, 16),
    scratch_mib=AMOUNTS,
    gpu_milli=st.integers(0, 1000),
)


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


@given(room=VECTORS)
def test_each_amount_counts(room: Resources) -> None:
    """Every field is among the amounts, in order, and one that is short is enough."""
    assert room.amounts == tuple(getattr(room, field.name) for field in fields(Resources))
    assert Resources.of(room.amounts) == room
    for field in fields(Resources):
        assert not replace(Resources(), **{field.name: getattr(room, field.name) + 1}).fits(room)


@given(a=VECTORS, b=VECTORS)
def test_either_fits_where_both_would_one_after_the_other(a: Resources, b: Resources) -> None:
    """And nothing less has room for either."""
    either = a | b
    assert a.fits(either) and b.fits(either)
    assert all(amount in pair for amount, *pair in zip(either.amounts, a.amounts, b.amounts, strict=True))
