"""The application behind `/longshore/` and `/metrics`; who may come in is decided before."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from longshore.api.aws.batch.handlers import authorise_override
from longshore.api.aws.batch.translate.submissions import read_submission
from longshore.api.aws.batch.wire.requests import SubmitJobRequest
from longshore.api.aws.batch.wire.responses import SubmitJobResponse
from longshore.api.aws.codec import Decoder
from longshore.api.native.arguments import (
    parse_efficiency_query,
    parse_history_query,
    parse_job_query,
    parse_log_query,
    parse_region,
)
from longshore.domain.access_key import READ_METRICS
from longshore.domain.errors import (
    AccessDenied,
    Conflict,
    LongshoreError,
    NotFound,
    RequestRefused,
    StoreUnavailable,
)
from longshore.domain.prices import Prices
from longshore.ports.clock import Clock
from longshore.ports.overview import Overview
from longshore.ports.store import Store
from longshore.service.caller import Caller
from longshore.service.efficiency import report_efficiency
from longshore.service.explain import Explanation, explain_job
from longshore.service.forecasts import Forecasts, Foresight
from longshore.service.history import list_history
from longshore.service.holds import Holds
from longshore.service.job_table import list_jobs
from longshore.service.log_pages import LogPages, StreamReader
from longshore.service.status import report_status
from longshore.service.submit import Submissions
from longshore.service.what_if import WhatIfs

#: Listings are asked for again and again, and need not be the latest.
LISTED_WITHIN_SECONDS = 5.0

#: As at the AWS side: no text that a program could not be given.
SUBMIT_JOB = Decoder(SubmitJobRequest, refuse_nul=True)

Handler = Callable[[Request], Awaitable[Response]]
Submit = Callable[[Caller, SubmitJobRequest], Awaitable[SubmitJobResponse]]


class MetricsPage(Protocol):
    """What Prometheus reads."""

    @property
    def content_type(self) -> str: ...

    async def scrape(self) -> bytes: ...


def native_app(
    *,
    store: Store,
    overview: Overview,
    clock: Clock,
    logs: StreamReader,
    metrics: MetricsPage,
    prices: Prices,
    submissions: Submissions,
    holds: Holds,
    submit_job: Submit,
) -> Starlette:
    """The application; errors are answered as JSON with a `message`. `submit_job` is the operation of AWS Batch."""
    log_pages = LogPages(store, logs, clock)
    forecasts = Forecasts(overview, clock)
    what_ifs = WhatIfs(store, submissions, forecasts)

    async def status(request: Request) -> Response:
        engines, hosts, account_id = overview.engines(), overview.hosts(), _account(request)
        return _answer(
            await store.read(lambda reader: report_status(reader, engines, hosts, clock.now(), account_id=account_id))
        )

    async def jobs(request: Request) -> Response:
        query = replace(parse_job_query(request.query_params), account_id=_account(request))
        page = await store.read(lambda reader: list_jobs(reader, query))
        if page.has_waiting:
            foresight = await forecasts.latest(within_seconds=LISTED_WITHIN_SECONDS)
            page = await store.read(lambda reader: list_jobs(reader, query, foresight))
        return _answer(page)

    async def submit(request: Request) -> Response:
        return _answer(await submit_job(_sender(request), SUBMIT_JOB.decode(await request.body())))

    async def what_if(request: Request) -> Response:
        sender, asked = _sender(request), SUBMIT_JOB.decode(await request.body())
        submission = read_submission(asked, sender.client_token)
        authorise_override(sender, submission)
        return _answer(await what_ifs.answer(sender.scope, submission, account_id=_account(request)))

    async def history(request: Request) -> Response:
        cursor, limit = parse_history_query(request.query_params)
        account_id = _account(request)
        return _answer(
            await store.read(lambda reader: list_history(reader, account_id=account_id, cursor=cursor, limit=limit))
        )

    async def explain(request: Request) -> Response:
        job_id, engines, account_id = request.path_params["job_id"], overview.engines(), _account(request)

        def told(foresight: Foresight | None = None) -> Awaitable[Explanation]:
            return store.read(
                lambda reader: explain_job(
                    reader, job_id, engines, clock.now(), account_id=account_id, foresight=foresight
                )
            )

        explanation = await told()
        return _answer(await told(await forecasts.latest()) if explanation.waits_for else explanation)

    def hold(*, is_held: bool) -> Handler:
        async def handle(request: Request) -> Response:
            job_id, account_id = request.path_params["job_id"], _account(request)
            return _answer(await holds.hold(job_id, is_held=is_held, account_id=account_id))

        return handle

    def pause(*, is_paused: bool) -> Handler:
        async def handle(request: Request) -> Response:
            scope, name = _sender(request).scope, request.path_params["queue"]
            return _answer(await holds.pause(scope, name, is_paused=is_paused))

        return handle

    async def log(request: Request) -> Response:
        query = parse_log_query(request.path_params["job_id"], request.query_params)
        return _answer(await log_pages.read(replace(query, account_id=_account(request))))

    async def efficiency(request: Request) -> Response:
        query = replace(parse_efficiency_query(request.query_params, clock.now()), account_id=_account(request))
        return _answer(await store.read(lambda reader: report_efficiency(reader, query, prices)))

    async def scrape(request: Request) -> Response:
        return Response(await metrics.scrape(), headers={"content-type": metrics.content_type})

    routes = [
        _route("/longshore/status", status, "longshore:GetStatus"),
        _route("/longshore/jobs", jobs, "longshore:ListJobs"),
        _route("/longshore/jobs", submit, "batch:SubmitJob", method="POST"),
        _route("/longshore/what-if", what_if, "longshore:WhatIf", method="POST"),
        _route("/longshore/history", history, "longshore:ListHistory"),
        _route("/longshore/jobs/{job_id}/explain", explain, "longshore:ExplainJob"),
        _route("/longshore/jobs/{job_id}/hold", hold(is_held=True), "longshore:HoldJob", method="POST"),
        _route("/longshore/jobs/{job_id}/release", hold(is_held=False), "longshore:ReleaseJob", method="POST"),
        _route("/longshore/queues/{queue}/pause", pause(is_paused=True), "longshore:PauseQueue", method="POST"),
        _route("/longshore/queues/{queue}/resume", pause(is_paused=False), "longshore:ResumeQueue", method="POST"),
        _route("/longshore/jobs/{job_id}/log", log, "longshore:GetLog"),
        _route("/longshore/efficiency", efficiency, "longshore:GetEfficiency"),
        _route("/metrics", scrape, READ_METRICS),
    ]
    return Starlette(
        routes=routes,
        exception_handlers={LongshoreError: _answer_error, HTTPException: _answer_http, Exception: _answer_bug},
    )


def _route(path: str, handler: Handler, action: str, *, method: str = "GET") -> Route:
    """A route to a handler; a caller that is known must be allowed `action`."""

    async def handle(request: Request) -> Response:
        caller = _caller(request)
        if caller is not None:
            caller.authorise(action)
        return await handler(request)

    return Route(path, handle, methods=[method])


def _caller(request: Request) -> Caller | None:
    """Who asks; None for who may see everything. The door has put it there."""
    caller: Caller | None = request.scope["state"]["caller"]
    return caller


def _sender(request: Request) -> Caller:
    """In whose name something is asked or done: in the region that the query names, else in that of the signature."""
    sender: Caller = request.scope["state"]["sender"]
    return replace(sender, region=parse_region(request.query_params) or sender.region)


def _account(request: Request) -> str | None:
    """The account whose things may be seen; None: all."""
    caller = _caller(request)
    return None if caller is None else caller.account_id


def _answer(document: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json")


def _say(status: int, message: str) -> Response:
    return Response(msgspec.json.encode({"message": message}), status_code=status, media_type="application/json")


async def _answer_error(request: Request, problem: Exception) -> Response:
    match problem:
        case NotFound():
            return _say(404, problem.message)
        case AccessDenied():
            return _say(403, problem.message)
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
