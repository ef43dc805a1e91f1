"""Whatever a caller sends, it is not a failure of ours."""

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.api.aws.batch.wire.operations import OPERATIONS as BATCH
from longshore.api.aws.exchange import Answer, Handlers, Request
from longshore.api.aws.fronts import build_fronts
from longshore.api.aws.logs.wire.operations import OPERATIONS as LOGS
from longshore.api.aws.shape import Operation, Shape
from longshore.service.caller import Caller

CALLER = Caller(account_id="000000000000", region="us-east-1", request_id="an-id")


def _handlers(operations: dict[str, Operation]) -> Handlers:
    async def handle(caller: Caller, request: Shape) -> None:
        return None

    return dict.fromkeys(operations, handle)


FRONTS = build_fronts(batch=_handlers(dict(BATCH)), logs=_handlers(dict(LOGS)))


def ask(service: str, **request: Any) -> Answer:
    whole = {"method": "POST", "path": "/", "query": b"", "headers": {}, "body": b"", "caller": CALLER} | request
    return asyncio.run(FRONTS[service].answer(Request(**whole)))


def _member_names(kind: type[Shape]) -> list[str]:
    return list(kind.__struct_encode_fields__)


_names = sorted({name for operation in BATCH.values() for name in _member_names(operation.input)})
_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_names) | st.text(), inner, max_size=4),
    max_leaves=12,
)
_bodies = (
    st.dictionaries(st.sampled_from(_names), _values, max_size=6).map(lambda value: json.dumps(value).encode())
    | _values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=60)
)


@settings(max_examples=300, deadline=None)
@given(operation=st.sampled_from(sorted(BATCH)), body=_bodies)
def test_any_body_of_a_batch_operation(operation: str, body: bytes) -> None:
    declared = BATCH[operation]
    path = declared.path.replace("{resourceArn}", "arn%3Aaws")
    answer = ask("batch", method=declared.method, path=path, body=body, query=b"tagKeys=a")
    assert answer.status in (200, 400), answer.body


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    path=st.text(st.characters(max_codepoint=255), max_size=20).map(lambda tail: f"/v1/tags/{tail}"),
    query=st.binary(max_size=40),
    body=st.sampled_from([b"", b"{}", b'{"tags":{"a":"b"}}', b'{"resourceArn":5}', b"[]"]),
)
def test_any_path_and_query(method: str, path: str, query: bytes, body: bytes) -> None:
    answer = ask("batch", method=method, path=path, query=query, body=body)
    assert answer.status in (200, 400), answer.body


@settings(max_examples=150, deadline=None)
@given(
    target=st.sampled_from([f"Logs_20140328.{name}".encode() for name in LOGS]) | st.binary(max_size=30), body=_bodies
)
def test_any_log_request(target: bytes, body: bytes) -> None:
    assert ask("logs", headers={b"x-amz-target": target}, body=body).status in (200, 400)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=60) | st.text(max_size=30).map(lambda name: f"Action={name}".encode()))
def test_any_form(body: bytes) -> None:
    answer = ask("sts", body=body)
    assert answer.status in (200, 400)
