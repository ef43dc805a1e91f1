"""Pieces of tables. Text that comes from a server only gets onto a terminal through `cell`."""

from datetime import datetime

from rich.table import Table
from rich.text import Text

from longshore.cli.plain import plain
from longshore.domain.lifecycle.status import JobStatus
from longshore.service.documents import Amounts
from longshore.service.wording import duration

_STYLES = {
    JobStatus.SUBMITTED: "dim",
    JobStatus.PENDING: "yellow",
    JobStatus.RUNNABLE: "yellow",
    JobStatus.SCHEDULED: "cyan",
    JobStatus.STARTING: "cyan",
    JobStatus.RUNNING: "bold cyan",
    JobStatus.SUCCEEDED: "green",
    JobStatus.FAILED: "bold red",
}


def cell(text: object, style: str = "") -> Text:
    """`text` made plain; brackets in it are brackets, never markup."""
    return Text(plain(str(text)), style=style)


def line_cell(text: object) -> Text:
    """As `cell`, on one line, cut where the terminal ends."""
    line = cell(text)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def status_cell(status: JobStatus) -> Text:
    """A status in its colour."""
    return Text(status, style=_STYLES[status])


def age_cell(since: datetime | None, now: datetime) -> Text:
    """How long ago something was."""
    return Text("" if since is None else duration((now - since).total_seconds()))


def amounts_text(amounts: Amounts) -> str:
    """What is asked for or offered."""
    gpus = f", {amounts.gpus} GPU" if amounts.gpus else ""
    scratch = f", {amounts.scratch_mib:,} MiB scratch" if amounts.scratch_mib else ""
    return f"{amounts.vcpus:g} vCPU, {amounts.memory_mib:,} MiB{gpus}{scratch}"


def instant(at: datetime) -> str:
    """A time as tables show it, UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}Z"


def plain_table(*headings: str) -> Table:
    """A table without frame."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=False)
    return table
