"""The nodes of one job: what each asks for."""

from collections.abc import Sequence
from itertools import chain, repeat

from longshore.domain.resources import Resources

#: How many nodes in a row ask for how much, by node index.
Gang = tuple[tuple[int, Resources], ...]


def gang_of(nodes: Sequence[Resources]) -> Gang:
    """The nodes in runs that ask for the same."""
    runs: list[tuple[int, Resources]] = []
    for asked in nodes:
        if runs and runs[-1][1] == asked:
            runs[-1] = (runs[-1][0] + 1, asked)
        else:
            runs.append((1, asked))
    return tuple(runs)


def gang_size(gang: Gang) -> int:
    """How many nodes it has."""
    return sum(count for count, _ in gang)


def each_node(gang: Gang) -> list[Resources]:
    """What each node asks for, by index."""
    return list(chain.from_iterable(repeat(asked, count) for count, asked in gang))
