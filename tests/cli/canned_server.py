"""A server on a real socket that answers what a test has written down."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from click.testing import Result

from longshore.service.documents import Document

Run = Callable[..., Result]


@dataclass(kw_only=True)
class Canned:
    """Answers by path, each list from its first; the last is given again and again."""

    url: str = ""
    answers: dict[str, list[Document | tuple[int, bytes]]] = field(default_factory=dict)
    #: path and arguments of each request
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    #: body and client token of each POST
    sent: list[tuple[Any, str | None]] = field(default_factory=list)

    def put(self, path: str, *answers: Document | tuple[int, bytes]) -> None:
        self.answers[f"/longshore/{path}"] = list(answers)

    def arguments(self) -> Sequence[dict[str, list[str]]]:
        return [arguments for _, arguments in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    canned: Canned

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        assert self.headers["x-longshore-client"]
        self.canned.asked.append((parts.path, parse_qs(parts.query)))
        answers = self.canned.answers.get(parts.path, [(404, b'{"message": "there is nothing"}')])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        status, body = answer if isinstance(answer, tuple) else (200, msgspec.json.encode(answer))
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        assert self.headers["content-type"] == "application/json"
        body = self.rfile.read(int(self.headers["content-length"]))
        self.canned.sent.append((msgspec.json.decode(body), self.headers["x-longshore-client-token"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        return
