"""Lines of jobs' output on standard output."""

from collections.abc import Iterable

import click

from longshore.cli.plain import plain
from longshore.service.log_pages import LogPage


def echo_lines(pages: Iterable[LogPage]) -> None:
    """Write each line, made plain, and let it be seen at once."""
    for page in pages:
        if page.lines:
            click.echo("\n".join(plain(line.message) for line in page.lines))
