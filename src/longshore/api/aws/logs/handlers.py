"""The operations of CloudWatch Logs that are built, over whatever keeps the logs.

What is asked of the log store stands here as Protocols, in the words of the store: an adapter does not import another.
Source of limits, messages and defaults: Amazon CloudWatch Logs API.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from longshore.api.aws.exchange import Handlers
from longshore.api.aws.logs.wire import requests as req
from longshore.api.aws.logs.wire import responses as res
from longshore.api.aws.logs.wire.structures import (
    FilteredLogEvent,
    LogGroup,
    LogStream,
    OutputLogEvent,
    RejectedLogEventsInfo,
)
from longshore.domain.errors import InvalidRequest, NotFound
from longshore.domain.ids import Scope
from longshore.service.caller import Caller

#: Behind every time in epoch milliseconds.
_FOREVER = 2**62
_PUT_BYTES = 1_048_576
_PUT_OVERHEAD_BYTES = 26
_PUT_SPAN_MS = 86_400_000
_RETENTION_DAYS = frozenset(
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
)
#: Sequence tokens are no longer asked for; old clients want to see one.
_SEQUENCE_TOKEN = "49590302938028472819275638472910475629384756102938475610"
_GROUP_ARN = re.compile(r"^arn:aws[a-z-]*:logs:([a-z0-9-]*):(\d{12}):log-group:([\.\-_/#A-Za-z0-9]{1,512})(?::\*)?$")


class Group(Protocol):
    """A log group as the store tells it; times are epoch milliseconds, here and below."""

    @property
    def name(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def retention_days(self) -> int | None: ...
    @property
    def stored_bytes(self) -> int: ...


class Stream(Protocol):
    """A log stream as the store tells it; without events the times of events are None."""

    @property
    def name(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def first_event_at(self) -> int | None: ...
    @property
    def last_event_at(self) -> int | None: ...
    @property
    def ingested_at(self) -> int | None: ...


class Event(Protocol):
    """An event of one stream."""

    @property
    def timestamp(self) -> int: ...
    @property
    def message(self) -> str: ...
    @property
    def ingested_at(self) -> int: ...


class FoundEvent(Event, Protocol):
    """An event that a search gave."""

    @property
    def stream(self) -> str: ...
    @property
    def event_id(self) -> str: ...


class EventPage(Protocol):
    """Events of one stream and the tokens of the places around them."""

    @property
    def events(self) -> Sequence[Event]: ...
    @property
    def forward_token(self) -> str: ...
    @property
    def backward_token(self) -> str: ...


class SearchPage(Protocol):
    """Events of many streams; `next_token` is None when there are no more."""

    @property
    def events(self) -> Sequence[FoundEvent]: ...
    @property
    def next_token(self) -> str | None: ...


class PutResult(Protocol):
    """Which events of a put were not taken, as RejectedLogEventsInfo counts them."""

    @property
    def too_new_from(self) -> int | None: ...
    @property
    def too_old_until(self) -> int | None: ...
    @property
    def expired_until(self) -> int | None: ...


class LogArchive(Protocol):
    """Keeps groups, streams and events. Raises NotFound, AlreadyExists and InvalidRequest with the API's texts."""

    async def create_group(self, scope: Scope, name: str) -> None: ...
    async def delete_group(self, scope: Scope, name: str) -> None: ...
    async def set_retention(self, scope: Scope, name: str, days: int | None) -> None: ...
    async def list_groups(
        self, scope: Scope, *, prefix: str = "", pattern: str = "", limit: int = 50, token: str | None = None
    ) -> tuple[Sequence[Group], str | None]: ...
    async def create_stream(self, scope: Scope, group: str, name: str) -> None: ...
    async def delete_stream(self, scope: Scope, group: str, name: str) -> None: ...
    async def list_streams(
        self,
        scope: Scope,
        group: str,
        *,
        prefix: str = "",
        by_time: bool = False,
        descending: bool = False,
        limit: int = 50,
        token: str | None = None,
    ) -> tuple[Sequence[Stream], str | None]: ...
    async def put_events(
        self, scope: Scope, group: str, stream: str, events: Sequence[tuple[int, str]]
    ) -> PutResult: ...
    async def get_events(
        self,
        scope: Scope,
        group: str,
        stream: str,
        *,
        token: str | None = None,
        from_head: bool = False,
        since: int = 0,
        until: int = _FOREVER,
        limit: int = 10_000,
    ) -> EventPage: ...
    async def search(
        self,
        scope: Scope,
        group: str,
        *,
        names: Sequence[str] | None = None,
        prefix: str = "",
        pattern: str = "",
        since: int = 0,
        until: int = _FOREVER,
        limit: int = 10_000,
        token: str | None = None,
    ) -> SearchPage: ...


