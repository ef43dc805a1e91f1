"""`longshore keys`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from longshore.cli.errors import Failure, NotThere
from longshore.cli.output import Form, choose_output, with_output
from longshore.config import CONFIG_FILE, CONFIG_VARIABLE, SETTINGS, load_settings
from longshore.domain.errors import LongshoreError, NotFound
from longshore.ports.sealing import Sealer
from longshore.ports.store import Store
from longshore.service.keys import create_key, delete_key, list_keys, switch_key
from longshore.system_clock import SystemClock

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., object])


def _with_data(command: Command) -> Command:
    """Give the command what says where the data folder is, as the server is told."""
    declared = SETTINGS["server.data"]
    text = f"The server's data folder. [{declared.variable}]"
    data = click.option(declared.flag, "data", metavar="FOLDER", help=text)
    file = click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"File with the server's settings, instead of {CONFIG_FILE} in the working folder. [{CONFIG_VARIABLE}]",
    )
    return data(file(command))


@click.group(no_args_is_help=True)
def keys() -> None:
    """Make and manage access keys, for a server that verifies requests (--auth sigv4).

    Works on the data folder itself, beside a running server or without one; what changes counts at once.
    """


@keys.command()
@click.option("--name", help="What the key's user is called; otherwise as the key.")
@click.option("--account", metavar="ID", help="Account whose things the key sees and makes; otherwise the server's.")
@click.option(
    "--allow",
    "actions",
    multiple=True,
    metavar="ACTION",
    help="Action that the key may do, as batch:SubmitJob or logs:Get*; may be repeated. Without it: all.",
)
@with_output
@_with_data
def create(
    data: str | None,
    config_file: Path | None,
    form: Form,
    name: str | None,
    account: str | None,
    actions: tuple[str, ...],
) -> None:
    """Make a key and show its secret, which is never shown again."""
    made = _at_desk(
        data,
        config_file,
        lambda store, sealer: create_key(store, sealer, SystemClock(), name=name, account_id=account, actions=actions),
        may_make=True,
    )
    choose_output(form).show(made)


@keys.command(name="list")
@with_output
@_with_data
def list_(data: str | None, config_file: Path | None, form: Form) -> None:
    """Show all keys, without their secrets."""
    choose_output(form).show(_at_desk(data, config_file, lambda store, _: list_keys(store)))


@keys.command()
@click.argument("key_id", metavar="KEY")
@_with_data
def disable(data: str | None, config_file: Path | None, key_id: str) -> None:
    """Refuse requests with a key from now on, and with what was lent from it."""
    _at_desk(data, config_file, lambda store, _: switch_key(store, key_id, is_enabled=False))


@keys.command()
@click.argument("key_id", metavar="KEY")
@_with_data
def enable(data: str | None, config_file: Path | None, key_id: str) -> None:
    """Take requests with a disabled key again."""
    _at_desk(data, config_file, lambda store, _: switch_key(store, key_id, is_enabled=True))


@keys.command()
@click.argument("key_id", metavar="KEY")
@_with_data
def delete(data: str | None, config_file: Path | None, key_id: str) -> None:
    """Delete a key for ever."""
    _at_desk(data, config_file, lambda store, _: delete_key(store, key_id))


def _at_desk(
    data: str | None,
    config_file: Path | None,
    work: Callable[[Store, Sealer], Awaitable[T]],
    *,
    may_make: bool = False,
) -> T:
    from longshore.key_desk import at_desk  # the store: other commands start faster without it

    try:
        settings = load_settings({"server.data": data}, config_file=config_file)
        return at_desk(settings.server.data, work, may_make=may_make)
    except NotFound as problem:
        raise NotThere(problem.message) from problem
    except LongshoreError as problem:
        raise Failure(problem.message) from problem
