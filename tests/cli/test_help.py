"""Each command and each of its options has help, and the page on the command line has them all."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from longshore import __version__
from longshore.cli.main import longshore

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"


def options() -> Iterator[tuple[str, click.Option]]:
    for name, command in longshore.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                yield name, parameter


def test_there_are_the_commands_that_are_promised() -> None:
    assert set(longshore.commands) == {"server", "status", "jobs", "logs", "explain"}


@pytest.mark.parametrize("name", longshore.commands)
def test_each_command_has_help(name: str) -> None:
    told = CliRunner().invoke(longshore, [name, "--help"])
    assert told.exit_code == 0
    assert longshore.commands[name].help
    assert CliRunner().invoke(longshore, [name, "-h"]).stdout == told.stdout


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
