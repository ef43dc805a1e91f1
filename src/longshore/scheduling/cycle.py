"""One scheduling cycle: order queues, order jobs, fit, hold for the blocked head, explain.

Queues of higher priority come first; queues of one priority share one line, in which the next job of each stands by its
submission. A job that can't start now blocks its queue, and what it waits for (a host, or its share of an environment's
cap) is given to nobody else in this cycle: so no job is starved by smaller ones behind it or in queues of lower
priority. A job that can never start steps aside with its reason. So does one that lacks a consumable resource; what it
takes of these is kept for it, so that nobody behind it gets them. The cost is by classes and placements, not by jobs.
"""

from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heapreplace
from itertools import groupby

import numpy as np

from longshore.domain.ids import HostId, Scope
from longshore.scheduling.classes import JobClass
from longshore.scheduling.explain import (
    explain_follower,
    explain_head,
    explain_reservation,
    explain_shortage,
    explain_unreached,
)
from longshore.scheduling.fitting import Fit, Room, could_hold, oversize_of
from longshore.scheduling.fleet import Fleet
from longshore.scheduling.laying import lay_out
from longshore.scheduling.order import FairOrder, Line, order_of
from longshore.scheduling.plan import Head, Placement, Plan, Preemption, WaitReason
from longshore.scheduling.quota_order import Decision, QuotaOrder, Verdict
from longshore.scheduling.quota_reasons import explain_quota
from longshore.scheduling.snapshot import (
    EnvironmentName,
    EnvironmentView,
    Oversize,
    QueueView,
    Snapshot,
    WaitingClass,
)


class _Lineup:
    """One queue and who waits in it."""

    def __init__(self, queue: QueueView, waiting: list[WaitingClass], snapshot: Snapshot, fleet: Fleet) -> None:
        self.queue = queue
        self._snapshot = snapshot
        self._fleet = fleet
        self.capacity_milli = 0 if queue.fair is None else capacity_of(queue, snapshot, fleet)
        self.order = order_of(waiting, queue, self.capacity_milli)
        self._oversize: dict[Line, Oversize] = {}

    def oversize(self, line: Line) -> Oversize:
        """What becomes of the line's jobs on hosts that are too small."""
        found = self._oversize.get(line)
        if found is None:
            job_class = line.job_class
            found = oversize_of(self.queue, job_class, self._snapshot, self._fleet)
            self._oversize[line] = found
        return found


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


def plan_cycle(snapshot: Snapshot) -> Plan:
    """Decide what starts now and say why the rest waits."""
    room = Room(snapshot)
    placements: list[Placement] = []
    reasons: dict[JobClass, WaitReason] = {}
    heads: list[Head] = []
    preemptions: list[Preemption] = []
    for _, group in groupby(_lineups_by_priority(snapshot, room.fleet), key=lambda lineup: lineup.queue.priority):
        _fill(list(group), snapshot, room, placements, reasons, heads, preemptions)
    placed_until = {placement.job_class: placement.intake for placement in placements}
    for waiting in snapshot.classes:
        job_class, last = waiting.job_class, waiting.runs[-1]
        if job_class not in reasons and placed_until.get(job_class) != last.intake + last.count - 1:
            reasons[job_class] = explain_unreached(job_class.scope, job_class.queue_name, snapshot)
    return Plan(placements=placements, reasons=reasons, heads=heads, preemptions=preemptions)


def _lineups_by_priority(snapshot: Snapshot, fleet: Fleet) -> list[_Lineup]:
    waiting: dict[tuple[Scope, str], list[WaitingClass]] = {}
    for each in snapshot.classes:
        waiting.setdefault((each.job_class.scope, each.job_class.queue_name), []).append(each)
    lineups = [
        _Lineup(queue, found, snapshot, fleet)
        for queue in snapshot.queues
        if (found := waiting.get((queue.scope, queue.name))) is not None
    ]
    return sorted(lineups, key=lambda lineup: -lineup.queue.priority)


