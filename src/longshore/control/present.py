"""What the leader holds in memory of the present; all of it follows from the store and can be rebuilt at any time."""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush

from longshore.control.ages import Ages, chosen
from longshore.control.holdings import Holdings, QueueName
from longshore.control.ledger import Host, Ledger, OpenAttempt
from longshore.control.quotas import quota_capacity, quota_views
from longshore.control.run_lengths import Learning
from longshore.control.running import running_view
from longshore.control.start_deadlines import StartDeadlines
from longshore.domain.consumable import ConsumableResource
from longshore.domain.environment import ComputeEnvironment
from longshore.domain.ids import AttemptId, HostId, JobKey, Scope
from longshore.domain.job import Attempt, Intent, Job
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.policy import FairsharePolicy
from longshore.domain.queue import JobQueue, QueueFront, StateTimeLimitAction
from longshore.domain.quota import QuotaShare
from longshore.domain.service_environment import Environment, ServiceEnvironment, demand_on, service_environment_key
from longshore.ports.store import Edge, Reader
from longshore.scheduling.backlog import Backlog
from longshore.scheduling.classes import JobClass, class_of
from longshore.scheduling.fairshare import FairShareView
from longshore.scheduling.forecast.outlook import MOST_RECENT
from longshore.scheduling.limits import caps_of
from longshore.scheduling.quota import QuotaView
from longshore.scheduling.roster import Roster
from longshore.scheduling.snapshot import (
    ConsumableView,
    EnvironmentName,
    EnvironmentView,
    HostView,
    Oversize,
    QueueView,
    Snapshot,
)
from longshore.service.powers import queue_powers
from longshore.service.waits import environment_problem

_ALL = 1_000_000
#: What is over may stand beside as much that is not, and this much more, before it is looked for.
_SPARE = 4


