"""The scheduler as slowly and plainly as it can be said: one job after another, everything counted anew each time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from longshore.domain.ids import HostId, JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.snapshot import EnvironmentName, EnvironmentView, QueueView, Snapshot
from tests.unit.scheduling.situations import jobs_of


@dataclass(frozen=True)
class Start:
    """A job that starts."""

    key: JobKey
    environment: EnvironmentName
    host_id: HostId
    asked: Resources
    taken: Resources


@dataclass(frozen=True)
class Hold:
    """What is kept for a job that waits."""

    environment: EnvironmentName
    milli: int
    host_id: HostId | None


class Reference:
    """One cycle."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.starts: list[Start] = []
        self.holds: list[Hold] = []
        self.run()

    def run(self) -> None:
        queues = {(queue.scope, queue.name): queue for queue in self.snapshot.queues}
        blocked: set[str] = set()
        jobs = [(queues[c.scope, c.queue_name], intake, key, c) for intake, key, c in jobs_of(self.snapshot)]
        for queue, _, key, job_class in sorted(jobs, key=lambda job: (-job[0].priority, job[1])):
            if queue.name in blocked or self._start(queue, key, job_class):
                continue
            if not self._steps_aside(queue, job_class.resources):
                blocked.add(queue.name)
                self._hold(queue, job_class.resources)

    def _environments(self, queue: QueueView) -> Sequence[EnvironmentView]:
        """Those that can be used now, as the queue tries them."""
        found = [self.snapshot.environments.get((queue.scope, name)) for name in queue.environments]
        return [environment for environment in found if environment is not None and not environment.problem]

    def _taken(self, queue: QueueView, host_id: HostId, asked: Resources) -> Resources | None:
        total = self.snapshot.hosts[host_id].total
        if asked.gpus > total.gpus:
            return None
        if self._is_within(total, asked):
            return asked
        named = [self.snapshot.environments.get((queue.scope, name)) for name in queue.environments]
        is_within_another = any(
            self._is_within(self.snapshot.hosts[other].total, asked)
            and asked.gpus <= self.snapshot.hosts[other].total.gpus
            for e in named
            if e is not None and (e.cap_milli is None or asked.vcpu_milli <= e.cap_milli)
            for other in e.hosts
        )
        if self.snapshot.oversize == "wait" or is_within_another:
            return None
        return replace(total, gpus=asked.gpus)

    @staticmethod
    def _is_within(total: Resources, asked: Resources) -> bool:
        return asked.vcpu_milli <= total.vcpu_milli and asked.memory_mib <= total.memory_mib

    def _cap_has_room(self, environment: EnvironmentView, asked: Resources) -> bool:
        if environment.free_cap_milli is None:
            return True
        used = sum(start.asked.vcpu_milli for start in self.starts if start.environment == environment.name)
        kept = sum(hold.milli for hold in self.holds if hold.environment == environment.name)
        return used + kept + asked.vcpu_milli <= environment.free_cap_milli

    def _host_has_room(self, queue: QueueView, host_id: HostId, asked: Resources) -> bool:
        host, taken = self.snapshot.hosts[host_id], self._taken(queue, host_id, asked)
        if taken is None or any(hold.host_id == host_id for hold in self.holds):
            return False
        here = [start.taken for start in self.starts if start.host_id == host_id]
        left = [
            host.free.vcpu_milli - sum(t.vcpu_milli for t in here) - taken.vcpu_milli,
            host.free.memory_mib - sum(t.memory_mib for t in here) - taken.memory_mib,
            host.free.gpus - sum(t.gpus for t in here) - taken.gpus,
        ]
        is_alone = not here and host.free == host.total
        return min(left) >= 0 and (taken == asked or is_alone)

    def _start(self, queue: QueueView, key: JobKey, job_class: JobClass) -> bool:
        asked = job_class.resources
        for environment in self._environments(queue):
            for host_id in environment.hosts:
                if self._cap_has_room(environment, asked) and self._host_has_room(queue, host_id, asked):
                    taken = self._taken(queue, host_id, asked)
                    assert taken is not None
                    self.starts.append(Start(key, environment.name, host_id, asked, taken))
                    return True
        return False

    def _able(self, queue: QueueView, environment: EnvironmentView, asked: Resources) -> HostId | None:
        """The first host that could take the job if nothing else was there."""
        if environment.cap_milli is not None and asked.vcpu_milli > environment.cap_milli:
            return None
        return next((host_id for host_id in environment.hosts if self._taken(queue, host_id, asked) is not None), None)

    def _steps_aside(self, queue: QueueView, asked: Resources) -> bool:
        usable = self._environments(queue)
        return bool(usable) and all(self._able(queue, environment, asked) is None for environment in usable)

    def _hold(self, queue: QueueView, asked: Resources) -> None:
        able = [(e, host_id) for e in self._environments(queue) if (host_id := self._able(queue, e, asked)) is not None]
        for environment, host_id in able:
            if self._cap_has_room(environment, asked):
                self.holds.append(Hold(environment.name, asked.vcpu_milli, host_id))
                return
        if able:
            self.holds.append(Hold(able[0][0].name, asked.vcpu_milli, None))
