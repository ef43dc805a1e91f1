"""What must hold of attempts with several containers or nodes: told from the rows, the site and the plan alone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from longshore.domain.ids import AttemptId
from longshore.domain.workload import Condition, WorkContainer
from longshore.engines.fake import FakeTask
from longshore.ports.engine import LaunchSpec, TaskState
from longshore.testing.simulation.history import Census, broken
from longshore.testing.simulation.logs import KeptLogs
from longshore.testing.simulation.records import AttemptRow, PartRow
from longshore.testing.simulation.scenario import PlannedJob
from longshore.testing.simulation.site import RecordingSite
from longshore.testing.simulation.task_checks import check_task, check_unchanged


class PartChecks:
    """Looks at parts after each commit, and before each act of an engine."""

    def __init__(self, census: Census, site: RecordingSite, logs: KeptLogs) -> None:
        self._census = census
        self._site = site
        self._logs = logs
        self.rows: dict[AttemptId, PartRow] = {}
        self._of: dict[tuple[int, int], list[PartRow]] = {}
        self._ended: dict[tuple[int, int], bool] = {}

    def of(self, attempt: AttemptRow) -> Sequence[PartRow]:
        """The attempt's parts, in order."""
        return self._of.get((attempt.job_key, attempt.number), ())

    def look(self, rows: Sequence[PartRow], attempts: Mapping[AttemptId, AttemptRow]) -> None:
        """Check a newly committed state."""
        before, self.rows = self.rows, {AttemptId(row.attempt_id): row for row in rows}
        if len(self.rows) < len(rows) or self.rows.keys() & attempts.keys():
            broken("attempt ids are used once", "the id of a part occurs twice")
        self._of = defaultdict(list)
        for row in rows:
            self._of[row.job_key, row.number].append(row)
        for part_id, row in self.rows.items():
            if row != before.get(part_id):
                self._look_at_part(row, before.get(part_id))
        for attempt in attempts.values():
            planned = self._census.planned(attempt.job_key)
            if planned.form is None:
                if self.of(attempt):
                    broken("plain attempts have no parts", f"{attempt}: {self.of(attempt)}")
            else:
                self._look_at_whole(attempt, planned)

    def _name(self, row: PartRow | AttemptRow) -> str:
        where = f" {row.node}/{row.container}" if isinstance(row, PartRow) else ""
        return f"{self._census.name(row.job_key)} attempt {row.number}{where}"

    def _look_at_part(self, row: PartRow, before: PartRow | None) -> None:
        """A part tells what the site has seen of it."""
        name, task = self._name(row), self._site.history.get(AttemptId(row.attempt_id))
        check_unchanged(name, row, before)
        if row.intent == "wait" and task is not None:
            broken("what waits is not launched", f"{name}: {row}; {task}")
        check_task(name, row, task, self._census, self._logs)

    def _look_at_whole(self, attempt: AttemptRow, planned: PlannedJob) -> None:
        name, parts = self._name(attempt), self.of(attempt)
        nodes = planned.workload.nodes
        asked = [(node.index, container.name) for node in nodes for container in node.containers]
        if [(part.node, part.container) for part in parts] != asked:
            broken("a gang starts whole or not at all", f"{name} has {parts}, not {asked}")
        if attempt.stopped_at is not None:
            if not self._ended.get((attempt.job_key, attempt.number)):
                self._ended[attempt.job_key, attempt.number] = True
                self._look_at_end(attempt, planned)
            return
        main = planned.workload.main_node
        over = {node.index: self._is_over(planned, attempt, node.index) for node in nodes}
        for node in nodes:
            must_end = attempt.stop_cause is not None or over[main] or over[node.index]
            may_begin = node.index == main or self._has_started(planned, attempt, main)
            for container, part in self._pairs(planned, attempt, node.index):
                if must_end and (part.is_idle or (part.is_live and part.intent != "stop")):
                    broken("the end of the main part ends all", f"{name}: {part} of {parts}")
                if not must_end and part.intent == "stop":
                    broken("only what is to be stopped is stopped", f"{name}: {part} of {parts}")
                if part.is_idle and may_begin and self._may_launch(container, attempt, node.index):
                    broken("a gang starts whole or not at all", f"{name}: nothing holds up {part} of {parts}")

    def _pairs(self, planned: PlannedJob, attempt: AttemptRow, node: int) -> Sequence[tuple[WorkContainer, PartRow]]:
        parts = [part for part in self.of(attempt) if part.node == node]
        return list(zip(planned.workload.nodes[node].containers, parts, strict=True))

    def _is_over(self, planned: PlannedJob, attempt: AttemptRow, node: int) -> bool:
        pairs = self._pairs(planned, attempt, node)
        return all(part.stopped_at is not None for _, part in pairs) or any(
            part.stopped_at is not None
            and (container.ends_all or part.status_reason.startswith(("Host EC2", "Container dependency")))
            for container, part in pairs
        )

    def _has_started(self, planned: PlannedJob, attempt: AttemptRow, node: int) -> bool:
        return all(part.started_at is not None for _, part in self._pairs(planned, attempt, node))

    def _may_launch(self, container: WorkContainer, attempt: AttemptRow, node: int) -> bool:
        known = {part.container: part for part in self.of(attempt) if part.node == node}
        for other, condition in container.depends_on:
            on = known[other]
            met = {
                Condition.START: on.started_at is not None,
                Condition.COMPLETE: on.exit_code is not None,
                Condition.SUCCESS: on.exit_code == 0,
            }[condition]
            if not met and on.stopped_at is None:
                return False
        return True

    def _look_at_end(self, attempt: AttemptRow, planned: PlannedJob) -> None:
        """The outcome of the whole is that of the main node."""
        name, parts = self._name(attempt), self.of(attempt)
        if any(part.stopped_at is None for part in parts):
            broken("an attempt ends with its last part", f"{name}: {attempt}; {parts}")
        pairs = self._pairs(planned, attempt, planned.workload.main_node)
        good = all(part.exit_code == 0 for container, part in pairs if container.must_succeed) and not any(
            part.status_reason.startswith("Container dependency") for _, part in pairs
        )
        if good != (attempt.exit_code == 0):
            broken("the main node decides", f"{name}: {attempt}; {parts}")
        if attempt.exit_code and attempt.exit_code not in [part.exit_code for _, part in pairs]:
            broken("outcomes are never invented", f"{name}: {attempt}; {parts}")
        starts = [part.started_at for _, part in pairs if part.started_at is not None]
        if attempt.started_at is not None and attempt.started_at not in starts:
            broken("an attempt starts with its main node", f"{name}: {attempt}; {parts}")

    # --- before an engine is told ------------------------------------------------------------------------------------

    def check_launch(self, spec: LaunchSpec) -> None:
        """At the site everything has happened that this container waits for."""
        row = self.rows[spec.attempt_id]
        planned = self._census.planned(row.job_key)
        workload = planned.workload
        found = {(part.node, part.container): part for part in self._of[row.job_key, row.number]}
        container = workload.nodes[row.node].container(row.container)
        for other, condition in container.depends_on:
            task = self._task(found[row.node, other])
            if task is None or not _has_done(task, condition):
                broken("the order of dependencies is kept", f"{self._name(row)} waits for {condition} of {task}")
        if row.node != workload.main_node:
            main = [
                self._task(found[workload.main_node, each.name])
                for each in workload.nodes[workload.main_node].containers
            ]
            if not any(task is not None and task.started_at is not None for task in main):
                broken("the main node starts first", f"{self._name(row)}: {main}")

    def _task(self, part: PartRow) -> FakeTask | None:
        return self._site.history.get(AttemptId(part.attempt_id))

    def check_release(self, part_id: AttemptId) -> None:
        """Parts are released when all have ended."""
        row = self.rows.get(part_id)
        if row is None:
            return
        live = [part for part in self._of[row.job_key, row.number] if part.stopped_at is None]
        if live:
            broken("only what has ended is released", f"{self._name(row)}: {live}")


def _has_done(task: FakeTask, condition: Condition) -> bool:
    match condition:
        case Condition.START:
            return task.started_at is not None
        case Condition.COMPLETE:
            return task.state is TaskState.EXITED
        case Condition.SUCCESS:
            return task.exit_code == 0