class Present:
    """Backlog, ledger, open questions and time-outs of one leader."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.backlog = Backlog()
        self.ledger = Ledger(hosts)
        self.holdings = Holdings()
        self.learning = Learning()
        self.ages = Ages()
        self.roster = Roster()
        #: as they were last published
        self.fronts: dict[QueueName, QueueFront] = {}
        self.next_intake = 1
        #: when jobs came that could start, of which class and how many, since this leader leads
        self.recent: deque[tuple[datetime, JobClass, int]] = deque(maxlen=MOST_RECENT)
        #: array jobs none of whose children may start
        self.held_arrays: set[JobKey] = set()
        #: jobs that something waits for: only the end of these is looked up in the store
        self.depended_on: set[JobKey] = set()
        self._most_depended_on = 0
        #: jobs and array children that may have become free to run; each is looked at, and left alone if it has not
        self.checks: deque[JobKey] = deque()
        self.start_deadlines = StartDeadlines()
        self._time_limits: Mapping[QueueName, Mapping[str, StateTimeLimitAction]] = {}
        self._resources: tuple[Sequence[JobQueue], Mapping[EnvironmentName, Environment]] | None = None
        self._policies: Mapping[QueueName, FairsharePolicy] | None = None
        self._consumables: Sequence[ConsumableResource] | None = None
        self._quota_shares: Sequence[QuotaShare] | None = None
        self._deadlines: list[tuple[float, AttemptId]] = []
        self._most_deadlines = _SPARE

    @classmethod
    def rebuild(cls, reader: Reader, hosts: Sequence[Host]) -> "Present":
        """The present as the store has it."""
        present = cls(hosts)
        present.next_intake = reader.next_intake()
        present.held_arrays = set(reader.held_arrays())
        present.holdings.load(reader.share_uses())
        present.learning = Learning(reader.run_histories())
        present.fronts = {(front.scope, front.name): front for front in reader.queue_fronts()}
        specs = {spec.key: spec for spec in reader.live_specs()}
        for spec in specs.values():
            present.start_deadlines.add(spec)
        service_jobs = reader.load_jobs([key for key, spec in specs.items() if spec.training is not None])
        runs = list(reader.live_runs(JobStatus.RUNNABLE))
        for spec_key, (keys, intake, memory_mib) in runs:
            count, job = keys.last - keys.first + 1, service_jobs.get(spec_key)
            job_class = class_of(specs[spec_key], job and job.scheduling_priority, memory_mib)
            present.backlog.add(job_class, intake=intake, key=keys.first, count=count)
        sampled = {run.keys.first: run.intake for _, run in chosen(sorted(runs, key=lambda found: found[1].intake))}
        present.ages.recall((sampled[key], job.created_at) for key, job in reader.load_jobs(list(sampled)).items())
        attempts = reader.open_attempts()
        jobs = reader.load_jobs([attempt.job_key for attempt in attempts])
        for attempt in attempts:
            present.note_attempt(reader, attempt, jobs[attempt.job_key])
        for edge in reader.edges_of(list(specs)):
            present.watch_edge(edge)
            present.checks.append(edge.job_key)
            if edge.type is not None:
                present.check_children(reader, edge.job_key)
        present.forget_ended(reader)
        return present

    def waits_in_backlog(self, job: Job) -> bool:
        """Whether the backlog is to have this job."""
        is_held = job.held_at is not None or job.spec.key in self.held_arrays
        return job.status is JobStatus.RUNNABLE and not job.is_array_parent and not is_held

    def note_attempt(self, reader: Reader, attempt: Attempt, job: Job) -> Sequence[OpenAttempt]:
        """Keep the ledger and the time-outs in step with an attempt.

        Returns what its engine knows of it and may have to be told: itself, or those of its parts whose intent changed.
        """
        known = self.ledger.find(attempt.attempt_id)
        environment = (
            known.environment if known else self.environments(reader)[job.spec.scope, attempt.environment_name]
        )
        entry = OpenAttempt(attempt=attempt, job=job, environment=environment)
        self.ledger.put(entry)
        shares = job.spec.share_identifier is not None
        policy = self.policies(reader).get((job.spec.scope, job.spec.queue_name)) if shares else None
        self.holdings.note(attempt, job, policy)
        timeout = job.spec.attempt_seconds
        was_running = known is not None and known.attempt.started_boot_seconds is not None
        if timeout is not None and attempt.started_boot_seconds is not None and not was_running:
            heappush(self._deadlines, (attempt.started_boot_seconds + timeout, attempt.attempt_id))
            self._forget_deadlines()
        has_changed = known is None or known.attempt.started_boot_seconds != attempt.started_boot_seconds
        if not attempt.has_ended and has_changed:
            self.roster.put(running_view(entry, self.holdings.instant, self.learning.durations))
        elif attempt.has_ended and known is not None and not known.attempt.has_ended:
            self.roster.remove(job.key)
        tasks = self._note_parts(entry, known) if attempt.parts else (entry,)
        if attempt.has_ended and attempt.intent is Intent.NONE:
            self.ledger.drop(attempt.attempt_id)
        return tasks

    def _note_parts(self, entry: OpenAttempt, known: OpenAttempt | None) -> Sequence[OpenAttempt]:
        before = {part.attempt_id: part for part in known.attempt.parts} if known else {}
        changed: list[OpenAttempt] = []
        for part in entry.attempt.parts:
            was = before.get(part.attempt_id)
            if was is part:
                continue
            task = self.ledger.find(part.attempt_id)
            assert task is not None, part
            if was is None or was.intent is not part.intent:
                changed.append(task)
            allowed = task.container.start_timeout_seconds
            began = part.started_boot_seconds
            if allowed is not None and began is not None and (was is None or was.started_boot_seconds is None):
                heappush(self._deadlines, (began + allowed, part.attempt_id))
                self._forget_deadlines()
        return changed

    def watch_edge(self, edge: Edge) -> None:
        """Remember that something waits for `on_key`."""
        self.depended_on.add(edge.on_key)

    def forget_ended(self, reader: Reader) -> None:
        """What has ended is waited for no more; it is looked for once it may be as much as the rest."""
        if len(self.depended_on) > self._most_depended_on:
            statuses = reader.statuses(self.depended_on)
            self.depended_on = {key for key, status in statuses.items() if not status.is_final}
            self._most_depended_on = 2 * len(self.depended_on) + _SPARE

    def _forget_deadlines(self) -> None:
        """The same of time-outs."""
        if len(self._deadlines) > self._most_deadlines:
            entries = [(deadline, self.ledger.find(attempt_id)) for deadline, attempt_id in self._deadlines]
            self._deadlines = [(at, e.attempt.attempt_id) for at, e in entries if e and not e.attempt.has_ended]
            heapify(self._deadlines)
            self._most_deadlines = 2 * len(self._deadlines) + _SPARE

    def check_children(self, reader: Reader, parent: JobKey) -> None:
        """Look at each child of an array job again."""
        job = reader.load_jobs([parent])[parent]
        self.checks.extend(JobKey(key) for key in range(parent + 1, job.spec.last_key + 1))

    def forget_resources(self) -> None:
        """Queues or environments may have changed; they are read again when next needed."""
        self._resources = self._policies = self._consumables = self._quota_shares = None

    def forget_consumables(self) -> None:
        """There may be less of them; they are read again when next needed."""
        self._consumables = None

    def policies(self, reader: Reader) -> Mapping[QueueName, FairsharePolicy]:
        """Policies of the queues that are fair-share ones."""
        if self._policies is None:
            known = {policy.arn: policy.fairshare_policy for policy in reader.scheduling_policies(None, limit=_ALL)}
            self._policies = {
                (queue.scope, queue.name): policy
                for queue in self.queues(reader)
                if (policy := known.get(queue.scheduling_policy_arn or "")) is not None
            }
        return self._policies

    def _consumable_views(self, reader: Reader) -> Mapping[tuple[Scope, str], ConsumableView]:
        if self._consumables is None:
            self._consumables = reader.consumables(None, limit=_ALL)
        return {
            (each.scope, each.name): ConsumableView(
                total=each.total,
                free=max(each.total - self.holdings.held_of(each.scope, each.name), 0),
                is_replenishable=each.resource_type == "REPLENISHABLE",
            )
            for each in self._consumables
        }

    def quota_shares(self, reader: Reader) -> Sequence[QuotaShare]:
        """All quota shares."""
        if self._quota_shares is None:
            self._quota_shares = reader.quota_shares(None, limit=_ALL)
        return self._quota_shares

    def _quota_views(
        self,
        reader: Reader,
        queues: Sequence[JobQueue],
        environments: Mapping[EnvironmentName, EnvironmentView],
        hosts: Mapping[HostId, HostView],
    ) -> Mapping[QueueName, QuotaView]:
        shares = self.quota_shares(reader)
        names = {(share.scope, share.queue_name) for share in shares}
        capacities = {
            (queue.scope, queue.name): quota_capacity(
                [view for name in queue.environment_names if (view := environments.get((queue.scope, name)))], hosts
            )
            for queue in queues
            if (queue.scope, queue.name) in names
        }
        return quota_views(capacities, shares, self.ledger.open_attempts()) if capacities else {}

    def _fair_view(self, reader: Reader, queue: JobQueue) -> FairShareView | None:
        name = queue.scope, queue.name
        policy = self.policies(reader).get(name)
        if policy is None:
            return None
        assert self.holdings.instant is not None
        return FairShareView(
            policy=policy,
            shares=self.holdings.shares(reader, name, policy, self.holdings.instant),
            reservable_milli=self._reservable_milli(reader, queue),
        )

    def _reservable_milli(self, reader: Reader, queue: JobQueue) -> int | None:
        """What fair-share reservations are a part of, where an environment of the queue says; None: all there is.

        Source: AWS Batch API, unmanagedvCpus: of an unmanaged environment that gives none, nothing is reserved.
        """
        known = self.environments(reader)
        found = [known.get((queue.scope, name)) for name in queue.environment_names]
        environments = [each for each in found if isinstance(each, ComputeEnvironment)]
        if all(each.type == "MANAGED" for each in environments):
            return None
        return sum(each.reservable_vcpus for each in environments) * 1000

    def _load_resources(self, reader: Reader) -> tuple[Sequence[JobQueue], Mapping[EnvironmentName, Environment]]:
        if self._resources is None:
            queues = reader.queues(None, limit=_ALL)
            self._time_limits = {
                (queue.scope, queue.name): {each.reason: each for each in queue.time_limit_actions}
                for queue in queues
                if queue.time_limit_actions
            }
            environments: dict[EnvironmentName, Environment] = {}
            environments |= {(e.scope, e.name): e for e in reader.environments(None, limit=_ALL)}
            for service in reader.service_environments(None, limit=_ALL):
                environments[service.scope, service_environment_key(service.name)] = service
            self._resources = queues, environments
        return self._resources

    def queues(self, reader: Reader) -> Sequence[JobQueue]:
        """All queues."""
        return self._load_resources(reader)[0]

    def time_limits(self, reader: Reader | None) -> Mapping[QueueName, Mapping[str, StateTimeLimitAction]]:
        """What is done to heads that wait too long, by queue and by what for; without a reader as last read."""
        if reader is not None:
            self._load_resources(reader)
        return self._time_limits

    def environments(self, reader: Reader) -> Mapping[EnvironmentName, Environment]:
        """All environments, service environments by their keys."""
        return self._load_resources(reader)[1]

    def engine_of(self, reader: Reader, name: EnvironmentName) -> str:
        """The engine of an environment."""
        return self.environments(reader)[name].engine

    def overdue(self, boot_id: str, boot_seconds: float) -> Sequence[OpenAttempt]:
        """Running attempts whose time-out has passed, and parts that others have waited for long enough; each is named
        once. What ran in another boot is over anyway.
        """
        found: list[OpenAttempt] = []
        while self._deadlines and self._deadlines[0][0] <= boot_seconds:
            entry = self.ledger.find(heappop(self._deadlines)[1])
            if entry is None or entry.attempt.started_boot_id != boot_id:
                continue
            if not entry.attempt.has_ended:
                found.append(entry)
        return found

    def next_deadline(self) -> float | None:
        """Boot clock reading at which the next time-out passes."""
        return self._deadlines[0][0] if self._deadlines else None

    def busy_queues(self, reader: Reader) -> Sequence[JobQueue]:
        """Queues that jobs wait or run in, or of which something is still to be published; a turn costs by these."""
        names = {(job_class.scope, job_class.queue_name) for job_class in self.backlog.classes()}
        names |= {(entry.job.spec.scope, entry.job.spec.queue_name) for entry in self.ledger.open_attempts()}
        idle = {name for name, front in self.fronts.items() if front.is_empty} - names
        return [queue for queue in self.queues(reader) if (queue.scope, queue.name) not in idle]

    def snapshot(
        self, reader: Reader, queues: Sequence[JobQueue], engine_problems: Mapping[str, str], oversize: Oversize
    ) -> Snapshot:
        """The present as the scheduler sees it, as far as it concerns these queues.

        `engine_problems` says why an engine can't be used, or nothing.
        """
        hosts = self.ledger.hosts()
        host_ids = hosts.ids
        named = {(queue.scope, name) for queue in queues for name in queue.environment_names}
        named |= {entry.environment_name for entry in self.ledger.open_attempts()}
        views: dict[tuple[Scope, str], EnvironmentView] = {}
        for name, environment in self.environments(reader).items():
            if name not in named:
                continue
            problem = environment_problem(environment, engine_problems)
            if isinstance(environment, ServiceEnvironment):
                views[name] = self._service_view(name, environment, problem, host_ids)
                continue
            cap = None if environment.max_vcpus is None else environment.max_vcpus * 1000
            views[name] = EnvironmentView(
                name=name,
                problem=problem,
                cap_milli=cap,
                free_cap_milli=None if cap is None else max(0, cap - self.ledger.environment_milli(name)),
                hosts=host_ids,
                runs_gangs=environment.runs_gangs,
            )
        quotas = self._quota_views(reader, queues, views, hosts)
        now = self.holdings.instant
        if now is not None:
            self.ages.note(self.next_intake, now)
        queue_views = [
            QueueView(
                scope=q.scope,
                name=q.name,
                priority=q.priority,
                environments=q.environment_names,
                fair=self._fair_view(reader, q),
                quota=quotas.get((q.scope, q.name)),
                is_paused=powers.is_paused,
                backfill=powers.backfill,
                aged_intake=0 if now is None else self.ages.aged_intake(powers.age_bound_seconds, now),
                caps=caps_of(powers),
            )
            for q in queues
            for powers in (queue_powers(q.tags),)
        ]
        return Snapshot(
            queues=queue_views,
            environments=views,
            hosts=hosts,
            classes=self.backlog.waiting(),
            oversize=oversize,
            consumables=self._consumable_views(reader),
            running=self.roster,
            durations=self.learning.durations,
            now=0.0 if now is None else now.boot_seconds,
            limits=self.holdings.tally.uses(),
        )

    def _service_view(
        self, name: EnvironmentName, environment: ServiceEnvironment, problem: str, hosts: tuple[HostId, ...]
    ) -> EnvironmentView:
        limits = environment.limits
        held = demand_on(limits, self.ledger.instances(name))
        return EnvironmentView(
            name=name,
            problem=problem,
            cap_milli=None,
            free_cap_milli=None,
            hosts=hosts,
            limits=limits,
            free_limits={unit: max(0, most - held.get(unit, 0)) for unit, most in limits.items()},
        )
