"""The story that the events table tells, retold event by event; it must be lawful and end where the store stands."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from longshore.domain.dependency import DependencyType, When
from longshore.domain.job import TimelineEntry
from longshore.scheduling.classes import class_of
from longshore.testing.simulation.broken import broken
from longshore.testing.simulation.records import EventRow, JobRow, Rows, Spec
from longshore.testing.simulation.scenario import PlannedDependency, PlannedJob, Scenario
from longshore.testing.simulation.sharing import Shares

_LIVE = ("SCHEDULED", "STARTING", "RUNNING")
_OUTCOME = {When.SUCCESS: "SUCCEEDED", When.FAILURE: "FAILED"}
_WISHES = ("CancelRequested", "TerminateRequested")


def check_timeline(name: str, entries: Sequence[TimelineEntry], status: str) -> None:
    """What is told of one job leads from its submission to where it stands."""
    at = "SUBMITTED"
    for entry in entries:
        if entry.status_from != at:
            broken("timelines are whole", f"{name}: {[(e.status_from, e.status_to, e.cause) for e in entries]}")
        at = str(entry.status_to)
    if at != status:
        broken("timelines are whole", f"{name} is {status}; its timeline ends with {at}")


class Census:
    """Who is who: the planned job behind each key, and what it waits for."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        #: what was given to SubmitJob, by job number; noted before it is called
        self.dependencies: dict[int, tuple[PlannedDependency, ...]] = {}
        self._key_of: dict[int, int] = {}
        self._uuids: dict[int, str] = {}
        self._planned: dict[int, PlannedJob] = {}
        self._start_by: dict[int, tuple[str, float]] = {}

    def add(self, spec: Spec) -> None:
        """Note what was stored."""
        job = self.scenario.jobs[int(spec.name.removeprefix("job-"))]
        if job.number in self._key_of:
            broken("one job per submission", f"{job.name} has keys {self._key_of[job.number]} and {spec.key}")
        self._key_of[job.number] = spec.key
        self._uuids[job.number] = spec.uuid
        for key in range(spec.key, spec.key + 1 + (job.array_size or 0)):
            self._planned[key] = job
        if job.start_deadline_seconds is not None:
            assert spec.submitted_boot_id is not None, spec
            at = spec.submitted_boot_seconds + job.start_deadline_seconds
            self._start_by[job.number] = spec.submitted_boot_id, at

    def start_by(self, key: int, boot_id: str) -> float | None:
        """Boot clock reading by which it must have started; None: there is no deadline, or it can't be told.

        Over a boot the wall clock counts, and it may have jumped.
        """
        of_boot, at = self._start_by.get(self._planned[key].number, ("", 0.0))
        return at if of_boot == boot_id or (of_boot and not self.scenario.wall_jumps) else None

    def planned(self, key: int) -> PlannedJob:
        """The submission that the key belongs to."""
        return self._planned[key]

    def key_of(self, number: int) -> int | None:
        """The key of the submission, if it is stored."""
        return self._key_of.get(number)

    def id_of(self, number: int) -> str | None:
        """The id of the submission, if it is stored."""
        return self._uuids.get(number)

    def name(self, key: int) -> str:
        """For traces."""
        job = self._planned[key]
        first = self._key_of[job.number]
        return job.name if key == first else f"{job.name}:{key - first - 1}"

    def is_array(self, key: int) -> bool:
        """Whether it is the key of an array job, and not of a child."""
        job = self._planned[key]
        return job.array_size is not None and key == self._key_of[job.number]

    def children(self, parent: int) -> range:
        """Keys of the children."""
        return range(parent + 1, parent + 1 + (self._planned[parent].array_size or 0))

    def awaited(self, key: int) -> Sequence[tuple[int, When]]:
        """Keys of all that must have ended before this job, or array child, may start, and how."""
        job = self._planned[key]
        first = self._key_of[job.number]
        found: list[tuple[int, When]] = []
        for dependency in self.dependencies[job.number]:
            when = dependency.when or When.SUCCESS
            if dependency.number is not None:
                on = self._key_of[dependency.number]
                if dependency.type is DependencyType.N_TO_N:
                    found += [(on + (key - first), when)] if key > first else []
                else:
                    found.append((on if dependency.index is None else on + 1 + dependency.index, when))
            if dependency.type is DependencyType.SEQUENTIAL and key > first + 1:
                found.append((key - 1, when))
        return found


