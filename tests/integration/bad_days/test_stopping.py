"""SIGTERM: no more is taken, what was begun is finished, jobs go on, and all within five seconds."""

import http.client
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.integration.live import LiveServer, eventually

pytestmark = pytest.mark.timeout(90)

HALF_A_HEAD = b"POST /v1/submitjob HTTP/1.1\r\nHost: localhost\r\nAuth"
HALF_A_BODY = (
    b"POST /v1/submitjob HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS4-HMAC-SHA256 "
    b"Credential=a/20260101/us-east-1/batch/aws4_request, SignedHeaders=host, Signature=0\r\n"
    b'Content-Length: 1000\r\n\r\n{"jobName":'
)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def open_connections(server: LiveServer, stack: ExitStack) -> None:
    """Clients of every kind of patience."""
    for sent in (b"", HALF_A_HEAD, HALF_A_BODY) * 5:
        client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        client.sendall(sent)
    kept_alive = http.client.HTTPConnection("127.0.0.1", server.port)
    stack.callback(kept_alive.close)
    kept_alive.request("GET", "/metrics")
    assert kept_alive.getresponse().read()


def submit_for_ever(server: LiveServer, definition: str, taken: list[str], over: threading.Event) -> None:
    client = server.client("batch")
    while not over.is_set():
        try:
            answer = client.submit_job(jobName="taken", jobQueue="queue", jobDefinition=definition)
        except (BotoCoreError, ClientError):
            return
        taken.append(answer["jobId"])


def test_stop_under_load(server: LiveServer, stack: ExitStack) -> None:
    """Everything that was acknowledged is there afterwards, and jobs that ran have not noticed."""
    server.start()
    server.set_up()
    gate = server.folder / "gate"
    script = f"echo begins; while [ ! -e {gate} ]; do sleep 0.05; done; echo ends; exit 4"
    running = [server.submit("runs", server.register("runs", script)) for _ in range(4)]
    quick = server.register("quick", "exit 0")
    eventually(lambda: all(j["status"] == "RUNNING" for j in server.describe(running).values()), what="they run")
    open_connections(server, stack)
    taken: list[str] = []
    over = threading.Event()
    threads = [threading.Thread(target=submit_for_ever, args=(server, quick, taken, over)) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(taken) > 20, what="submissions come in")

    assert server.process is not None
    asked_at = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    code = server.process.wait(timeout=20)
    took = time.monotonic() - asked_at
    over.set()
    for thread in threads:
        thread.join()
    assert code == 0
    assert took < 5, took
    assert "Traceback" not in (server.folder / "server.log").read_text()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))

    server.start()
    jobs = server.describe(running)
    assert [job["status"] for job in jobs.values()] == ["RUNNING"] * 4
    gate.touch()
    jobs = server.wait([*running, *taken])
    assert len(jobs) == 4 + len(taken)
    for job_id in running:
        (attempt,) = jobs[job_id]["attempts"]
        assert attempt["container"]["exitCode"] == 4
        assert server.log_of(attempt) == "begins\nends\n"


def test_half_sent_requests(server: LiveServer, stack: ExitStack) -> None:
    """What is still coming has a moment to come; what does not is dropped without a word in the log."""
    server.start()
    open_connections(server, stack)
    slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10))
    slow.sendall(HALF_A_BODY)
    with pytest.raises(TimeoutError):
        slow.settimeout(0.3)
        slow.recv(1)
    slow.settimeout(10)
    assert server.process is not None
    asked_at = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: not _accepts(server), what="no more is taken")
    slow.sendall(b" " * (1000 - len(b'{"jobName":')))
    assert slow.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - asked_at < 5
    told = (server.folder / "server.log").read_text()
    assert "Traceback" not in told
    assert "Cancel" not in told


def _accepts(server: LiveServer) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_stop_at_once(server: LiveServer) -> None:
    """Nothing keeps an idle server; a second SIGTERM changes nothing."""
    server.start()
    assert server.process is not None
    asked_at = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - asked_at < 5
