"""What would help a job that waits for capacity: who has to end, and about when, or what somebody has to change."""

from collections.abc import Sequence
from datetime import timedelta

from longshore.domain.ids import JobKey
from longshore.domain.job import Job
from longshore.ports.store import Reader
from longshore.scheduling.classes import class_of
from longshore.scheduling.explain import amounts, called, explain_head, explain_shortage
from longshore.scheduling.fitting import Room, could_hold
from longshore.scheduling.forecast.release import Release, first_release, first_return
from longshore.scheduling.lines import Line
from longshore.scheduling.lineup import Lineup
from longshore.scheduling.snapshot import EnvironmentView, Oversize, QueueView, Run, WaitingClass
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
        self._class = class_of(job.spec, job.scheduling_priority)
        snapshot = foresight.outlook.snapshot
        wanted = job.spec.scope, job.spec.queue_name
        self._queue = next((queue for queue in snapshot.queues if (queue.scope, queue.name) == wanted), None)
        self._room = Room(snapshot)
        self._release: Release | None = None
        if self._queue is not None:
            self._release = first_release(foresight.outlook, self._queue, self._class)

    def own_causes(self) -> Sequence[tuple[str, str | None]]:
        """What keeps the job itself from starting now, whoever is ahead of it, each with its remedy."""
        queue, job_class, room, snapshot = self._queue, self._class, self._room, self._foresight.outlook.snapshot
        if queue is None:
            return ()
        short = room.short_of(job_class)
        if short:
            return [(text, self.remedy(text)) for text in explain_shortage(short, job_class, snapshot, room).causes]
        lineup, line = self._alone(queue)
        if lineup.find(line) is not None:
            return [(ROOM_NOW, None)]
        reason = explain_head(queue, job_class, lineup.oversize(line), snapshot, room)
        return [(text, self.remedy(text)) for text in reason.causes]

    def _alone(self, queue: QueueView) -> tuple[Lineup, Line]:
        """The queue as if nobody else waited in it."""
        waiting = WaitingClass(job_class=self._class, runs=[Run(intake=1, key=self._key, count=1)])
        return Lineup(queue, [waiting], self._foresight.outlook.snapshot, self._room, is_aged=True), Line(waiting)

    def remedy(self, cause: str) -> str | None:
        """What helps against a cause that names an environment first, or a consumable; None where nothing is known."""
        queue = self._queue
        for name, quantity in self._room.short_of(self._class):
            if f"consumable resource {name}" in cause:
                return self._replenish(name, quantity)
        for name in queue.environments if queue is not None else ():
            if queue is not None and cause.startswith(called(name)):
                environment = self._foresight.outlook.snapshot.environments.get((queue.scope, name))
                return None if environment is None else self._in(environment)
        return None

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
        if not self._class.gang and not could_hold(asked, environment.hosts, self._oversize(), fleet).any():
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
        release = first_return(outlook, scope, name, quantity - view.free)
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
