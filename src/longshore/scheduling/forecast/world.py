"""Hosts, environments, shares, consumables and limits on virtual time: what a course has taken and given back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from longshore.domain.ids import JobKey, Scope
from longshore.scheduling.fairshare import FairShareView, ShareView, use_after
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.plan import Placement
from longshore.scheduling.quota import Holder, QuotaView
from longshore.scheduling.roster import Roster
from longshore.scheduling.snapshot import (
    EnvironmentView,
    QueueView,
    RunLength,
    RunningView,
    Snapshot,
    WaitingClass,
)
from longshore.scheduling.tally import Tally

QueueName = tuple[Scope, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A job that holds what it was placed with."""

    placement: Placement
    #: below 0: before the present
    started_at: float
    ends_at: float


class World:
    """The present as far as jobs change it; what they hold at second 0 is already taken out of it."""

    def __init__(self, present: Snapshot, running: Iterable[Running]) -> None:
        self._present = present
        self._hosts = Fleet.of(present.hosts)
        self._environments = dict(present.environments)
        self._consumables = dict(present.consumables)
        self._queues: Sequence[_Queue] = [_Queue(queue) for queue in present.queues]
        self._shared = {(each.view.scope, each.view.name): each for each in self._queues if each.is_shared}
        self._roster = Roster()
        self._tally = Tally()
        self._capped = {(queue.scope, queue.name) for queue in present.queues if queue.caps}
        for each in running:
            self._roster.put(_view(each, present.durations))
            self._count(each.placement, sign=1)
            queue = self._shared.get(_queue_of(each.placement))
            if queue is not None:
                queue.note_holder(each)

    @property
    def max_placements(self) -> int:
        """Upper bound of one plan."""
        return self._present.max_placements

    def take(self, running: Running, now: float) -> None:
        """A job has started."""
        self._move(running, now, sign=1)

    def give_back(self, running: Running, now: float) -> None:
        """A job has ended."""
        self._move(running, now, sign=-1)

    def snapshot(self, classes: Sequence[WaitingClass], now: float) -> Snapshot:
        """What a cycle sees when these wait."""
        queues = self._present.queues
        if self._shared:
            waiting: dict[QueueName, set[str]] = {name: set() for name in self._shared}
            for each in classes:
                shares = waiting.get((each.job_class.scope, each.job_class.queue_name))
                if shares is not None:
                    shares.add(each.job_class.share)
            queues = [
                queue.at(now, waiting[queue.view.scope, queue.view.name]) if queue.is_shared else queue.view
                for queue in self._queues
            ]
        return replace(
            self._present,
            queues=queues,
            hosts=self._hosts,
            environments=self._environments,
            consumables=self._consumables,
            limits=self._tally.uses(),
            classes=classes,
            running=self._roster,
            now=now,
        )

    def copied(self, classes: Sequence[WaitingClass], now: float) -> Snapshot:
        """The same for those who look ahead: nothing that happens later changes it. What runs is left out."""
        present = self.snapshot(classes, now)
        return replace(
            present,
            hosts=Fleet.of(self._hosts),
            environments=dict(self._environments),
            consumables=dict(self._consumables),
            running=(),
            durations=dict(present.durations),
        )

    def _count(self, placement: Placement, sign: int) -> None:
        job_class = placement.job_class
        if job_class.limits or _queue_of(placement) in self._capped:
            (self._tally.add if sign > 0 else self._tally.remove)(placement.key, job_class)

    def _move(self, running: Running, now: float, *, sign: int) -> None:
        placement = running.placement
        job_class = placement.job_class
        if sign > 0:
            self._roster.put(_view(running, self._present.durations))
        else:
            self._roster.remove(placement.key)
        move = self._hosts.take if sign > 0 else self._hosts.give_back
        for node in placement.nodes or (placement,):
            if node.host_id in self._hosts:  # else it is no longer offered
                move(node.host_id, node.resources, node.gpu_names)
        name = job_class.scope, placement.environment_name
        self._environments[name] = _moved(self._environments[name], placement, sign)
        for consumable, quantity in job_class.consumables:
            place = job_class.scope, consumable
            view = self._consumables[place]
            if sign > 0 or view.is_replenishable:
                self._consumables[place] = replace(view, free=view.free - sign * quantity)
            else:
                self._consumables[place] = replace(view, total=view.total - quantity)
        self._count(placement, sign)
        queue = self._shared.get(_queue_of(placement))
        if queue is not None:
            queue.move(running, now, sign)


