"""What there will be on hosts and in environments, and what of it is kept from when on for jobs that have to wait.

A *reservation* is made for a job that can't start: on the hosts where it can start first, from the instant when it
can, as far as that follows from time-outs and from what was learned of how long jobs run. Whoever comes later may use
what is free until then if it is over by then, and of what there will be no more than the rest. So nobody delays the
job that the reservation is for. Where the instant can't be told, it may be any: nobody uses more than the rest of
what is there now.
"""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from operator import add

import numpy as np

from longshore.domain.ids import HostId, JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fleet import Fleet, Integers, Mask
from longshore.scheduling.gang import Gang, gang_size
from longshore.scheduling.laying import capacity, lay_out
from longshore.scheduling.roster import Instants, Roster
from longshore.scheduling.snapshot import EnvironmentName, RunningView, Snapshot

Amounts = Sequence[int]
#: From when to when so much is kept.
Kept = tuple[float, float, Amounts]
#: When so much is given back.
End = tuple[float, Amounts]

_PLENTY = 1 << 60
#: With more ends than this what is kept counts as kept for ever.
_MANY = 256
#: Up to so many nodes on a host it is asked of each host when it has room for one, two, ...
_FEW = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What is kept for a job that waits."""

    key: JobKey
    job_class: JobClass
    environment: EnvironmentName
    #: from then on; None: that can't be told
    at: float | None
    #: the job is over by then
    until: float
    #: how much of which host, by column; none: only its part of the environment's limits
    nodes: tuple[tuple[int, Resources], ...]
    #: its part of them, in their order
    demand: tuple[int, ...]

    def kept(self, amounts: Amounts) -> Kept:
        """From when to when `amounts` are kept."""
        return (-inf, inf, amounts) if self.at is None else (self.at, self.until, amounts)


class Prospect:
    """The hosts' and the environments' future, as one cycle goes on."""

    def __init__(self, snapshot: Snapshot, fleet: Fleet) -> None:
        """`fleet` is that of the cycle: what it places is taken there, and noted here."""
        self.now = snapshot.now
        self.reservations: list[Reservation] = []
        #: from then on `spare` is all that others may have of a host
        self.at: Instants = np.full(len(fleet), inf)
        self.spare: Integers = np.full(fleet.free.shape, _PLENTY, dtype=np.int64)
        self._snapshot = snapshot
        self._fleet = fleet
        self._roster: Roster | None = None
        self._before: Fleet | None = None
        self._on_hosts: dict[int, list[Kept]] = {}
        self._in_environments: dict[EnvironmentName, list[Kept]] = {}
        self._ends: dict[int, list[End]] = {}
        self._environment_ends: dict[EnvironmentName, list[End]] = {}
        #: the same of what ran before; asked for in one way within a cycle, by time-outs only or not
        self._environments_running: dict[EnvironmentName, list[End]] = {}

    def note(
        self, nodes: Iterable[tuple[int, Resources]], environment: EnvironmentName, demand: Amounts, end: float
    ) -> None:
        """A job was placed, and is over by `end`."""
        for index, amount in nodes:
            self._ends.setdefault(index, []).append((end, amount.amounts))
            if self.reservations and end > self.at[index]:
                self.spare[:, index] -= amount.amounts
        self._environment_ends.setdefault(environment, []).append((end, demand))

    def allowed(self, asked: Resources, until: float, hosts: Mask) -> Mask:
        """Which of these hosts a job may use that is over by `until`."""
        if not self.reservations:
            return hosts
        return hosts & (self._fleet.has(self.spare, asked, self._fleet.ids) | (self.at >= until))

    def there(self, until: float) -> Integers:
        """What a job may use of each host that is over by `until`."""
        if not self.reservations:
            return self._fleet.free
        return np.where(self.at >= until, self._fleet.free, np.minimum(self._fleet.free, self.spare))

    def first_host(
        self, asked: Resources, able: Mask, not_before: float, length: float, *, is_alone: bool, is_sure: bool
    ) -> tuple[float, int] | None:
        """When and in which column such a job can start first; None where that can't be told."""
        fleet = self._fleet
        at = self._earliest(None if is_alone else asked, able, is_sure)
        for index in self._touched(able):
            amounts = fleet.total[:, index].tolist() if is_alone else asked.amounts
            ends, kept = self._ends_on(index, is_sure), self._on_hosts.get(index, ())
            free = fleet.free[:, index].tolist()
            at[index] = first_instant(free, ends, kept, amounts, max(not_before, self.now), length)
        at = np.maximum(at, not_before)
        first = float(at.min(initial=inf))
        if first == inf:
            return None
        index = fleet.smallest(at == first)
        assert index is not None
        return first, index

    def first_hosts(
        self, job_class: JobClass, able: Mask, not_before: float, *, is_sure: bool
    ) -> tuple[float, list[int]] | None:
        """The same of the nodes of a job of several, by index; what is kept for others counts as kept for ever."""
        fleet = self._fleet
        base = fleet.free.copy()
        for index, all_kept in self._on_hosts.items():
            for _, _, amounts in all_kept:
                base[:, index] -= amounts
        not_before = max(not_before, self.now)
        per_host = _most_on_a_host(job_class.gang, fleet, able)
        if per_host <= _FEW:
            return self._first_of_one_kind(job_class.gang, able, base, not_before, per_host, is_sure)
        ends = [
            (end, index, amounts)
            for index in np.flatnonzero(able).tolist()
            for end, amounts in self._ends_on(index, is_sure)
        ]
        ends = [entry for entry in ends if entry[0] < inf]
        ends.sort(key=lambda entry: entry[0])
        when = np.array([end for end, _, _ in ends])
        columns = np.array([index for _, index, _ in ends], dtype=np.int64)
        amounts = np.array([amount for _, _, amount in ends], dtype=np.int64).reshape(len(ends), len(base))
        instants = [not_before, *(end for end in dict.fromkeys(when.tolist()) if end > not_before)]

        def laid_at(at: float) -> Sequence[HostId] | None:
            over = int(np.searchsorted(when, at, side="right"))
            there = base.copy()
            np.add.at(there.T, columns[:over], amounts[:over])
            return lay_out(job_class.gang, fleet, there, able)

        low, high = -1, len(instants) - 1
        found = laid_at(instants[high])
        if found is None:
            return None
        while high - low > 1:
            middle = (low + high) // 2
            laid = laid_at(instants[middle])
            if laid is None:
                low = middle
            else:
                high, found = middle, laid
        return instants[high], [fleet.index(host_id) for host_id in found]

    def _first_of_one_kind(
        self, gang: Gang, able: Mask, base: Integers, not_before: float, per_host: int, is_sure: bool
    ) -> tuple[float, list[int]] | None:
        """Where all nodes ask for the same: a host has room for its first, its second, ... node from an instant on."""
        fleet, asked, size = self._fleet, gang[0][1], gang_size(gang)
        instants: list[Instants] = []
        for count in range(1, per_host + 1):
            together = Resources.of(amount * count for amount in asked.amounts)
            at = self._earliest(together, able, is_sure)
            for index in self._touched(able):
                free, ends = base[:, index].tolist(), self._ends_on(index, is_sure)
                at[index] = first_instant(free, ends, (), together.amounts, self.now, 0.0)
            instants.append(at)
        rooms = np.concatenate(instants)
        if len(rooms) < size:
            return None
        first = max(float(np.partition(rooms, size - 1)[size - 1]), not_before)
        if first == inf:
            return None
        usable = instants[0] <= first
        there = base.copy()
        for index in np.flatnonzero(usable & (fleet.free != fleet.total).any(axis=0)).tolist():
            freed = self._freed_by(index, first, is_sure)
            if freed is not None:
                there[:, index] += freed
        laid = lay_out(gang, fleet, there, usable)
        assert laid is not None, gang
        return first, [fleet.index(host_id) for host_id in laid]

    def _earliest(self, asked: Resources | None, able: Mask, is_sure: bool) -> Instants:
        """From when on hosts have room, but for those that were touched in this cycle."""
        if self._before is None:
            self._before = Fleet.of(self._snapshot.hosts)
        return self.roster.earliest(asked, self._before, able, self.now, is_sure=is_sure)

    def _touched(self, able: Mask) -> Iterator[int]:
        """Columns where something was placed or is kept."""
        return (index for index in self._ends.keys() | self._on_hosts.keys() if able[index])

    def first_demand(
        self,
        environment: EnvironmentName,
        free: Amounts,
        asked: Amounts,
        not_before: float,
        length: float,
        *,
        is_sure: bool,
    ) -> float:
        """When an environment's limits first have room for so much; `inf` where that can't be told."""
        kept = self._in_environments.get(environment, [])
        not_before = max(not_before, self.now)
        left = free
        for _, _, amounts in kept:
            left = [have - less for have, less in zip(left, amounts, strict=True)]
        if is_enough(left, asked):
            return not_before
        return first_instant(free, self._ends_in(environment, is_sure), kept, asked, not_before, length)

    def keep(self, reservation: Reservation, free: Amounts, *, is_sure: bool) -> Sequence[int]:
        """Make a reservation; returns what others may have of the environment's limits from then on.

        `free` is what those have left now.
        """
        at, is_known = reservation.at, reservation.at is not None
        from_then = self.now if at is None else at
        self.reservations.append(reservation)
        for index, amount in reservation.nodes:
            kept = self._on_hosts.setdefault(index, [])
            kept.append(reservation.kept(amount.amounts))
            there = self._fleet.free[:, index].copy()
            if is_known and (freed := self._freed_by(index, from_then, is_sure)) is not None:
                there += freed
            for _, _, amounts in kept:
                there -= amounts
            self.spare[:, index] = np.minimum(self.spare[:, index] - amount.amounts, there)
            self.at[index] = min(self.at[index], from_then)
        in_environment = self._in_environments.setdefault(reservation.environment, [])
        in_environment.append(reservation.kept(reservation.demand))
        left = list(free)
        if is_known and free:
            for end, amounts in self._ends_in(reservation.environment, is_sure):
                if end <= from_then:
                    left = [have + more for have, more in zip(left, amounts, strict=True)]
        for _, _, amounts in in_environment:
            left = [have - less for have, less in zip(left, amounts, strict=True)]
        return left

    def on(self, index: int) -> Reservation | None:
        """The first reservation on a host."""
        found = (each for each in self.reservations if any(column == index for column, _ in each.nodes))
        return next(found, None)

    def within(self, environment: EnvironmentName) -> Reservation | None:
        """The first reservation of an environment's limits."""
        return next((each for each in self.reservations if each.environment == environment), None)

    @property
    def roster(self) -> Roster:
        """What runs."""
        if self._roster is None:
            self._roster = Roster.of(self._snapshot.running)
        return self._roster

    def _ends_on(self, index: int, is_sure: bool) -> list[End]:
        running = self.roster.on(self._fleet.ids[index])
        ends: list[End] = [(self._end_of(view, is_sure), amount.amounts) for view, amount in running]
        return ends + self._ends.get(index, [])

    def _freed_by(self, index: int, at: float, is_sure: bool) -> Amounts | None:
        """How much more of a host there is then; None: nothing."""
        freed: Amounts | None = self.roster.freed_on(self._fleet.ids[index], self.now, is_sure=is_sure).by(at)
        for end, amounts in self._ends.get(index, ()):
            if end <= at:
                freed = amounts if freed is None else tuple(map(add, freed, amounts))
        return freed

    def _ends_in(self, environment: EnvironmentName, is_sure: bool) -> list[End]:
        running = self._environments_running.get(environment)
        if running is None:
            view = self._snapshot.environments[environment]
            running = self._environments_running[environment] = [
                (self._end_of(each, is_sure), view.demands(each.job_class)) for each in self.roster.within(environment)
            ]
        return running + self._environment_ends.get(environment, [])

    def _end_of(self, view: RunningView, is_sure: bool) -> float:
        bound = view.ends_by if is_sure else view.bound(self.now)
        return inf if bound is None else bound


