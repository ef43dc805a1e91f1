"""`longshore history`."""

import gzip
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

import click
import msgspec

from longshore.cli.asking import with_url
from longshore.cli.errors import Failure
from longshore.cli.server import PATIENCE_SECONDS, Server


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file, packed if its name ends in .gz; without it, to standard output.",
)
@click.option("--cursor", type=int, help="Go on behind the page whose nextCursor this is (see GET /longshore/history).")
@with_url
def history(url: str, output: Path | None, cursor: int | None) -> None:
    """Write down every job that has ended, as lines of JSON, in the order of submission.

    Array jobs are written by their children. Each line has what was asked for and used, the share, and when it was
    submitted, started and stopped. `longshore simulate` replays such a file (.jsonl, or .jsonl.gz).
    """
    try:
        with Server(url, patience_seconds=PATIENCE_SECONDS) as server, _opened(output) as lines:
            while True:
                page = server.history({"cursor": cursor})
                for row in page.jobs:
                    lines.write(json.dumps(msgspec.to_builtins(row)) + "\n")
                cursor = page.next_cursor
                if cursor is None:
                    return
    except OSError as problem:
        raise Failure(f"{output or 'standard output'}: {problem.strerror or problem}") from problem


def _opened(output: Path | None) -> AbstractContextManager[TextIO]:
    """What lines are written to; left open if it is standard output."""
    if output is None:
        return nullcontext(sys.stdout)
    return gzip.open(output, "wt") if output.suffix == ".gz" else output.open("w")
