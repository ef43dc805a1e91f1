"""How a command fails: one line on standard error, and an exit code that says what kind of failure it is."""

import click

from longshore.cli.plain import plain


class Failure(click.ClickException):
    """The command was not understood, or the server can't be asked. Text from anywhere is made plain."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        super().__init__(plain(text))


class Unreachable(Failure):
    """No answer came from the server; it may be starting or restarting."""


class NotThere(Failure):
    """What was asked about does not exist."""

    exit_code = 1


class JobFailed(Failure):
    """The job that was followed failed."""

    exit_code = 1
