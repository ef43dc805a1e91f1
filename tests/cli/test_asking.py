"""Commands that ask a server: what goes to standard output, and what the exit code says."""

import json
import socket
import socketserver
import threading
import time
from pathlib import Path

import pytest

from tests.cli.canned_server import Canned, Handler, Run
from tests.unit.cli.documents import JOB, a_page, a_row, a_status, an_array_row, an_explanation

HOSTILE = "\x1b[31m[bold]x[/bold]\x1b]52;c;Y29weQ==\x07\u202e\x9b2J"


def test_status(canned: Canned, run: Run) -> None:
    canned.put("status", a_status())
    told = run("status")
    assert told.exit_code == 0
    assert "Longshore 1.2.3" in told.stdout
    assert "no socket" in told.stdout


def test_jobs_with_filters(canned: Canned, run: Run) -> None:
    canned.put("jobs", a_page(a_row(), an_array_row(SUCCEEDED=1, RUNNING=1)))
    told = run("jobs", "--queue", "q", "--status", "running", "--status", "FAILED", "--name", "a*", "--limit", "7")
    assert told.exit_code == 0
    assert JOB in told.stdout
    assert "1 of 2" in told.stdout
    [arguments] = canned.arguments()
    assert arguments == {"queue": ["q"], "status": ["RUNNING", "FAILED"], "name": ["a*"], "limit": ["7"]}


def test_explain_takes_ids_and_arns(canned: Canned, run: Run) -> None:
    canned.put(f"jobs/{JOB}%3A3/explain", an_explanation())
    for job in (f"{JOB}:3", f"arn:aws:batch:us-east-1:000000000000:job/{JOB}:3"):
        told = run("explain", job)
        assert told.exit_code == 0
        assert "FAILED for 5 s" in told.stdout


@pytest.mark.parametrize(
    ("command", "path", "document", "member"),
    [
        (["status"], "status", a_status(head_waits=HOSTILE), "queues"),
        (["jobs"], "jobs", a_page(a_row(name=HOSTILE)), "jobs"),
        (["explain", JOB], f"jobs/{JOB}/explain", an_explanation(name=HOSTILE), "timeline"),
    ],
)
def test_json_is_one_document_in_ascii(
    canned: Canned, run: Run, command: list[str], path: str, document: object, member: str
) -> None:
    canned.put(path, document)  # pyright: ignore[reportArgumentType]
    told = run(*command, "--json")
    assert told.exit_code == 0
    assert told.stdout.isascii()
    assert "\x1b" not in told.stdout
    parsed = json.loads(told.stdout)
    assert member in parsed
    assert json.dumps(HOSTILE) in told.stdout


def test_quiet_is_ids_a_sentence_or_nothing(canned: Canned, run: Run) -> None:
    canned.put("status", a_status())
    canned.put("jobs", a_page(a_row()))
    canned.put(f"jobs/{JOB}/explain", an_explanation(summary=HOSTILE))
    assert run("status", "-q").stdout == ""
    assert run("jobs", "-q").stdout == f"{JOB}\n"
    assert run("explain", "-q", JOB).stdout == "[bold]x[/bold]\n"


def test_watching_goes_on_until_interrupted(canned: Canned, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    canned.put("jobs", a_page(a_row()), a_page(a_row()), a_page())
    rounds = iter([None, None, KeyboardInterrupt])

    def pass_time(seconds: float) -> None:
        if (interrupt := next(rounds)) is not None:
            raise interrupt

    monkeypatch.setattr(time, "sleep", pass_time)
    told = run("jobs", "--watch", "--json")
    assert told.exit_code == 0
    documents = [json.loads(line) for line in told.stdout.splitlines()]
    assert [len(document["jobs"]) for document in documents] == [1, 0]  # the same again is not repeated


def test_watching_outlives_a_restart_of_the_server(canned: Canned, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    canned.put("status", a_status(), a_status(priority=2))
    monkeypatch.setattr(Handler, "protocol_version", "HTTP/1.0")  # each answer ends its connection
    connect, waits = socket.create_connection, [0.0]

    def connect_after_three_waits(*arguments: object, **named: object) -> socket.socket:
        if canned.asked and len(waits) < 4:
            raise ConnectionRefusedError(111, "Connection refused")
        return connect(*arguments, **named)  # pyright: ignore[reportArgumentType]

    def pass_time(seconds: float) -> None:
        waits.append(seconds)
        if len(canned.asked) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(socket, "create_connection", connect_after_three_waits)
    monkeypatch.setattr(time, "sleep", pass_time)
    told = run("status", "--watch", "--json")
    assert told.exit_code == 0
    assert [json.loads(line)["queues"][0]["priority"] for line in told.stdout.splitlines()] == [1, 2]


def test_what_does_not_exist_is_exit_code_1(canned: Canned, run: Run) -> None:
    canned.put(f"jobs/{JOB}/explain", (404, json.dumps({"message": f"there is no job {HOSTILE}"}).encode()))
    told = run("explain", JOB)
    assert told.exit_code == 1
    assert told.stdout == ""
    assert told.stderr == "Error: there is no job [bold]x[/bold]\n"


@pytest.mark.parametrize("status", [400, 403, 500, 503])
def test_what_is_refused_is_exit_code_2(canned: Canned, run: Run, status: int) -> None:
    canned.put("jobs", (status, b'{"__type": "AccessDeniedException", "message": "no such luck"}'))
    told = run("jobs")
    assert (told.exit_code, told.stdout, told.stderr) == (2, "", "Error: no such luck\n")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"jobs": "none"}', b"\xff"])
@pytest.mark.parametrize("status", [200, 404])
def test_another_server_is_recognised(canned: Canned, run: Run, status: int, body: bytes) -> None:
    canned.put("jobs", (status, body))
    told = run("jobs")
    assert told.exit_code == 2
    assert f"what answers at {canned.url} is no Longshore server of this version" in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [["status"], ["jobs"], ["explain", JOB], ["logs", JOB], ["logs", "-f", JOB]])
def test_no_server_is_one_line_and_exit_code_2(run: Run, command: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = run(*command, LONGSHORE_URL=f"http://127.0.0.1:{port}")
    assert told.exit_code == 2
    assert told.stdout == ""
    assert told.stderr.count("\n") == 1
    assert f"cannot reach a Longshore server at http://127.0.0.1:{port} (Connection refused)" in told.stderr


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort"])
def test_a_server_that_speaks_otherwise_is_one_line(run: Run, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def speak() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        told = run("status", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(10)
    assert told.exit_code == 2
    assert told.stderr.startswith("Error: cannot reach a Longshore server")
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "url",
    ["nonsense", "ftp://x", "http://", "http://h:99999", "http://u:p@h", "http://h/path", "unix://x/y", "http://["],
)
def test_a_url_that_is_none(run: Run, url: str) -> None:
    told = run("status", "--url", url)
    assert told.exit_code == 2
    assert "is not a URL of a server; it should look like http://127.0.0.1:8642" in told.stderr


def test_a_unix_socket(canned: Canned, run: Run, tmp_path: Path) -> None:
    canned.put("status", a_status())
    path = tmp_path / "socket"
    handler = type("HandlerOfOne", (Handler,), {"canned": canned})
    with socketserver.UnixStreamServer(str(path), handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        told = run("status", LONGSHORE_URL=f"unix://{path}")
        thread.join(10)
    assert (told.exit_code, told.stderr) == (0, "")
    assert "Longshore 1.2.3" in told.stdout
