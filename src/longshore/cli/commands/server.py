"""`longshore server`."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from longshore.cli.errors import Failure
from longshore.config import CONFIG_FILE, CONFIG_VARIABLE, SETTINGS, Declared, load_settings
from longshore.domain.errors import LongshoreError

Command = TypeVar("Command", bound=Callable[..., object])


def _parameter(declared: Declared) -> str:
    """What click calls the value of a setting's flag."""
    return declared.flag.removeprefix("--").replace("-", "_")


def _with_settings(command: Command) -> Command:
    """Give the command a flag for each setting; they are checked where settings from all sources are."""
    for declared in reversed(list(SETTINGS.values())):
        text = f"{declared.doc} [{declared.variable}]"
        command = click.option(declared.flag, _parameter(declared), metavar="VALUE", help=text)(command)
    return command


@click.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"File with settings, instead of {CONFIG_FILE} in the working folder. [{CONFIG_VARIABLE}]",
)
@_with_settings
@click.pass_context
def server(context: click.Context, config_file: Path | None, **flags: str | None) -> None:
    """Run a server until it is told to stop (SIGTERM, Ctrl-C). Running jobs go on without it.

    A setting is taken from its flag, else from the variable in brackets, else from the file, else it has its default.
    What is wrong with one, or keeps the server from starting, is said in one line, with exit code 2.
    """
    from longshore.app import serve  # all of the server: other commands start faster without it

    given = {name: flags[_parameter(declared)] for name, declared in SETTINGS.items()}
    try:
        code = serve(load_settings(given, config_file=config_file))
    except LongshoreError as problem:
        raise Failure(problem.message) from problem
    context.exit(code)
