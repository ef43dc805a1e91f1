"""A server that cannot start says why in one line, ends with exit code 2, and has touched nothing."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import LiveServer, eventually, free_port, live_server

pytestmark = pytest.mark.timeout(60)

Tree = dict[str, tuple[int, bytes]]


def start(data: Path, *arguments: str, **variables: str) -> str:
    """The one line that a server says which does not start."""
    command = [sys.executable, "-m", "longshore", "server", "--data", str(data), "--port", str(free_port()), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LONGSHORE_")}
    done = subprocess.run(
        command, env={**environment, **variables}, capture_output=True, text=True, timeout=30, check=False, cwd="/"
    )
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def tree(folder: Path) -> Tree:
    """All that is in a folder: modes and contents."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that a server has used and left."""
    with live_server(tmp_path_factory.mktemp("pattern")) as server:
        server.start()
        server.set_up()
        server.wait([server.submit("job", server.register("job", "echo hello"))])
        assert server.stop() == 0
        yield server.data


@pytest.fixture
def used(pattern: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test to spoil; sockets cannot be copied."""
    return Path(shutil.copytree(pattern, tmp_path / "data", ignore=shutil.ignore_patterns("socket")))


def test_wrong_setting(tmp_path: Path) -> None:
    assert "server.host: 0.0.0.0 is not a loopback address" in start(tmp_path / "data", "--host", "0.0.0.0")
    assert not (tmp_path / "data").exists()


def test_unknown_variable(tmp_path: Path) -> None:
    """A setting that is misspelt is not passed over."""
    assert "LONGSHORE_LOCAL_VCPU" in start(tmp_path / "data", LONGSHORE_LOCAL_VCPU="8")
    assert not (tmp_path / "data").exists()


def test_busy_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = start(tmp_path / "data", "--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said
    assert not (tmp_path / "data").exists()


def test_port_of_another_server(server: LiveServer, tmp_path: Path) -> None:
    server.start()
    assert "Address already in use" in start(tmp_path / "other", "--port", str(server.port))
    assert not (tmp_path / "other").exists()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A file system that cannot be written, not even by root."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,ro", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_folder_that_cannot_be_written(read_only: Path) -> None:
    assert f"{read_only}/data: cannot be used as data folder: Read-only file system" in start(read_only / "data")


def test_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    assert "data: cannot be used as data folder: File exists" in start(tmp_path / "data")
    assert (tmp_path / "data").read_text() == "mine"


def test_folder_of_somebody_else(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir(mode=0o755)
    (folder / "cat.png").write_bytes(b"meow")
    before = tree(folder)
    assert "pictures: is not empty and not a Longshore data folder" in start(folder)
    assert tree(folder) == before


def test_database_of_another_program(used: Path) -> None:
    path = used / "longshore.sqlite3"
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    before = tree(used)
    assert "longshore.sqlite3 is a database of another program" in start(used)
    assert tree(used) == before


def test_no_database_at_all(used: Path) -> None:
    (used / "longshore.sqlite3").write_bytes(b"dear diary, " * 1000)
    before = tree(used)
    assert "longshore.sqlite3 is not a database of Longshore" in start(used)
    assert tree(used) == before


def test_database_of_a_newer_version(used: Path) -> None:
    connection = sqlite3.connect(used / "longshore.sqlite3")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    before = tree(used)
    assert "belongs to a newer version of Longshore (its schema is 0999" in start(used)
    assert tree(used) == before


def test_log_index_of_a_newer_version(used: Path) -> None:
    connection = sqlite3.connect(used / "logs" / "index.sqlite3")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = tree(used)
    assert "was written by a newer version of Longshore (index 999" in start(used)
    assert tree(used) == before


def test_folder_of_a_newer_version(used: Path) -> None:
    marker = used / "longshore.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": 999}))
    before = tree(used)
    assert "belongs to a newer Longshore (format 999, this one knows 1)" in start(used)
    assert tree(used) == before


def test_damaged_marker(used: Path) -> None:
    (used / "longshore.json").write_text("{")
    before = tree(used)
    assert "longshore.json: is damaged" in start(used)
    assert tree(used) == before


def test_second_server_on_the_same_data(tmp_path: Path, server: LiveServer) -> None:
    """The first goes on, also on its Unix socket."""
    path = tmp_path / "socket"
    server.start(LONGSHORE_SERVER_UNIX_SOCKET=str(path))
    server.set_up()
    assert "another Longshore server is using this data folder" in start(server.data)
    said = start(server.data, "--unix-socket", str(path))
    assert "Address already in use" in said or "another Longshore server" in said
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    assert server.wait([server.submit("job", server.register("job", "exit 0"))]).popitem()[1]["status"] == "SUCCEEDED"


def test_stale_unix_socket_is_taken_over(tmp_path: Path, server: LiveServer) -> None:
    """One that a killed server left is no obstacle; what is no socket is."""
    path = tmp_path / "socket"
    for _ in range(2):
        server.start(LONGSHORE_SERVER_UNIX_SOCKET=str(path))
        assert not server.has_ended
        assert path.stat().st_mode & 0o777 == 0o600
        server.kill()
    path.unlink()
    path.write_text("mine")
    assert "Address already in use" in start(tmp_path / "other", "--unix-socket", str(path))
    assert path.read_text() == "mine"
    assert not (tmp_path / "other").exists()


def test_all_is_for_the_owner_alone(server: LiveServer) -> None:
    """All folders are 0700 and files 0600 (0700 where they run): also while jobs run, whatever the umask."""
    before = os.umask(0)
    try:
        server.start()
    finally:
        os.umask(before)
    server.set_up()
    large = server.register("large", "head -c 200000 /dev/zero | tr '\\0' 'x'; echo")
    waits = server.register("waits", f"echo here; umask; while [ ! -e {server.folder}/gate ]; do sleep 0.05; done")
    server.wait([server.submit("small", server.register("small", "echo hello")), server.submit("large", large)])
    running = server.submit("waits", waits)
    server.logs.create_log_group(logGroupName="group")
    eventually(lambda: server.describe([running])[running]["status"] == "RUNNING", what="it runs")
    open_to_others = [
        f"{path.relative_to(server.folder)} {path.lstat().st_mode:o}"
        for path in [server.data, *server.data.rglob("*")]
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]
    assert open_to_others == []
    (server.folder / "gate").touch()
    server.wait([running])