def _most_on_a_host(gang: Gang, fleet: Fleet, able: Mask) -> int:
    """Of nodes that all ask for the same; endless where they don't, or parts of one GPU are not to be added up."""
    kinds = {asked for _, asked in gang}
    asked = gang[0][1]
    if len(kinds) > 1 or asked.gpu_milli:
        return sys.maxsize
    return int(np.where(able, capacity(asked, fleet.total, gang_size(gang)), 0).max(initial=0))


def is_enough(there: Amounts, asked: Amounts) -> bool:
    """Whether there is as much as is asked for."""
    return all(have >= amount for have, amount in zip(there, asked, strict=True) if amount)


def first_instant(
    free: Amounts, ends: Collection[End], kept: Collection[Kept], asked: Amounts, not_before: float, length: float
) -> float:
    """From when on there is so much for so long, when so much is free now and others end or have it kept for them."""
    ends = sorted((max(end, not_before), amounts) for end, amounts in ends if end < inf)
    if kept and len(ends) > _MANY:
        for _, _, amounts in kept:
            free = [have - less for have, less in zip(free, amounts, strict=True)]
        kept = ()
    starts = [start for start, _, _ in kept]
    instants = [not_before, *(end for end, _ in ends), *(stop for _, stop, _ in kept if not_before < stop < inf)]
    instants = sorted(set(instants))
    if not kept:
        left, position = list(free), 0
        for instant in instants:
            while position < len(ends) and ends[position][0] <= instant:
                left = [have + more for have, more in zip(left, ends[position][1], strict=True)]
                position += 1
            if is_enough(left, asked):
                return instant
        return inf

    def there(at: float) -> list[int]:
        left = list(free)
        for end, amounts in ends:
            if end <= at:
                left = [have + more for have, more in zip(left, amounts, strict=True)]
        for start, stop, amounts in kept:
            if start <= at < stop:
                left = [have - less for have, less in zip(left, amounts, strict=True)]
        return left

    for instant in instants:
        looks = [instant, *(start for start in starts if instant < start < instant + length)]
        if all(is_enough(there(look), asked) for look in looks):
            return instant
    return inf