def logs_handlers(archive: LogArchive) -> Handlers:
    """Handlers over `archive`, by operation."""
    logs = LogsHandlers(archive)
    return {
        "CreateLogGroup": logs.create_log_group,
        "CreateLogStream": logs.create_log_stream,
        "DeleteLogGroup": logs.delete_log_group,
        "DeleteLogStream": logs.delete_log_stream,
        "DeleteRetentionPolicy": logs.delete_retention_policy,
        "DescribeLogGroups": logs.describe_log_groups,
        "DescribeLogStreams": logs.describe_log_streams,
        "FilterLogEvents": logs.filter_log_events,
        "GetLogEvents": logs.get_log_events,
        "PutLogEvents": logs.put_log_events,
        "PutRetentionPolicy": logs.put_retention_policy,
    }


class LogsHandlers:
    """One method for each operation, by its name in snake case."""

    def __init__(self, archive: LogArchive) -> None:
        self._archive = archive

    async def create_log_group(self, caller: Caller, request: req.CreateLogGroupRequest) -> None:
        await self._archive.create_group(caller.scope, request.log_group_name)

    async def delete_log_group(self, caller: Caller, request: req.DeleteLogGroupRequest) -> None:
        await self._archive.delete_group(caller.scope, request.log_group_name)

    async def put_retention_policy(self, caller: Caller, request: req.PutRetentionPolicyRequest) -> None:
        if request.retention_in_days not in _RETENTION_DAYS:
            raise InvalidRequest(
                f"retentionInDays is {request.retention_in_days}, which is not one of"
                f" {', '.join(map(str, sorted(_RETENTION_DAYS)))}"
            )
        await self._archive.set_retention(caller.scope, request.log_group_name, request.retention_in_days)

    async def delete_retention_policy(self, caller: Caller, request: req.DeleteRetentionPolicyRequest) -> None:
        await self._archive.set_retention(caller.scope, request.log_group_name, None)

    async def describe_log_groups(
        self, caller: Caller, request: req.DescribeLogGroupsRequest
    ) -> res.DescribeLogGroupsResponse:
        if request.log_group_name_prefix and request.log_group_name_pattern:
            raise InvalidRequest("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        groups, token = await self._archive.list_groups(
            caller.scope,
            prefix=request.log_group_name_prefix or "",
            pattern=request.log_group_name_pattern or "",
            limit=request.limit or 50,
            token=request.next_token,
        )
        return res.DescribeLogGroupsResponse(
            log_groups=[_group(caller.scope, group) for group in groups], next_token=token
        )

    async def create_log_stream(self, caller: Caller, request: req.CreateLogStreamRequest) -> None:
        await self._archive.create_stream(caller.scope, request.log_group_name, request.log_stream_name)

    async def delete_log_stream(self, caller: Caller, request: req.DeleteLogStreamRequest) -> None:
        await self._archive.delete_stream(caller.scope, request.log_group_name, request.log_stream_name)

    async def describe_log_streams(
        self, caller: Caller, request: req.DescribeLogStreamsRequest
    ) -> res.DescribeLogStreamsResponse:
        group = _named_group(caller.scope, request.log_group_name, request.log_group_identifier)
        by_time = request.order_by == "LastEventTime"
        if by_time and request.log_stream_name_prefix:
            raise InvalidRequest("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams, token = await self._archive.list_streams(
            caller.scope,
            group,
            prefix=request.log_stream_name_prefix or "",
            by_time=by_time,
            descending=bool(request.descending),
            limit=request.limit or 50,
            token=request.next_token,
        )
        arn = _arn(caller.scope, group)
        return res.DescribeLogStreamsResponse(
            log_streams=[_stream(arn, stream) for stream in streams], next_token=token
        )

    async def put_log_events(self, caller: Caller, request: req.PutLogEventsRequest) -> res.PutLogEventsResponse:
        events = [(event.timestamp, event.message) for event in request.log_events]
        size = sum(len(message.encode(errors="replace")) + _PUT_OVERHEAD_BYTES for _, message in events)
        if size > _PUT_BYTES:
            raise InvalidRequest(f"Upload too large: {size} bytes exceeds limit of {_PUT_BYTES}")
        times = [timestamp for timestamp, _ in events]
        if times != sorted(times):
            raise InvalidRequest("Log events in a single PutLogEvents request must be in chronological order.")
        if times[-1] - times[0] > _PUT_SPAN_MS:
            raise InvalidRequest(
                "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
            )
        result = await self._archive.put_events(caller.scope, request.log_group_name, request.log_stream_name, events)
        rejected = RejectedLogEventsInfo(
            too_new_log_event_start_index=result.too_new_from,
            too_old_log_event_end_index=result.too_old_until,
            expired_log_event_end_index=result.expired_until,
        )
        return res.PutLogEventsResponse(
            next_sequence_token=_SEQUENCE_TOKEN,
            rejected_log_events_info=None if rejected == RejectedLogEventsInfo() else rejected,
        )

    async def get_log_events(self, caller: Caller, request: req.GetLogEventsRequest) -> res.GetLogEventsResponse:
        page = await self._archive.get_events(
            caller.scope,
            _named_group(caller.scope, request.log_group_name, request.log_group_identifier),
            request.log_stream_name,
            token=request.next_token,
            from_head=bool(request.start_from_head),
            since=request.start_time or 0,
            until=_FOREVER if request.end_time is None else request.end_time,
            limit=request.limit or 10_000,
        )
        return res.GetLogEventsResponse(
            events=[
                OutputLogEvent(timestamp=event.timestamp, message=event.message, ingestion_time=event.ingested_at)
                for event in page.events
            ],
            next_forward_token=page.forward_token,
            next_backward_token=page.backward_token,
        )

    async def filter_log_events(
        self, caller: Caller, request: req.FilterLogEventsRequest
    ) -> res.FilterLogEventsResponse:
        if request.log_stream_names and request.log_stream_name_prefix:
            raise InvalidRequest("LogStreamNames and LogStreamNamePrefix are mutually exclusive parameters.")
        page = await self._archive.search(
            caller.scope,
            _named_group(caller.scope, request.log_group_name, request.log_group_identifier),
            names=request.log_stream_names,
            prefix=request.log_stream_name_prefix or "",
            pattern=request.filter_pattern or "",
            since=request.start_time or 0,
            until=_FOREVER if request.end_time is None else request.end_time,
            limit=request.limit or 10_000,
            token=request.next_token,
        )
        return res.FilterLogEventsResponse(
            events=[
                FilteredLogEvent(
                    log_stream_name=event.stream,
                    timestamp=event.timestamp,
                    message=event.message,
                    ingestion_time=event.ingested_at,
                    event_id=event.event_id,
                )
                for event in page.events
            ],
            searched_log_streams=[],
            next_token=page.next_token,
        )


