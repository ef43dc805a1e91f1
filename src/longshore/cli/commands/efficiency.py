"""`longshore efficiency`."""

import re

import click

from longshore.cli.asking import with_url
from longshore.cli.output import Form, choose_output, with_output
from longshore.cli.server import Server

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def _seconds(context: click.Context, parameter: click.Parameter, value: str) -> int:
    found = re.fullmatch("([1-9][0-9]{0,5})([mhdw])", value)
    if found is None:
        raise click.BadParameter("should be a number with m, h, d or w, such as 12h or 7d")
    return int(found[1]) * _UNITS[found[2]]


@click.command()
@click.option(
    "--by",
    default="definition",
    show_default=True,
    metavar="GROUPING",
    help="What belongs together: job, definition, queue, share, environment or tag:KEY.",
)
@click.option("--queue", metavar="NAME", help="Only jobs of this queue.")
@click.option("--job", metavar="ID", help="Only this job, with all its children and attempts.")
@click.option(
    "--since", default="7d", show_default=True, callback=_seconds, metavar="TIME", help="How far to look back: 12h, 7d."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most groups to show.")
@with_output
@with_url
def efficiency(url: str, form: Form, by: str, queue: str | None, job: str | None, since: int, limit: int) -> None:
    """Say what jobs used of what they asked for, what it cost, and what would have been enough.

    The most wasteful groups come first. Costs need prices: see the setting prices.environments.
    """
    arguments = {"by": by, "queue": queue, "job": job, "since": since, "limit": limit}
    with Server(url) as server:
        choose_output(form).show(server.efficiency(arguments))
