"""One scheduling cycle: order queues, order jobs, fit, hold for the blocked head, explain.

Queues of higher priority come first; queues of one priority share one line in the order of submission. A job that
can't start now blocks its queue, and what it waits for (a host, or its share of an environment's cap) is given to
nobody else in this cycle: so no job is starved by smaller ones behind it or in queues of lower priority. A job that can
never start steps aside with its reason. The cost is by classes and placements, not by jobs.
"""

from collections.abc import Collection, Iterator
from heapq import heapify, heappop, heapreplace
from itertools import groupby

from longshore.domain.ids import HostId, JobKey, Scope
from longshore.scheduling.classes import JobClass
from longshore.scheduling.explain import explain_follower, explain_head, explain_unreached
from longshore.scheduling.fitting import Fit, Room, held_resources, oversize_of
from longshore.scheduling.gang import lay_out
from longshore.scheduling.plan import Placement, Plan, WaitReason
from longshore.scheduling.snapshot import (
    EnvironmentName,
    EnvironmentView,
    Oversize,
    QueueView,
    Run,
    Snapshot,
    WaitingClass,
)


class _Line:
    """The waiting jobs of one class, taken one by one."""

    def __init__(self, waiting: WaitingClass, queue: QueueView, oversize: Oversize) -> None:
        self.job_class = waiting.job_class
        self.queue = queue
        self.oversize: Oversize = oversize
        self._runs = waiting.runs
        self._position = 0
        self._offset = 0

    @property
    def head(self) -> tuple[int, JobKey] | None:
        """Intake number and key of the next job."""
        if self._position == len(self._runs):
            return None
        run = self._runs[self._position]
        return run.intake + self._offset, JobKey(run.key + self._offset)

    def step(self) -> None:
        """Leave the head behind."""
        run: Run = self._runs[self._position]
        self._offset += 1
        if self._offset == run.count:
            self._position, self._offset = self._position + 1, 0


def plan_cycle(snapshot: Snapshot) -> Plan:
    """Decide what starts now and say why the rest waits."""
    room = Room(snapshot)
    placements: list[Placement] = []
    reasons: dict[JobClass, WaitReason] = {}
    for _, group in groupby(_lines_by_priority(snapshot), key=lambda line: line.queue.priority):
        _fill(list(group), snapshot, room, placements, reasons)
    placed_until = {placement.job_class: placement.intake for placement in placements}
    for waiting in snapshot.classes:
        job_class, last = waiting.job_class, waiting.runs[-1]
        if job_class not in reasons and placed_until.get(job_class) != last.intake + last.count - 1:
            reasons[job_class] = explain_unreached(job_class.scope, job_class.queue_name, snapshot)
    return Plan(placements=placements, reasons=reasons)


def _lines_by_priority(snapshot: Snapshot) -> list[_Line]:
    queues = {(queue.scope, queue.name): queue for queue in snapshot.queues}
    lines: list[_Line] = []
    for waiting in snapshot.classes:
        job_class = waiting.job_class
        if (queue := queues.get((job_class.scope, job_class.queue_name))) is not None:
            oversize = "wait" if job_class.gang else oversize_of(queue, job_class.resources, snapshot)
            lines.append(_Line(waiting, queue, oversize))
    return sorted(lines, key=lambda line: -line.queue.priority)


def _fill(
    lines: list[_Line],
    snapshot: Snapshot,
    room: Room,
    placements: list[Placement],
    reasons: dict[JobClass, WaitReason],
) -> None:
    """Place jobs of queues of one priority in the order of submission until each queue is blocked or empty."""
    heap = [(*line.head, number) for number, line in enumerate(lines) if line.head is not None]
    heapify(heap)
    blocked: dict[tuple[Scope, str], JobKey] = {}
    while heap:
        intake, key, number = heap[0]
        line = lines[number]
        queue = line.queue
        ahead = blocked.get((queue.scope, queue.name))
        if ahead is not None:
            reasons[line.job_class] = explain_follower(queue.scope, queue.name, ahead)
            heappop(heap)
            continue
        asked = line.job_class.resources
        if len(placements) == snapshot.max_placements:
            return  # the next cycle goes on from here
        fit = _first_fit(line, snapshot, room)
        if fit is None:
            reasons[line.job_class], is_lasting = explain_head(queue, line.job_class, line.oversize, snapshot, room)
            if not is_lasting:
                blocked[queue.scope, queue.name] = key
                _hold_room(line, snapshot, room)
            heappop(heap)
            continue
        room.take(fit, asked)
        placements.append(
            Placement(
                key=key,
                intake=intake,
                job_class=line.job_class,
                environment_name=fit.environment[1],
                host_id=fit.host_id,
                resources=fit.resources,
                gpu_names=fit.gpu_names,
                nodes=fit.nodes,
            )
        )
        line.step()
        if line.head is None:
            heappop(heap)
        else:
            heapreplace(heap, (*line.head, number))


def _first_fit(line: _Line, snapshot: Snapshot, room: Room) -> Fit | None:
    asked, gang = line.job_class.resources, line.job_class.gang
    for environment in _usable(line.queue, snapshot):
        if gang:
            fit = room.find_gang(environment.name, gang, asked)
        else:
            fit = room.find(environment.name, asked, line.oversize)
        if fit is not None:
            return fit
    return None


def _usable(queue: QueueView, snapshot: Snapshot) -> Iterator[EnvironmentView]:
    """Environments of the queue where jobs may start now, in the order they are tried."""
    for name in queue.environments:
        environment = snapshot.environments.get((queue.scope, name))
        if environment is not None and not environment.problem:
            yield environment


def _hold_room(line: _Line, snapshot: Snapshot, room: Room) -> None:
    """Keep what the blocked job waits for in the first environment that will do, best one whose cap is no obstacle.

    Its share of the cap is kept in either case, hosts that could ever take it only when the cap has room: else they
    would stand idle for a job that its environment does not let start.
    """
    asked = line.job_class.resources
    able: list[tuple[EnvironmentName, Collection[HostId]]] = []
    for environment in _usable(line.queue, snapshot):
        hosts = _hosts_that_could(line, environment, room)
        if environment.could_allow(asked) and hosts:
            able.append((environment.name, hosts))
    for name, hosts in able:
        if room.cap_allows(name, asked):
            room.hold_cap(name, asked)
            for host_id in hosts:
                room.hold(host_id)
            return
    if able:
        room.hold_cap(able[0][0], asked)


def _hosts_that_could(line: _Line, environment: EnvironmentView, room: Room) -> Collection[HostId]:
    """The first host that could take the job when idle, or those that could take its nodes; empty: there are none."""
    job_class = line.job_class
    if job_class.gang:
        totals = {host_id: room.host(host_id).total for host_id in environment.hosts}
        return dict.fromkeys(lay_out(job_class.gang, totals) or ())
    for host_id in environment.hosts:
        if held_resources(job_class.resources, room.host(host_id), line.oversize) is not None:
            return (host_id,)
    return ()
