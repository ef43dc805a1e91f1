"""What would help a job that waits for capacity: who has to end, and about when, or what somebody has to change."""

from collections.abc import Sequence
from datetime import timedelta

from longshore.domain.ids import JobKey
from longshore.domain.job import Job
from longshore.ports.store import Reader
from longshore.scheduling.classes import JobClass, class_of
from longshore.scheduling.explain import (
    UNKNOWN_LENGTH,
    amounts,
    called,
    explain_head,
    explain_reservation,
    explain_shortage,
)
from longshore.scheduling.fairshare import Standings
from longshore.scheduling.fitting import Room, could_hold
from longshore.scheduling.forecast.release import Release, first_release, first_return
from longshore.scheduling.laying import lay_out
from longshore.scheduling.limit_reasons import explain_limits, tag_of
from longshore.scheduling.limits import Limit
from longshore.scheduling.lines import Line
from longshore.scheduling.lineup import Lineup, capacity_of
from longshore.scheduling.plan import WaitReason
from longshore.scheduling.snapshot import EnvironmentView, Oversize, QueueView, Run, WaitingClass
from longshore.scheduling.tally import asked_of, limits_on
from longshore.service.forecasts import Foresight
from longshore.service.starts import clock

_NAMED = 3
ROOM_NOW = "there is room for it now: it waits for its turn alone"


