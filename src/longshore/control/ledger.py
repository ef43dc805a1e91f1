"""Who holds what: the attempts that are open, and what they leave of hosts and environments."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.domain.ids import AttemptId, HostId, JobKey
from longshore.domain.job import Attempt, Intent, Job, Part
from longshore.domain.lifecycle.parts import by_node
from longshore.domain.resources import Resources
from longshore.domain.service_environment import Environment
from longshore.domain.workload import WorkContainer, workload_of
from longshore.ports.engine import Handle
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.snapshot import EnvironmentName, HostView


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine that attempts are placed on."""

    id: HostId
    total: Resources
    #: as many names as `total.gpus`
    gpu_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """An attempt that is not released yet, or a part of one, which its engine knows as an attempt."""

    #: a `Part` where it is one
    attempt: Attempt
    #: as it is in the store while the attempt has not ended
    job: Job
    environment: Environment
    #: of a part: the attempt that it belongs to
    whole: Attempt | None = None

    @property
    def engine(self) -> str:
        """Name of the engine that runs it."""
        return self.environment.engine

    @property
    def environment_name(self) -> EnvironmentName:
        """The environment it counts against."""
        return self.job.spec.scope, self.attempt.environment_name

    @property
    def handle(self) -> Handle:
        """How its engine finds it."""
        return Handle(attempt_id=self.attempt.attempt_id, state=self.attempt.handle, whole_id=self.whole_id)

    @property
    def whole_id(self) -> AttemptId | None:
        """The attempt that this is a part of."""
        if not isinstance(self.attempt, Part):
            return None
        assert self.whole is not None
        return self.whole.attempt_id

    @property
    def container(self) -> WorkContainer:
        """What is to run; not for a whole attempt that has parts."""
        nodes, attempt = workload_of(self.job.spec).nodes, self.attempt
        if isinstance(attempt, Part):
            return nodes[attempt.node].container(attempt.container)
        return nodes[0].containers[0]


