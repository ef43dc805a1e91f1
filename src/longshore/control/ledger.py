"""Who holds what: the attempts that are open, and what they leave of hosts and environments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import AttemptId, HostId, JobKey
from longshore.domain.job import Attempt, Job
from longshore.domain.resources import Resources
from longshore.ports.engine import Handle
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
    """An attempt that is not released yet."""

    attempt: Attempt
    #: as it is in the store while the attempt has not ended
    job: Job
    environment: ComputeEnvironment

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
        return Handle(attempt_id=self.attempt.attempt_id, state=self.attempt.handle)


class Ledger:
    """Open attempts, and exact accounts of what the running ones hold; over-commitment is a bug and asserted."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts: Mapping[HostId, Host] = {host.id: host for host in hosts}
        self._free = {host.id: host.total for host in hosts}
        self._free_gpus = {host.id: list(host.gpu_names) for host in hosts}
        self._environment_milli: dict[EnvironmentName, int] = {}
        self._open: dict[AttemptId, OpenAttempt] = {}

    def find(self, attempt_id: AttemptId) -> OpenAttempt | None:
        """The open attempt of that id."""
        return self._open.get(attempt_id)

    def open_attempts(self) -> Sequence[OpenAttempt]:
        """All that are not released."""
        return list(self._open.values())

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
        was_holding = known is not None and not known.attempt.has_ended
        if not attempt.has_ended and not was_holding:
            self._hold(entry, sign=1)
        elif attempt.has_ended and was_holding:
            self._hold(entry, sign=-1)

    def note_job(self, job: Job) -> None:
        """Keep a job that holds an attempt, which stays as it is."""
        assert job.attempt is not None, job
        entry = self._open[job.attempt.attempt_id]
        self._open[job.attempt.attempt_id] = replace(entry, job=job)

    def drop(self, attempt_id: AttemptId) -> None:
        """Forget a released attempt."""
        entry = self._open.pop(attempt_id, None)
        assert entry is None or entry.attempt.has_ended, entry

    def _hold(self, entry: OpenAttempt, *, sign: int) -> None:
        attempt = entry.attempt
        asked = entry.job.spec.resources.vcpu_milli
        environment = entry.environment_name
        self._environment_milli[environment] = self.environment_milli(environment) + sign * asked
        if attempt.host_id not in self._hosts:
            return  # a host that is no longer offered
        free = self._free[attempt.host_id]
        self._free[attempt.host_id] = free - attempt.resources if sign > 0 else free + attempt.resources
        gpus = self._free_gpus[attempt.host_id]
        for name in attempt.gpu_names:
            if sign > 0 and name in gpus:
                gpus.remove(name)
            elif sign < 0 and name in self._hosts[attempt.host_id].gpu_names:
                gpus.append(name)

    def environment_milli(self, environment: EnvironmentName) -> int:
        """vCPU (thousandths) that attempts of the environment hold."""
        return self._environment_milli.get(environment, 0)

    def has_room(self, host_id: HostId, wanted: Resources) -> bool:
        """Whether the host has that much left."""
        return wanted.fits(self._free[host_id])

    def hosts(self) -> Mapping[HostId, HostView]:
        """Hosts as they are now; one that offers less than it did before a restart may show as having nothing."""
        return {
            host.id: HostView(
                id=host.id,
                total=host.total,
                free=_not_below_zero(self._free[host.id]),
                free_gpus=tuple(self._free_gpus[host.id]),
            )
            for host in self._hosts.values()
        }


def _not_below_zero(amount: Resources) -> Resources:
    if not amount.is_negative():
        return amount
    return Resources(
        vcpu_milli=max(amount.vcpu_milli, 0), memory_mib=max(amount.memory_mib, 0), gpus=max(amount.gpus, 0)
    )
