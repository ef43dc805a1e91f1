"""The front door: one ASGI application that lets requests in, finds their service and sends its answer.

The AWS side is dispatched here directly rather than through a router and its middleware: it is the hot path, and what
it needs is known before any route is looked at. Everything else goes to the application given as `native`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from longshore.api.aws.codec import encode_error
from longshore.api.aws.exchange import CLIENT_TOKEN, Answer, Front, Request
from longshore.api.aws.faults import MissingSignature
from longshore.api.aws.fronts import LARGE_BODIES, TARGETS
from longshore.api.aws.signature import SignedRequest, is_presigned, is_signed, parse_presigned_scope, parse_scope
from longshore.api.body import BodyTooLarge, BodyTooSlow, CallerGone, NoRoom, Room, drain, read_body, replaying
from longshore.api.credentials import CREDENTIALS_PATH
from longshore.api.guard import Guard, refuse_unintended
from longshore.api.limits import DoorSettings
from longshore.api.owners import OWNERS
from longshore.service.caller import Caller, Principal

_JSON = b"application/json"
_NATIVE = "/longshore/"
_METRICS = "/metrics"
#: Headers that decide something, so that a second one is a contradiction.
_SINGLE = frozenset(
    {
        *(b"host", b"authorization", b"content-length", b"content-type", b"sec-fetch-site", b"x-amz-target", b"origin"),
        *(b"date", b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"),
        CLIENT_TOKEN,
    }
)


#: Operations that change nothing, by their names in paths and targets; of STS, all that there are.
_READS = re.compile(r"describe|list|get|filter", re.IGNORECASE)
#: The service that signatures for our own API are made for.
_OURSELVES = "longshore"
_OPEN = "Missing Authentication Token: sign requests with AWS Signature Version 4; any credentials will do"


class Verifier(Protocol):
    """Tells who sent a request."""

    async def check(self, request: SignedRequest) -> Callable[[bytes], Awaitable[Principal]]:
        """What tells by the body who signed it; raises NotAuthenticated, as that does, too."""
        ...

    async def verify_scraper(self, authorization: bytes) -> None:
        """Returns for who may read the metrics. Raises NotAuthenticated."""
        ...


class FrontDoor:
    """The ASGI application."""

    def __init__(
        self,
        settings: DoorSettings,
        *,
        fronts: Mapping[str, Front],
        native: ASGIApp,
        verifier: Verifier | None = None,
        job_credentials: ASGIApp | None = None,
    ) -> None:
        """`fronts` by the name that signatures give a service; `native` has `/longshore/` and `/metrics`.

        Without a verifier any signature will do, and whoever comes may see everything. `job_credentials` answers jobs
        that ask for those of their role, which no signature can come before.
        """
        self._settings = settings
        self._room = Room(settings.limits.bodies_bytes)
        self._verifier = verifier
        self._guard = Guard(settings.host_names, any_host=verifier is not None)
        self._fronts = fronts
        self._native = native
        self._job_credentials = job_credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand on the lifespan."""
        if scope["type"] != "http":
            await self._native(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        path: str = scope["raw_path"].decode("latin-1")
        request_id = str(uuid4())
        if self._job_credentials and path.startswith(CREDENTIALS_PATH) and not self._guard.refuse_foreign(headers):
            await self._job_credentials(scope, receive, send)
            return
        service, caller = self._read_scope(scope, path, headers, request_id)
        refusal = self._refuse(scope, path, headers, service, caller)
        if refusal is not None:
            await _turn_away(refusal, request_id, receive, send)
            return
        try:
            prove = await self._check(scope, path, headers)
        except Exception as error:
            await _turn_away(self._front(service).refuse(error, caller, path), request_id, receive, send)
            return
        limits = self._settings.limits
        most = limits.body_bytes
        if path == "/":
            most = max(most, LARGE_BODIES.get(headers.get(b"x-amz-target", b""), 0))
        try:
            body = await read_body(receive, headers, most=most, seconds=limits.body_seconds, room=self._room)
        except CallerGone:
            return
        except BodyTooLarge:
            text = f"The request body is larger than {most:,} bytes, the most that is taken"
            await _turn_away(_error(413, "RequestEntityTooLargeException", text), request_id, receive, send)
            return
        except NoRoom:
            text = "As much of request bodies is under way as the server takes at once; try again later"
            await _turn_away(_error(503, "ServiceUnavailableException", text), request_id, receive, send)
            return
        except BodyTooSlow:
            text = f"The request body was not complete after {limits.body_seconds:g} seconds"
            await _turn_away(_error(408, "RequestTimeoutException", text), request_id, receive, send)
            return
        if prove is not None:
            try:
                principal = await prove(body)
            except Exception as error:
                await _send(self._front(service).refuse(error, caller, path), request_id, send)
                return
            caller = replace(caller, account_id=principal.account_id, principal=principal)
        if _is_native(path):
            # Whose part of everything may be seen; None for all of it.
            scope.setdefault("state", {}).update(sender=caller, caller=None if prove is None else caller)
            await self._native(scope, replaying(body, receive), send)
            return
        request = Request(
            method=scope["method"],
            path=path,
            query=scope["query_string"],
            headers=headers,
            body=body,
            caller=caller,
            service=service,
        )
        await _send(await self._fronts[service].answer(request), request_id, send)

    def _refuse(
        self, scope: Scope, path: str, headers: Mapping[bytes, bytes], service: str, caller: Caller
    ) -> Answer | None:
        """The answer to a request that is not let in, as far as that shows before anybody is asked who sent it."""
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
        if _is_native(path):
            return None
        is_presented = is_signed(headers.get(b"authorization", b""))
        if not is_presented and not (self._verifier is not None and is_presigned(scope["query_string"])):
            return self._front(service).refuse(MissingSignature(_OPEN if self._verifier is None else ""), caller)
        if service not in self._fronts:
            text = f"There is no service {service} here; there are {', '.join(self._fronts)}"
            return _error(400, "UnknownOperationException", text)
        return None

    async def _check(
        self, scope: Scope, path: str, headers: Mapping[bytes, bytes]
    ) -> Callable[[bytes], Awaitable[Principal]] | None:
        """What tells by the body who sent the request; None where that does not matter. Raises NotAuthenticated."""
        if self._verifier is None:
            return None
        if not _is_native(path):
            return await self._verifier.check(_signed_request(scope, path, headers, _asked_service(path, headers)))
        if scope.get("state", {}).get(OWNERS):
            return None
        authorization = headers.get(b"authorization", b"")
        if path == _METRICS:
            await self._verifier.verify_scraper(authorization)
            return None
        if not is_signed(authorization):
            raise MissingSignature
        return await self._verifier.check(_signed_request(scope, path, headers, _OURSELVES))

    def _read_scope(
        self, scope: Scope, path: str, headers: Mapping[bytes, bytes], request_id: str
    ) -> tuple[str, Caller]:
        """The service that a request to the AWS side is for, and its sender as far as it is known unverified."""
        signed_for = parse_scope(headers.get(b"authorization", b"")) or parse_presigned_scope(scope["query_string"])
        service = signed_for.service if signed_for else _asked_service(path, headers) or "batch"
        region = signed_for.region if signed_for else self._settings.region
        token = headers.get(CLIENT_TOKEN)
        return service, Caller(
            account_id=self._settings.account_id,
            region=region,
            request_id=request_id,
            client_token=None if token is None else token.decode("latin-1"),
        )

    def _front(self, service: str) -> Front:
        """The service's own, or Batch's for one that is not here, to refuse with."""
        return self._fronts.get(service, self._fronts["batch"])


def _is_native(path: str) -> bool:
    return path.startswith(_NATIVE) or path == _METRICS


def _asked_service(path: str, headers: Mapping[bytes, bytes]) -> str | None:
    """The service that a request asks by its path or target; None where only its signature tells."""
    if path.startswith("/v1/"):
        return "batch"
    if headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
        return "sts"
    return TARGETS.get(headers.get(b"x-amz-target", b"").rpartition(b".")[0].decode("latin-1"))


def _signed_request(scope: Scope, path: str, headers: Mapping[bytes, bytes], service: str | None) -> SignedRequest:
    operation = headers.get(b"x-amz-target", b"").rpartition(b".")[2].decode("latin-1") or path.rpartition("/")[2]
    client = scope.get("client")
    return SignedRequest(
        method=scope["method"],
        path=path,
        query=scope["query_string"],
        headers=scope["headers"],
        connection=f"{client[0]}:{client[1]}" if client else "",
        service=service,
        is_read=service == "sts" or scope["method"] == "GET" or _READS.match(operation) is not None,
    )


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
