"""Results for people."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from longshore.cli.output import changed
from longshore.cli.output.cells import age_cell, amounts_text, cell, instant, line_cell, plain_table, status_cell
from longshore.cli.output.efficiency import render_efficiency
from longshore.cli.output.explanation import render_explanation
from longshore.cli.output.lines import echo_lines
from longshore.cli.output.simulation import render_simulation
from longshore.cli.output.submission import render_submitted, render_what_if
from longshore.domain.lifecycle.status import FINAL_STATUSES, JobStatus
from longshore.service.documents import Children, Document, Submitted
from longshore.service.efficiency import EfficiencyReport
from longshore.service.explain import Explanation
from longshore.service.holds import JobHold, QueuePause
from longshore.service.job_table import JobPage, JobRow
from longshore.service.keys import KeyTable, NewKey
from longshore.service.log_pages import LogPage
from longshore.service.status import EngineStatus, HostStatus, QueueStatus, ServerStatus
from longshore.service.what_if import WhatIf
from longshore.service.wording import duration, mebibytes
from longshore.simulator.documents import SimulationReport

_BAR_WIDTH = 20
#: Where no terminal says how wide it is, nothing is cut.
_WIDE = 1000
_UNFINISHED = [status for status in JobStatus if status not in FINAL_STATUSES]


class TableOutput:
    """Tables, and what is watched redrawn in its place."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _console()

    def show(self, result: Document) -> None:
        self._console.print(render(result, datetime.now(UTC)))

    def watch(self, results: Iterable[Document]) -> None:
        if not self._console.is_terminal:
            for result in changed(results):
                self.show(result)
            return
        with Live(console=self._console, auto_refresh=False, vertical_overflow="ellipsis") as live:
            for result in results:
                live.update(render(result, datetime.now(UTC)), refresh=True)

    def show_log(self, pages: Iterable[LogPage], *, growing: bool) -> None:
        echo_lines(pages)