class Ledger:
    """Open attempts, and exact accounts of what the running ones hold; over-commitment is a bug and asserted."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts: Mapping[HostId, Host] = {host.id: host for host in hosts}
        self._fleet = Fleet(
            HostView(id=host.id, total=host.total, free=host.total, free_gpus=host.gpu_names) for host in hosts
        )
        self._environment_milli: dict[EnvironmentName, int] = {}
        self._instances: dict[EnvironmentName, Counter[str]] = {}
        self._open: dict[AttemptId, OpenAttempt] = {}
        #: parts, each with the attempt that it belongs to
        self._parts: dict[AttemptId, tuple[AttemptId, Part]] = {}
        #: of the running ones with nodes, by attempt
        self._addresses: dict[AttemptId, frozenset[str]] = {}

    def find(self, attempt_id: AttemptId) -> OpenAttempt | None:
        """The open attempt, or part of one, of that id."""
        entry = self._open.get(attempt_id)
        if entry is None and (found := self._parts.get(attempt_id)) is not None:
            return _of_part(self._open[found[0]], found[1])
        return entry

    def open_attempts(self) -> Sequence[OpenAttempt]:
        """All that are not released."""
        return list(self._open.values())

    def open_tasks(self) -> Sequence[OpenAttempt]:
        """What engines know of, or are to be told of: plain attempts, and parts in place of attempts that have them."""
        if not self._parts:
            return list(self._open.values())
        plain = [entry for entry in self._open.values() if not entry.attempt.parts]
        pairs = [(self._open[whole_id], part) for whole_id, part in self._parts.values()]
        return plain + [_of_part(whole, part) for whole, part in pairs if part.intent is not Intent.WAIT]

    def most_memory_mib(self, asked: Resources) -> int:
        """The most memory that a host has which could give a job all else that it asks for; 0: none could."""
        others = replace(asked, memory_mib=0)
        return max((host.total.memory_mib for host in self._hosts.values() if others.fits(host.total)), default=0)

    def is_address_free(self, address: str) -> bool:
        """Whether no node of a running attempt has it."""
        return not any(address in taken for taken in self._addresses.values())

    def running_between(self, first: JobKey, last: JobKey) -> Sequence[JobKey]:
        """Jobs with keys from `first` to `last` that hold an attempt."""
        return [
            entry.job.key
            for entry in self._open.values()
            if first <= entry.job.key <= last and not entry.attempt.has_ended
        ]

    def put(self, entry: OpenAttempt) -> None:
        """Note an attempt as it is now: a new one takes its resources, one that has ended gives them back."""
        attempt = entry.attempt
        known = self._open.get(attempt.attempt_id)
        self._open[attempt.attempt_id] = entry
        if attempt.parts:
            self._put_parts(entry)
        was_holding = known is not None and not known.attempt.has_ended
        if not attempt.has_ended and not was_holding:
            self._hold(entry, sign=1)
        elif attempt.has_ended and was_holding:
            self._hold(entry, sign=-1)

    def _put_parts(self, entry: OpenAttempt) -> None:
        whole = entry.attempt
        addresses = frozenset(part.address for part in whole.parts if part.address)
        if addresses and not whole.has_ended:
            self._addresses[whole.attempt_id] = addresses
        else:
            self._addresses.pop(whole.attempt_id, None)
        self._parts.update((part.attempt_id, (whole.attempt_id, part)) for part in whole.parts)

    def note_job(self, job: Job) -> None:
        """Keep a job that holds an attempt, which stays as it is."""
        assert job.attempt is not None, job
        entry = self._open[job.attempt.attempt_id]
        self._open[job.attempt.attempt_id] = replace(entry, job=job)

    def drop(self, attempt_id: AttemptId) -> None:
        """Forget a released attempt."""
        entry = self._open.pop(attempt_id, None)
        assert entry is None or entry.attempt.has_ended, entry
        for part in entry.attempt.parts if entry else ():
            del self._parts[part.attempt_id]

    def _hold(self, entry: OpenAttempt, *, sign: int) -> None:
        asked = entry.job.spec.resources.vcpu_milli
        environment = entry.environment_name
        self._environment_milli[environment] = self.environment_milli(environment) + sign * asked
        for kind, count in entry.job.spec.instances:
            self._instances.setdefault(environment, Counter())[kind] += sign * count
        for host_id, amount, gpu_names in holdings_of(entry):
            if host_id not in self._hosts:
                continue  # a host that is no longer offered
            if sign > 0:
                self._fleet.take(host_id, amount, tuple(gpu_names))
            else:
                offered = self._hosts[host_id].gpu_names
                self._fleet.give_back(host_id, amount, tuple(name for name in gpu_names if name in offered))

    def environment_milli(self, environment: EnvironmentName) -> int:
        """vCPU (thousandths) that attempts of the environment hold."""
        return self._environment_milli.get(environment, 0)

    def instances(self, environment: EnvironmentName) -> Collection[tuple[str, int]]:
        """Instances that attempts of the environment hold, by type."""
        return tuple(self._instances.get(environment, Counter()).items())

    def has_room(self, host_id: HostId, wanted: Resources) -> bool:
        """Whether the host has that much left."""
        return bool((self._fleet.free[:, self._fleet.index(host_id)] >= wanted.amounts).all())

    def hosts(self) -> Fleet:
        """Hosts as they are now; one that offers less than it did before a restart may show as having nothing."""
        return Fleet.of(self._fleet)


def _of_part(whole: OpenAttempt, part: Part) -> OpenAttempt:
    return OpenAttempt(attempt=part, job=whole.job, environment=whole.environment, whole=whole.attempt)


def holdings_of(entry: OpenAttempt) -> Sequence[tuple[HostId, Resources, Collection[str]]]:
    """What an attempt holds of which host. Nodes beside each other are never more than they ask for."""
    attempt = entry.attempt
    if not entry.job.spec.has_nodes:
        return ((attempt.host_id, attempt.resources, attempt.gpu_names),)
    workload = workload_of(entry.job.spec)
    parts = by_node(workload, attempt.parts)
    return [
        (of_node[0].host_id, node.resources, dict.fromkeys(name for part in of_node for name in part.gpu_names))
        for node, of_node in zip(workload.nodes, parts, strict=True)
    ]
