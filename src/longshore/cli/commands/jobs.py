"""`longshore jobs`."""

import click

from longshore.cli.asking import watch, with_url, with_watch
from longshore.cli.output import Form, choose_output, with_output
from longshore.cli.server import PATIENCE_SECONDS, Server


@click.command()
@click.option("--queue", metavar="NAME", help="Only jobs of this queue.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=str.upper,
    metavar="STATUS",
    help="Only jobs in this status; may be repeated. An array job is PENDING while its children are at work.",
)
@click.option("--name", help="Only jobs of this name, in any case; a * at its end stands for any rest.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most jobs to show.")
@click.option("--cursor", type=int, help="Go on behind the page whose nextCursor this is (see --json).")
@with_watch
@with_output
@with_url
def jobs(
    url: str,
    form: Form,
    keep_watching: bool,
    queue: str | None,
    statuses: tuple[str, ...],
    name: str | None,
    limit: int,
    cursor: int | None,
) -> None:
    """List jobs of all accounts and regions, newest first.

    Array jobs show how far their children are, finished jobs what they used of what they asked for.
    """
    output = choose_output(form)
    arguments = {"queue": queue, "status": statuses, "name": name, "limit": limit, "cursor": cursor}
    with Server(url, patience_seconds=PATIENCE_SECONDS if keep_watching else 0.0) as server:
        if keep_watching:
            watch(output, lambda: server.jobs(arguments))
        else:
            output.show(server.jobs(arguments))
