"""What the checks raise."""

from typing import NoReturn


class Broken(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, problem: str) -> None:
        super().__init__(invariant, problem)
        self.invariant = invariant
        self.problem = problem


def broken(invariant: str, problem: str) -> NoReturn:
    """Raises Broken."""
    raise Broken(invariant, problem)
