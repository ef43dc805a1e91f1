"""Requests that fit their structures but mean nothing in particular are carried out or refused; they never fail us."""

import asyncio
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from longshore.api.aws.batch.handlers import build_handlers
from longshore.api.aws.batch.wire.operations import OPERATIONS
from longshore.api.aws.exchange import Answer, Front, Request
from longshore.api.aws.fronts import build_fronts
from longshore.api.aws.shape import Shape
from longshore.domain.resources import Resources
from longshore.service.caller import Caller
from longshore.service.quotas import Quotas
from longshore.service.services import build_services
from longshore.store.sqlite import InlineStore
from longshore.testing.clock import VirtualClock
from tests.api.batch_service import ACCOUNT, REGION, SMALL, CountingNotifier, choose_process

CALLER = Caller(account_id=ACCOUNT, region=REGION, request_id="an-id")
BUILT = sorted(
    build_handlers(
        build_services(
            InlineStore(),
            VirtualClock(),
            CountingNotifier(),
            engines=(),
            resolve_engine=choose_process,
            largest_host=Resources(vcpu_milli=8000, memory_mib=16384),
        )
    )
)
#: Texts that mean something to some operation, so that requests get beyond the first check.
TEXTS = st.text(max_size=5) | st.sampled_from(
    [
        "a",
        "",
        "a:1",
        "1",
        "VCPU",
        "*",
        "Ref::a",
        "container",
        "aws:",
        "AWS_BATCH",
        "JOB_NAME",
        "9" * 20,
        "\ud7ff",
        "a b",
    ]
    + ["00000000-0000-4000-8000-000000000000", "arn:aws:batch:eu-west-3:111122223333:job-queue/a"]
)
#: Members with which a request of that operation is carried out; with others beside them it gets far.
WHOLE: dict[str, dict[str, Any]] = {
    "CreateComputeEnvironment": {"computeEnvironmentName": "a", "type": "UNMANAGED"},
    "CreateJobQueue": {
        "jobQueueName": "a",
        "priority": 1,
        "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": "a"}],
    },
    "RegisterJobDefinition": {
        "jobDefinitionName": "a",
        "type": "container",
        "containerProperties": {"image": "a", "resourceRequirements": SMALL},
    },
    "SubmitJob": {"jobName": "a", "jobQueue": "a", "jobDefinition": "a"},
    "UpdateComputeEnvironment": {"computeEnvironment": "managed"},
    "UpdateJobQueue": {"jobQueue": "a"},
    "ListJobs": {"jobQueue": "a", "arrayJobId": None, "multiNodeJobId": None},
}
MANAGED = {"type": "EC2", "minvCpus": 0, "maxvCpus": 8, "instanceTypes": ["optimal"], "instanceRole": "role"}


def values(kind: inspect.Type) -> st.SearchStrategy[Any]:
    """JSON that fits `kind`."""
    match kind:
        case inspect.UnionType(types=types):
            return st.one_of([values(part) for part in types])
        case inspect.Metadata(type=inner):
            return values(inner)
        case inspect.StructType(cls=cls):
            return st.deferred(lambda: shapes(cls))
        case inspect.ListType(item_type=item) | inspect.CollectionType(item_type=item):
            return st.lists(values(item), max_size=2)
        case inspect.DictType(value_type=item):
            return st.dictionaries(TEXTS, values(item), max_size=2)
        case inspect.LiteralType(values=allowed):
            return st.sampled_from(allowed)
        case inspect.IntType():
            return st.integers(-2, 70) | st.sampled_from([-(2**31), 2**31 - 1, 600])
        case inspect.BoolType():
            return st.booleans()
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.NoneType():
            return st.none()
        case _:
            return TEXTS


def shapes(cls: type[Shape]) -> st.SearchStrategy[dict[str, Any]]:
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    return st.fixed_dictionaries(
        {field.encode_name: values(field.type) for field in info.fields if field.required},
        optional={field.encode_name: values(field.type) for field in info.fields if not field.required},
    )


def requests_of(name: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    whole = st.sampled_from([{}, WHOLE.get(name, {})])
    members = st.tuples(shapes(OPERATIONS[name].input), whole).map(lambda pair: pair[0] | pair[1])
    return st.tuples(st.just(name), members)


def ask(front: Front, name: str, members: dict[str, Any]) -> Answer:
    operation = OPERATIONS[name]
    path = operation.path.replace("{resourceArn}", str(members.get("resourceArn", "x")))
    request = Request(
        method=operation.method,
        path=path,
        query=b"tagKeys=a",
        headers={},
        body=msgspec.json.encode(members),
        caller=CALLER,
    )
    return asyncio.run(front.answer(request))


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(requests=st.lists(st.sampled_from(BUILT).flatmap(requests_of), max_size=6))
def test_any_requests_that_fit(requests: list[tuple[str, dict[str, Any]]]) -> None:
    store = InlineStore()
    asyncio.run(store.open())
    services = build_services(
        store,
        VirtualClock(),
        CountingNotifier(),
        engines={"fake"},
        resolve_engine=choose_process,
        quotas=Quotas(array_size=10),
        largest_host=Resources(vcpu_milli=8000, memory_mib=16384),
    )
    front = build_fronts(batch=build_handlers(services), logs={})["batch"]
    for name in ("CreateComputeEnvironment", "CreateJobQueue", "RegisterJobDefinition", "SubmitJob"):
        assert ask(front, name, WHOLE[name]).status == 200
    managed = {"computeEnvironmentName": "managed", "type": "MANAGED", "computeResources": MANAGED}
    assert ask(front, "CreateComputeEnvironment", managed).status == 200
    for name, members in requests:
        answer = ask(front, name, members)
        assert answer.status in (200, 400), (name, members, answer.body)
    asyncio.run(store.close())
