"""The server as commands see it.

Calls go through `http.client`: one host, one connection, plain requests. What urllib3 or httpx add (pools, redirects,
proxies from the environment) is not wanted here, and a command that only asks should start quickly.
"""

import http.client
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import msgspec

from longshore.cli.errors import Failure, NotThere, Unreachable
from longshore.domain.ids import parse_arn
from longshore.service.documents import Submitted
from longshore.service.efficiency import EfficiencyReport
from longshore.service.explain import Explanation
from longshore.service.history import HistoryPage
from longshore.service.holds import JobHold, QueuePause
from longshore.service.job_table import JobPage
from longshore.service.log_pages import LogPage
from longshore.service.status import ServerStatus
from longshore.service.what_if import WhatIf

DEFAULT_URL = "http://127.0.0.1:8642"
#: Beyond the time that a request asks the server to wait.
ANSWER_SECONDS = 15.0
#: For how long a command that follows something waits for a server that went away to come back.
PATIENCE_SECONDS = 60.0
RETRY_SECONDS = 0.5

#: The server knows a submission by it that comes again.
_TOKEN_HEADER = "x-longshore-client-token"
_NO_HEADERS: Mapping[str, str] = {}

T = TypeVar("T")
Arguments = Mapping[str, str | int | Sequence[str] | None]


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a server's Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Server:
    """A server at a URL; nothing is sent before the first question.

    Every question may raise Failure, and NotThere for what does not exist.
    """

    def __init__(self, url: str, *, patience_seconds: float = 0.0) -> None:
        """With patience, a server that has answered once and goes away is waited for that long."""
        self._url = url
        self._connect = _parse_url(url)
        self._connection: http.client.HTTPConnection | None = None
        self._sign: Callable[[str, Mapping[str, str], bytes | None], Mapping[str, str]] | None = None
        self._patience_seconds = patience_seconds
        self._has_answered = False

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drop()

    def status(self) -> ServerStatus:
        """How the server is."""
        return self._get("/longshore/status", {}, ServerStatus)

    def jobs(self, arguments: Arguments) -> JobPage:
        """A page of jobs; arguments as the native API names them."""
        return self._get("/longshore/jobs", arguments, JobPage)

    def history(self, arguments: Arguments) -> HistoryPage:
        """A page of what has ended."""
        return self._get("/longshore/history", arguments, HistoryPage)

    def explain(self, job_id: str) -> Explanation:
        """All about one job."""
        return self._get(f"/longshore/jobs/{_in_path(job_id)}/explain", {}, Explanation)

    def log(self, job_id: str, arguments: Arguments) -> LogPage:
        """A page of one job's output."""
        return self._get(f"/longshore/jobs/{_in_path(job_id)}/log", arguments, LogPage)

    def efficiency(self, arguments: Arguments) -> EfficiencyReport:
        """What attempts used of what they held."""
        return self._get("/longshore/efficiency", arguments, EfficiencyReport)

    def submit(self, request: Mapping[str, object], arguments: Arguments) -> Submitted:
        """Submit a job by a request of SubmitJob: once, also where the answer to it is lost on the way."""
        token = {_TOKEN_HEADER: str(uuid4())}
        return self._ask(_target("/longshore/jobs", arguments), Submitted, msgspec.json.encode(request), token)

    def what_if(self, request: Mapping[str, object], arguments: Arguments) -> WhatIf:
        """What would become of a job if it were submitted."""
        return self._ask(_target("/longshore/what-if", arguments), WhatIf, msgspec.json.encode(request))

    def hold(self, job_id: str, *, is_held: bool) -> JobHold:
        """Hold a job, or release it."""
        act = "hold" if is_held else "release"
        return self._ask(f"/longshore/jobs/{_in_path(job_id)}/{act}", JobHold, b"{}")

    def pause(self, queue: str, arguments: Arguments, *, is_paused: bool) -> QueuePause:
        """Pause a queue, or resume it."""
        path = f"/longshore/queues/{_in_path(queue)}/{'pause' if is_paused else 'resume'}"
        return self._ask(_target(path, arguments), QueuePause, b"{}")

    def _get(self, path: str, arguments: Arguments, kind: type[T]) -> T:
        return self._ask(_target(path, arguments), kind)

    def _ask(
        self, target: str, kind: type[T], body: bytes | None = None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> T:
        status, answer = self._exchange_patiently(_Question(target=target, body=body, headers=headers))
        try:
            if status == 200:
                return msgspec.json.decode(answer, type=kind)
            message = msgspec.json.decode(answer, type=_Refusal).message
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            text = (
                f"what answers at {self._url} is no Longshore server of this version (HTTP status {status}: {problem})"
            )
            raise Failure(text) from problem
        raise NotThere(message) if status == 404 else Failure(message)

    def _exchange_patiently(self, question: "_Question") -> tuple[int, bytes]:
        gives_up_at = time.monotonic() + (self._patience_seconds if self._has_answered else 0.0)
        while True:
            try:
                answer = self._exchange(question)
            except Unreachable:
                if time.monotonic() >= gives_up_at:
                    raise
                time.sleep(RETRY_SECONDS)
                continue
            self._has_answered = True
            return answer

    def _exchange(self, question: "_Question") -> tuple[int, bytes]:
        is_reused = self._connection is not None
        connection = self._connection = self._connection or self._connect()
        try:
            connection.request(question.method, question.target, question.body, self._headers(question))
            answer = connection.getresponse()
            status, body, error = answer.status, answer.read(), answer.getheader("x-amzn-errortype")
        except (OSError, http.client.HTTPException) as problem:
            self._drop()
            if is_reused and isinstance(problem, ConnectionError):  # the server ended an idle connection
                return self._exchange(question)
            why = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
            text = (
                f"cannot reach a Longshore server at {self._url} ({why}); "
                "start one with `longshore server`, or name another with --url or LONGSHORE_URL"
            )
            raise Unreachable(text) from problem
        if error == "MissingAuthenticationTokenException" and self._sign is None:
            from longshore.cli.signing import Signer  # botocore: most servers ask for no signature

            self._sign = Signer().sign
            return self._exchange(question)
        return status, body

    def _headers(self, question: "_Question") -> Mapping[str, str]:
        headers = {"x-longshore-client": "cli", **question.headers}
        if question.body is not None:
            headers["content-type"] = "application/json"
        if self._sign is None:
            return headers
        return self._sign(self._url.rstrip("/") + question.target, headers, question.body)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A GET, or a POST of a body."""

    target: str
    body: bytes | None
    headers: Mapping[str, str]

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


class _Refusal(msgspec.Struct):
    message: str


def _target(path: str, arguments: Arguments) -> str:
    given = {name: value for name, value in arguments.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _parse_url(url: str) -> Callable[[], http.client.HTTPConnection]:
    """What opens a connection to `url`. Raises Failure for a URL that can't be used."""
    problem = f"{url} is not a URL of a server; it should look like {DEFAULT_URL} or unix:///path/to/socket"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as malformed:
        raise Failure(problem) from malformed
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        return lambda: _UnixConnection(parts.path)
    if host is None or parts.path not in ("", "/") or parts.query or parts.username is not None:
        raise Failure(problem)
    match parts.scheme:
        case "http":
            return lambda: http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)
        case "https":
            return lambda: http.client.HTTPSConnection(host, port, timeout=ANSWER_SECONDS)
        case _:
            raise Failure(problem)


def _in_path(name: str) -> str:
    """A job's id, a queue's name, or the one in its ARN, as a part of a path."""
    arn = parse_arn(name)
    return quote(name if arn is None else arn.resource, safe="")
