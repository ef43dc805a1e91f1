"""The scheduler as slowly and plainly as it can be said: one job after another, everything counted anew each time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from longshore.domain.ids import HostId, JobKey
from longshore.domain.resources import Resources
from longshore.scheduling.classes import JobClass
from longshore.scheduling.fairshare import ShareView
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
    resources: Resources


class Reference:
    """One cycle."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.starts: list[Start] = []
        self.holds: list[Hold] = []
        self.blocked: set[str] = set()
        #: for whose first job something is kept
        self.reserved: set[str] = set()
        self.kept_milli: Counter[str] = Counter()
        self.done: set[JobKey] = set()
        self.aside: set[JobClass] = set()
        self.taken: Counter[str] = Counter()
        self.run()

    def run(self) -> None:
        self._fill([queue for queue in self.snapshot.queues if queue.aged_intake], is_aged=True)
        self.blocked = {name for name in self.reserved if self._named(name).backfill == "none"}
        for priority in sorted({-queue.priority for queue in self.snapshot.queues}):
            self.aside.clear()
            self._fill([queue for queue in self.snapshot.queues if -queue.priority == priority], is_aged=False)

    def _named(self, name: str) -> QueueView:
        return next(queue for queue in self.snapshot.queues if queue.name == name)

    def _fill(self, queues: Sequence[QueueView], *, is_aged: bool) -> None:
        done = set(self.done)
        while candidates := [found for queue in queues if (found := self._next(queue, done, is_aged=is_aged))]:
            _, key, job_class, queue = min(candidates, key=lambda found: found[0])
            done.add(key)
            short = [name for name, quantity in job_class.consumables if self._free(name) < quantity]
            is_allowed = is_aged or self._is_allowed(queue, job_class)
            if is_allowed and not short and self._start(queue, key, job_class):
                self.done.add(key)
                self._take(job_class)
            elif self._steps_aside(queue, job_class.resources):
                self.aside.add(job_class)
            elif short:
                self.aside.add(job_class)
                self._take(job_class)
            elif not is_allowed:
                self.blocked.add(queue.name)
                self._take(job_class)
            elif not self._environments(queue):
                self.blocked.add(queue.name)
            elif queue.name not in self.reserved and (is_aged or queue.backfill != "greedy"):
                self.reserved.add(queue.name)
                self._take(job_class)
                self._hold(queue, job_class.resources)
                if queue.backfill == "none":
                    self.blocked.add(queue.name)
                elif not is_aged:
                    self.kept_milli[queue.name] += job_class.resources.vcpu_milli
                self.aside.add(job_class)
            else:
                self.aside.add(job_class)

    def _next(
        self, queue: QueueView, done: set[JobKey], *, is_aged: bool
    ) -> tuple[int, JobKey, JobClass, QueueView] | None:
        """Who comes next in a queue that is not blocked."""
        jobs = [
            (intake, key, job_class, queue)
            for intake, key, job_class in jobs_of(self.snapshot)
            if (job_class.scope, job_class.queue_name) == (queue.scope, queue.name)
            and key not in done
            and job_class not in self.aside
            and (not is_aged or intake < queue.aged_intake)
        ]
        if queue.name in self.blocked or not jobs:
            return None
        if is_aged:
            return min(jobs, key=lambda job: job[0])
        firsts = [
            min((job for job in jobs if job[2].share == share), key=lambda job: (-job[2].priority, job[0]))
            for share in {job[2].share for job in jobs}
        ]
        return min(firsts, key=lambda job: (self._standing(queue, job[2].share), job[0]))

    def _started(self, queue: QueueView) -> list[JobClass]:
        classes = {key: job_class for _, key, job_class in jobs_of(self.snapshot)}
        return [classes[start.key] for start in self.starts if classes[start.key].queue_name == queue.name]

    def _active(self, queue: QueueView) -> set[str]:
        assert queue.fair is not None
        waiting = {w.job_class.share for w in self.snapshot.classes if w.job_class.queue_name == queue.name}
        return waiting | queue.fair.shares.keys()

    def _standing(self, queue: QueueView, share: str) -> float:
        if queue.fair is None:
            return 0
        view = queue.fair.shares.get(share, ShareView())
        held = view.held_milli + sum(c.resources.vcpu_milli for c in self._started(queue) if c.share == share)
        weight = 1.0
        for entry in queue.fair.policy.share_distribution:
            if entry.share_identifier == share:
                weight = entry.weight_factor
            elif entry.share_identifier.endswith("*") and share.startswith(entry.share_identifier[:-1]):
                alike = [other for other in self._active(queue) if other.startswith(entry.share_identifier[:-1])]
                weight = entry.weight_factor * len(alike)
        return (view.milli_seconds + 60 * held) * weight

    def _is_allowed(self, queue: QueueView, job_class: JobClass) -> bool:
        if queue.fair is None or queue.fair.policy.compute_reservation == 0:
            return True
        environments = [e for name in queue.environments if (e := self.snapshot.environments.get((queue.scope, name)))]
        hosts = {host_id for environment in environments for host_id in environment.hosts}
        there = sum(self.snapshot.hosts[host_id].total.vcpu_milli for host_id in hosts)
        capped = sum(there if e.cap_milli is None else e.cap_milli for e in environments)
        held = sum(view.held_milli for view in queue.fair.shares.values())
        held += sum(c.resources.vcpu_milli for c in self._started(queue)) + self.kept_milli[queue.name]
        kept = (queue.fair.policy.compute_reservation / 100) ** len(self._active(queue))
        return held == 0 or held + job_class.resources.vcpu_milli <= int(min(there, capped) * (1 - kept))

    def _free(self, name: str) -> int:
        found = [view.free for (_, other), view in self.snapshot.consumables.items() if other == name]
        return found[0] - self.taken[name] if found else -1

    def _take(self, job_class: JobClass) -> None:
        totals = {name: view.total for (_, name), view in self.snapshot.consumables.items()}
        self.taken.update({name: n for name, n in job_class.consumables if n <= totals.get(name, -1)})

    def _environments(self, queue: QueueView) -> Sequence[EnvironmentView]:
        """Those that can be used now, as the queue tries them."""
        found = [self.snapshot.environments.get((queue.scope, name)) for name in queue.environments]
        return [environment for environment in found if environment is not None and not environment.problem]

    def _taken(self, queue: QueueView, host_id: HostId, asked: Resources) -> Resources | None:
        total = self.snapshot.hosts[host_id].total
        if asked.gpus > total.gpus or (asked.scratch_mib and not total.scratch_mib):
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
        return replace(total, gpus=asked.gpus, scratch_mib=min(asked.scratch_mib, total.scratch_mib))

    @staticmethod
    def _is_within(total: Resources, asked: Resources) -> bool:
        pairs = zip(asked.amounts, total.amounts, strict=True)
        return all(wanted <= there for at, (wanted, there) in enumerate(pairs) if at != 2)

    def _cap_has_room(self, environment: EnvironmentView, asked: Resources) -> bool:
        if environment.free_cap_milli is None:
            return True
        used = sum(start.asked.vcpu_milli for start in self.starts if start.environment == environment.name)
        kept = sum(hold.milli for hold in self.holds if hold.environment == environment.name)
        return used + kept + asked.vcpu_milli <= environment.free_cap_milli

    def _host_has_room(self, queue: QueueView, host_id: HostId, asked: Resources) -> bool:
        host, taken = self.snapshot.hosts[host_id], self._taken(queue, host_id, asked)
        kept = [hold.resources for hold in self.holds if hold.host_id == host_id]
        if taken is None or (kept and taken != asked):
            return False
        here = [start.taken for start in self.starts if start.host_id == host_id]
        columns = zip(host.free.amounts, taken.amounts, *(t.amounts for t in here), strict=True)
        left = [free - sum(given) for free, *given in columns]
        is_alone = not here and host.free == host.total
        keeps = [sum(each) for each in zip(*(k.amounts for k in kept), strict=True)]
        if kept and any(want and have < keep for want, have, keep in zip(taken.amounts, left, keeps, strict=True)):
            return False
        return min(left) >= 0 and (taken == asked or is_alone)

    def _start(self, queue: QueueView, key: JobKey, job_class: JobClass) -> bool:
        asked = job_class.resources
        for environment in self._environments(queue):
            for host_id in sorted(environment.hosts, key=lambda host_id: self._fit(host_id, asked, queue)):
                if self._cap_has_room(environment, asked) and self._host_has_room(queue, host_id, asked):
                    taken = self._taken(queue, host_id, asked)
                    assert taken is not None
                    self.starts.append(Start(key, environment.name, host_id, asked, taken))
                    return True
        return False

    def _fit(self, host_id: HostId, asked: Resources, queue: QueueView) -> tuple[int, int]:
        """What best fit goes by: GPUs, then the room that is left; who runs alone takes the most there is."""
        total, left = self.snapshot.hosts[host_id].total, self.snapshot.hosts[host_id].free
        for start in self.starts:
            left = left - start.taken if start.host_id == host_id else left
        if self._taken(queue, host_id, asked) not in (None, asked):
            return total.gpus, -self._size(total)
        return (left.gpus if asked.gpus else total.gpus), self._size(left)

    def _size(self, amount: Resources) -> int:
        hosts = self.snapshot.hosts.values()
        vcpus = 2**40 // max(host.total.vcpu_milli for host in hosts)
        memory = 2**40 // max(host.total.memory_mib for host in hosts)
        scratch = 2**40 // max(1, *(host.total.scratch_mib for host in hosts))
        return amount.vcpu_milli * vcpus + amount.memory_mib * memory + amount.scratch_mib * scratch

    def _able(self, queue: QueueView, environment: EnvironmentView, asked: Resources) -> HostId | None:
        """The host that best fit would choose if nothing was anywhere."""
        if environment.cap_milli is not None and asked.vcpu_milli > environment.cap_milli:
            return None
        able = [host_id for host_id in environment.hosts if self._taken(queue, host_id, asked) is not None]
        totals = {host_id: self.snapshot.hosts[host_id].total for host_id in able}
        return min(able, key=lambda host_id: (totals[host_id].gpus, self._size(totals[host_id])), default=None)

    def _steps_aside(self, queue: QueueView, asked: Resources) -> bool:
        usable = self._environments(queue)
        return bool(usable) and all(self._able(queue, environment, asked) is None for environment in usable)

    def _hold(self, queue: QueueView, asked: Resources) -> None:
        able = [(e, host_id) for e in self._environments(queue) if (host_id := self._able(queue, e, asked)) is not None]
        for environment, host_id in able:
            if self._cap_has_room(environment, asked):
                total = self.snapshot.hosts[host_id].total
                taken = asked if self._is_within(total, asked) else total
                self.holds.append(Hold(environment.name, asked.vcpu_milli, host_id, taken))
                return
        if able:
            self.holds.append(Hold(able[0][0].name, asked.vcpu_milli, None, Resources()))
