"""Laying the nodes of one job over hosts: all of them at once, or none.

Largest nodes first, each kind of nodes on the hosts that best fit would fill first, as many on each as it has room
for. A gang costs by its kinds of nodes and not by hosts times nodes. Whether a gang could ever start is asked in the
same way of idle hosts: what fits there starts at the latest when they are idle.
"""

from collections.abc import Sequence

import numpy as np

from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.scheduling.fleet import Fleet, Integers, Mask
from longshore.scheduling.gang import Gang, gang_size


def lay_out(gang: Gang, fleet: Fleet, there: Integers, hosts: Mask | None = None) -> Sequence[HostId] | None:
    """A host for each node, by index, with room for all of them together when there is so much on each of `hosts`.

    None when there is no such.
    """
    left = there.copy()
    laid: list[HostId] = [HostId("")] * gang_size(gang)
    order: Integers | None = None
    of_kind: dict[Resources, list[int]] = {}
    index = 0
    for count, asked in gang:
        of_kind.setdefault(asked, []).extend(range(index, index + count))
        index += count
    for asked, nodes in sorted(of_kind.items(), reverse=True):
        room = capacity(asked, left, len(nodes))
        room = room if hosts is None else np.where(hosts, room, 0)
        if room.sum() < len(nodes):
            return None
        if order is None:
            order = fleet.order(there, with_gpus=any(asked.gpus for _, asked in gang))
        filled = np.minimum(np.cumsum(room[order]), len(nodes))
        given = np.diff(filled, prepend=0)
        used = np.flatnonzero(given)
        counts = np.zeros(left.shape[1], dtype=np.int64)
        counts[order[used]] = given[used]
        left -= counts * np.array(asked.amounts, dtype=np.int64)[:, None]
        columns = np.repeat(order[used], given[used]).tolist()
        for node, column in zip(nodes, columns, strict=True):
            laid[node] = fleet.ids[column]
    return laid


def capacity(asked: Resources, there: Integers, most: int) -> Integers:
    """How many such nodes each host has room for, no more than `most`."""
    room = np.full(there.shape[1], most, dtype=np.int64)
    for kind, amount in enumerate(asked.amounts):
        if amount:
            np.minimum(room, there[kind] // amount, out=room)
    return np.maximum(room, 0)
