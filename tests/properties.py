"""Properties that algorithms promise: a few examples in each run of the tests, ten thousand by `make properties`."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import settings

T = TypeVar("T", bound=Callable[..., None])

_EXAMPLES = os.environ.get("PROPERTY_EXAMPLES")


def promised(examples: int) -> Callable[[T], T]:
    """Put above `given`: the test belongs to the property suite, and looks at so many examples outside of it."""

    def mark(test: T) -> T:
        return pytest.mark.properties(settings(max_examples=int(_EXAMPLES or examples))(test))

    return mark
