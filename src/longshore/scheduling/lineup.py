"""One queue in one cycle: who comes next in it, and where such jobs may start."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from longshore.scheduling.fitting import Fit, Room, could_hold, least_of
from longshore.scheduling.fleet import Fleet, Mask
from longshore.scheduling.laying import lay_out
from longshore.scheduling.limits import Limit
from longshore.scheduling.lines import Line
from longshore.scheduling.order import FifoOrder, order_of
from longshore.scheduling.snapshot import EnvironmentView, Oversize, QueueView, Snapshot, WaitingClass
from longshore.scheduling.tally import limits_on


@dataclass(slots=True)
class _Need:
    """What is the same for all jobs of a line while a cycle runs."""

    #: environments where they may start now and, all else being over, could
    able: list[EnvironmentView] = field(default_factory=list[EnvironmentView])
    #: some environment takes jobs now, be they too large for it
    is_usable: bool = False
    could_ever: bool = False
    oversize: Oversize = "wait"
    #: on what runs at once
    limits: Sequence[Limit] = ()


class Lineup:
    """One queue and who waits in it, or those of them who are over the age bound."""

    def __init__(
        self,
        queue: QueueView,
        waiting: Sequence[WaitingClass],
        snapshot: Snapshot,
        room: Room,
        *,
        is_aged: bool = False,
    ) -> None:
        self.queue = queue
        self.is_aged = is_aged
        #: all that are left wait for the first
        self.is_closed = False
        self._snapshot = snapshot
        self._room = room
        self.capacity_milli = 0 if queue.fair is None else capacity_of(queue, snapshot, room.fleet)
        self.order = FifoOrder(waiting, by_priority=False) if is_aged else order_of(waiting, queue, self.capacity_milli)
        self._needs: dict[Line, _Need] = {}

    def is_usable(self, line: Line) -> bool:
        """Whether any environment takes such jobs now, be they too large for it."""
        return self._need(line).is_usable

    def able(self, line: Line) -> Sequence[EnvironmentView]:
        """Where such jobs may start now and could if all else was over, in the order that the queue tries."""
        return self._need(line).able

    def could_ever(self, line: Line) -> bool:
        """Whether such jobs could start without a change of set-up, or no environment can be used at all."""
        return self._need(line).could_ever

    def oversize(self, line: Line) -> Oversize:
        """What becomes of the line's jobs on hosts that are too small."""
        return self._need(line).oversize

    def limits(self, line: Line) -> Sequence[Limit]:
        """All limits on how many such jobs run at once."""
        return self._need(line).limits

    def find(self, line: Line) -> Fit | None:
        """Room for the line's first job in the first environment that has it."""
        need, room, job_class = self._need(line), self._room, line.job_class
        until = room.until(job_class)
        is_plain = need.oversize == "wait" and not job_class.gang and not job_class.instances
        amounts = job_class.resources.amounts
        failed = room.failures(self.queue) if is_plain else []
        for less, earlier in failed:
            if earlier <= until and all(map(_at_most, less, amounts)):
                return None
        for environment in need.able:
            fit = room.find(environment, job_class, need.oversize, until)
            if fit is not None:
                return fit
        if is_plain:
            failed.append((amounts, until))
        return None

    def hosts_for(self, line: Line, environment: EnvironmentView) -> Mask:
        """Hosts of the environment that could take such a job, or nodes of it, if nothing else was there."""
        job_class, fleet = line.job_class, self._room.fleet
        if job_class.gang:
            return fleet.among(environment.hosts)
        return could_hold(job_class.resources, environment.hosts, self.oversize(line), fleet)

    def _need(self, line: Line) -> _Need:
        need = self._needs.get(line)
        if need is None:
            need = self._needs[line] = self._look_at(line)
        return need

    def _look_at(self, line: Line) -> _Need:
        job_class, snapshot, fleet = line.job_class, self._snapshot, self._room.fleet
        asked = job_class.resources
        views = [snapshot.environments.get((self.queue.scope, name)) for name in self.queue.environments]
        found = [view for view in views if view is not None]
        allowing = [view for view in found if view.could_allow(job_class)]
        need = _Need(limits=limits_on(job_class, self.queue.caps))
        if not job_class.gang and self.queue.quota is None and snapshot.oversize == "run-alone":
            # It may run alone only if each host of its queue is too small. One of a quota share may not: it would hold
            # more than its share is charged for.
            is_too_large = not any(fleet.could_take(asked, view.hosts) for view in allowing)
            need.oversize = "run-alone" if is_too_large else "wait"
        for view in found:
            if view.problem:
                continue
            if job_class.gang and not view.runs_gangs:
                continue
            need.is_usable = True
            if view in allowing and self._could_hold(line, view, need.oversize):
                need.able.append(view)
        is_offered = any(not view.problem for view in found)
        need.could_ever = bool(need.able) or not is_offered
        return need

    def _could_hold(self, line: Line, view: EnvironmentView, oversize: Oversize) -> bool:
        job_class, fleet = line.job_class, self._room.fleet
        if job_class.gang:
            mask = fleet.mask_of(view.hosts)
            return fleet.could(
                job_class.gang, view.hosts, lambda: lay_out(job_class.gang, fleet, fleet.total, mask) is not None
            )
        return fleet.could_take(least_of(job_class.resources, oversize), view.hosts)


def _at_most(less: int, more: int) -> bool:
    return less <= more


def capacity_of(queue: QueueView, snapshot: Snapshot, fleet: Fleet | None = None) -> int:
    """Thousandths of a vCPU that the queue's environments allow and its hosts have, or of an instance."""
    environments = [snapshot.environments.get((queue.scope, name)) for name in queue.environments]
    found = [environment for environment in environments if environment is not None]
    if any(environment.limits for environment in found):
        return sum(sum(environment.limits.values()) for environment in found) * 1000
    fleet = Fleet.of(snapshot.hosts) if fleet is None else fleet
    hosts = np.zeros(len(fleet), dtype=np.bool_)
    for environment in found:
        hosts |= fleet.among(environment.hosts)
    offered = fleet.sum(fleet.total, hosts).vcpu_milli
    caps = [environment.cap_milli for environment in found]
    return min(offered, sum(offered if cap is None else cap for cap in caps))
