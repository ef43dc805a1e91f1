"""Whether and where one job fits, with exact accounting of what this cycle has given away."""

from dataclasses import dataclass, replace

import numpy as np

from longshore.domain.ids import HostId, Scope
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fleet import Fleet, Mask
from longshore.scheduling.gang import each_node
from longshore.scheduling.laying import lay_out
from longshore.scheduling.plan import NodePlacement
from longshore.scheduling.snapshot import EnvironmentName, Oversize, QueueView, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Room for one job."""

    environment: EnvironmentName
    host_id: HostId
    resources: Resources
    gpu_names: tuple[str, ...]
    #: as in `Placement`
    nodes: tuple[NodePlacement, ...] = ()


def could_hold(asked: Resources, hosts: tuple[HostId, ...], oversize: Oversize, fleet: Fleet) -> Mask:
    """Which of these hosts could ever run a job that asks for so much.

    A job that asks for more vCPU or memory than the whole host has runs alone on it if `oversize` allows; GPUs are
    never stretched.
    """
    return fleet.has(fleet.total, asked if oversize == "wait" else Resources(gpus=asked.gpus), hosts)


def oversize_of(queue: QueueView, job_class: JobClass, snapshot: Snapshot, fleet: Fleet) -> Oversize:
    """What becomes of such a job on hosts that are too small: it may run alone only if each host of its queue is.

    One of a quota share may not: it would hold more than its share is charged for.
    """
    if job_class.gang or queue.quota is not None or snapshot.oversize == "wait":
        return "wait"
    asked = job_class.resources
    for name in queue.environments:
        environment = snapshot.environments.get((queue.scope, name))
        if environment is None or not environment.could_allow(job_class):
            continue
        if fleet.could_take(asked, environment.hosts):
            return "wait"
    return "run-alone"


class Room:
    """What is left while a cycle runs. Hosts and parts of caps can be held back for a job that has to wait for them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.fleet = Fleet.of(snapshot.hosts)
        #: hosts where nothing more starts in this cycle
        self.held = np.zeros(len(self.fleet), dtype=np.bool_)
        self._caps = {name: view.free_cap_milli for name, view in snapshot.environments.items()}
        self._limits = {name: dict(view.free_limits) for name, view in snapshot.environments.items() if view.limits}
        self._held_milli: dict[EnvironmentName, int] = {}
        self._consumables = {name: view.free for name, view in snapshot.consumables.items()}

    def free_cap_milli(self, environment: EnvironmentName) -> int | None:
        """vCPU that the environment's cap has left, what is held back included; None: no cap."""
        return self._caps[environment]

    def cap_allows(self, environment: EnvironmentName, job_class: JobClass) -> bool:
        """Whether the cap and the limits have that much left and not held back."""
        cap = self._caps[environment]
        if cap is not None and job_class.resources.vcpu_milli > cap - self._held_milli.get(environment, 0):
            return False
        demand = self._snapshot.environments[environment].demand(job_class)
        return all(count <= self.free_of(environment, unit) for unit, count in demand.items())

    def free_of(self, environment: EnvironmentName, unit: str) -> int:
        """What a limit has left and not held back; below zero where more is held back."""
        return self._limits.get(environment, {}).get(unit, 0)

    def hold_cap(self, environment: EnvironmentName, job_class: JobClass) -> None:
        """Keep so much of the environment's cap and limits from all that comes later in this cycle."""
        self._held_milli[environment] = self._held_milli.get(environment, 0) + job_class.resources.vcpu_milli
        self._take_limits(environment, job_class)

    def _take_limits(self, environment: EnvironmentName, job_class: JobClass) -> None:
        for unit, count in self._snapshot.environments[environment].demand(job_class).items():
            self._limits[environment][unit] = self.free_of(environment, unit) - count

    def hold(self, host_id: HostId) -> None:
        """Let nothing more start on this host in this cycle."""
        self.held[self.fleet.index(host_id)] = True

    def find(self, environment: EnvironmentName, job_class: JobClass, oversize: Oversize) -> Fit | None:
        """The host of the environment with room now that best fit chooses."""
        if not self.cap_allows(environment, job_class):
            return None
        asked, fleet = job_class.resources, self.fleet
        hosts = self._snapshot.environments[environment].hosts
        index = fleet.tightest(fleet.has(fleet.free, asked, hosts) & ~self.held, with_gpus=asked.gpus > 0)
        if index is not None:
            return self._fit(environment, index, asked)
        if oversize == "wait":
            return None
        able = could_hold(asked, hosts, oversize, fleet) & ~fleet.has(fleet.total, asked, hosts)
        index = fleet.largest(able & fleet.idle() & ~self.held)
        if index is None:
            return None
        return self._fit(environment, index, replace(fleet[fleet.ids[index]].total, gpus=asked.gpus))

    def _fit(self, environment: EnvironmentName, index: int, taken: Resources) -> Fit:
        host_id = self.fleet.ids[index]
        names = self.fleet.gpu_names(index)[: taken.gpus]
        return Fit(environment=environment, host_id=host_id, resources=taken, gpu_names=names)

    def free_consumable(self, scope: Scope, name: str) -> int | None:
        """What is left of a consumable resource and not held back, below zero where more is; None: there is none."""
        return self._consumables.get((scope, name))

    def short_of(self, job_class: JobClass) -> list[tuple[str, int]]:
        """Which consumable resources a job lacks now, with the quantities that it asks for."""
        return [
            (name, quantity)
            for name, quantity in job_class.consumables
            if (free := self._consumables.get((job_class.scope, name))) is None or quantity > free
        ]

    def take_consumables(self, job_class: JobClass) -> None:
        """Give away what a job takes of consumable resources, or keep it from all that comes later in this cycle.

        What is more than there is at all is kept for nobody.
        """
        for name, quantity in job_class.consumables:
            place = job_class.scope, name
            view = self._snapshot.consumables.get(place)
            if view is not None and quantity <= view.total:
                self._consumables[place] -= quantity

    def find_gang(self, environment: EnvironmentName, job_class: JobClass) -> Fit | None:
        """Hosts of the environment with room now for all nodes together; nodes are never stretched."""
        if not self.cap_allows(environment, job_class):
            return None
        gang, asked, fleet = job_class.gang, job_class.resources, self.fleet
        hosts = fleet.among(self._snapshot.environments[environment].hosts) & ~self.held
        laid = lay_out(gang, fleet, fleet.free, hosts)
        if laid is None:
            return None
        given: dict[HostId, int] = {}
        nodes: list[NodePlacement] = []
        for host_id, of_node in zip(laid, each_node(gang), strict=True):
            begin = given.get(host_id, 0)
            given[host_id] = begin + of_node.gpus
            names = fleet.gpu_names(fleet.index(host_id))[begin : begin + of_node.gpus]
            nodes.append(NodePlacement(host_id=host_id, resources=of_node, gpu_names=names))
        return Fit(environment=environment, host_id=laid[0], resources=asked, gpu_names=(), nodes=tuple(nodes))

    def take(self, fit: Fit, job_class: JobClass) -> None:
        """Give the room away."""
        for place in fit.nodes or (fit,):
            self.fleet.take(place.host_id, place.resources, place.gpu_names)
            assert (self.fleet.free[:, self.fleet.index(place.host_id)] >= 0).all(), fit
        cap = self._caps[fit.environment]
        if cap is not None:
            self._caps[fit.environment] = cap - job_class.resources.vcpu_milli
        self._take_limits(fit.environment, job_class)
