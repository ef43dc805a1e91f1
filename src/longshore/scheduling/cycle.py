"""One scheduling cycle: order queues, order jobs, fit, keep room for who has to wait, explain.

Jobs that have waited longer than the age bound of their queue come first, by submission, whatever their queue. Then
queues of higher priority come before others; queues of one priority share one line, in which the next job of each
stands by its submission. The first job of a queue that can't start now gets a reservation (see `prospect`), which no
job behind it and none of a queue of the same or a lower priority may delay. What the rest of its queue may do is for
the queue to choose: `easy` lets those start that do not delay it, `none` makes them wait; with `greedy` there is no
reservation, and whatever fits starts, until a job is over the age bound. A job that can never start steps aside with
its reason. So does one that lacks a consumable resource; what it takes of these is kept for it, so that nobody behind
it gets them. A limit on what runs at once is treated alike, see `tally`.

The cost is by classes and placements, not by jobs that wait: of a class whose first job can't start, none can.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from heapq import heapify, heappop, heapreplace
from itertools import groupby

from longshore.domain.ids import JobKey, Scope
from longshore.scheduling.classes import JobClass
from longshore.scheduling.explain import (
    explain_follower,
    explain_head,
    explain_kept,
    explain_reservation,
    explain_shortage,
    explain_unreached,
)
from longshore.scheduling.fairshare import ShareView
from longshore.scheduling.fitting import Fit, Room
from longshore.scheduling.limit_reasons import explain_limits
from longshore.scheduling.limits import Limit
from longshore.scheduling.lines import Line
from longshore.scheduling.lineup import Lineup
from longshore.scheduling.order import FairOrder
from longshore.scheduling.plan import Head, Placement, Plan, Preemption, WaitReason
from longshore.scheduling.quota_order import Decision, QuotaOrder, Verdict
from longshore.scheduling.quota_reasons import explain_quota
from longshore.scheduling.reserving import reserve
from longshore.scheduling.snapshot import QueueView, Run, Snapshot, WaitingClass


def plan_cycle(snapshot: Snapshot, *, explain: bool = True) -> Plan:
    """Decide what starts now and, if asked to `explain`, say why the rest waits and who the heads are."""
    return Cycle(snapshot, explain=explain).plan()


class Cycle:
    """One cycle as it goes on."""

    def __init__(self, snapshot: Snapshot, *, explain: bool) -> None:
        self.snapshot = snapshot
        self.explains = explain
        self.room = Room(snapshot)
        self.placements: list[Placement] = []
        self.reasons: dict[JobClass, WaitReason] = {}
        self.heads: list[Head] = []
        self.preemptions: list[Preemption] = []
        #: by queue, the job for which there is a reservation
        self.reserved: dict[tuple[Scope, str], JobKey] = {}

    def plan(self) -> Plan:
        """What is decided."""
        waiting: dict[tuple[Scope, str], Sequence[WaitingClass]] = {}
        paused = {(queue.scope, queue.name) for queue in self.snapshot.queues if queue.is_paused}
        for each in self.snapshot.classes:
            name = each.job_class.scope, each.job_class.queue_name
            if name in paused:
                continue
            of_queue = waiting.setdefault(name, [])
            assert isinstance(of_queue, list)
            of_queue.append(each)
        queues = [queue for queue in self.snapshot.queues if (queue.scope, queue.name) in waiting]
        self._fill_aged(waiting)
        if self.placements:
            queues = [_with_started(queue, self.placements) for queue in queues]
        queues.sort(key=lambda queue: -queue.priority)
        for _, group in groupby(queues, key=lambda queue: queue.priority):
            lineups = [Lineup(queue, waiting[queue.scope, queue.name], self.snapshot, self.room) for queue in group]
            for lineup in lineups:
                aged = self.reserved.get((lineup.queue.scope, lineup.queue.name))
                if aged is not None and lineup.queue.backfill == "none":
                    self._close(lineup, aged)
            self._fill([lineup for lineup in lineups if not lineup.is_closed])
        if self.explains:
            self._explain_rest()
        return Plan(placements=self.placements, reasons=self.reasons, heads=self.heads, preemptions=self.preemptions)

    def _fill_aged(self, waiting: dict[tuple[Scope, str], Sequence[WaitingClass]]) -> None:
        """Place jobs that have waited too long, and leave those out of `waiting` that start."""
        lineups: list[Lineup] = []
        for queue in self.snapshot.queues:
            name = queue.scope, queue.name
            # quota shares keep their rights, of which preemption takes care
            if queue.aged_intake and queue.quota is None and (aged := _aged(waiting.get(name, ()), queue.aged_intake)):
                lineups.append(Lineup(queue, aged, self.snapshot, self.room, is_aged=True))
        if not lineups:
            return
        self.room.is_sure = True
        self._fill(lineups)
        started: dict[JobClass, int] = {}
        for placement in self.placements:
            started[placement.job_class] = placement.intake
        for lineup in lineups:
            name = lineup.queue.scope, lineup.queue.name
            waiting[name] = [left for each in waiting[name] if (left := _after(each, started.get(each.job_class, 0)))]

    def _fill(self, lineups: Sequence[Lineup]) -> None:
        """Place jobs of these queues in the order of submission until each queue is blocked or empty."""
        heap = [
            (*first.head, number)
            for number, lineup in enumerate(lineups)
            if (first := lineup.order.first) is not None and first.head is not None
        ]
        heapify(heap)
        while heap:
            if len(self.placements) == self.snapshot.max_placements:
                return  # the next cycle goes on from here
            number = heap[0][-1]
            lineup = lineups[number]
            self._look(lineup)
            first = lineup.order.first
            if first is None or lineup.is_closed:
                heappop(heap)
            else:
                assert first.head is not None
                heapreplace(heap, (*first.head, number))

    def _look(self, lineup: Lineup) -> None:
        """Start the lineup's first job, or leave it behind."""
        order, room = lineup.order, self.room
        line = order.first
        assert line is not None
        job_class = line.job_class
        decision: Decision | None = None
        is_allowed = True
        lacking = room.limits.lacking(job_class, lineup.limits(line))
        if isinstance(order, QuotaOrder):
            decision = order.decide() if lineup.is_usable(line) and not lacking else None
            is_allowed = decision is None or decision.verdict is Verdict.START
        else:
            is_allowed = order.allows(job_class.weight_milli)
        short = room.short_of(job_class) if job_class.consumables else ()
        fit = lineup.find(line) if is_allowed and not short and not lacking else None
        if fit is not None:
            self._start(lineup, line, fit)
        elif isinstance(order, QuotaOrder) and decision is not None and not is_allowed:
            self._pass_over(lineup, order, decision)
        else:
            self._leave(lineup, line, short, lacking, is_allowed=is_allowed)

    def _start(self, lineup: Lineup, line: Line, fit: Fit) -> None:
        assert line.head is not None
        intake, key = line.head
        job_class = line.job_class
        self.room.take(fit, job_class, self.room.until(job_class))
        self.room.limits.take(job_class, lineup.limits(line))
        self.placements.append(
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
        lineup.order.start()

    def _leave(
        self,
        lineup: Lineup,
        line: Line,
        short: Sequence[tuple[str, int]],
        lacking: Sequence[Limit],
        *,
        is_allowed: bool,
    ) -> None:
        """Leave a job behind that can't start: it steps aside, or is the first of its queue that has to wait."""
        assert line.head is not None
        queue, job_class, key, order, room = lineup.queue, line.job_class, line.head[1], lineup.order, self.room
        if not lineup.could_ever(line):
            self._tell_head(lineup, line)
            order.set_aside()
            return
        if short or lacking:
            if self.explains:
                shortage = explain_shortage(short, job_class, self.snapshot, room) if short else None
                self.reasons.setdefault(job_class, explain_limits(job_class, lacking, room.limits, shortage))
            if short and all(limit.counted.width for limit in lacking):
                lacking = ()  # what it brings itself has room: first it waits for what is consumed
            if room.limits.keep(job_class, lineup.limits(line), lacking) or (short and not lacking):
                room.take_consumables(job_class)
            order.set_aside()
            return
        if not is_allowed and isinstance(order, FairOrder):
            if self.explains:
                reason = explain_reservation(job_class, order.standings, lineup.capacity_milli)
                self.reasons.setdefault(job_class, reason)
            self._close(lineup, key)
            room.take_consumables(job_class)
            room.limits.take(job_class, lineup.limits(line))
            return
        is_first = (queue.scope, queue.name) not in self.reserved
        self._tell_head(lineup, line, is_head=is_first)
        if not lineup.is_usable(line):
            self._close(lineup, key)
        elif is_first and (lineup.is_aged or queue.backfill != "greedy"):
            self.reserved[queue.scope, queue.name] = key
            room.promise(lambda: reserve(lineup, line, key, room))
            room.take_consumables(job_class)
            room.limits.take(job_class, lineup.limits(line))
            self._tell_reservation(job_class)
            if queue.backfill == "none":
                self._close(lineup, key)
            elif isinstance(order, QuotaOrder):
                order.keep(())  # what it takes of its share is kept as well
            else:
                if isinstance(order, FairOrder):
                    order.standings.keep(job_class.weight_milli)
                order.set_aside()
        else:
            order.set_aside()

    def _close(self, lineup: Lineup, head: JobKey) -> None:
        """No more of the lineup starts: all wait for its head."""
        lineup.is_closed = True
        if self.explains:
            queue = lineup.queue
            for behind in lineup.order.rest():
                self.reasons.setdefault(behind.job_class, explain_follower(queue.scope, queue.name, head))

    def _tell_head(self, lineup: Lineup, line: Line, *, is_head: bool = True) -> None:
        """Say why a job does not start."""
        if not self.explains:
            return
        assert line.head is not None
        job_class = line.job_class
        reason = explain_head(lineup.queue, job_class, lineup.oversize(line), self.snapshot, self.room)
        reason = self.reasons.setdefault(job_class, reason)
        if is_head and reason.code:
            self.heads.append(Head(key=line.head[1], job_class=job_class, code=reason.code.partition(" - ")[0]))

    def _tell_reservation(self, job_class: JobClass) -> None:
        if self.explains:
            self.room.settle()
            reason, reservation = self.reasons[job_class], self.room.prospect.reservations[-1]
            self.reasons[job_class] = explain_kept(reason, reservation, self.room)

    def _pass_over(self, lineup: Lineup, order: QuotaOrder, decision: Decision) -> None:
        """Leave a job behind that its quota share does not let start now. Others may have to go for it."""
        line = order.first
        assert line is not None
        assert line.head is not None
        job_class, key, queue = line.job_class, line.head[1], lineup.queue
        can_never_fit = not lineup.could_ever(line)
        if self.explains and can_never_fit:
            self._tell_head(lineup, line)
        elif self.explains:
            reason = self.reasons.setdefault(job_class, explain_quota(order, decision))
            if reason.code:
                self.heads.append(Head(key=key, job_class=job_class, code=reason.code.partition(" - ")[0]))
        if can_never_fit or decision.verdict is Verdict.NEVER:
            order.set_aside()
        elif decision.verdict is Verdict.KEPT:
            self.preemptions += (Preemption(victim=victim.key, beneficiary=key) for victim in decision.victims)
            order.keep(decision.victims)
            self.room.limits.take(job_class, lineup.limits(line))
        else:
            self.room.limits.keep(job_class, lineup.limits(line), ())
            for behind in order.block():
                if self.explains:
                    self.reasons.setdefault(behind.job_class, explain_follower(queue.scope, queue.name, key))

    def _explain_rest(self) -> None:
        """Of classes that the cycle did not come to."""
        placed_until = {placement.job_class: placement.intake for placement in self.placements}
        unreached: dict[tuple[Scope, str], WaitReason] = {}
        for waiting in self.snapshot.classes:
            job_class, last = waiting.job_class, waiting.runs[-1]
            if job_class in self.reasons or placed_until.get(job_class) == last.intake + last.count - 1:
                continue
            name = job_class.scope, job_class.queue_name
            if name not in unreached:
                unreached[name] = explain_unreached(*name, self.snapshot)
            self.reasons[job_class] = unreached[name]


def _with_started(queue: QueueView, placements: Sequence[Placement]) -> QueueView:
    """A queue when these hold their parts of it."""
    if queue.fair is None:
        return queue
    shares = dict(queue.fair.shares)
    for job_class in (placement.job_class for placement in placements):
        if (job_class.scope, job_class.queue_name) == (queue.scope, queue.name):
            share = shares.get(job_class.share, ShareView())
            shares[job_class.share] = replace(share, held_milli=share.held_milli + job_class.weight_milli)
    return replace(queue, fair=replace(queue.fair, shares=shares))


def _aged(waiting: Sequence[WaitingClass], before: int) -> list[WaitingClass]:
    """What of these classes has intake numbers below that."""
    found: list[WaitingClass] = []
    for each in waiting:
        if each.runs[0].intake >= before:
            continue
        runs = list(each.runs[: bisect_left(each.runs, before, key=_intake)])
        if runs[-1].intake + runs[-1].count > before:
            runs[-1] = replace(runs[-1], count=before - runs[-1].intake)
        found.append(WaitingClass(job_class=each.job_class, runs=runs))
    return found


def _after(waiting: WaitingClass, last: int) -> WaitingClass | None:
    """What of a class has intake numbers above that."""
    runs = waiting.runs
    at = max(bisect_left(runs, last + 1, key=_intake) - 1, 0)
    left = list(runs[at:])
    skipped = last + 1 - left[0].intake
    if skipped > 0:
        first = left[0]
        left[0] = Run(intake=last + 1, key=JobKey(first.key + skipped), count=max(first.count - skipped, 0))
        left = left[not left[0].count :]
    return WaitingClass(job_class=waiting.job_class, runs=left) if left else None


def _intake(run: Run) -> int:
    return run.intake