class History:
    """Statuses of all jobs as their events make them."""

    def __init__(self, census: Census, boot_seconds: Callable[[], float], boot_id: Callable[[], str]) -> None:
        self._boot_id = boot_id
        self._census = census
        self._boot_seconds = boot_seconds
        #: when jobs came to be RUNNABLE
        self._runnable_at: dict[int, float] = {}
        self.shares = Shares(census.scenario, boot_seconds)
        self.statuses: dict[int, str] = {}
        self.last_event = 0
        #: jobs on which a wish was noted while they wait
        self._wishing: set[int] = set()
        #: jobs that have been placed once
        self._attempted: set[int] = set()
        #: jobs that ended because they were not needed
        self._spared: set[int] = set()

    def retell(self, rows: Rows, jobs: Mapping[int, JobRow]) -> list[str]:
        """Go on with the events behind the last; returns lines for the trace."""
        for row in rows.jobs:
            if row.key not in self.statuses:
                self.statuses[row.key] = "SUBMITTED"
        lines: list[str] = []
        for event in rows.events:
            self.last_event = event.seq
            moved = self._befallen(event)
            for key in moved:
                self._move(key, event, jobs)
                if event.cause in _WISHES and event.status_from == event.status_to:
                    self._wishing.add(key)
            name = self._census.name(event.job_key)
            count = f"*{len(moved)}" if event.of_children else ""
            lines.append(f"{name}{count} {event.status_from} -> {event.status_to} {event.cause}")
        for row in rows.jobs:
            if self.statuses[row.key] != row.status:
                broken(
                    "events tell the status",
                    f"{self._census.name(row.key)} is {row.status}; its events say {self.statuses[row.key]}",
                )
        return lines

    def _befallen(self, event: EventRow) -> Sequence[int]:
        """Whom it happened to. What happens to all children leaves out those with a wish, but for another wish."""
        if not event.of_children:
            return [event.job_key]
        spared = frozenset[int]() if event.cause in _WISHES else self._wishing
        if event.cause == "StartDeadlinePassed":
            spared = spared | self._attempted
        children = self._census.children(event.job_key)
        return [key for key in children if self.statuses[key] == event.status_from and key not in spared]

    def _move(self, key: int, event: EventRow, jobs: Mapping[int, JobRow]) -> None:
        name, status = self._census.name(key), self.statuses[key]
        if event.status_from != status:
            broken("events follow each other", f"{name} is {status}; {event}")
        if event.status_to == status:
            return
        if status in ("SUCCEEDED", "FAILED"):
            broken("nothing leaves a final status", f"{name}: {event}")
        self.statuses[key] = event.status_to
        if event.cause == "NotNeeded" and event.detail.startswith("Not needed: "):
            self._spared.add(key)
        if self._census.is_array(key):
            return
        if status in _LIVE and event.status_to not in _LIVE:
            self.shares.moved(self._census.planned(key), sign=-1)
        if event.status_to == "RUNNABLE":
            self._runnable_at[key] = self._boot_seconds()
        if event.detail.startswith("Canceled by"):
            self._check_action(key, event)
        if event.status_to in ("RUNNABLE", "STARTING"):
            self._check_dependencies(key, event)
        if status == "PENDING" and event.status_to == "FAILED":
            self._check_early_end(key, event)
        start_by, now = self._census.start_by(key, self._boot_id()), self._boot_seconds()
        if event.cause == "StartDeadlinePassed" and (key in self._attempted or now < (start_by or now) - 0.01):
            broken("no start deadline is early", f"{name} at {now}, to start by {start_by}; {event}")
        if event.status_to == "STARTING":
            if key not in self._attempted and start_by is not None and now > start_by + 0.01:
                broken("no start is late", f"{name} at {now}, to start by {start_by}; {event}")
            self._attempted.add(key)
            if jobs[key].wish_kind is not None:
                broken("who was cancelled never starts", f"{name}: {jobs[key]}; {event}")
            self._check_order(key, jobs)
            self._check_shares(key)
            self.shares.moved(self._census.planned(key), sign=1)

    def _check_action(self, key: int, event: EventRow) -> None:
        """An action of its queue ends only who waited so long."""
        scenario, queue = self._census.scenario, self._census.scenario.queue(self._census.planned(key).queue)
        waited = self._boot_seconds() - self._runnable_at.get(key, self._boot_seconds())
        is_due = any(
            event.detail.endswith(action.reason) and waited >= action.max_time_seconds - 0.01
            for action in queue.time_limit_actions
        )
        if not is_due and not (scenario.reboots and scenario.wall_jumps):
            broken("actions end who waited long enough", f"{self._census.name(key)} waited {waited}; {queue}; {event}")

    def _check_dependencies(self, key: int, event: EventRow) -> None:
        open_ones = [(on, when) for on, when in self._census.awaited(key) if not self._is_met(on, when)]
        if open_ones:
            waits_for = ", ".join(f"{when} of {self._census.name(on)} ({self.statuses[on]})" for on, when in open_ones)
            broken("no dependent starts early", f"{self._census.name(key)} waits for {waits_for}; {event}")

    def _check_early_end(self, key: int, event: EventRow) -> None:
        """A waiting job ends as its dependencies do, by a cancellation once they have ended, or is terminated."""
        awaited = self._census.awaited(key)
        unmet = [(on, when) for on, when in awaited if self._is_met(on, when) is False]
        failed = [on for on, when in unmet if when is When.SUCCESS and not self._was_spared(on)]
        lawful = {
            "DependencyFailed": bool(failed),
            "NotNeeded": len(unmet) > len(failed),
            "DependenciesSucceeded": all(self._is_met(on, when) for on, when in awaited),
            "TerminateRequested": True,
            "StartDeadlinePassed": True,
        }
        if not lawful.get(event.cause, False):
            states = [(self._census.name(on), when, self.statuses[on]) for on, when in awaited]
            broken("waiting jobs end for a reason", f"{self._census.name(key)} waits for {states}; {event}")

    def _is_met(self, key: int, when: When) -> bool | None:
        """Whether a job has ended as another waits for; None while it has not ended."""
        status = self.statuses[key]
        if status not in ("SUCCEEDED", "FAILED"):
            return None
        if when is When.END:
            return True
        return not self._was_spared(key) if status == "FAILED" and when is When.FAILURE else _OUTCOME[when] == status

    def _was_spared(self, key: int) -> bool:
        """Whether a job that failed only was not needed; an array whether no child failed otherwise."""
        if not self._census.is_array(key):
            return key in self._spared
        return all(self.statuses[child] != "FAILED" or child in self._spared for child in self._census.children(key))

    def _waiting(self, queue: str) -> Iterator[int]:
        """RUNNABLE jobs of a queue."""
        for key, status in self.statuses.items():
            if status == "RUNNABLE" and not self._census.is_array(key) and self._census.planned(key).queue == queue:
                yield key

    def _never_steps_aside(self, job: PlannedJob) -> bool:
        """Whether it blocks its queue as long as it can't start."""
        scenario = self._census.scenario
        names = scenario.queue(job.queue).environment_names
        return not job.consumables and all(scenario.fits_environment(job, name) for name in names)

    def _check_order(self, key: int, jobs: Mapping[int, JobRow]) -> None:
        """Nothing starts before a job of its queue and share that comes first and would block the queue, or is alike.

        Those of higher priority come first in a share, then older ones.
        """
        is_strict = self._census.scenario.lets_none_pass(self._census.planned(key).queue)
        planned, intake = self._census.planned(key), jobs[key].intake
        assert intake is not None
        for other in self._waiting(planned.queue):
            first, first_intake = self._census.planned(other), jobs[other].intake
            if first.share != planned.share or first_intake is None:
                continue
            if (-first.priority, first_intake) > (-planned.priority, intake):
                continue
            is_alike = (
                class_of(first.spec) == class_of(planned.spec)
                and first.priority == planned.priority
                and first.consumables == planned.consumables
                and first.definition.name == planned.definition.name
            )
            if is_alike or (is_strict and self._never_steps_aside(first)):
                broken(
                    "submission order",
                    f"{self._census.name(key)} (intake {intake}) started before {self._census.name(other)} "
                    f"(intake {first_intake}) of {planned.queue}",
                )

    def _check_shares(self, key: int) -> None:
        """Nothing starts while another share comes first that has a job which would block the queue."""
        planned = self._census.planned(key)
        if planned.share is None or not self.shares.are_countable:
            return
        if not self._census.scenario.lets_none_pass(planned.queue):
            return
        queue = planned.queue
        live = {
            share
            for other, status in self.statuses.items()
            if (job := self._census.planned(other)).queue == queue
            and (share := job.share) is not None
            and (status not in ("SUCCEEDED", "FAILED"))
        }
        own = self.shares.standing(queue, planned.share, live)
        for other in self._waiting(queue):
            first = self._census.planned(other)
            if first.share in (None, planned.share) or not self._never_steps_aside(first):
                continue
            standing = self.shares.standing(queue, first.share, live)
            if standing < own * 0.95 - 5000:
                broken(
                    "shares take turns by what they used",
                    f"{self._census.name(key)} of {planned.share} ({own:.0f}) started before "
                    f"{self._census.name(other)} of {first.share} ({standing:.0f}) in {queue}",
                )

    def check_late_starts(self, jobs: Mapping[int, JobRow]) -> None:
        """Nobody waits to start whose deadline has passed."""
        now, boot_id = self._boot_seconds(), self._boot_id()
        for key, status in self.statuses.items():
            if status not in ("PENDING", "RUNNABLE") or key in self._attempted or jobs[key].wish_kind is not None:
                continue
            start_by = self._census.start_by(key, boot_id)
            if start_by is not None and start_by < now - 0.01 and not self._census.is_array(key):
                broken("late starts are given up", f"{self._census.name(key)} at {now}, to start by {start_by}")

    def check_resolved(self) -> None:
        """Nobody waits whose dependencies have all ended as they should, or one of which has not."""
        for key, status in self.statuses.items():
            if status != "PENDING" or self._census.is_array(key):
                continue
            met = [self._is_met(on, when) for on, when in self._census.awaited(key)]
            if False in met or all(met):
                broken("dependents follow at once", f"{self._census.name(key)} is PENDING; what it waits for: {met}")
