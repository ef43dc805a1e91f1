"""The command line against a server that answers what a test has written down."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from longshore.cli.main import longshore
from tests.cli.canned_server import Canned, Handler, Run


@pytest.fixture
def canned() -> Iterator[Canned]:
    """A server with nothing written down yet."""
    answers = Canned()
    handler = type("HandlerOfOne", (Handler,), {"canned": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    answers.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield answers
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def run(canned: Canned) -> Run:
    """Runs a command against the canned server; what it raises is raised here, but for exits."""

    def run_command(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(
            longshore, arguments, env={"LONGSHORE_URL": canned.url, **variables}, catch_exceptions=False
        )

    return run_command
