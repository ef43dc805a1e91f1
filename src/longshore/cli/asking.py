"""What commands that ask a server share."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import click

from longshore.cli.output import Output
from longshore.cli.server import DEFAULT_URL
from longshore.service.documents import Document

WATCH_SECONDS = 0.5

with_url = click.option(
    "--url",
    envvar="LONGSHORE_URL",
    show_envvar=True,
    default=DEFAULT_URL,
    show_default=True,
    help="The server: http://HOST:PORT, or unix:///PATH for its Unix socket.",
)
with_watch = click.option("--watch", "keep_watching", is_flag=True, help="Go on until interrupted, showing changes.")


def watch(output: Output, ask: Callable[[], Document]) -> None:
    """Show what `ask` answers, again and again, until interrupted."""

    def answers() -> Iterator[Document]:
        while True:
            yield ask()
            time.sleep(WATCH_SECONDS)

    with suppress(KeyboardInterrupt):
        output.watch(answers())
