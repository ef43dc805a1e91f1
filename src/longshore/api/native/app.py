"""The application behind `/longshore/` and `/metrics`. It only reads; who may come in is decided before."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longshore.api.native.arguments import parse_job_query, parse_log_query
from longshore.domain.errors import Conflict, LongshoreError, NotFound, RequestRefused, StoreUnavailable
from longshore.ports.clock import Clock
from longshore.ports.overview import Overview
from longshore.ports.store import Store
from longshore.service.explain import explain_job
from longshore.service.job_table import list_jobs
from longshore.service.log_pages import LogPages, StreamReader
from longshore.service.status import report_status

Handler = Callable[[Request], Awaitable[Response]]


class MetricsPage(Protocol):
    """What Prometheus reads."""

    @property
    def content_type(self) -> str: ...

    async def scrape(self) -> bytes: ...


def native_app(
    *, store: Store, overview: Overview, clock: Clock, logs: StreamReader, metrics: MetricsPage
) -> Starlette:
    """The application; errors are answered as JSON with a `message`."""
    log_pages = LogPages(store, logs, clock)

    async def status(request: Request) -> Response:
        engines, hosts = overview.engines(), overview.hosts()
        return _answer(await store.read(lambda reader: report_status(reader, engines, hosts, clock.now())))

    async def jobs(request: Request) -> Response:
        query = parse_job_query(request.query_params)
        return _answer(await store.read(lambda reader: list_jobs(reader, query)))

    async def explain(request: Request) -> Response:
        job_id, engines = request.path_params["job_id"], overview.engines()
        return _answer(await store.read(lambda reader: explain_job(reader, job_id, engines, clock.now())))

    async def log(request: Request) -> Response:
        return _answer(await log_pages.read(parse_log_query(request.path_params["job_id"], request.query_params)))

    async def scrape(request: Request) -> Response:
        return Response(await metrics.scrape(), headers={"content-type": metrics.content_type})

    routes: dict[str, Handler] = {
        "/longshore/status": status,
        "/longshore/jobs": jobs,
        "/longshore/jobs/{job_id}/explain": explain,
        "/longshore/jobs/{job_id}/log": log,
        "/metrics": scrape,
    }
    return Starlette(
        routes=[Route(path, handler, methods=["GET"]) for path, handler in routes.items()],
        exception_handlers={LongshoreError: _answer_error, HTTPException: _answer_http, Exception: _answer_bug},
    )


def _answer(document: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")


def _say(status: int, message: str) -> Response:
    return Response(msgspec.json.encode({"message": message}), status_code=status, media_type="application/json")


async def _answer_error(request: Request, problem: Exception) -> Response:
    match problem:
        case NotFound():
            return _say(404, problem.message)
        case Conflict():
            return _say(409, problem.message)
        case RequestRefused():
            return _say(400, problem.message)
        case StoreUnavailable():
            return _say(503, problem.message)
        case _:
            raise problem


async def _answer_http(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    text = f"there is nothing at {request.url.path}" if problem.status_code == 404 else problem.detail
    return _say(problem.status_code, text)


async def _answer_bug(request: Request, problem: Exception) -> Response:
    """Starlette raises `problem` again when this is sent, so that it is logged."""
    return _say(500, "the server could not answer; its log says why")
