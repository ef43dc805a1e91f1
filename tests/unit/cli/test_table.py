"""What people are shown, and that text of jobs cannot change how."""

import io
from datetime import timedelta

import msgspec
import pytest
from rich.console import Console

from longshore.cli.output.table import TableOutput, render
from longshore.domain.lifecycle.status import JobStatus
from longshore.service.documents import Document, Used
from longshore.service.efficiency import Cost, EfficiencyReport, EfficiencyRow, Suggestion, Use
from tests.unit.cli.documents import AT, JOB, a_page, a_row, a_status, an_array_row, an_explanation

HOSTILE = "\x1b[31m\x1b]0;t\x07[bold red]x[/] \u202eevil\x9b2J [link=http://e]y[/link] :boom:"
SHOWN = "[bold red]x[/] evil [link=http://e]y[/link] :boom:"


def drawn(document: Document, *, width: int = 200, colour: bool = False) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=colour,
        color_system="standard" if colour else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    console.print(render(document, AT + timedelta(seconds=65)))
    return stream.getvalue()


def test_a_waiting_job_shows_its_whole_id_and_why_it_waits() -> None:
    shown = drawn(a_page(a_row()), width=100)
    assert JOB in shown
    assert "1 min 5 s" in shown
    assert "RUNNABLE" in shown
    assert "asks 2 vCPU" in drawn(a_page(a_row()))


def test_on_a_narrow_terminal_each_job_is_one_line_with_its_whole_id() -> None:
    shown = drawn(a_page(a_row(name="n" * 128), an_array_row(RUNNING=5)), width=80)
    lines = [line for line in shown.splitlines() if line.strip()]
    assert len(lines) == 3
    assert all(JOB in line and "…" in line for line in lines[1:])


def test_a_finished_job_shows_what_it_used_of_what_it_asked_for() -> None:
    used = Used(run_seconds=3.0, cpu_seconds=1.5, peak_memory_bytes=64 * 2**20)
    row = a_row(status=JobStatus.SUCCEEDED, status_reason="", exit_code=0, attempts_made=1, used=used)
    assert "exit code 0, ran 3 s, 1.50 CPU s of 2 vCPU, 64.0 MiB of 256 MiB" in drawn(a_page(row))


def test_an_array_job_shows_a_bar() -> None:
    shown = drawn(a_page(an_array_row(SUCCEEDED=8, FAILED=2, RUNNING=10)), colour=True)
    assert "10 of 20, 10 RUNNING, 2 FAILED" in shown
    assert "━" in shown


def test_empty_and_longer_listings_say_so() -> None:
    assert drawn(a_page()).strip() == "No jobs."
    assert "There are more" in drawn(a_page(a_row(), next_cursor=1))


def test_the_status_of_a_server() -> None:
    shown = drawn(a_status())
    for text in ("Longshore 1.2.3", "2 min 5 s", "process", "ready", "no socket", "1,234", "asks 2 vCPU, free 1 vCPU"):
        assert text in shown
    assert "2 vCPU, 256 MiB" in shown
    assert "4 vCPU, 8,192 MiB, 1 GPU" in shown


def test_an_explanation_has_a_section_for_all_that_is_known() -> None:
    shown = drawn(an_explanation())
    for text in ("FAILED for 5 s", "depends on another", "exit code 3", "not tried again", "the image x is not used"):
        assert text in shown
    assert "Taken in" in shown
    assert "Failed children" not in shown
    assert f"- {JOB}:3" in drawn(an_explanation(failed_children=(f"{JOB}:3",)))


@pytest.mark.parametrize(
    "document",
    [
        a_page(a_row(name=HOSTILE)),
        a_page(a_row(status_reason=HOSTILE)),
        a_page(a_row(status=JobStatus.FAILED, reason=HOSTILE)),
        a_status(head_waits=HOSTILE),
        an_explanation(name=HOSTILE),
        an_explanation(summary=HOSTILE),
    ],
)
def test_text_of_jobs_is_shown_and_never_obeyed(document: Document) -> None:
    shown = drawn(document, width=400)
    assert SHOWN in shown
    assert not set(shown) & set("\x1b\x07\x9b\u202e")
    coloured = drawn(document, width=400, colour=True)
    assert "http://e\x1b" not in coloured
    assert "\x1b]" not in coloured
    assert "\x1b[2J" not in coloured


def test_off_a_terminal_nothing_is_cut_and_only_changes_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    page = a_page(a_row(name="n" * 128, status_reason="r" * 300))
    TableOutput().watch([page, page, a_page()])
    shown = capsys.readouterr().out
    assert "n" * 128 in shown
    assert "r" * 300 in shown
    assert shown.count(JOB) == 1
    assert shown.count("No jobs.") == 1


def test_off_a_terminal_lines_are_not_filled_up(capsys: pytest.CaptureFixture[str]) -> None:
    for document in (a_status(), a_page(a_row()), an_explanation()):
        TableOutput().show(document)
    assert max(map(len, capsys.readouterr().out.splitlines())) < 200


def test_what_is_watched_is_redrawn_in_its_place() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=120, height=20, force_terminal=True, color_system="standard")
    TableOutput(console).watch([a_page(a_row()), a_page()])
    assert "\x1b[1A" in stream.getvalue()  # back up to the first line


def test_efficiency_shows_each_group_the_sum_and_what_would_be_enough() -> None:
    use = Use(held_hours=4.0, measured_hours=2.0, used_hours=0.5)
    row = EfficiencyRow(
        group=HOSTILE,
        attempts=1200,
        failed=3,
        run_hours=2.0,
        cpu=use,
        memory=Use(held_hours=1.0, measured_hours=0.0, used_hours=0.0),
        gpu_hours=0.0,
        cost=Cost(total=3.5, wasted=1.25, saved_by_spot=0.0),
        suggestion=Suggestion(vcpus=1, memory_mib=192, because=("asked 2", "asked 1,024")),
    )
    report = EfficiencyReport(
        by="job",
        since=AT,
        currency="EUR",
        rows=(row,),
        total=msgspec.structs.replace(row, group="", suggestion=None),
        is_partial=True,
        unpriced=("lab",),
    )
    shown = drawn(report)
    assert "by job, costs in EUR" in shown
    for part in ("1,200", "25%", " - ", "3.50", "1.25", "all"):
        assert part in shown, part
    assert f"- {SHOWN}: 1 vCPU, 192 MiB (asked 2; asked 1,024)" in shown
    assert "No price is declared for lab" in shown
    assert "the oldest are left out" in shown
    nothing = msgspec.structs.replace(report.total, attempts=0, cost=None)
    assert "none." in drawn(msgspec.structs.replace(report, total=nothing, rows=()))
