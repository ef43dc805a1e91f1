"""What `longshore history` wrote, as a trace: a line of JSON for each job that ended."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from longshore.service.history import HistoryRow
from longshore.service.wording import counted
from longshore.simulator.trace import Trace, TracedJob, TraceRefused, trace_of


def read_history(about: str, lines: Iterable[str]) -> Trace:
    """The trace of the jobs that ran; a share is one of a queue, and jobs without one are in a share of their queue.

    Raises:
        TraceRefused: names the line, and what of it is not right.
    """
    jobs: list[TracedJob] = []
    left_out: Counter[str] = Counter()
    retried = records = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        records += 1
        try:
            row = msgspec.json.decode(line, type=HistoryRow)
        except (msgspec.MsgspecError, UnicodeEncodeError) as problem:
            raise TraceRefused(
                f"{about}, line {number}: {problem}; it has to be a line of `longshore history`"
            ) from problem
        if row.started_at is None:
            left_out["never ran"] += 1
        elif not row.asked.vcpus:
            left_out["asked for no vCPU"] += 1
        else:
            retried += row.attempts_made > 1
            job = TracedJob(
                submitted_at=row.submitted_at.timestamp(),
                run_seconds=max((row.stopped_at - row.started_at).total_seconds(), 0.0),
                limit_seconds=row.timeout_seconds,
                vcpu_milli=round(row.asked.vcpus * 1000),
                memory_mib=row.asked.memory_mib,
                gpus=row.asked.gpus,
                share=row.share or row.place.queue,
            )
            jobs.append(job)
    remarks = [f"{count:,} of {counted(records, 'job')} {why}" for why, count in sorted(left_out.items())]
    if retried:
        remarks.append(f"{retried:,} ran more than once; only their latest attempts are replayed")
    return trace_of(
        about, jobs, [*remarks, "dependencies between jobs are not replayed, nor are priorities and queues"]
    )
