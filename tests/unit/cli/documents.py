"""Documents as a server sends them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from longshore.domain.ids import JobKey
from longshore.domain.lifecycle.status import JobStatus
from longshore.service.causes import Cause
from longshore.service.documents import Amounts, Children, Place, Used
from longshore.service.explain import Explanation, Step
from longshore.service.job_table import JobPage, JobRow
from longshore.service.log_pages import LogLine, LogPage
from longshore.service.outcomes import AttemptAccount
from longshore.service.status import EngineStatus, HostStatus, QueueStatus, ServerStatus
from longshore.service.unhonoured import Unhonoured

JOB = "00000000-0000-4000-8000-000000000001"
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
PLACE = Place(account_id="000000000000", region="us-east-1", queue="queue")
ASKED = Amounts(vcpus=2, memory_mib=256, gpus=0)


def a_row(**values: Any) -> JobRow:
    """A job that waits."""
    row = JobRow(
        job_id=JOB,
        name="name",
        place=PLACE,
        status=JobStatus.RUNNABLE,
        status_reason="Waiting: asks 2 vCPU, free 1 vCPU",
        created_at=AT,
        started_at=None,
        stopped_at=None,
        children=None,
        attempts_made=0,
        attempts_allowed=1,
        exit_code=None,
        reason="",
        asked=ASKED,
        used=None,
    )
    return msgspec.structs.replace(row, **values)


def an_array_row(**counts: int) -> JobRow:
    """An array job with so many children in each status."""
    by_status: Mapping[JobStatus, int] = {JobStatus(status): count for status, count in counts.items()}
    children = Children(size=sum(counts.values()), counts=dict(by_status))
    return a_row(status=JobStatus.PENDING, status_reason="", children=children)


def a_page(*rows: JobRow, next_cursor: int | None = None) -> JobPage:
    """A listing."""
    return JobPage(jobs=rows, next_cursor=None if next_cursor is None else JobKey(next_cursor))


def a_status(**queue: Any) -> ServerStatus:
    """One engine, one host and one queue."""
    one = QueueStatus(
        account_id="000000000000",
        region="us-east-1",
        name="queue",
        state="ENABLED",
        status="VALID",
        priority=1,
        is_paused=False,
        depths={JobStatus.RUNNABLE: 1234},
        oldest_waiting_at=AT,
        head_waits="asks 2 vCPU, free 1 vCPU of 4 vCPU",
    )
    return ServerStatus(
        version="1.2.3",
        at=AT,
        engines=(EngineStatus(name="process", problem=""), EngineStatus(name="docker", problem="no socket")),
        hosts=(HostStatus(name="local", total=Amounts(vcpus=4, memory_mib=8192, gpus=1), free=ASKED),),
        queues=(msgspec.structs.replace(one, **queue),),
        oldest_waiting_seconds=125.0,
    )


def an_explanation(**values: Any) -> Explanation:
    """A failed job with one of everything that can be said of one."""
    attempt = AttemptAccount(
        number=1,
        attempt_id="0" * 32,
        environment="environment",
        host="local",
        gpu_names=(),
        opened_at=AT,
        started_at=AT,
        stopped_at=AT,
        exit_code=3,
        reason="",
        status_reason="Essential container in task exited",
        asked=ASKED,
        used=Used(run_seconds=1.0, cpu_seconds=0.5, peak_memory_bytes=None),
        use="ran 1 s",
        decision="not tried again: 1 of 1 attempt spent",
    )
    explanation = Explanation(
        job_id=JOB,
        name="name",
        place=PLACE,
        definition="definition:1",
        status=JobStatus.FAILED,
        since=AT,
        summary="FAILED for 5 s: exit code 3",
        status_reason="Essential container in task exited",
        created_at=AT,
        started_at=AT,
        stopped_at=AT,
        asked=ASKED,
        timeout_seconds=None,
        attempts_allowed=1,
        host_retries=None,
        gives_up_at=None,
        children=None,
        failed_children=(),
        waits_for=(Cause(kind="dependency", text="depends on another", job_id=JOB),),
        not_honoured=(Unhonoured(engine="process", setting="image", text="the image x is not used"),),
        attempts=(attempt,),
        timeline=(
            Step(at=AT, of_children=False, status_from=None, status_to=JobStatus.RUNNABLE, cause="TakenIn", detail=""),
        ),
    )
    return msgspec.structs.replace(explanation, **values)


def a_log_page(*lines: str, **values: Any) -> LogPage:
    """Lines of a running attempt."""
    page = LogPage(
        job_id=JOB,
        status=JobStatus.RUNNING,
        status_reason="",
        attempts_made=1,
        attempt=1,
        group="/aws/batch/job",
        stream="definition/default/0",
        region="us-east-1",
        lines=tuple(LogLine(timestamp=0, message=line) for line in lines),
        next_token="1",
        is_end=False,
    )
    return msgspec.structs.replace(page, **values)
