"""Logs in the Standard Workload Format: what is read, what is left out and said, what is refused and how."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.simulator.sources import read_trace
from longshore.simulator.swf import FIELDS, read_swf
from longshore.simulator.trace import TraceRefused


def a_line(**fields: object) -> str:
    """A job of one processor that ran for 10 s; `job_number=7` and so on replace fields."""
    values: dict[str, object] = dict.fromkeys(FIELDS, -1)
    values |= {"job number": 1, "submit time": 0, "run time": 10, "requested processors": 1, "status": 1}
    for name, value in fields.items():
        assert name.replace("_", " ") in values, name
        values[name.replace("_", " ")] = value
    return " ".join(map(str, values.values()))


def refusal(*lines: str) -> str:
    with pytest.raises(TraceRefused) as caught:
        read_swf("log.swf", lines)
    return str(caught.value)


def test_a_log_with_a_header() -> None:
    """Comments and empty lines are passed over; time begins at the first submission."""
    lines = [
        "; Version: 2.2",
        ";",
        "",
        a_line(submit_time=100, run_time=30, requested_processors=4, requested_time=60, requested_memory=2048, user=3),
        "  "
        + a_line(submit_time=130.5, run_time=7.25, allocated_processors=2, requested_processors=-1)
        + " ; a remark",
    ]
    trace = read_swf("log.swf", lines)
    assert trace.submitted_at.tolist() == [0.0, 30.5]
    assert trace.run_seconds.tolist() == [30.0, 7.25]
    assert trace.limit_seconds.tolist() == [60.0, np.inf]
    assert trace.vcpu_milli.tolist() == [4000, 2000]
    assert trace.memory_mib.tolist() == [8, 0]
    assert [trace.shares[share] for share in trace.share] == ["user-3", "unknown"]
    assert trace.remarks == ()


def test_what_is_left_out_or_changed_is_said() -> None:
    trace = read_swf(
        "log.swf",
        [
            a_line(run_time=-1, status=5),
            a_line(status=2),
            a_line(status=3),
            a_line(run_time=100, requested_time=60),
            a_line(preceding_job=1, think_time=5),
        ],
    )
    assert len(trace) == 2
    assert trace.held_seconds.tolist() == [60.0, 10.0]
    assert trace.remarks == (
        "2 of 5 jobs are parts of jobs that have a line of their own and are left out",
        "1 of 5 jobs never ran (run time -1) and are left out",
        "1 ran longer than they had requested; they are stopped at the requested time",
        "1 name a preceding job; they are submitted when the log says, all the same",
    )


def test_jobs_are_sorted_by_submission_and_keep_their_order_within_an_instant() -> None:
    trace = read_swf("l", [a_line(submit_time=at, run_time=run) for at, run in ((9, 1), (3, 2), (9, 3), (3, 4))])
    assert trace.run_seconds.tolist() == [2.0, 4.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 2 3", "log.swf, line 2: has 3 fields; a job has 18, with -1 for what is not known"),
        (a_line() + " 0", "line 2: has 19 fields"),
        (a_line(submit_time="soon"), "line 2, field 2 (submit time): soon is not right; it has to be a number, or -1"),
        (a_line(status=1.5), "line 2, field 11 (status): 1.5 is not right; it has to be a whole number, or -1"),
        (a_line(run_time="nan"), "line 2, field 4 (run time): nan is not right; it has to be 0 or more, or -1"),
        (a_line(run_time="inf"), "field 4 (run time): inf is not right"),
        (a_line(requested_processors=-7), "field 8 (requested processors): -7 is not right"),
        (a_line(submit_time=-1), "field 2 (submit time): -1 is not right; it has to be seconds since the start"),
        (a_line(requested_processors=-1), "field 5 (allocated processors): -1 is not right; it has to be the number"),
    ],
)
def test_a_refusal_names_the_line_the_field_and_what_would_be_right(line: str, words: str) -> None:
    assert words in refusal(a_line(), line)


def test_a_log_without_jobs_is_refused() -> None:
    assert "there is no job in it that could be replayed; it is empty" in refusal("; Version: 2.2")
    assert "1 of 1 job never ran" in refusal(a_line(run_time=-1))


@given(st.lists(st.lists(st.integers(-1, 10**9), min_size=18, max_size=18), min_size=1, max_size=20))
def test_any_numbers_make_a_trace_or_a_refusal_that_names_a_line(rows: Sequence[Sequence[int]]) -> None:
    """A trace holds no negative amount and every job that ran, in the order of time."""
    try:
        trace = read_swf("log", [" ".join(map(str, row)) for row in rows])
    except TraceRefused as problem:
        assert str(problem).startswith(("log, line ", "log: there is no job"))
        return
    ran = [row for row in rows if row[3] >= 0 and row[10] not in (2, 3, 4)]
    assert len(trace) == len(ran)
    assert trace.submitted_at[0] == 0
    assert (np.diff(trace.submitted_at) >= 0).all()
    assert (trace.vcpu_milli >= 1000).all()
    assert (trace.memory_mib >= 0).all()
    assert (trace.limit_seconds > 0).all()
    assert sorted(trace.run_seconds.tolist()) == sorted(float(row[3]) for row in ran)


@given(st.text(max_size=200))
def test_any_text_makes_a_trace_or_a_refusal(text: str) -> None:
    with pytest.raises(TraceRefused):
        read_swf("log", ["x " + line for line in text.splitlines()])


def test_files_are_told_by_their_names(tmp_path: Path) -> None:
    """Packed or not; a file that can't be read, or that nothing is known of, is refused with what would be right."""
    plain, packed = tmp_path / "log.swf", tmp_path / "log.swf.gz"
    plain.write_text(a_line())
    packed.write_bytes(gzip.compress(a_line().encode()))
    assert len(read_trace(plain)) == len(read_trace(packed)) == 1
    with pytest.raises(TraceRefused, match=r"its name has to end in \.swf"):
        read_trace(tmp_path / "log.txt")
    with pytest.raises(TraceRefused, match="can't be read"):
        read_trace(tmp_path / "absent.swf")
    packed.write_bytes(b"not packed")
    with pytest.raises(TraceRefused, match="can't be read"):
        read_trace(packed)
