"""Hosts as columns: what each has and what is left of it, so that nothing that looks at all hosts is a Python loop.

A job goes where it leaves the smallest hole (*best fit*), by this rule:

1. On hosts with the fewest GPUs: a job that asks for none counts the GPUs that a host has, so that hosts with GPUs are
   kept for those who need them; a job that asks for some counts those that are free, so that many stay together.
2. Of these, where the least is left of everything else, each amount as a part of the most that any host has of it.
3. Of these, the first in the order of the hosts.

What a job asks for is the same for all hosts, so that the host with the least left afterwards is the one with the least
left before, of those where it fits: one number for each host orders them for every job. All numbers are integers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from longshore.domain.ids import HostId
from longshore.domain.resources import Resources
from longshore.scheduling.snapshot import HostView

Integers = NDArray[np.int64]
#: Whether, for each host.
Mask = NDArray[np.bool_]

#: What the most that any host has of an amount counts for; GPUs come before the sum of all else.
_MOST = 1 << 40
_GPU = 1 << 44
_NEVER = np.int64(np.iinfo(np.int64).max)
_GPUS = Resources(gpus=1).amounts.index(1)
#: How many answers are kept that never change.
_MOST_KNOWN = 4096
_KINDS = len(Resources().amounts)


class Fleet(Mapping[HostId, HostView]):
    """Hosts in a fixed order; as a mapping, each as it is now. Changed by `take` and `give_back` only."""

    def __init__(self, hosts: Iterable[HostView] = ()) -> None:
        views = list(hosts)
        self.ids: tuple[HostId, ...] = tuple(view.id for view in views)
        self._index = {host_id: index for index, host_id in enumerate(self.ids)}
        #: an amount a row, a host a column
        self.total: Integers = _columns([view.total.amounts for view in views])
        self.free: Integers = _columns([view.free.amounts for view in views])
        self._gpus = {index: view.free_gpus for index, view in enumerate(views) if view.free_gpus}
        self._is_sharing_gpus = False
        most = np.maximum(self.total.max(axis=1, initial=0), 1)
        self._weights: Integers = np.maximum(_MOST // most, 1)
        self._weights[_GPUS] = 0
        self._gpu_hosts: Integers = self.total[_GPUS] * _GPU
        self._hole: Integers = (self.free * self._weights[:, None]).sum(axis=0)
        self._places: dict[int, tuple[tuple[HostId, ...], Mask | None]] = {}
        self._could: dict[tuple[int, object], bool] = {}

    @classmethod
    def of(cls, hosts: Mapping[HostId, HostView]) -> "Fleet":
        """A copy of these hosts; what is less than nothing of a host is nothing there."""
        if not isinstance(hosts, Fleet):
            return cls(hosts.values())
        copy = cls.__new__(cls)
        copy.ids, copy._index, copy.total = hosts.ids, hosts._index, hosts.total
        copy.free = np.maximum(hosts.free, 0)
        copy._gpus, copy._is_sharing_gpus = hosts._gpus, True
        hosts._is_sharing_gpus = True
        copy._weights, copy._gpu_hosts, copy._hole = hosts._weights, hosts._gpu_hosts, hosts._hole.copy()
        copy._places, copy._could = hosts._places, hosts._could
        return copy

    def __getitem__(self, host_id: HostId) -> HostView:
        index = self._index[host_id]
        return HostView(
            id=host_id,
            total=Resources.of(self.total[:, index].tolist()),
            free=Resources.of(np.maximum(self.free[:, index], 0).tolist()),
            free_gpus=self._gpus.get(index, ()),
        )

    def __contains__(self, host_id: object) -> bool:
        return host_id in self._index

    def __iter__(self) -> Iterator[HostId]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, host_id: HostId) -> int:
        """The column of a host."""
        return self._index[host_id]

    def gpu_names(self, index: int) -> tuple[str, ...]:
        """GPUs of the host in this column that are free."""
        return self._gpus.get(index, ())

    def take(self, host_id: HostId, amount: Resources, gpu_names: Sequence[str] = ()) -> None:
        """So much less is left of a host; GPUs that are not free are passed over."""
        self._move(host_id, amount, -1)
        if gpu_names:
            index, gpus = self._index[host_id], self._own_gpus()
            gpus[index] = tuple(name for name in gpus.get(index, ()) if name not in gpu_names)

    def give_back(self, host_id: HostId, amount: Resources, gpu_names: Sequence[str] = ()) -> None:
        """So much more is left of it."""
        self._move(host_id, amount, 1)
        if gpu_names:
            index, gpus = self._index[host_id], self._own_gpus()
            gpus[index] = (*gpus.get(index, ()), *gpu_names)

    def _move(self, host_id: HostId, amount: Resources, sign: int) -> None:
        index = self._index[host_id]
        moved = sign * np.array(amount.amounts, dtype=np.int64)
        self.free[:, index] += moved
        self._hole[index] += (moved * self._weights).sum()

    def _own_gpus(self) -> dict[int, tuple[str, ...]]:
        if self._is_sharing_gpus:
            self._gpus, self._is_sharing_gpus = dict(self._gpus), False
        return self._gpus

    def mask_of(self, hosts: tuple[HostId, ...]) -> Mask | None:
        """Which hosts these are; None: all."""
        if hosts is self.ids:
            return None
        known = self._places.get(id(hosts))
        if known is None:
            mask: Mask | None = None
            if set(hosts) != self._index.keys():
                mask = np.zeros(len(self.ids), dtype=np.bool_)
                mask[[self._index[host_id] for host_id in hosts]] = True
            if len(self._places) == _MOST_KNOWN:
                self._places.clear()
                self._could.clear()
            # the tuple is kept too, so that no other gets its id
            known = self._places[id(hosts)] = hosts, mask
        return known[1]

    def could_take(self, asked: Resources, hosts: tuple[HostId, ...]) -> bool:
        """Whether any of these hosts has so much in all."""
        return self.could(asked, hosts, lambda: bool(self.has(self.total, asked, hosts).any()))

    def could(self, question: object, hosts: tuple[HostId, ...], answer: Callable[[], bool]) -> bool:
        """What `answer` says once of these hosts, by what they have in all; kept by `question`."""
        self.mask_of(hosts)
        key = id(hosts), question
        found = self._could.get(key)
        if found is None:
            if len(self._could) == _MOST_KNOWN:
                self._could.clear()
            found = self._could[key] = answer()
        return found

    def has(self, there: Integers, asked: Resources, hosts: tuple[HostId, ...]) -> Mask:
        """Which of these hosts have so much, when there is so much on each."""
        fits: Mask | None = self.mask_of(hosts)
        for kind, amount in enumerate(asked.amounts):
            if amount:
                here: Mask = there[kind] >= amount
                fits = here if fits is None else np.logical_and(here, fits, out=here)
        return self.among(self.ids) if fits is None else fits

    def tightest(self, fits: Mask, *, with_gpus: bool) -> int | None:
        """Of these hosts the one that best fit chooses."""
        if not fits.any():
            return None
        gpus = self.free[_GPUS] * _GPU if with_gpus else self._gpu_hosts
        return int(np.where(fits, self._hole + gpus, _NEVER).argmin())

    def smallest(self, fits: Mask) -> int | None:
        """Of these hosts the one that best fit would choose if all were idle."""
        if not fits.any():
            return None
        size = (self.total * self._weights[:, None]).sum(axis=0) + self._gpu_hosts
        return int(np.where(fits, size, _NEVER).argmin())

    def largest(self, fits: Mask) -> int | None:
        """Of these hosts the one with the fewest GPUs, and of those the one with the most of all else."""
        if not fits.any():
            return None
        size = (self.total * self._weights[:, None]).sum(axis=0) - self._gpu_hosts
        return int(np.where(fits, size, -_NEVER).argmax())

    def most(self, fits: Mask, there: Integers) -> int | None:
        """Of these hosts the one where the most of the first amount is there, then of the second, and so on."""
        found = np.flatnonzero(fits)
        if not len(found):
            return None
        for amounts in there:
            of_found = amounts[found]
            found = found[of_found == of_found.max()]
        return int(found[0])

    def among(self, hosts: tuple[HostId, ...]) -> Mask:
        """Whether a host is one of these; a mask of the caller's own."""
        mask = self.mask_of(hosts)
        return np.ones(len(self.ids), dtype=np.bool_) if mask is None else mask.copy()

    def sum(self, there: Integers, fits: Mask) -> Resources:
        """What is there on all of these hosts."""
        return Resources.of(there[:, fits].sum(axis=1).tolist())

    def order(self, there: Integers, *, with_gpus: bool) -> Integers:
        """Columns as best fit would fill them when there is so much on each."""
        gpus = there[_GPUS] * _GPU if with_gpus else self._gpu_hosts
        return np.argsort((there * self._weights[:, None]).sum(axis=0) + gpus, kind="stable")

    def idle(self) -> Mask:
        """Which hosts nothing runs on."""
        return (self.free == self.total).all(axis=0)


def _columns(rows: Sequence[Sequence[int]]) -> Integers:
    columns = np.array(rows, dtype=np.int64).reshape(len(rows), _KINDS).T
    return np.ascontiguousarray(columns)
