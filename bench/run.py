"""Measures the speed budget beside the alternatives. `make bench` runs this; `--help` tells the options."""

import json
import shutil
import tempfile
import time
from pathlib import Path

import click
import report
from figures import Figure
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from row import Bench, Row
from rows import array, docker, idle, latency, reading, restart, scheduler, submit

ROWS = (
    Row(name="array", title="array of 10,000 on processes", measure=array.measure),
    Row(name="docker", title="array of 200 on Docker", measure=docker.measure),
    Row(name="submit", title="SubmitJob rate", measure=submit.measure_rate),
    Row(name="array-submit", title="SubmitJob of 10,000 children", measure=submit.measure_array),
    Row(name="latency", title="submit to RUNNING", measure=latency.measure),
    Row(name="reading", title="a million jobs stored", measure=reading.measure),
    Row(name="restart", title="100,000 waiting jobs", measure=restart.measure),
    Row(name="scheduler", title="a cycle over 10,000 hosts", measure=scheduler.measure),
    Row(name="idle", title="an idle server", measure=idle.measure),
)


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice([row.name for row in ROWS]), help="Measure this row (repeatable)."
)
@click.option("--quick", is_flag=True, help="Small numbers, one repetition: to see that the rows work.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every value to this file, too.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="Where the page goes; default: bench/RESULTS.md for a whole run, nowhere for another.",
)
@click.option("--keep", is_flag=True, help="Keep the data folders and server logs, and say where they are.")
def main(only: tuple[str, ...], quick: bool, json_file: Path | None, results: Path | None, keep: bool) -> None:
    """Measure the speed budget. Exits with 1 when a figure is worse than bench/ranges.toml accepts."""
    console = Console()
    facts = report.machine()
    rows = [row for row in ROWS if not only or row.name in only]
    folder = Path(tempfile.mkdtemp(prefix="longshore-bench-"))
    figures: list[Figure] = []
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    try:
        with Progress(*columns, console=console) as progress:
            for row in rows:
                figures += _measure(row, folder / row.name, quick, progress)
    finally:
        if keep:
            console.print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    console.print(report.render_table(figures))
    if json_file is not None:
        json_file.write_text(json.dumps(report.render_document(figures, facts), indent=2) + "\n", encoding="utf-8")
    if results is None and not only and not quick:
        results = report.HERE / "RESULTS.md"
    if results is not None:
        results.write_text(report.render_page(figures, facts, is_quick=quick), encoding="utf-8")
        console.print(f"written: {results}")
    worse = [] if quick else report.out_of_range(figures)
    for line in worse:
        console.print(line, style="red")
    raise SystemExit(1 if worse else 0)


def _measure(row: Row, folder: Path, quick: bool, progress: Progress) -> list[Figure]:
    folder.mkdir()
    task = progress.add_task(row.title, total=None)

    def say(text: str) -> None:
        progress.update(task, description=f"{row.title}: {text}")

    began = time.monotonic()
    figures = row.measure(Bench(folder=folder, is_quick=quick, say=say))
    if figures:
        say(f"done in {time.monotonic() - began:.0f} s")
    progress.update(task, total=1, completed=1)
    return figures


if __name__ == "__main__":
    main()
