"""Each command and each of its options has help, and the page on the command line has them all."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from longshore import __version__
from longshore.cli.main import longshore

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"


def commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


COMMANDS = dict(commands(longshore))


def options() -> Iterator[tuple[str, click.Option]]:
    for name, command in COMMANDS.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                yield name, parameter


def test_there_are_the_commands_that_are_promised() -> None:
    assert set(longshore.commands) == {
        "efficiency",
        "explain",
        "history",
        "hold",
        "jobs",
        "keys",
        "logs",
        "pause",
        "release",
        "resume",
        "server",
        "simulate",
        "status",
        "submit",
    }
    assert set(COMMANDS) - set(longshore.commands) == {
        f"keys {name}" for name in ("create", "list", "disable", "enable", "delete")
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str) -> None:
    told = CliRunner().invoke(longshore, [*name.split(), "--help"])
    assert told.exit_code == 0
    assert COMMANDS[name].help
    assert CliRunner().invoke(longshore, [*name.split(), "-h"]).stdout == told.stdout


@pytest.mark.parametrize(("name", "option"), [*options()], ids=lambda value: str(getattr(value, "name", value)))
def test_each_option_has_help_and_is_documented(name: str, option: click.Option) -> None:
    assert option.help
    section = PAGE.read_text().partition(f"## `longshore {name}")[2].partition("\n## ")[0]
    for flag in option.opts:
        assert flag in section


def test_exit_codes_are_told() -> None:
    told = CliRunner().invoke(longshore, ["--help"]).stdout
    assert "Exit codes: 0 it worked; 1 what was asked about does not exist" in told


def test_the_version() -> None:
    assert __version__ in CliRunner().invoke(longshore, ["--version"]).stdout


def test_a_command_that_does_not_exist() -> None:
    assert CliRunner().invoke(longshore, ["stat"]).exit_code == 2
