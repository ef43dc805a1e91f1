"""The figures of a run as a table, as JSON and as the page RESULTS.md; and the ranges that they are accepted in."""

import os
import platform
import re
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from figures import Figure
from rich.table import Table

HERE = Path(__file__).parent
_PACKAGES = ("longshore", "uvicorn", "starlette", "aiodocker", "hyperqueue", "moto")


def machine() -> Mapping[str, str]:
    """What the figures were taken on and with."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        "load before the run": f"{load:.1f}",
        "one synced write before the run": f"{_sync_milliseconds():.1f} ms",
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "GNU parallel": _first_line("parallel", "--version"),
        "Docker": _first_line("docker", "version", "--format", "{{.Server.Version}}"),
    }


def _sync_milliseconds() -> float:
    """The median of fifty small writes, each waited for until it is on the disk. It varies with other users."""
    took: list[float] = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return median(took)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _first_line(*command: str) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "not here"
    return ended.stdout.splitlines()[0].removeprefix("GNU parallel ")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _cells(figure: Figure) -> tuple[str, str, str, str, str, str]:
    """What, ours, peer, ratio, bar, met."""
    peer = f"{_number(median(figure.peer))} ({figure.peer_name})" if figure.peer else ""
    low, high = min(figure.compared), max(figure.compared)
    spread = f" ({_number(low)} to {_number(high)})" if len(figure.compared) > 1 else ""
    ours = f"{_number(median(figure.ours))} {figure.unit}" + ("" if figure.peer else spread)
    ratio = f"{figure.value:.2f}x{spread}" if figure.peer else ""
    sign = ">=" if figure.is_rate else "<"
    unit = "x" if figure.peer else f" {figure.unit}"
    bar = "" if figure.bar is None else f"{sign} {_number(figure.bar)}{unit}"
    met = {True: "yes", False: "NO", None: ""}[figure.is_met]
    return figure.what, ours, peer, ratio, bar, met


_HEADINGS = ("what", "ours", "peer", "ratio", "bar", "met")


def render_table(figures: Sequence[Figure]) -> Table:
    """For the terminal."""
    table = Table(*_HEADINGS, title="Speed budget")
    for figure in figures:
        style = "red" if figure.is_met is False else None
        table.add_row(*_cells(figure), style=style)
    return table


def render_document(figures: Sequence[Figure], facts: Mapping[str, str]) -> dict[str, Any]:
    """For programs: every repetition's value."""
    rows = [{**asdict(figure), "value": figure.value, "met": figure.is_met} for figure in figures]
    return {"machine": dict(facts), "figures": rows}


def render_page(figures: Sequence[Figure], facts: Mapping[str, str], *, is_quick: bool) -> str:
    """RESULTS.md: the table, the notes, and of each missed row what `misses.md` says about it."""
    lines = ["# Benchmark results", "", "Written by `make bench`; do not edit."]
    if is_quick:
        lines += [
            "",
            "**A quick run: small numbers, one repetition. It shows that the rows work, not how fast we are.**",
        ]
    lines += [
        "",
        "Ours and a peer are measured in turns in one run. A value is the median of the repetitions, in brackets are",
        "the lowest and the highest; a ratio is the median of the ratios of the turns. Ratios say more than absolute",
        "values: they hold on other machines and under other loads.",
        "",
        *(f"- {name}: {value}" for name, value in facts.items()),
        "",
        f"| {' | '.join(_HEADINGS)} |",
        f"|{'---|' * len(_HEADINGS)}",
        *(f"| {' | '.join(_cells(figure))} |" for figure in figures),
    ]
    notes = [f"- {figure.what}: {figure.note}" for figure in figures if figure.note]
    if notes:
        lines += ["", "## Notes", "", *notes]
    missed = dict.fromkeys(figure.row for figure in figures if figure.is_met is False)
    if missed:
        lines += ["", "## Missed rows"]
        told = _misses()
        for row in missed:
            lines += ["", f"### {row}", "", told.get(row, "No profile was taken yet.")]
    return "\n".join(lines) + "\n"


def _misses() -> Mapping[str, str]:
    """What is written about rows that miss, by row."""
    path = HERE / "misses.md"
    if not path.exists():
        return {}
    parts = re.split(r"^## (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {row.strip(): text.strip() for row, text in zip(parts[::2], parts[1::2], strict=True)}


def out_of_range(figures: Sequence[Figure]) -> list[str]:
    """One line for each figure that is worse than `ranges.toml` accepts."""
    ranges = tomllib.loads((HERE / "ranges.toml").read_text(encoding="utf-8"))
    found: list[str] = []
    for figure in figures:
        key = f"{figure.what} / {figure.peer_name}" if figure.peer else figure.what
        accepted = ranges.get(key, {}).get("accepted")
        if accepted is None:
            continue
        if figure.value < accepted if figure.is_rate else figure.value > accepted:
            found.append(f"{key}: {_number(figure.value)} is worse than the accepted {_number(accepted)}")
    return found
