"""The program `longshore`."""

import sys
from io import TextIOWrapper

import click

from longshore import __version__
from longshore.cli.commands.efficiency import efficiency
from longshore.cli.commands.explain import explain
from longshore.cli.commands.history import history
from longshore.cli.commands.holds import hold, pause, release, resume
from longshore.cli.commands.jobs import jobs
from longshore.cli.commands.keys import keys
from longshore.cli.commands.logs import logs
from longshore.cli.commands.server import server
from longshore.cli.commands.simulate import simulate
from longshore.cli.commands.status import status
from longshore.cli.commands.submit import submit

EPILOG = (
    "Exit codes: 0 it worked; 1 what was asked about does not exist, or the job that was followed failed; "
    "2 the command was not understood, or the server cannot be reached or cannot start."
)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="longshore")
def longshore() -> None:
    """A batch computing service that you run yourself and that speaks the AWS Batch API.

    `longshore server` runs it, `longshore keys` says who may use it, `longshore simulate` tries out what is not
    there; the other commands ask a running one.
    """


for command in (
    server,
    submit,
    status,
    jobs,
    logs,
    explain,
    hold,
    release,
    pause,
    resume,
    efficiency,
    history,
    simulate,
    keys,
):
    longshore.add_command(command)


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character shows another
    longshore()
