"""The front door: one ASGI application that lets requests in, finds their service and sends its answer.

The AWS side is dispatched here directly rather than through a router and its middleware: it is the hot path, and what
it needs is known before any route is looked at. Everything else goes to the application given as `native`.
"""

from collections.abc import Mapping
from uuid import uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from longshore.api.aws.codec import encode_error
from longshore.api.aws.exchange import Answer, Front, Request
from longshore.api.aws.fronts import LARGE_BODIES, TARGETS
from longshore.api.aws.signature import parse_scope
from longshore.api.body import BodyTooLarge, BodyTooSlow, CallerGone, drain, read_body, replaying
from longshore.api.credentials import CREDENTIALS_PATH
from longshore.api.guard import Guard, refuse_unintended, refuse_unsigned
from longshore.api.limits import DoorSettings
from longshore.service.caller import Caller

_JSON = b"application/json"
_NATIVE = "/longshore/"
_METRICS = "/metrics"
#: Headers that decide something, so that a second one is a contradiction.
_SINGLE = frozenset(
    {b"host", b"authorization", b"content-length", b"content-type", b"sec-fetch-site", b"x-amz-target", b"origin"}
)


class FrontDoor:
    """The ASGI application."""

    def __init__(
        self,
        settings: DoorSettings,
        *,
        fronts: Mapping[str, Front],
        native: ASGIApp,
        credentials: ASGIApp | None = None,
    ) -> None:
        """`fronts` by the name that signatures give a service; `native` has `/longshore/` and `/metrics`.

        `credentials` answers jobs that ask for those of their role, which no signature can come before.
        """
        self._settings = settings
        self._guard = Guard(settings.host_names)
        self._fronts = fronts
        self._native = native
        self._credentials = credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand on the lifespan."""
        if scope["type"] != "http":
            await self._native(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        path: str = scope["raw_path"].decode("latin-1")
        request_id = str(uuid4())
        if self._credentials and path.startswith(CREDENTIALS_PATH) and not self._guard.refuse_foreign(headers):
            await self._credentials(scope, receive, send)
            return
        refusal = self._refuse(scope, path, headers)
        if refusal is not None:
            await _turn_away(refusal, request_id, receive, send)
            return
        limits = self._settings.limits
        most = limits.body_bytes
        if path == "/":
            most = max(most, LARGE_BODIES.get(headers.get(b"x-amz-target", b""), 0))
        try:
            body = await read_body(receive, headers, most=most, seconds=limits.body_seconds)
        except CallerGone:
            return
        except BodyTooLarge:
            text = f"The request body is larger than {most:,} bytes, the most that is taken"
            await _turn_away(_error(413, "RequestEntityTooLargeException", text), request_id, receive, send)
            return
        except BodyTooSlow:
            text = f"The request body was not complete after {limits.body_seconds:g} seconds"
            await _turn_away(_error(408, "RequestTimeoutException", text), request_id, receive, send)
            return
        if _is_native(path):
            await self._native(scope, replaying(body, receive), send)
            return
        await _send(await self._ask(scope, path, headers, body, request_id), request_id, send)

    def _refuse(self, scope: Scope, path: str, headers: Mapping[bytes, bytes]) -> Answer | None:
        """The answer to a request that is not let in."""
        if len(headers) != len(scope["headers"]):
            names = [name for name, _ in scope["headers"]]
            twice = sorted(name.decode("latin-1") for name in _SINGLE if names.count(name) > 1)
            if twice:
                return _error(400, "ClientException", f"The request has more than one header {', '.join(twice)}")
        reason = self._guard.refuse_foreign(headers)
        if reason is None and path.startswith(_NATIVE):
            reason = refuse_unintended(scope["method"], headers)
        if reason is not None:
            return _error(403, "AccessDeniedException", reason)
        if not _is_native(path):
            reason = refuse_unsigned(headers)
        return None if reason is None else _error(403, "MissingAuthenticationTokenException", reason)

    async def _ask(
        self, scope: Scope, path: str, headers: Mapping[bytes, bytes], body: bytes, request_id: str
    ) -> Answer:
        """What the request's service answers."""
        signed_for = parse_scope(headers[b"authorization"])
        if signed_for is not None:
            service, region = signed_for.service, signed_for.region
        else:
            prefix = headers.get(b"x-amz-target", b"").rpartition(b".")[0].decode("latin-1")
            service, region = TARGETS.get(prefix, "batch"), self._settings.region
        front = self._fronts.get(service)
        if front is None:
            spoken = ", ".join(self._fronts)
            text = f"There is no service {service} here; there are {spoken}"
            return _error(400, "UnknownOperationException", text)
        caller = Caller(account_id=self._settings.account_id, region=region, request_id=request_id)
        return await front.answer(
            Request(
                method=scope["method"],
                path=path,
                query=scope["query_string"],
                headers=headers,
                body=body,
                caller=caller,
            )
        )


def _is_native(path: str) -> bool:
    return path.startswith(_NATIVE) or path == _METRICS


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status=status, content_type=_JSON, body=encode_error(code, message), error=code)


def _head(answer: Answer, request_id: str) -> list[tuple[bytes, bytes]]:
    head = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-amzn-requestid", request_id.encode()),
    ]
    if answer.error:
        head.append((b"x-amzn-errortype", answer.error.encode()))
    return head


async def _send(answer: Answer, request_id: str, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _head(answer, request_id)})
    await send({"type": "http.response.body", "body": answer.body})


async def _turn_away(answer: Answer, request_id: str, receive: Receive, send: Send) -> None:
    """Answer without having read the body, and end the connection."""
    head = [*_head(answer, request_id), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    await drain(receive)
    await send({"type": "http.response.body", "body": b""})
