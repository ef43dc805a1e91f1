"""What must hold in every committed state of the store."""

from collections import Counter, defaultdict
from fnmatch import fnmatchcase

from longshore.domain.ids import AttemptId
from longshore.domain.lifecycle.status import ARRAY_STATUSES
from longshore.domain.retry import RetryStrategy
from longshore.ports.clock import Clock
from longshore.ports.engine import TaskState
from longshore.testing.simulation.broken import broken
from longshore.testing.simulation.history import Census, History
from longshore.testing.simulation.logs import KeptLogs
from longshore.testing.simulation.part_checks import PartChecks
from longshore.testing.simulation.records import AttemptRow, JobRow, Rows
from longshore.testing.simulation.scenario import PlannedJob
from longshore.testing.simulation.sharing import Consumption
from longshore.testing.simulation.site import RecordingSite
from longshore.testing.simulation.task_checks import check_task, check_unchanged

_LIVE = ("SCHEDULED", "STARTING", "RUNNING")
_WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")


class StoreChecks:
    """Compares each committed state with the one before, with the site and with the plan."""

    def __init__(self, census: Census, site: RecordingSite, logs: KeptLogs, clock: Clock) -> None:
        self._census = census
        self._site = site
        self._logs = logs
        self._boot_seconds = clock.boot_seconds
        self._last_spec = 0
        self.history = History(census, clock.boot_seconds, clock.boot_id)
        self.consumption = Consumption(census.scenario, census.planned)
        self.jobs: dict[int, JobRow] = {}
        self.attempts: dict[AttemptId, AttemptRow] = {}
        self.parts = PartChecks(census, site, logs)
        self._attempts_of: dict[int, list[AttemptRow]] = {}
        self.queues: frozenset[str] = frozenset()
        self.environments: frozenset[str] = frozenset()
        #: ids of classes of which is told why they wait
        self.reasons: frozenset[str] = frozenset()
        #: jobs whose submission was answered, by key
        self.accepted: set[int] = set()

    @property
    def position(self) -> tuple[int, int]:
        """Up to which event and which submission all was looked at."""
        return self.history.last_event, self._last_spec

    def look(self, rows: Rows) -> list[str]:
        """Check a newly committed state; returns lines for the trace."""
        for spec in rows.specs:
            self._census.add(spec)
            self._last_spec = spec.key
        before, self.jobs = self.jobs, {row.key: row for row in rows.jobs}
        self.queues, self.environments, self.reasons = rows.queues, rows.environments, rows.reasons
        if lost := (before.keys() | self.accepted) - self.jobs.keys():
            broken("no job is lost", f"keys {sorted(lost)}")
        lines = self.history.retell(rows, self.jobs)
        self._attempts_of = defaultdict(list)
        for attempt in rows.attempts:
            self._attempts_of[attempt.job_key].append(attempt)
        self._look_at_intake()
        for key, job in self.jobs.items():
            if job != before.get(key) or job.status in _LIVE:
                self._look_at_job(job, before.get(key))
        attempts_before = self.attempts
        self.attempts = {AttemptId(row.attempt_id): row for row in rows.attempts}
        if len(self.attempts) < len(rows.attempts):
            broken("attempt ids are used once", "an attempt id occurs twice")
        for attempt_id, attempt in self.attempts.items():
            if attempt != attempts_before.get(attempt_id):
                self._look_at_attempt(attempt, attempts_before.get(attempt_id))
        self.parts.look(rows.parts, self.attempts)
        self._look_at_arrays(rows)
        self.consumption.look(rows.consumables, attempts_before, self.attempts)
        self.history.shares.check_rows(rows.shares)
        return lines

    def planned(self, key: int) -> PlannedJob:
        """The submission that the job belongs to."""
        return self._census.planned(key)

    def name(self, key: int) -> str:
        """For texts."""
        return self._census.name(key)

    def _look_at_intake(self) -> None:
        highest = 0
        for job in self.jobs.values():
            if job.intake is None or job.array_size is not None:
                continue
            if job.intake <= highest:
                broken("intake in submission order", f"{self.name(job.key)} has {job.intake} after {highest}")
            highest = job.intake

    def _look_at_job(self, job: JobRow, before: JobRow | None) -> None:
        name = self.name(job.key)
        if job.array_size is None:
            self._look_at_attempts_of(job)
        if job.wish_kind == "terminate":
            if job.array_size is None and job.status in _WAITING:
                broken("termination ends what waits", f"{name} is {job.status}")
            if job.is_final and (job.status, job.status_reason) != ("FAILED", job.wish_reason):
                broken("terminated jobs fail with the reason", f"{name}: {job}")
        if job.is_final != (job.stopped_at is not None):
            broken("final jobs have stopped", f"{name}: {job}")
        if before is not None:
            self._look_at_request(job, before)

    def _look_at_request(self, job: JobRow, before: JobRow) -> None:
        """A request goes only when it was carried out."""
        if before.request_kind is None or job.request_kind is not None or job.is_final:
            return
        held = self._attempts_of[job.key][-1:] if job.status in _LIVE else []
        if before.request_kind == "terminate":
            done = job.wish_kind == "terminate" or any(attempt.stop_cause for attempt in held)
        else:
            done = job.wish_kind is not None or bool(held) or before.status in _LIVE
        if not done:
            broken("requests are carried out", f"{self.name(job.key)}: {before.request_kind} was dropped: {job}")

    def _look_at_attempts_of(self, job: JobRow) -> None:
        attempts, name = self._attempts_of[job.key], self.name(job.key)
        if [attempt.number for attempt in attempts] != list(range(1, job.attempts_made + 1)):
            broken("attempts are numbered", f"{name} made {job.attempts_made}: {attempts}")
        open_ones = [attempt for attempt in attempts if attempt.stopped_at is None]
        if (job.status in _LIVE) != (len(open_ones) == 1) or len(open_ones) > 1 or attempts[-1:] < open_ones:
            broken("a live job holds its last attempt", f"{name} is {job.status}: {attempts}")
        if open_ones and (job.status == "RUNNING") != (open_ones[0].started_at is not None):
            broken("RUNNING is started", f"{name} is {job.status}: {open_ones}")
        self._look_at_retries(job, attempts)
        if job.is_final and attempts and job.wish_kind is None:
            last = attempts[-1]
            times = (last.started_at, last.stopped_at, last.exit_code)
            if (job.started_at, job.stopped_at, job.exit_code) != times:
                broken("a job ends as its last attempt", f"{name}: {job}, {last}")
        if job.status == "SUCCEEDED" and (attempts[-1].exit_code != 0 or attempts[-1].stop_cause):
            broken("SUCCEEDED is exit code 0", f"{name}: {attempts[-1]}")

    def _look_at_retries(self, job: JobRow, attempts: list[AttemptRow]) -> None:
        """Attempts follow each other as the strategy says, and losses of hosts are free as far as they may be."""
        name, planned = self.name(job.key), self._census.planned(job.key)
        strategy = planned.retry
        free = self._census.scenario.free_losses if planned.host_retries is None else planned.host_retries
        lost = 0
        for attempt in attempts:
            if attempt.stopped_at is None:
                break
            may_retry = _may_retry(strategy, attempt)
            if may_retry and attempt.status_reason.startswith("Host EC2") and lost < free:
                lost += 1
            elif attempt.number - lost >= strategy.attempts:
                may_retry = False
            if not may_retry and attempt.number < job.attempts_made:
                broken("retries as the strategy says", f"{name} was tried again after {attempt}; {strategy}")
            if may_retry and job.is_final and attempt.number == job.attempts_made and job.wish_kind is None:
                broken("retries as the strategy says", f"{name} was given up after {attempt}; {strategy}")
        if job.lost_hosts != lost:
            broken("lost hosts are counted", f"{name} says {job.lost_hosts}: {attempts}")

    def _look_at_attempt(self, attempt: AttemptRow, before: AttemptRow | None) -> None:
        name = f"{self.name(attempt.job_key)} attempt {attempt.number}"
        planned = self._census.planned(attempt.job_key)
        task = self._site.history.get(AttemptId(attempt.attempt_id))
        check_unchanged(name, attempt, before)
        if planned.form is not None:
            self._look_at_whole(name, attempt, planned)
            return
        if attempt.stop_cause == "timed-out" and (before is None or before.stop_cause is None):
            assert planned.timeout_seconds is not None
            if task is None or self._boot_seconds() < task.started_boot_seconds + planned.timeout_seconds - 0.01:
                broken("no time-out is early", f"{name} at {self._boot_seconds()}: {task}")
        check_task(name, attempt, task, self._census, self._logs)
        if attempt.stopped_at is None:
            return
        if attempt.intent not in ("release", None) or (attempt.intent is None and before is None):
            broken("ended attempts are released", f"{name}: {attempt}")
        is_lost = task is not None and task.state is TaskState.LOST
        if is_lost and not (attempt.status_reason.startswith("Host EC2") or attempt.stop_cause):
            broken("a lost host is told", f"{name}: {attempt}; {task}")

    def _look_at_whole(self, name: str, attempt: AttemptRow, planned: PlannedJob) -> None:
        """An attempt with parts: `PartChecks` looks at what its parts come to."""
        if attempt.stop_cause == "timed-out":
            assert planned.timeout_seconds is not None
            assert attempt.started_boot_seconds is not None
            if self._boot_seconds() < attempt.started_boot_seconds + planned.timeout_seconds - 0.01:
                broken("no time-out is early", f"{name} at {self._boot_seconds()}")
        if attempt.stopped_at is not None and attempt.intent not in ("release", None):
            broken("ended attempts are released", f"{name}: {attempt}")

    def _look_at_arrays(self, rows: Rows) -> None:
        counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for job in rows.jobs:
            if job.parent_key is not None:
                counts[job.parent_key][job.status] += 1
        for parent_key, counted in counts.items():
            parent = self.jobs[parent_key]
            name = self.name(parent_key)
            if rows.summaries[parent_key] != tuple(counted[status] for status in ARRAY_STATUSES):
                broken("counters equal the children", f"{name}: {rows.summaries[parent_key]} for {counted}")
            if set(counted) <= {"SUCCEEDED", "FAILED"}:
                expected = "FAILED" if counted["FAILED"] else "SUCCEEDED"
            else:
                expected = "SUBMITTED" if set(counted) == {"SUBMITTED"} else "PENDING"
            if parent.status != expected:
                broken("parents follow their children", f"{name} is {parent.status} for {counted}")
            if parent.wish_kind == "terminate":
                self._look_at_terminated_children(parent_key)

    def _look_at_terminated_children(self, parent_key: int) -> None:
        for key in self._census.children(parent_key):
            child = self.jobs[key]
            stopping = child.status in _LIVE and self._attempts_of[key][-1].stop_cause is not None
            if not child.is_final and not stopping:
                broken("termination of an array reaches all children", f"{self.name(key)}: {child}")


def _may_retry(strategy: RetryStrategy, attempt: AttemptRow) -> bool:
    """Whether the way it ended allows another attempt."""
    if attempt.stop_cause is not None or attempt.exit_code == 0:
        return False
    code = "" if attempt.exit_code is None else str(attempt.exit_code)
    for rule in strategy.evaluate_on_exit:
        if (
            fnmatchcase(attempt.status_reason, rule.on_status_reason or "*")
            and fnmatchcase(attempt.reason, rule.on_reason or "*")
            and fnmatchcase(code, rule.on_exit_code or "*")
        ):
            return rule.action.upper() == "RETRY"
    return True
