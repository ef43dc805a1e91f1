"""The cache of specs is bounded, and a document of an unknown form is refused."""

import pytest

from longshore.domain.errors import StoreUnavailable
from longshore.domain.ids import JobKey
from longshore.store.codec import encode_document
from longshore.store.specs import SPEC_VERSION, SpecCache, decode_spec
from longshore.testing.job_builders import a_job


def test_cache_drops_those_that_came_first() -> None:
    """Never more than its limit, never the newest."""
    cache = SpecCache(limit=16)
    spec = a_job().new(1).spec
    for key in range(1, 101):
        cache.add({JobKey(key): spec})
    kept = [key for key in range(1, 101) if cache.get(JobKey(key))]
    assert 14 <= len(kept) <= 16
    assert kept == list(range(101 - len(kept), 101))


def test_unknown_form_is_named() -> None:
    """A version reads what it and those before it wrote, and says so of the rest."""
    spec = a_job().new(1).spec
    assert decode_spec(SPEC_VERSION, encode_document(spec)) == spec
    with pytest.raises(StoreUnavailable, match="form 99"):
        decode_spec(99, "{}")
