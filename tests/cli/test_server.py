"""`longshore server`: settings in, one line out when it cannot start."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from longshore.cli.main import longshore
from longshore.config import SETTINGS, Settings
from longshore.domain.errors import LongshoreError, StoreUnavailable

Serve = Callable[[Settings], int]


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Serve], None]:
    """Puts a stand-in in the place of the server; settings of this machine's owner are not read."""
    monkeypatch.chdir(tmp_path)

    def put(serve: Serve) -> None:
        app = ModuleType("longshore.app")
        app.serve = serve  # pyright: ignore[reportAttributeAccessIssue]
        monkeypatch.setitem(sys.modules, "longshore.app", app)

    return put


def run(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(longshore, ["server", *arguments], env=variables, catch_exceptions=False)


def test_flags_come_before_variables_and_these_before_the_file(
    serving: Callable[[Serve], None], tmp_path: Path
) -> None:
    seen: list[Settings] = []

    def serve(settings: Settings) -> int:
        seen.append(settings)
        return 7

    serving(serve)
    file = tmp_path / "other.toml"
    file.write_text('[server]\nport = 1\nregion = "eu-west-1"\naccount_id = "123456789012"\n')
    told = run("--config", str(file), "--port", "3", "--local-vcpus", "5", LONGSHORE_SERVER_REGION="eu-west-2")
    assert told.exit_code == 7
    [settings] = seen
    assert (settings.server.port, settings.server.region) == (3, "eu-west-2")
    assert (settings.server.account_id, settings.local.vcpus) == ("123456789012", 5)


def test_every_setting_has_a_flag(serving: Callable[[Serve], None]) -> None:
    told = run("--help")
    for declared in SETTINGS.values():
        assert f"{declared.flag} " in told.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "x"], "Error: --port: 'x' is not a whole number from 0 to 65535\n"),
        (
            ["--host", "0.0.0.0"],
            "server.host: 0.0.0.0 is not a loopback address; others are served only with --auth sigv4",
        ),
        (["--config", "/nowhere.toml"], "/nowhere.toml: cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    serving: Callable[[Serve], None], arguments: list[str], said: str
) -> None:
    serving(lambda settings: pytest.fail("it was started"))
    told = run(*arguments)
    assert told.exit_code == 2
    assert told.stdout == ""
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("problem", [StoreUnavailable("the disk is full"), LongshoreError("the port is taken")])
def test_a_server_that_cannot_start_is_one_line_and_exit_code_2(
    serving: Callable[[Serve], None], problem: LongshoreError
) -> None:
    def serve(settings: Settings) -> int:
        raise problem

    serving(serve)
    told = run()
    assert (told.exit_code, told.stdout, told.stderr) == (2, "", f"Error: {problem.message}\n")


def test_commands_that_ask_do_not_load_the_server() -> None:
    """They start faster without it."""
    script = (
        "import sys; from longshore.cli.main import longshore; "
        "unwanted = {'longshore.app', 'sqlalchemy', 'uvicorn', 'aiodocker', 'botocore', 'starlette', 'rich'}; "
        "sys.exit(', '.join(unwanted & set(sys.modules)) or 0)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert (told.returncode, told.stderr) == (0, "")
