"""Whether and where one job fits, with exact accounting of what this cycle has given away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

from longshore.domain.ids import HostId, Scope
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fleet import Fleet, Mask
from longshore.scheduling.gang import each_node
from longshore.scheduling.laying import lay_out
from longshore.scheduling.plan import NodePlacement
from longshore.scheduling.prospect import Prospect, Reservation, is_enough
from longshore.scheduling.snapshot import EnvironmentName, EnvironmentView, Oversize, QueueView, Snapshot
from longshore.scheduling.tally import LimitRoom


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
    """Which of these hosts could ever run a job that asks for so much."""
    return fleet.has(fleet.total, least_of(asked, oversize), hosts)


def least_of(asked: Resources, oversize: Oversize) -> Resources:
    """What a host has at least that could ever run a job that asks for so much.

    A job that asks for more vCPU, memory or scratch disk than the whole host has runs alone on it if `oversize` allows;
    GPUs are never stretched, nor is scratch disk where there is none.
    """
    if oversize == "wait":
        return asked
    return Resources(gpus=asked.gpus, gpu_milli=asked.gpu_milli, scratch_mib=min(asked.scratch_mib, 1))


class Room:
    """What is left while a cycle runs, and what of it is kept for jobs that have to wait."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.fleet = Fleet.of(snapshot.hosts)
        self.prospect = Prospect(snapshot, self.fleet)
        #: what environments' caps and limits have left, in the order of `EnvironmentView.left`
        self._left: dict[EnvironmentName, list[int]] = {}
        #: what of it others may have once what is kept is needed, and when that is
        self._spare: dict[EnvironmentName, Sequence[int]] = {}
        self._kept_from: dict[EnvironmentName, float] = {}
        #: somebody is over the age bound: only time-outs count, not what was learned
        self.is_sure = False
        #: reservations that are to be made before anything else may have room
        self._promises: list[Callable[[], None]] = []
        #: by environments, what did not fit: so much, for so long
        self._failures: dict[tuple[Scope, tuple[str, ...]], list[tuple[tuple[int, ...], float]]] = {}
        self._consumables = {name: view.free for name, view in snapshot.consumables.items()}
        self.limits = LimitRoom(snapshot.limits)

    def failures(self, queue: QueueView) -> list[tuple[tuple[int, ...], float]]:
        """What did not fit in the queue's environments; as much or more for as long or longer does not either."""
        return self._failures.setdefault((queue.scope, queue.environments), [])

    def seconds_of(self, job_class: JobClass) -> float:
        """How long such a job runs at most; `inf` where that is not known."""
        learned = None if self.is_sure else self._snapshot.durations.get(job_class.history)
        timeout = job_class.timeout_seconds
        return min(inf if timeout is None else timeout, inf if learned is None else learned.bound)

    def until(self, job_class: JobClass) -> float:
        """When such a job is over if it starts now; `inf` where that is not known."""
        return self._snapshot.now + self.seconds_of(job_class)

    def left(self, environment: EnvironmentName) -> Sequence[int]:
        """What its cap and its limits have left, what is kept included."""
        left = self._left.get(environment)
        if left is None:
            left = self._left[environment] = list(self._snapshot.environments[environment].left)
        return left

    def spare(self, environment: EnvironmentName, until: float) -> Sequence[int]:
        """What of it a job may have that is over by `until`."""
        left = self.left(environment)
        if until <= self._kept_from.get(environment, inf):
            return left
        return list(map(min, left, self._spare[environment]))

    def promise(self, reserve: Callable[[], None]) -> None:
        """Have a reservation made as things are now, but no sooner than somebody else could have the room."""
        self._promises.append(reserve)

    def settle(self) -> None:
        """Make the reservations that were promised."""
        promises, self._promises = self._promises, []
        for reserve in promises:
            reserve()

    def limits_allow(self, environment: EnvironmentView, job_class: JobClass, until: float = inf) -> bool:
        """Whether cap and limits have so much for a job that is over by `until`."""
        return environment.could_allow(job_class) and is_enough(
            self.spare(environment.name, until), environment.demands(job_class)
        )

    def find(self, environment: EnvironmentView, job_class: JobClass, oversize: Oversize, until: float) -> Fit | None:
        """The host with room now that best fit chooses, or the hosts of all nodes; nodes are never stretched.

        The job is over by `until`: room that is kept from then on may be used.
        """
        if not is_enough(self.left(environment.name), environment.demands(job_class)):
            return None
        asked, fleet, prospect = job_class.resources, self.fleet, self.prospect
        if job_class.gang:
            return self._find_gang(environment, job_class, until)
        fits = fleet.has(fleet.free, asked, environment.hosts)
        if oversize == "wait" and not fits.any():
            return None
        self.settle()
        if not self.limits_allow(environment, job_class, until):
            return None
        fits = prospect.allowed(asked, until, fits)
        index = fleet.tightest(fits, with_gpus=asked.gpus > 0)
        if index is not None:
            return self._fit(environment.name, index, asked)
        if oversize == "wait":
            return None
        able = could_hold(asked, environment.hosts, oversize, fleet) & ~fleet.has(fleet.total, asked, environment.hosts)
        index = fleet.largest(able & fleet.idle() & (prospect.at >= until))
        return None if index is None else self._fit(environment.name, index, self.alone_on(index, asked))

    def alone_on(self, index: int, asked: Resources) -> Resources:
        """What a job takes of a host that it runs alone on."""
        total = self.fleet[self.fleet.ids[index]].total
        scratch_mib = min(asked.scratch_mib, total.scratch_mib)
        return replace(total, gpus=asked.gpus, gpu_milli=asked.gpu_milli, scratch_mib=scratch_mib)

    def _fit(self, environment: EnvironmentName, index: int, taken: Resources) -> Fit:
        host_id = self.fleet.ids[index]
        names = self.fleet.gpu_names(index)[: taken.gpus]
        return Fit(environment=environment, host_id=host_id, resources=taken, gpu_names=names)

    def _find_gang(self, environment: EnvironmentView, job_class: JobClass, until: float) -> Fit | None:
        gang, asked, fleet = job_class.gang, job_class.resources, self.fleet
        hosts = fleet.mask_of(environment.hosts)
        if self._promises and lay_out(gang, fleet, fleet.free, hosts) is None:
            return None
        self.settle()
        if not self.limits_allow(environment, job_class, until):
            return None
        laid = lay_out(gang, fleet, self.prospect.there(until), hosts)
        if laid is None:
            return None
        given: dict[HostId, int] = {}
        nodes: list[NodePlacement] = []
        for host_id, of_node in zip(laid, each_node(gang), strict=True):
            begin = given.get(host_id, 0)
            given[host_id] = begin + of_node.gpus
            names = fleet.gpu_names(fleet.index(host_id))[begin : begin + of_node.gpus]
            nodes.append(NodePlacement(host_id=host_id, resources=of_node, gpu_names=names))
        return Fit(environment=environment.name, host_id=laid[0], resources=asked, gpu_names=(), nodes=tuple(nodes))

    def take(self, fit: Fit, job_class: JobClass, until: float) -> None:
        """Give the room away to a job that is over by `until`."""
        fleet = self.fleet
        places = [(fleet.index(place.host_id), place.resources) for place in fit.nodes or (fit,)]
        for place in fit.nodes or (fit,):
            fleet.take(place.host_id, place.resources, place.gpu_names)
        for index, _ in places:
            assert (fleet.free[:, index] >= 0).all(), fit
        demand = self._snapshot.environments[fit.environment].demands(job_class)
        left = self.left(fit.environment)
        self._left[fit.environment] = [have - less for have, less in zip(left, demand, strict=True)]
        if until > self._kept_from.get(fit.environment, inf):
            spare = self._spare[fit.environment]
            self._spare[fit.environment] = [have - less for have, less in zip(spare, demand, strict=True)]
        self.prospect.note(places, fit.environment, demand, until)
        self.take_consumables(job_class)

    def keep(self, reservation: Reservation) -> None:
        """Make a reservation."""
        environment, at = reservation.environment, reservation.at
        before = self._spare.get(environment)
        spare = self.prospect.keep(reservation, self.left(environment), is_sure=self.is_sure)
        if before is not None:
            spare = [min(have - less, new) for have, less, new in zip(before, reservation.demand, spare, strict=True)]
        self._spare[environment] = spare
        from_then = self._snapshot.now if at is None else at
        self._kept_from[environment] = min(self._kept_from.get(environment, inf), from_then)

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
