"""`longshore status`."""

import click

from longshore.cli.asking import watch, with_url, with_watch
from longshore.cli.output import Form, choose_output, with_output
from longshore.cli.server import PATIENCE_SECONDS, Server


@click.command()
@with_watch
@with_output
@with_url
def status(url: str, form: Form, keep_watching: bool) -> None:
    """Show engines, hosts and queues: what is free, what waits, and why."""
    output = choose_output(form)
    with Server(url, patience_seconds=PATIENCE_SECONDS if keep_watching else 0.0) as server:
        if keep_watching:
            watch(output, server.status)
        else:
            output.show(server.status())
