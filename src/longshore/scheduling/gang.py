"""Laying the nodes of one job over hosts: all of them at once, or none.

First fit, largest nodes first. Nodes that ask for the same are laid in one walk over the hosts, since a host that has
no room for one has none for the next; so a gang costs by its hosts and nodes, not by their product. Whether a gang
could ever start is asked in the same way of idle hosts: what fits there starts at the latest when they are idle.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, repeat

from longshore.domain.ids import HostId
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


def lay_out(gang: Gang, free: Mapping[HostId, Resources]) -> Sequence[HostId] | None:
    """A host for each node, by index, with room in `free` for all of them together; None when there is no such."""
    left = dict(free)
    hosts = list(left)
    nodes = each_node(gang)
    laid: list[HostId | None] = [None] * len(nodes)
    at = 0
    asked_before: Resources | None = None
    for index in sorted(range(len(nodes)), key=lambda index: nodes[index], reverse=True):
        asked = nodes[index]
        if asked != asked_before:
            at, asked_before = 0, asked
        while at < len(hosts) and not asked.fits(left[hosts[at]]):
            at += 1
        if at == len(hosts):
            return None
        laid[index] = hosts[at]
        left[hosts[at]] -= asked
    return [host_id for host_id in laid if host_id is not None]
