"""`longshore:override`: image, user, shared memory and scratch disk of one job."""

import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.api.aws.batch.handlers import build_handlers
from longshore.api.aws.batch.wire.requests import SubmitJobRequest
from longshore.domain.container import ContainerProperties, ResourceRequirement
from longshore.domain.errors import AccessDenied, InvalidRequest
from longshore.domain.resources import Resources
from longshore.service.caller import Caller, Principal
from longshore.service.own_override import override_definition
from longshore.service.quotas import Quotas
from longshore.service.services import build_services
from longshore.testing.job_builders import a_definition
from tests.api.batch_service import ACCOUNT, REGION, SMALL, Batch, choose_process
from tests.api.forms import ROLE, a_pod, a_pod_container, a_range, a_task, a_task_container, of_nodes, pair
from tests.api.test_batch_awscli import aws

KEY = "longshore:override"
ON_FARGATE: dict[str, Any] = {"platformCapabilities": ["FARGATE"]}


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a queue."""
    batch.queue()
    return batch


def override(value: Any) -> dict[str, str]:
    """As `parameters` of a submission."""
    return {KEY: value if isinstance(value, str) else json.dumps(value)}


def submitted(batch: Batch, value: Any, **members: Any) -> dict[str, Any]:
    """The job that is submitted with the override, as it is described."""
    return batch.job(batch.submit(parameters=override(value), **members))


def refused_again(batch: Batch, value: Any, **members: Any) -> str:
    """The refusal, where jobs were submitted before."""
    request = {"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition", **members}
    return batch.refusal("submit_job", parameters=override(value), **request)


def refused(batch: Batch, value: Any, **members: Any) -> str:
    """The refusal; nothing is stored."""
    text = refused_again(batch, value, **members)
    for queue in batch.describe_job_queues()["jobQueues"]:
        assert batch.list_jobs(jobQueue=queue["jobQueueName"], jobStatus="SUBMITTED")["jobSummaryList"] == []
    return text


def on_fargate(batch: Batch) -> str:
    """A queue and a definition on Fargate, both of the same name."""
    batch.queue("fargate", batch.fargate_environment())
    container = {"resourceRequirements": pair("1", "2048"), "executionRoleArn": ROLE}
    batch.definition("fargate", container=container, **ON_FARGATE)
    return "fargate"


def test_a_container_is_described_as_it_will_be(batch: Batch) -> None:
    """What is not named stays; the definition stays; the parameter is shown as it was sent."""
    given = {"user": "root", "linuxParameters": {"swappiness": 5, "maxSwap": 9, "sharedMemorySize": 64}}
    arn = batch.definition(container=given, parameters={"a": "b"})
    text = '{"image": "busybox:1.36",  "sharedMemorySize": 2048, "user": "1000:1000"}'
    job = submitted(batch, text)
    assert job["jobDefinition"] == arn
    assert job["parameters"] == {"a": "b", KEY: text}
    container = job["container"]
    assert (container["image"], container["user"]) == ("busybox:1.36", "1000:1000")
    assert container["linuxParameters"] == {
        **{"swappiness": 5, "maxSwap": 9, "sharedMemorySize": 2048},
        **{"devices": [], "tmpfs": []},
    }
    plain = batch.job(batch.submit())["container"]
    assert (plain["image"], plain["user"]) == ("busybox", "root")
    assert plain["linuxParameters"]["sharedMemorySize"] == 64


@pytest.mark.awscli
def test_with_the_aws_cli(batch: Batch) -> None:
    """As the docs write it."""
    batch.definition()
    parameters = r'{"longshore:override": "{\"image\": \"busybox:1.36\", \"sharedMemorySize\": 2048}"}'
    command = ["--job-name", "j", "--job-queue", "queue", "--job-definition", "definition"]
    job = batch.job(aws(batch, "submit-job", *command, "--parameters", parameters)["jobId"])
    assert job["container"]["image"] == "busybox:1.36"
    assert job["container"]["linuxParameters"]["sharedMemorySize"] == 2048


def test_it_goes_with_the_overrides_of_the_api(batch: Batch) -> None:
    batch.definition(container={"command": ["run", "Ref::what"]})
    job_id = batch.submit(
        parameters={**override({"image": "other"}), "what": "it"},
        containerOverrides={"environment": [{"name": "A", "value": "1"}]},
        arrayProperties={"size": 2},
    )
    for each in (job_id, f"{job_id}:1"):
        container = batch.job(each)["container"]
        assert (container["image"], container["command"]) == ("other", ["run", "it"])
        assert container["environment"] == [{"name": "A", "value": "1"}]


def test_no_command_can_refer_to_it(batch: Batch) -> None:
    batch.definition(container={"command": ["echo", f"Ref::{KEY}"]})
    text = "Unable to substitute value. No parameter found for reference longshore"
    assert refused(batch, {"image": "other"}) == text


def test_nothing_in_it_changes_nothing(batch: Batch) -> None:
    batch.definition()
    plain = batch.job(batch.submit())["container"]
    for value in ({}, {"image": None, "ephemeralStorage": None}, {"ephemeralStorage": {}}):
        assert submitted(batch, value)["container"] == plain


def test_scratch_disk_on_fargate(batch: Batch) -> None:
    name = on_fargate(batch)
    job = submitted(batch, {"ephemeralStorage": {"sizeInGiB": 100}}, queue=name, definition=name)
    assert job["container"]["ephemeralStorage"] == {"sizeInGiB": 100}
    where = {"jobQueue": name, "jobDefinition": name}
    text = refused_again(batch, {"ephemeralStorage": {"sizeInGiB": 20}}, **where)
    assert text == "W: ephemeralStorage should be between 21 and 200 GiB"


@pytest.mark.parametrize(
    ("value", "properties", "fargate"),
    [
        ({"sharedMemorySize": 64}, {"linuxParameters": {"sharedMemorySize": 64}}, True),
        ({"sharedMemorySize": 0}, {"linuxParameters": {"sharedMemorySize": 0}}, False),
        ({"ephemeralStorage": {"sizeInGiB": 50}}, {"ephemeralStorage": {"sizeInGiB": 50}}, False),
        ({"user": "no such:user:at all"}, {"user": "no such:user:at all"}, False),
        ({"image": "an image"}, {"image": "an image"}, False),
        ({"image": ""}, {"image": ""}, True),
    ],
)
def test_refused_as_a_definition_would_be(
    batch: Batch, value: dict[str, Any], properties: dict[str, Any], fargate: bool
) -> None:
    container = {"image": "busybox", "resourceRequirements": SMALL, **properties}
    name, platform = "definition", {}
    if fargate:
        container |= {"resourceRequirements": pair("1", "2048"), "executionRoleArn": ROLE}
        name, platform = on_fargate(batch), ON_FARGATE
    else:
        batch.definition()
    of_definition = batch.refusal(
        "register_job_definition", jobDefinitionName="d", type="container", containerProperties=container, **platform
    )
    where = {"jobQueue": "fargate" if fargate else "queue", "jobDefinition": name}
    assert refused(batch, value, **where) == of_definition


def test_containers_of_a_task(batch: Batch) -> None:
    task = a_task(a_task_container("main", user="root"), a_task_container("side"))
    batch.register_job_definition(jobDefinitionName="definition", type="container", ecsProperties=task)
    job = submitted(batch, {"containers": {"main": {"image": "other", "user": "1000", "sharedMemorySize": 256}}})
    main, side = job["ecsProperties"]["taskProperties"][0]["containers"]
    assert (main["image"], main["user"], main["linuxParameters"]["sharedMemorySize"]) == ("other", "1000", 256)
    assert (side["image"], side.get("user"), side.get("linuxParameters")) == ("busybox", None, None)
    assert refused_again(batch, {"image": "other"}) == (
        f"W: {KEY} has no member image here: it may hold containers, ephemeralStorage"
    )
    assert refused_again(batch, {"containers": {"other": {}}}) == (
        f"W: {KEY}.containers has no member other here: it may hold main, side"
    )
    assert refused_again(batch, {"containers": {"side": {"command": ["true"]}}}) == (
        f"W: {KEY}.containers.side has no member command here: it may hold image, user, sharedMemorySize"
    )


def test_a_task_on_fargate(batch: Batch) -> None:
    on_fargate(batch)
    task = a_task(a_task_container(resourceRequirements=pair("1", "2048")), executionRoleArn=ROLE)
    batch.register_job_definition(jobDefinitionName="definition", type="container", ecsProperties=task, **ON_FARGATE)
    job = submitted(batch, {"ephemeralStorage": {"sizeInGiB": 40}}, queue="fargate")
    assert job["ecsProperties"]["taskProperties"][0]["ephemeralStorage"] == {"sizeInGiB": 40}


def test_containers_of_a_pod(batch: Batch) -> None:
    """Init containers as well; users are numbers, and a group that is not named stays."""
    context = {"runAsUser": 1, "runAsGroup": 2, "privileged": False}
    pod = a_pod(a_pod_container(securityContext=context), initContainers=[a_pod_container("first")])
    batch.register_job_definition(jobDefinitionName="definition", type="container", eksProperties=pod)
    value = {"containers": {"main": {"image": "other", "user": "1000"}, "first": {"user": "7:8"}}}
    batch.queue("pods", batch.eks_environment())
    found = submitted(batch, value, queue="pods")["eksProperties"]["podProperties"]
    (main,), (first,) = found["containers"], found["initContainers"]
    assert (main["image"], main["securityContext"]) == ("other", {**context, "runAsUser": 1000})
    assert (first["image"], first["securityContext"]) == ("busybox", {"runAsUser": 7, "runAsGroup": 8})
    for refusal, member in (
        (
            f"{KEY}.containers.main.user should be numbers such as 1000 or 1000:1000, got 'root'",
            {"user": "root"},
        ),
        (
            f"{KEY}.containers.main has no member sharedMemorySize here: it may hold image, user",
            {"sharedMemorySize": 1},
        ),
        ("runAsUser should be between 0 and 2147483647, got 9999999999", {"user": "9999999999"}),
    ):
        found = refused_again(batch, {"containers": {"main": member}}, jobQueue="pods")
        assert found.startswith(f"W: {refusal}")


def test_ranges_of_nodes(batch: Batch) -> None:
    """Each in the form that the range has; the range is named as the definition names it."""
    task = a_range("1:", ecsProperties=a_task(a_task_container("main")))
    nodes = of_nodes(3, a_range("0:0"), task)
    batch.register_job_definition(jobDefinitionName="definition", type="multinode", nodeProperties=nodes)
    value = {"nodes": {"0:0": {"sharedMemorySize": 512}, "1:": {"containers": {"main": {"image": "other"}}}}}
    first, rest = submitted(batch, value)["nodeProperties"]["nodeRangeProperties"]
    assert first["container"]["linuxParameters"]["sharedMemorySize"] == 512
    assert rest["ecsProperties"]["taskProperties"][0]["containers"][0]["image"] == "other"
    for refusal, wrong in (
        (f"{KEY} has no member image here: it may hold nodes", {"image": "other"}),
        (f"{KEY}.nodes has no member 0:2 here: it may hold 0:0, 1:", {"nodes": {"0:2": {}}}),
        (
            f"{KEY}.nodes.1: has no member image here: it may hold containers, ephemeralStorage",
            {"nodes": {"1:": {"image": "other"}}},
        ),
        ("ephemeralStorage not applicable for EC2.", {"nodes": {"0:0": {"ephemeralStorage": {"sizeInGiB": 30}}}}),
    ):
        assert refused_again(batch, wrong) == f"W: {refusal}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"imgae": "x"},
            f"{KEY} has no member imgae here: it may hold image, user, sharedMemorySize, ephemeralStorage",
        ),
        ({"privileged": True}, f"{KEY} has no member privileged here: it may hold image, user, sharedMemorySize"),
        ({"image": 1}, f"{KEY}.image should be text, got 1"),
        ({"user": {"name": "x"}}, f"{KEY}.user should be text, got an object"),
        ({"sharedMemorySize": "64"}, f'{KEY}.sharedMemorySize should be a whole number up to 2147483647, got "64"'),
        ({"sharedMemorySize": True}, f"{KEY}.sharedMemorySize should be a whole number up to 2147483647, got true"),
        ({"sharedMemorySize": 2**31}, f"{KEY}.sharedMemorySize should be a whole number up to 2147483647, got 2147"),
        ({"ephemeralStorage": 50}, f"{KEY}.ephemeralStorage should be an object, got 50"),
        ({"ephemeralStorage": {"size": 50}}, f"{KEY}.ephemeralStorage has no member size here: it may hold sizeInGiB"),
        ([], f"{KEY} should be an object, got a list"),
        ("null", f"{KEY} should be an object, got null"),
        ("", f'{KEY} should be JSON such as {{"image": "busybox:1.36"}}: Input data was truncated'),
        ("{'image': 'x'}", f'{KEY} should be JSON such as {{"image": "busybox:1.36"}}: JSON is malformed: '),
        ('{"image": "\\ud800"}', f'{KEY} should be JSON such as {{"image": "busybox:1.36"}}'),
        ('{"\\u0000": 1}', f"{KEY} has no member \0 here"),
        ("[" * 20_000, f'{KEY} should be JSON such as {{"image": "busybox:1.36"}}'),
    ],
)
def test_what_is_wrong_and_where(batch: Batch, value: Any, text: str) -> None:
    batch.definition()
    assert refused(batch, value).startswith(f"W: {text}")


def test_a_definition_cannot_hold_one(batch: Batch) -> None:
    container = {"image": "busybox", "resourceRequirements": SMALL}
    refusal = batch.refusal(
        "register_job_definition",
        **{"jobDefinitionName": "d", "type": "container", "containerProperties": container, "parameters": override({})},
    )
    assert refusal == f"W: {KEY} is a parameter of SubmitJob: a definition can say the same in its properties"


_NAMES = st.sampled_from(["image", "user", "sharedMemorySize", "ephemeralStorage", "sizeInGiB", "containers", "x"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.text() | _VALUES.map(json.dumps) | st.dictionaries(_NAMES, _VALUES).map(json.dumps))
def test_any_text_is_taken_or_refused(text: str) -> None:
    """Whatever comes out is a definition that could be registered, and nothing but the four has changed."""
    amounts = (ResourceRequirement(type="VCPU", value="1"), ResourceRequirement(type="MEMORY", value="64"))
    definition = a_definition(container=ContainerProperties(image="busybox", resource_requirements=amounts))
    try:
        changed = override_definition(definition, text)
    except InvalidRequest as refusal:
        assert len(refusal.message) < 1200
        return
    before, after = definition.single_container, changed.single_container
    allowed = {"image": before.image, "user": before.user, "linux_parameters": before.linux_parameters}
    assert replace(after, **allowed) == before


def test_any_depth_is_refused() -> None:
    """Also one that can just be read, and that any further look at it would go too deep for."""
    for depth in range(1, sys.getrecursionlimit() + 50):
        with pytest.raises(InvalidRequest):
            override_definition(a_definition(), "[" * depth + "]" * depth)


def test_a_key_needs_to_be_allowed_both(batch: Batch) -> None:
    """Who may only submit what others have defined cannot run another image, or as another user."""
    services = build_services(
        batch.store,
        batch.clock,
        batch.notifier,
        engines={"process"},
        resolve_engine=choose_process,
        quotas=Quotas(array_size=10),
        largest_host=Resources(vcpu_milli=8000, memory_mib=16384),
    )
    batch.definition()
    handler = build_handlers(services)["SubmitJob"]

    def submit(parameters: dict[str, str], *actions: str) -> None:
        who = Principal(key_id="k", name="n", account_id=ACCOUNT, actions=actions)
        caller = Caller(account_id=ACCOUNT, region=REGION, request_id="an-id", principal=who)
        request = SubmitJobRequest(job_name="a", job_queue="queue", job_definition="definition", parameters=parameters)
        asyncio.run(handler(caller, request))  # pyright: ignore[reportArgumentType]

    submit({"a": "b"}, "batch:SubmitJob")
    submit(override({"user": "root"}), "batch:SubmitJob", "batch:RegisterJobDefinition")
    with pytest.raises(AccessDenied, match="batch:RegisterJobDefinition"):
        submit(override({"user": "root"}), "batch:SubmitJob")
