"""A page that is open in a browser on this machine can neither make the server do anything nor read from it."""

import itertools
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import LiveServer, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PAGE = Path(__file__).with_name("page.html").read_text()
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
]


class Site:
    """A little web server: it serves the page, and to whoever asks anything else it says yes, and keeps note."""

    def __init__(self, page: str) -> None:
        site = self
        self.reports = queue.Queue[dict[str, Any]]()
        self.asked: list[tuple[str, str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def do_OPTIONS(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                if self.path == "/report":
                    site.reports.put(json.loads(body))
                else:
                    site.asked.append((self.command, self.path, body))
                text = page if self.path == "/" else "var read_by_page = 1"
                self.send_response(200)
                self.send_header("content-type", "text/html" if self.path == "/" else "text/javascript")
                self.send_header("access-control-allow-origin", "*")
                self.send_header("access-control-allow-headers", "*, authorization")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def site(page: str = "") -> Iterator[Site]:
    opened = Site(page)
    try:
        yield opened
    finally:
        opened.close()


def browse(profile: Path, site: Site, url: str) -> dict[str, Any]:
    """What the page could read, by its attempts."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    # Killed as it is, the browser leaves its socket in a folder for that.
    with profile.with_suffix(".log").open("wb") as log, tempfile.TemporaryDirectory(prefix="b") as sockets:
        browser = subprocess.Popen(
            [program, *QUIET, f"--user-data-dir={profile}", "--host-resolver-rules=MAP evil.example 127.0.0.1",
             "--remote-debugging-port=0", url],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "TMPDIR": sockets},
        )  # fmt: skip
        try:
            return site.reports.get(timeout=60)
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def state(server: LiveServer) -> Any:
    """All that a page might change."""
    jobs = server.native("/longshore/jobs")
    return (
        [(job["jobId"], job["status"]) for job in jobs["jobs"]],
        [
            each["computeEnvironmentName"]
            for each in server.batch.describe_compute_environments()["computeEnvironments"]
        ],
        [queue["jobQueueName"] for queue in server.batch.describe_job_queues()["jobQueues"]],
    )


def test_the_page_works_where_nobody_minds(tmp_path: Path) -> None:
    """What the page tries does arrive, and is read: at a server that does not look who asks."""
    with site() as careless:
        page = PAGE.replace("TARGET", f"http://127.0.0.1:{careless.port}").replace("JOB", "some-job")
        with site(page) as evil:
            could_read = browse(tmp_path / "profile", evil, f"http://127.0.0.1:{evil.port}/")
    bodies = "\n".join(body for _, path, body in careless.asked if path == "/v1/submitjob")
    for how in ("cors-json", "cors-signed", "cors-plain", "no-cors-plain", "credentials", "beacon", "form"):
        assert f'"{how}"' in bodies, bodies
    assert could_read["submit cors signed"] == "200 var read_by_page = 1"
    assert could_read["read with header /metrics"] == "200 var read_by_page = 1"
    assert could_read["script /metrics"] == "new globals"
    assert sum(path == "/metrics" for _, path, _ in careless.asked) >= 6


@pytest.mark.parametrize("origin", ["127.0.0.1", "evil.example"])
def test_page_can_do_nothing(server: LiveServer, tmp_path: Path, origin: str) -> None:
    """Of the same site, and of a name that was made to mean this machine."""
    server.start()
    server.set_up()
    server.register("harmless", "exit 0")
    running = server.submit("runs", server.register("sleeping", "exec sleep 100"))
    eventually(lambda: server.describe([running])[running]["status"] == "RUNNING", what="it runs")
    before = state(server)
    host = "evil.example" if origin == "evil.example" else "127.0.0.1"
    page = PAGE.replace("TARGET", f"http://{host}:{server.port}").replace("JOB", running)
    with site(page) as evil:
        could_read = browse(tmp_path / "profile", evil, f"http://{origin}:{evil.port}/")
    assert len(could_read) > 30
    assert {name: text for name, text in could_read.items() if text} == {}
    assert state(server) == before
    server.batch.terminate_job(jobId=running, reason="seen")


def test_name_that_was_made_to_mean_this_machine(server: LiveServer) -> None:
    """After DNS rebinding a page is of the server's own origin, and only the Host betrays it."""
    server.start()
    server.set_up()
    server.register("harmless", "exit 0")
    before = state(server)
    signed = (
        "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/batch/aws4_request, SignedHeaders=host, "
        "Signature=0\r\n"
    )
    body = json.dumps({"jobName": "rebound", "jobQueue": "queue", "jobDefinition": "harmless"})
    post = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    requests = (
        ("GET /metrics", "\r\n"),
        ("GET /longshore/status", "X-Longshore-Client: page\r\n\r\n"),
        ("GET /longshore/jobs", "X-Longshore-Client: page\r\n\r\n"),
        ("POST /v1/submitjob", signed + post),
        ("POST /v1/describejobqueues", signed + "Content-Length: 2\r\n\r\n{}"),
    )
    evil = (f"evil.example:{server.port}", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "")
    for host, (line, rest) in itertools.product(evil, requests):
        named = f"Host: {host}\r\n" if host else ""
        answer = ask(server, f"{line} HTTP/1.1\r\n{named}Connection: close\r\n{rest}")
        assert answer.startswith(b"HTTP/1.1 40"), (host, line, answer)
        assert b"jobQueues" not in answer
    assert state(server) == before
    for line, rest in requests:
        good = ask(server, f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{rest}")
        assert good.startswith(b"HTTP/1.1 200"), (line, good)


def ask(server: LiveServer, request: str) -> bytes:
    """The whole answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(request.encode())
        return client.makefile("rb").read()