def _console() -> Console:
    """Standard output, where no text is markup."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console


def render(result: Document, now: datetime) -> RenderableType:
    """What is drawn for a result."""
    match result:
        case ServerStatus():
            return _render_status(result)
        case JobPage():
            return _render_jobs(result, now)
        case Explanation():
            return render_explanation(result)
        case JobHold():
            return cell(f"{result.job_id} is {'held' if result.is_held else 'released'} ({result.status})")
        case QueuePause():
            told = "paused: nothing of it starts" if result.is_paused else "resumed"
            return cell(f"{result.name} ({result.region}) is {told}")
        case EfficiencyReport():
            return render_efficiency(result)
        case KeyTable():
            return _render_keys(result)
        case NewKey():
            return _render_new_key(result)
        case SimulationReport():
            return render_simulation(result)
        case Submitted():
            return render_submitted(result)
        case WhatIf():
            return render_what_if(result)
        case _:
            raise AssertionError(result)


def _render_status(status: ServerStatus) -> RenderableType:
    oldest = status.oldest_waiting_seconds
    waits = "no job waits" if oldest is None else f"the oldest waiting job waits for {duration(oldest)}"
    head = cell(f"Longshore {status.version}, {instant(status.at)}: {waits}", "bold")
    parts = [head, _engine_table(status.engines), _host_table(status.hosts), _queue_table(status.queues, status.at)]
    return Group(*(piece for part in parts for piece in (part, Text())))


def _engine_table(engines: Sequence[EngineStatus]) -> Table:
    table = plain_table("ENGINE", "HEALTH")
    for engine in engines:
        table.add_row(cell(engine.name), cell(engine.problem, "red") if engine.problem else Text("ready", "green"))
    return table


def _host_table(hosts: Sequence[HostStatus]) -> Table:
    table = plain_table("HOST", "FREE", "OF")
    for host in hosts:
        table.add_row(cell(host.name), Text(amounts_text(host.free)), Text(amounts_text(host.total)))
    return table


def _queue_table(queues: Sequence[QueueStatus], now: datetime) -> RenderableType:
    if not queues:
        return Text("There is no job queue yet.")
    table = plain_table("QUEUE", "REGION", "PRIORITY", "STATE", *_UNFINISHED, "OLDEST", "HEAD WAITS")
    for queue in queues:
        table.add_row(
            cell(queue.name),
            cell(queue.region),
            str(queue.priority),
            cell(_state(queue)),
            *(Text(f"{queue.depths.get(status, 0):,}", justify="right") for status in _UNFINISHED),
            age_cell(queue.oldest_waiting_at, now),
            cell(queue.head_waits),
        )
    return table


def _state(queue: QueueStatus) -> str:
    status = [] if queue.status == "VALID" else [queue.status]
    return ", ".join([queue.state, *status, *(["paused"] if queue.is_paused else [])])


def _render_jobs(page: JobPage, now: datetime) -> RenderableType:
    if not page.jobs:
        return Text("No jobs.")
    table = plain_table("JOB", "NAME", "QUEUE", "STATUS", "AGE", "")
    for column in (0, 3, 4):
        table.columns[column].no_wrap = True
    for row in page.jobs:
        table.add_row(
            cell(row.job_id),
            line_cell(row.name),
            line_cell(row.place.queue),
            status_cell(row.status),
            age_cell(row.created_at, now),
            _progress(row.children) if row.children else line_cell(_account(row)),
        )
    if page.next_cursor is None:
        return table
    return Group(table, Text("There are more; ask for them with --limit or --queue, --status, --name.", "dim"))


def _progress(children: Children) -> RenderableType:
    ended = sum(children.counts.get(status, 0) for status in FINAL_STATUSES)
    failed = children.counts.get(JobStatus.FAILED, 0)
    words = f"{ended:,} of {children.size:,}"
    words += "".join(
        f", {children.counts[status]:,} {status}"
        for status in JobStatus
        if status is not JobStatus.SUCCEEDED and children.counts.get(status)
    )
    line = Table.grid(padding=(0, 1))
    style = "red" if failed else "green"
    bar = ProgressBar(
        total=children.size, completed=ended, width=_BAR_WIDTH, complete_style=style, finished_style=style
    )
    line.add_row(bar, line_cell(words))
    return line


def _account(row: JobRow) -> str:
    """A job that is no array in a few words: why it waits, or how it ended and what it used of what it asked for."""
    parts: list[str] = []
    if row.status is JobStatus.FAILED or row.status not in FINAL_STATUSES:
        parts.append(row.status_reason)
    if row.start is not None:
        parts.append(f"starts {row.start.text}")
    if row.exit_code is not None:
        parts.append(f"exit code {row.exit_code}")
    parts.append(row.reason)
    if row.attempts_made > 1:
        parts.append(f"attempt {row.attempts_made} of {row.attempts_allowed}")
    if row.used is not None and row.used.run_seconds is not None:
        parts.append(f"ran {duration(row.used.run_seconds)}")
    if row.used is not None and row.used.cpu_seconds is not None:
        parts.append(f"{row.used.cpu_seconds:.2f} CPU s of {row.asked.vcpus:g} vCPU")
    if row.used is not None and row.used.peak_memory_bytes is not None:
        parts.append(f"{mebibytes(row.used.peak_memory_bytes)} of {row.asked.memory_mib:,} MiB")
    return ", ".join(part for part in parts if part)


def _render_keys(keys: KeyTable) -> RenderableType:
    if not keys.keys:
        return Text("There are no access keys yet; make one with `longshore keys create`.")
    table = plain_table("KEY", "NAME", "ACCOUNT", "STATE", "CREATED", "ALLOWED")
    for key in keys.keys:
        table.add_row(
            cell(key.access_key_id),
            cell(key.name),
            cell(key.account_id or "the server's"),
            Text("enabled", "green") if key.is_enabled else Text("disabled", "red"),
            Text(instant(key.created_at)),
            cell("everything" if key.actions is None else ", ".join(key.actions)),
        )
    return table


def _render_new_key(new: NewKey) -> RenderableType:
    return Group(
        Text("This is the only time that the secret is shown. To use it:"),
        Text(),
        cell(f"export AWS_ACCESS_KEY_ID={new.access_key_id}"),
        cell(f"export AWS_SECRET_ACCESS_KEY={new.secret_access_key}"),
    )
