"""What a committed row may say of a task: an attempt that is one plain container, or a part of another."""

from datetime import UTC, datetime, timedelta

from longshore.domain.ids import AttemptId
from longshore.engines.fake import FakeTask
from longshore.ports.engine import TaskState
from longshore.testing.simulation.broken import broken
from longshore.testing.simulation.history import Census
from longshore.testing.simulation.logs import KeptLogs
from longshore.testing.simulation.records import AttemptRow, PartRow

_EPOCH = datetime.fromtimestamp(0, UTC)


def check_unchanged(name: str, row: AttemptRow | PartRow, before: AttemptRow | PartRow | None) -> None:
    """What has ended stays as it is, but for what is still to be done for it."""
    if before is not None and before.stopped_at is not None and before._replace(intent=row.intent) != row:
        broken("ended attempts do not change", f"{name}: {before} became {row}")


def check_task(name: str, row: AttemptRow | PartRow, task: FakeTask | None, census: Census, logs: KeptLogs) -> None:
    """A row tells what the site has seen of its task, and its log is whole at the end."""
    if row.started_at is not None and (task is None or not _equals(row.started_at, task.started_at)):
        broken("start times are the site's", f"{name}: {row}; {task}")
    if row.stopped_at is None:
        return
    if task is None:
        if row.exit_code is not None or row.status_reason.startswith("Host EC2"):
            broken("outcomes are never invented", f"{name}: {row} never was at the site")
        return
    if task.live:
        broken("attempts end before the store says so", f"{name}: {row}; {task}")
    if row.exit_code != task.exit_code:
        broken("exit codes are the site's", f"{name}: {row}; {task}")
    if task.state is TaskState.EXITED and not _equals(row.stopped_at, task.stopped_at):
        broken("stop times are the site's", f"{name}: {row}; {task}")
    if task.started_at is None:
        return
    attempt_id = AttemptId(row.attempt_id)
    if attempt_id not in logs.sealed:
        broken("whoever sees the end sees the whole log", f"{name}: its log is not sealed")
    if not census.scenario.engines[task.installation] and logs.output.get(attempt_id) != task.behaviour.output:
        broken("whoever sees the end sees the whole log", f"{name}: {logs.output.get(attempt_id)}")


def _equals(stored_ms: int, at: datetime | None) -> bool:
    """Whether a stored time is that of the site, to the millisecond."""
    return at is not None and abs(_EPOCH + timedelta(milliseconds=stored_ms) - at) <= timedelta(milliseconds=1)
