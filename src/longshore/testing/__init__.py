"""The test kit: contracts that every adapter passes, fakes, builders and virtual time. Nothing but tests uses it."""

import pytest

# The contracts' plain asserts then explain themselves in other people's test files too.
pytest.register_assert_rewrite(
    "longshore.testing.engine_calls", "longshore.testing.engine_contract", "longshore.testing.store_contract"
)
