"""The Standard Workload Format: 18 numbers a line, comments behind `;`, -1 for what is not known.

Source: the Parallel Workloads Archive, "The Standard Workload Format" (version 2.2).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil

from longshore.service.wording import counted
from longshore.simulator.trace import Trace, TracedJob, TraceRefused, trace_of

FIELDS = (
    "job number",
    "submit time",
    "wait time",
    "run time",
    "allocated processors",
    "average CPU time used",
    "used memory",
    "requested processors",
    "requested time",
    "requested memory",
    "status",
    "user",
    "group",
    "executable",
    "queue",
    "partition",
    "preceding job",
    "think time",
)
#: Fields that may have decimals; the rest are whole numbers.
_FRACTIONS = {1, 2, 3, 5, 8, 17}
#: Parts of a job whose whole is on a line of its own.
_PARTIAL = {2, 3, 4}
_KIB_PER_MIB = 1024
_NEVER_RAN = "{} of {} never ran (run time -1) and are left out"
_PARTS = "{} of {} are parts of jobs that have a line of their own and are left out"


def read_swf(about: str, lines: Iterable[str]) -> Trace:
    """The trace of the jobs that ran. A processor is a vCPU, a user a share.

    The processors are those requested, else those allocated; memory is what was requested, by processor.

    Raises:
        TraceRefused: names the line, the field, what stands there and what would be right.
    """
    jobs: list[TracedJob] = []
    left_out: Counter[str] = Counter()
    cut = waits_for_another = records = 0
    for number, line in enumerate(lines, 1):
        text = line.partition(";")[0].split()
        if not text:
            continue
        records += 1
        values = _values(about, number, text)
        submitted, run, asked_time = values[1], values[3], values[8]
        if values[10] in _PARTIAL:
            left_out[_PARTS] += 1
        elif run < 0:
            left_out[_NEVER_RAN] += 1
        else:
            if submitted < 0:
                raise _refusal(about, number, 1, text[1], "seconds since the start of the log, 0 or more")
            processors = values[7] if values[7] > 0 else values[4]
            if processors <= 0:
                right = f"the number of processors, 1 or more, here or in field 8 ({FIELDS[7]})"
                raise _refusal(about, number, 4, text[4], right)
            limit = ceil(asked_time) if asked_time > 0 else None
            cut += limit is not None and run > limit
            waits_for_another += values[16] > 0
            job = TracedJob(
                submitted_at=submitted,
                run_seconds=run,
                limit_seconds=limit,
                vcpu_milli=int(processors) * 1000,
                memory_mib=ceil(max(values[9], 0) * processors / _KIB_PER_MIB),
                gpus=0,
                share=f"user-{int(values[11])}" if values[11] >= 0 else "unknown",
            )
            jobs.append(job)
    remarks = [text.format(f"{count:,}", counted(records, "job")) for text, count in sorted(left_out.items())]
    if cut:
        remarks.append(f"{cut:,} ran longer than they had requested; they are stopped at the requested time")
    if waits_for_another:
        remarks.append(
            f"{waits_for_another:,} name a preceding job; they are submitted when the log says, all the same"
        )
    return trace_of(about, jobs, remarks)


def _values(about: str, line: int, text: Sequence[str]) -> list[float]:
    if len(text) != len(FIELDS):
        raise TraceRefused(
            f"{about}, line {line}: has {counted(len(text), 'field')}; "
            f"a job has {len(FIELDS)}, with -1 for what is not known"
        )
    values: list[float] = []
    for index, word in enumerate(text):
        try:
            value = float(word) if index in _FRACTIONS else int(word)
        except ValueError:
            kind = "a number" if index in _FRACTIONS else "a whole number"
            raise _refusal(about, line, index, word, f"{kind}, or -1 when it is not known") from None
        if not -1 <= value < 2**53:  # also keeps out what is not a number
            raise _refusal(about, line, index, word, "0 or more, or -1 when it is not known")
        values.append(value)
    return values


def _refusal(about: str, line: int, index: int, word: str, right: str) -> TraceRefused:
    return TraceRefused(
        f"{about}, line {line}, field {index + 1} ({FIELDS[index]}): {word[:40]} is not right; it has to be {right}"
    )