def _fill(
    lineups: list[_Lineup],
    snapshot: Snapshot,
    room: Room,
    placements: list[Placement],
    reasons: dict[JobClass, WaitReason],
    heads: list[Head],
    preemptions: list[Preemption],
) -> None:
    """Place jobs of queues of one priority in the order of submission until each queue is blocked or empty."""
    heap = [
        (*first.head, number)
        for number, lineup in enumerate(lineups)
        if (first := lineup.order.first) is not None and first.head is not None
    ]
    heapify(heap)
    while heap:
        if len(placements) == snapshot.max_placements:
            return  # the next cycle goes on from here
        intake, key, number = heap[0]
        lineup = lineups[number]
        queue, order, line = lineup.queue, lineup.order, lineup.order.first
        assert line is not None
        job_class = line.job_class
        short = room.short_of(job_class) if job_class.consumables else ()
        if isinstance(order, QuotaOrder) and any(_usable(queue, line, snapshot)):
            decision = order.decide()
            is_allowed = decision.verdict is Verdict.START
        else:
            decision = None
            is_allowed = isinstance(order, QuotaOrder) or order.allows(job_class.weight_milli)
        fit = _first_fit(lineup, line, snapshot, room) if is_allowed and not short else None
        if fit is not None:
            room.take(fit, job_class)
            room.take_consumables(job_class)
            placements.append(
                Placement(
                    key=key,
                    intake=intake,
                    job_class=job_class,
                    environment_name=fit.environment[1],
                    host_id=fit.host_id,
                    resources=fit.resources,
                    gpu_names=fit.gpu_names,
                    nodes=fit.nodes,
                )
            )
            order.start()
        elif isinstance(order, QuotaOrder) and decision is not None and not is_allowed:
            reason = _pass_over(lineup, order, decision, snapshot, room, reasons, preemptions)
            if reason.code:
                heads.append(Head(key=key, job_class=job_class, code=reason.code.partition(" - ")[0]))
        else:
            reason, steps_aside = explain_head(queue, job_class, lineup.oversize(line), snapshot, room)
            if short and not steps_aside:
                reason, steps_aside = explain_shortage(short, job_class, snapshot, room), True
                room.take_consumables(job_class)
            elif not steps_aside:
                if isinstance(order, FairOrder) and not is_allowed:
                    reason = explain_reservation(job_class, order.standings, lineup.capacity_milli)
                else:
                    _hold_room(lineup, line, snapshot, room)
                room.take_consumables(job_class)
            reasons[job_class] = reason
            if reason.code:
                heads.append(Head(key=key, job_class=job_class, code=reason.code.partition(" - ")[0]))
            if not steps_aside:
                for behind in order.rest():
                    reasons.setdefault(behind.job_class, explain_follower(queue.scope, queue.name, key))
                heappop(heap)
                continue
            order.set_aside()
        first = order.first
        if first is None:
            heappop(heap)
        else:
            assert first.head is not None
            heapreplace(heap, (*first.head, number))


def _pass_over(
    lineup: _Lineup,
    order: QuotaOrder,
    decision: Decision,
    snapshot: Snapshot,
    room: Room,
    reasons: dict[JobClass, WaitReason],
    preemptions: list[Preemption],
) -> WaitReason:
    """Leave a job behind that its quota share does not let start now; returns why. Others may have to go for it."""
    queue, line = lineup.queue, order.first
    assert line is not None
    assert line.head is not None
    job_class, key = line.job_class, line.head[1]
    reason, can_never_fit = explain_head(queue, job_class, lineup.oversize(line), snapshot, room)
    if not can_never_fit:
        reason = explain_quota(order, decision)
    reason = reasons.setdefault(job_class, reason)
    if can_never_fit or decision.verdict is Verdict.NEVER:
        order.set_aside()
    elif decision.verdict is Verdict.KEPT:
        preemptions += (Preemption(victim=victim.key, beneficiary=key) for victim in decision.victims)
        order.keep(decision.victims)
    else:
        for behind in order.block():
            reasons.setdefault(behind.job_class, explain_follower(queue.scope, queue.name, key))
    return reason


def _first_fit(lineup: _Lineup, line: Line, snapshot: Snapshot, room: Room) -> Fit | None:
    job_class = line.job_class
    for environment in _usable(lineup.queue, line, snapshot):
        if job_class.gang:
            fit = room.find_gang(environment.name, job_class)
        else:
            fit = room.find(environment.name, job_class, lineup.oversize(line))
        if fit is not None:
            return fit
    return None


def _usable(queue: QueueView, line: Line, snapshot: Snapshot) -> Iterator[EnvironmentView]:
    """Environments of the queue where such jobs may start now, in the order they are tried."""
    for name in queue.environments:
        environment = snapshot.environments.get((queue.scope, name))
        if environment is None or environment.problem:
            continue
        if environment.runs_gangs or not line.job_class.gang:
            yield environment


def _hold_room(lineup: _Lineup, line: Line, snapshot: Snapshot, room: Room) -> None:
    """Keep what the blocked job waits for in the first environment that will do, best one whose cap is no obstacle.

    Its share of the cap is kept in either case, hosts that could ever take it only when the cap has room: else they
    would stand idle for a job that its environment does not let start.
    """
    job_class = line.job_class
    able: list[tuple[EnvironmentName, Collection[HostId]]] = []
    for environment in _usable(lineup.queue, line, snapshot):
        hosts = _hosts_that_could(lineup, line, environment, room)
        if environment.could_allow(job_class) and hosts:
            able.append((environment.name, hosts))
    for name, hosts in able:
        if room.cap_allows(name, job_class):
            room.hold_cap(name, job_class)
            for host_id in hosts:
                room.hold(host_id)
            return
    if able:
        room.hold_cap(able[0][0], job_class)


def _hosts_that_could(lineup: _Lineup, line: Line, environment: EnvironmentView, room: Room) -> Collection[HostId]:
    """The smallest host that could ever take the job, or those that could take its nodes; empty: there are none."""
    job_class, fleet = line.job_class, room.fleet
    if job_class.gang:
        laid = lay_out(job_class.gang, fleet, fleet.total, fleet.mask_of(environment.hosts))
        return dict.fromkeys(laid or ())
    able = fleet.smallest(could_hold(job_class.resources, environment.hosts, lineup.oversize(line), fleet))
    return () if able is None else (fleet.ids[able],)