def _view(running: Running, durations: Mapping[str, RunLength]) -> RunningView:
    """What a cycle sees of a job that runs: when it ends, only as far as could be told beforehand."""
    placement, since = running.placement, running.started_at
    job_class = placement.job_class
    timeout, learned = job_class.timeout_seconds, durations.get(job_class.history)
    return RunningView(
        key=placement.key,
        job_class=job_class,
        environment=(job_class.scope, placement.environment_name),
        held=tuple((node.host_id, node.resources) for node in placement.nodes or (placement,)),
        since=since,
        ends_by=None if timeout is None else since + timeout,
        expected_by=None if learned is None else since + learned.bound,
        likely_ends=None if learned is None else since + learned.median,
    )


def _queue_of(placement: Placement) -> QueueName:
    return placement.job_class.scope, placement.job_class.queue_name


def _moved(view: EnvironmentView, placement: Placement, sign: int) -> EnvironmentView:
    """The environment when a job has taken its part of the cap and the limits, or given it back."""
    job_class = placement.job_class
    if view.free_cap_milli is not None:
        view = replace(view, free_cap_milli=view.free_cap_milli - sign * job_class.resources.vcpu_milli)
    demand = view.demand(job_class)
    if demand:
        left = {unit: view.free_limits.get(unit, 0) - sign * count for unit, count in demand.items()}
        view = replace(view, free_limits={**view.free_limits, **left})
    return view


class _Queue:
    """A queue, and who holds how much of it."""

    def __init__(self, view: QueueView) -> None:
        self.view = view
        self.is_shared = view.fair is not None or view.quota is not None
        self._holders: dict[JobKey, Holder] = {}
        #: by share: its use when it last changed, and when that was
        self._uses: dict[str, tuple[ShareView, float]] = {}
        if view.fair is not None:
            self._uses = {share: (use, 0.0) for share, use in view.fair.shares.items()}

    def note_holder(self, running: Running) -> None:
        """Know a job that holds its part already."""
        job_class = running.placement.job_class
        self._holders[running.placement.key] = Holder(
            key=running.placement.key,
            share=job_class.share,
            amounts=job_class.units,
            priority=job_class.priority,
            placed_at=running.started_at,
        )

    def move(self, running: Running, now: float, sign: int) -> None:
        """A job takes its part, or gives it back."""
        job_class = running.placement.job_class
        if self.view.quota is not None:
            if sign > 0:
                self.note_holder(running)
            else:
                del self._holders[running.placement.key]
        if self.view.fair is not None:
            share = job_class.share
            use = self._use_at(share, now, self.view.fair)
            held_milli = use.held_milli + sign * job_class.weight_milli
            self._uses[share] = ShareView(milli_seconds=use.milli_seconds, held_milli=held_milli), now

    def at(self, now: float, waiting: set[str]) -> QueueView:
        """The queue as it is now, when jobs of these shares wait."""
        fair, quota = self.view.fair, self.view.quota
        if quota is not None:
            return replace(self.view, quota=_with_holders(quota, self._holders))
        assert fair is not None
        return replace(self.view, fair=replace(fair, shares=self._active(now, waiting, fair)))

    def _active(self, now: float, waiting: set[str], fair: FairShareView) -> Mapping[str, ShareView]:
        window = fair.policy.window_seconds
        return {
            share: self._use_at(share, now, fair)
            for share, (use, at) in sorted(self._uses.items())
            if use.held_milli or share in waiting or now - at < window
        }

    def _use_at(self, share: str, now: float, fair: FairShareView) -> ShareView:
        use, at = self._uses.get(share, (ShareView(), now))
        used = use_after(use.milli_seconds, use.held_milli, now - at, fair.policy)
        return ShareView(milli_seconds=used, held_milli=use.held_milli)


def _with_holders(quota: QuotaView, holders: Mapping[JobKey, Holder]) -> QuotaView:
    return replace(quota, holders=tuple(holders.values()))