class Remedies:
    """Of one job, by the present that `foresight` looks at."""

    def __init__(self, reader: Reader, job: Job, foresight: Foresight) -> None:
        self._reader = reader
        self._foresight = foresight
        self._key = job.key
        self._class = class_of(job.spec, job.scheduling_priority, job.memory_mib)
        snapshot = foresight.outlook.snapshot
        wanted = job.spec.scope, job.spec.queue_name
        self._queue = next((queue for queue in snapshot.queues if (queue.scope, queue.name) == wanted), None)
        self._room = Room(snapshot)
        self._release: Release | None = None
        if self._queue is not None:
            self._release = first_release(foresight.outlook, self._queue, self._class)

    def own_causes(self) -> Sequence[tuple[str, str | None]]:
        """What keeps the job itself from starting now, whoever is ahead of it, each with its remedy."""
        reason = self._own_reason()
        return [(text, self.remedy(text)) for text in reason.causes] if reason is not None else [(ROOM_NOW, None)]

    def _own_reason(self) -> WaitReason | None:
        """None: nothing does. Without a queue that is known there is no cause in it."""
        queue, job_class, room, snapshot = self._queue, self._class, self._room, self._foresight.outlook.snapshot
        if queue is None:
            return WaitReason(status_reason="", causes=())
        short, lacking = room.short_of(job_class), self._lacking()
        if short or lacking:
            shortage = explain_shortage(short, job_class, snapshot, room) if short else None
            return explain_limits(job_class, lacking, room.limits, shortage)
        lineup, line = self._alone(queue)
        standings = self._standings()
        if standings is not None and not standings.allow(job_class.weight_milli):
            return explain_reservation(job_class, standings, lineup.capacity_milli)
        if lineup.find(line) is not None:
            return None
        return explain_head(queue, job_class, lineup.oversize(line), snapshot, room)

    def _lacking(self) -> Sequence[Limit]:
        """Limits that keep such a job from starting now."""
        if self._queue is None:
            return ()
        return self._room.limits.lacking(self._class, limits_on(self._class, self._queue.caps))

    def _standings(self) -> Standings | None:
        """Of the shares of its queue."""
        queue, snapshot = self._queue, self._foresight.outlook.snapshot
        if queue is None or queue.fair is None:
            return None
        return Standings(queue.fair, capacity_of(queue, snapshot, self._room.fleet))

    def _alone(self, queue: QueueView) -> tuple[Lineup, Line]:
        """The queue as if nobody else waited in it."""
        waiting = WaitingClass(job_class=self._class, runs=[Run(intake=1, key=self._key, count=1)])
        return Lineup(queue, [waiting], self._foresight.outlook.snapshot, self._room, is_aged=True), Line(waiting)

    def remedy(self, cause: str) -> str | None:
        """What helps against a cause, by what it names; None where nothing is known."""
        queue = self._queue
        if queue is None:
            return None
        for name, quantity in self._room.short_of(self._class):
            if f"consumable resource {name}" in cause:
                return self._replenish(name, quantity)
        for limit in self._lacking():
            if cause.endswith(f"({tag_of(limit)})"):
                return self._allowed(queue, limit)
        if cause.endswith(UNKNOWN_LENGTH):
            return "give such jobs a time-out: those that are over in time may pass"
        for name in queue.environments:
            if cause.startswith(called(name)):
                environment = self._foresight.outlook.snapshot.environments.get((queue.scope, name))
                return None if environment is None else self._in(environment)
        if "computeReservation" in cause:
            return self._unreserved(queue)
        if f"quota share {self._class.share} holds" in cause:
            return f"raise the capacity limit of quota share {self._class.share}, or what it may borrow"
        return None

    def _allowed(self, queue: QueueView, limit: Limit) -> str | None:
        """What makes a limit leave room for one more."""
        asked, use, tag = asked_of(self._class, limit), self._room.limits.before(limit), tag_of(limit)
        if asked > limit.most:
            return f"raise {tag} of its job queue to {-(-asked // 1000)} or more, or ask for less"
        most = limit.most if use.lowest is None else min(limit.most, use.lowest)

        def taken(job_class: JobClass) -> int:
            limits = limits_on(job_class, queue.caps)
            return asked_of(job_class, limit) if any(each.counted == limit.counted for each in limits) else 0

        release = first_return(self._foresight.outlook, use.of(limit.unit) + asked - most, taken)
        raised = f"raise {tag} of its job queue" if limit.counted.width else None
        frees = None if release is None else f"it allows one more when {self._ends(release)}"
        return ", or ".join(text for text in (frees, raised) if text) or None

    def _unreserved(self, queue: QueueView) -> str:
        """What makes room beside that which is kept for other shares."""
        standings, lower = self._standings(), "lower computeReservation in the scheduling policy of its job queue"
        if standings is None or standings.limit_milli is None:
            return lower
        name = queue.scope, queue.name

        def held(job_class: JobClass) -> int:
            return job_class.weight_milli if (job_class.scope, job_class.queue_name) == name else 0

        missing = standings.held_milli + self._class.weight_milli - standings.limit_milli
        release = first_return(self._foresight.outlook, missing, held)
        return lower if release is None else f"it may start when {self._ends(release)}, or {lower}"

    def _in(self, environment: EnvironmentView) -> str | None:
        asked, fleet = self._class.resources, self._room.fleet
        if environment.problem == "is DISABLED":
            return "set its state to ENABLED"
        if environment.problem:
            return None
        if environment.limits and not environment.could_allow(self._class):
            return "raise its capacity limit, or ask for fewer instances"
        if not environment.could_allow(self._class):
            return f"raise its maxvCpus to {-(-asked.vcpu_milli // 1000)} or more, or ask for less"
        gang = self._class.gang
        if gang and not environment.runs_gangs:
            return "give its job queue a managed On-Demand EC2 environment"
        if gang and lay_out(gang, fleet, fleet.total, fleet.mask_of(environment.hosts)) is None:
            return "add hosts, or ask for fewer or smaller nodes"
        if not gang and not could_hold(asked, environment.hosts, self._oversize(), fleet).any():
            most = fleet.most(fleet.among(environment.hosts), fleet.total)
            offered = None if most is None else amounts(fleet[fleet.ids[most]].total, asked)
            return "add a host" if offered is None else f"ask for no more than {offered}, or add a larger host"
        if self._release is not None and self._release.environment == environment.name[1] and self._release.keys:
            return f"fits when {self._ends(self._release)}"
        return None

    def _oversize(self) -> Oversize:
        assert self._queue is not None
        lineup, line = self._alone(self._queue)
        return lineup.oversize(line)

    def _replenish(self, name: str, quantity: int) -> str | None:
        scope, outlook = self._class.scope, self._foresight.outlook
        view = outlook.snapshot.consumables.get((scope, name))
        if view is None:
            return f"create consumable resource {name} with a quantity of {quantity} or more"
        if quantity > view.total or not view.is_replenishable:
            return f"raise its total quantity by {quantity - view.free} or more"

        def held(job_class: JobClass) -> int:
            return dict(job_class.consumables).get(name, 0) if job_class.scope == scope else 0

        release = first_return(outlook, quantity - view.free, held)
        return None if release is None else f"there is enough when {self._ends(release)}"

    def _ends(self, release: Release) -> str:
        """`job X ends, about 14:05Z`."""
        jobs = self._reader.load_jobs(release.keys[:_NAMED])
        ids = [str(jobs[JobKey(key)].id) for key in release.keys[:_NAMED] if key in jobs]
        others = len(release.keys) - len(ids)
        named = ", ".join(ids) + (f" and {others} more" if others else "")
        whose = f"job {named} ends" if len(release.keys) == 1 else f"jobs {named} have ended"
        if release.seconds is None:
            return f"{whose}; nobody can know when: no such job has ended so far, and it has no time-out"
        now = self._foresight.at
        return f"{whose}, about {clock(now + timedelta(seconds=release.seconds), now)}"
