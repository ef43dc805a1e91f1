"""Neighbours of servers under test."""

from collections.abc import Iterator

import pytest

from tests.integration.neighbours import Neighbours


@pytest.fixture(scope="session")
def neighbours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbours]:
    """Neighbours with a bucket."""
    them = Neighbours(tmp_path_factory.mktemp("neighbours"))
    try:
        them.client("s3").create_bucket(Bucket="results")
        yield them
    finally:
        them.close()