def _named_group(scope: Scope, name: str | None, identifier: str | None) -> str:
    """The group's name. Raises InvalidRequest, and NotFound for an ARN of another account or region."""
    if name is not None and identifier is not None:
        raise InvalidRequest("LogGroup name and LogGroup identifier are mutually exclusive parameters.")
    if identifier is None:
        if name is None:
            raise InvalidRequest("Either logGroupName or logGroupIdentifier is required.")
        return name
    if not identifier.startswith("arn:"):
        return identifier
    match = _GROUP_ARN.match(identifier)
    if match is None:
        raise InvalidRequest(f"{identifier} is not the ARN of a log group.")
    if (match[1], match[2]) != (scope.region, scope.account_id):
        raise NotFound("The specified log group does not exist.")
    return match[3]


def _arn(scope: Scope, group: str) -> str:
    return f"arn:aws:logs:{scope.region}:{scope.account_id}:log-group:{group}"


def _group(scope: Scope, group: Group) -> LogGroup:
    arn = _arn(scope, group.name)
    return LogGroup(
        log_group_name=group.name,
        creation_time=group.created_at,
        retention_in_days=group.retention_days,
        metric_filter_count=0,
        arn=f"{arn}:*",
        stored_bytes=group.stored_bytes,
        log_group_class="STANDARD",
        log_group_arn=arn,
    )


def _stream(group_arn: str, stream: Stream) -> LogStream:
    return LogStream(
        log_stream_name=stream.name,
        creation_time=stream.created_at,
        first_event_timestamp=stream.first_event_at,
        last_event_timestamp=stream.last_event_at,
        last_ingestion_time=stream.ingested_at,
        upload_sequence_token=_SEQUENCE_TOKEN,
        arn=f"{group_arn}:log-stream:{stream.name}",
        stored_bytes=0,
    )
