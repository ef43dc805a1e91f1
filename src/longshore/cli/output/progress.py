"""Bars for work that takes its time."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from longshore.cli.output import Form


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s")


@contextmanager
def progress(form: Form, names: Sequence[str], total: int) -> Generator[Callable[[Sequence[int]], None]]:
    """A bar for each name, on standard error, when it is a terminal and the output is for people; else nothing.

    What is yielded takes how far each is.
    """
    console = Console(stderr=True)
    is_shown = form == "table" and console.is_terminal
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console, disable=not is_shown) as bars:
        tasks = [bars.add_task(name, total=total) for name in names]

        def show(counts: Sequence[int]) -> None:
            for task, count in zip(tasks, counts, strict=True):
                bars.update(task, completed=count)

        yield show
