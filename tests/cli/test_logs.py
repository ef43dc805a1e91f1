"""`longshore logs`."""

import json

import pytest

from longshore.domain.lifecycle.status import JobStatus
from tests.cli.canned_server import Canned, Run
from tests.unit.cli.documents import JOB, a_log_page

PATH = f"jobs/{JOB}/log"
RUNNABLE, SUCCEEDED, FAILED = JobStatus.RUNNABLE, JobStatus.SUCCEEDED, JobStatus.FAILED


def test_lines_are_printed_to_the_present_end(canned: Canned, run: Run) -> None:
    canned.put(PATH, a_log_page("one", "two", next_token="t1"), a_log_page("three", next_token="t2"), a_log_page())
    told = run("logs", JOB)
    assert (told.exit_code, told.stdout, told.stderr) == (0, "one\ntwo\nthree\n", "")
    assert canned.arguments() == [
        {},
        {"attempt": ["1"], "token": ["t1"]},
        {"attempt": ["1"], "token": ["t2"]},
    ]


@pytest.mark.parametrize("form", [[], ["-q"]])
def test_lines_are_made_plain(canned: Canned, run: Run, form: list[str]) -> None:
    hostile = "\x1b[2J\x1b]0;t\x07[bold]a[/bold]\x9b31m\u202eb\x07"
    canned.put(PATH, a_log_page(hostile, "10%\r20%"), a_log_page())
    assert run("logs", *form, JOB).stdout == "[bold]a[/bold]b\n10% 20%\n"


def test_attempt_and_index(canned: Canned, run: Run) -> None:
    canned.put(f"jobs/{JOB}%3A7/log", a_log_page("x", attempt=2), a_log_page(attempt=2))
    assert run("logs", JOB, "--index", "7", "--attempt", "2").exit_code == 0
    assert canned.arguments()[0] == {"attempt": ["2"]}


def test_json_is_one_document(canned: Canned, run: Run) -> None:
    canned.put(PATH, a_log_page("\x1b[1mone"), a_log_page("two"), a_log_page())
    told = run("logs", JOB, "--json")
    document = json.loads(told.stdout)
    assert [line["message"] for line in document["lines"]] == ["\x1b[1mone", "two"]
    assert (document["attempt"], document["group"], document["region"]) == (1, "/aws/batch/job", "us-east-1")
    assert "\x1b" not in told.stdout


def test_following_goes_through_attempts_to_the_end_of_the_job(canned: Canned, run: Run) -> None:
    canned.put(
        PATH,
        a_log_page(attempt=None, status=RUNNABLE, status_reason="Waiting: \x1b[1masks 2 vCPU", next_token=None),
        a_log_page(attempt=None, status=RUNNABLE, status_reason="Waiting: \x1b[1masks 2 vCPU", next_token=None),
        a_log_page("first"),
        a_log_page(),
        a_log_page(is_end=True, status=RUNNABLE),
        a_log_page(attempt=None, status=RUNNABLE),
        a_log_page("second", attempt=2),
        a_log_page(attempt=2, is_end=True, status=SUCCEEDED),
    )
    told = run("logs", "-f", JOB)
    assert (told.exit_code, told.stdout) == (0, "first\nsecond\n")
    assert told.stderr.splitlines() == [
        "[no output yet: RUNNABLE: Waiting: asks 2 vCPU]",
        "[no output yet: RUNNABLE]",
        "[attempt 2]",
    ]
    asked = [arguments.get("attempt", ["latest"])[0] for arguments in canned.arguments()]
    assert asked == ["latest", "latest", "latest", "1", "1", "2", "2", "2"]
    assert all(arguments["wait"] == ["2"] for arguments in canned.arguments())


def test_following_a_job_that_fails_is_exit_code_1(canned: Canned, run: Run) -> None:
    end = a_log_page(is_end=True, status=FAILED, status_reason="no \x1b]0;x\x07good")
    canned.put(PATH, a_log_page("last words"), end)
    told = run("logs", "-f", JOB)
    assert (told.exit_code, told.stdout) == (1, "last words\n")
    assert told.stderr == f"Error: job {JOB} FAILED: no good\n"


def test_following_one_attempt_ends_with_it(canned: Canned, run: Run) -> None:
    canned.put(PATH, a_log_page("x"), a_log_page(is_end=True, status=RUNNABLE))
    told = run("logs", "-f", "--attempt", "1", JOB)
    assert (told.exit_code, told.stdout) == (0, "x\n")


def test_a_followed_job_that_never_starts(canned: Canned, run: Run) -> None:
    canned.put(PATH, a_log_page(attempt=None, is_end=True, status=FAILED, status_reason="no use"))
    assert run("logs", "-f", JOB).exit_code == 1


def test_following_as_json_is_a_line_for_each_line(canned: Canned, run: Run) -> None:
    canned.put(PATH, a_log_page("one", "two"), a_log_page(is_end=True, status=SUCCEEDED))
    told = run("logs", "-f", JOB, "--json")
    assert [json.loads(line) for line in told.stdout.splitlines()] == [
        {"timestamp": 0, "message": "one"},
        {"timestamp": 0, "message": "two"},
    ]


def test_no_output_yet_is_exit_code_1(canned: Canned, run: Run) -> None:
    canned.put(PATH, a_log_page(attempt=None, status=RUNNABLE))
    told = run("logs", JOB)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr == f"Error: job {JOB} is RUNNABLE and has no output yet\n"
    told = run("logs", JOB, "--attempt", "4")
    assert told.stderr == f"Error: job {JOB} is RUNNABLE and has no attempt 4\n"
