"""`longshore keys`: on the data folder itself, with a server on it or without one."""

import json
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from longshore.cli.main import longshore
from longshore.data_folder import STORE_FILE, open_data_folder
from longshore.store.schema import migrate

Keys = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def keys(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """Runs a command of the group on a data folder that is not there yet."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: str) -> Result:
        command = ["keys", name, "--data", str(data), *arguments]
        return CliRunner().invoke(longshore, command, catch_exceptions=False)

    return run


def made(keys: Keys, *arguments: str) -> dict[str, Any]:
    told = keys("create", "--json", *arguments)
    assert told.exit_code == 0, told.stderr
    document: dict[str, Any] = json.loads(told.stdout)
    return document


def listed(keys: Keys) -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads(keys("list", "--json").stdout)
    return list(document["keys"])


def test_a_key_is_made_listed_switched_and_deleted(keys: Keys, data: Path) -> None:
    new = made(keys, "--name", "alice", "--account", "111122223333", "--allow", "batch:*", "--allow", "logs:Get*")
    key_id, secret = new["accessKeyId"], new["secretAccessKey"]
    [row] = listed(keys)
    assert row == new["key"]
    assert (row["accessKeyId"], row["name"], row["accountId"]) == (key_id, "alice", "111122223333")
    assert (row["actions"], row["isEnabled"]) == (["batch:*", "logs:Get*"], True)
    for name, is_enabled in (("disable", False), ("disable", False), ("enable", True)):
        told = keys(name, key_id)
        assert (told.exit_code, told.output) == (0, "")
        assert [row["isEnabled"] for row in listed(keys)] == [is_enabled]
    assert secret not in keys("list").output + keys("list", "--json").output
    assert keys("delete", key_id).exit_code == 0
    assert listed(keys) == []
    for path in data.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        if path.is_file():
            assert secret.encode() not in path.read_bytes()


def test_people_are_told_how_to_use_a_new_key(keys: Keys) -> None:
    told = keys("create", "--name", "alice").stdout
    assert "only time that the secret is shown" in told
    assert "export AWS_ACCESS_KEY_ID=LSAK" in told
    assert "export AWS_SECRET_ACCESS_KEY=" in told
    shown = keys("list").stdout
    assert "alice" in shown
    assert "the server's" in shown
    assert "enabled" in shown
    assert "everything" in shown
    key_id, secret = keys("create", "--quiet").stdout.split()
    assert (len(key_id), len(secret)) == (20, 40)
    assert keys("list", "--quiet").stdout.split()[1:] == [key_id]


def test_no_keys(keys: Keys) -> None:
    keys("delete", made(keys)["accessKeyId"])
    assert "no access keys yet" in keys("list").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--account", "1234"], "the account '1234' is not a number of 12 digits"),
        (["--name", "a b"], "the name 'a b' is not"),
        (["--allow", "everything"], "'everything' is not an action"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(keys: Keys, arguments: list[str], said: str) -> None:
    told = keys("create", *arguments)
    assert (told.exit_code, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert said in told.stderr
    assert listed(keys) == []


@pytest.mark.parametrize("name", ["disable", "enable", "delete"])
def test_a_key_that_is_not_there(keys: Keys, name: str) -> None:
    made(keys)
    told = keys(name, "LSAKUNKNOWN")
    assert (told.exit_code, told.stderr) == (1, "Error: there is no access key LSAKUNKNOWN\n")


def test_a_folder_that_is_not_there_is_not_made_by_looking(keys: Keys, data: Path) -> None:
    told = keys("list")
    assert told.exit_code == 2
    assert f"{data}: there is no data folder of a Longshore server" in told.stderr
    assert not data.exists()


def test_the_folder_is_found_as_the_server_finds_it(keys: Keys, data: Path, tmp_path: Path) -> None:
    made(keys)
    (tmp_path / "longshore.toml").write_text(f'[server]\ndata = "{data}"\n')
    told = CliRunner().invoke(longshore, ["keys", "list", "--quiet"])
    assert told.stdout == keys("list", "--quiet").stdout


def test_beside_a_server(keys: Keys, data: Path) -> None:
    """It has the folder locked; one of an older version also its schema, which must not change under it."""
    made(keys)
    folder = open_data_folder(data)
    made(keys)
    assert len(listed(keys)) == 2
    (data / STORE_FILE).unlink()
    connection = sqlite3.connect(data / STORE_FILE, isolation_level=None)
    migrate(connection, "0001")
    connection.close()
    told = keys("list")
    assert told.exit_code == 2
    assert "is in use by an older version of Longshore" in told.stderr
    folder.release()
    assert listed(keys) == []
