"""RegisterJobDefinition, DescribeJobDefinitions, DeregisterJobDefinition: golden answers and refusals."""

from typing import Any

import pytest

from tests.api.batch_service import ACCOUNT, REGION, SMALL, Batch

EMPTIES: dict[str, list[Any]] = {
    name: []
    for name in ("command", "volumes", "environment", "mountPoints", "ulimits", "resourceRequirements", "secrets")
}


OF_NODES = {"numNodes": 2, "mainNode": 0, "nodeRangeProperties": []}


def register(batch: Batch, name: str = "d", container: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    properties = {"image": "busybox", "resourceRequirements": SMALL, **(container or {})}
    return batch.register_job_definition(
        jobDefinitionName=name, type="container", containerProperties=properties, **members
    )


def describe(batch: Batch, **members: Any) -> list[dict[str, Any]]:
    return batch.describe_job_definitions(**members)["jobDefinitions"]


def test_registration_answers_name_arn_and_revision(batch: Batch) -> None:
    arn = f"arn:aws:batch:{REGION}:{ACCOUNT}:job-definition/d"
    assert register(batch) == {"jobDefinitionName": "d", "jobDefinitionArn": f"{arn}:1", "revision": 1}
    assert register(batch) == {"jobDefinitionName": "d", "jobDefinitionArn": f"{arn}:2", "revision": 2}


def test_a_plain_definition_is_described_with_empty_collections(batch: Batch) -> None:
    register(batch)
    assert batch.describe_job_definitions() == {
        "jobDefinitions": [
            {
                "jobDefinitionName": "d",
                "jobDefinitionArn": batch.arn("job-definition", "d:1"),
                "revision": 1,
                "status": "ACTIVE",
                "type": "container",
                "parameters": {},
                "containerProperties": {**EMPTIES, "image": "busybox", "resourceRequirements": SMALL},
                "tags": {},
                "platformCapabilities": [],
                "containerOrchestrationType": "ECS",
            }
        ]
    }


def test_what_was_sent_comes_back(batch: Batch) -> None:
    container: dict[str, Any] = {
        "image": "busybox:1.36",
        "command": ["sh", "-c", "Ref::script"],
        "jobRoleArn": "arn:aws:iam::111122223333:role/job",
        "volumes": [{"name": "data", "host": {"sourcePath": "/data"}}, {"name": "scratch"}],
        "mountPoints": [{"containerPath": "/data", "sourceVolume": "data"}],
        "environment": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
        "resourceRequirements": [*SMALL, {"type": "GPU", "value": "1"}],
        "readonlyRootFilesystem": True,
        "privileged": True,
        "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 2048}],
        "user": "nobody:users",
        "linuxParameters": {
            "devices": [{"hostPath": "/dev/fuse", "permissions": ["READ", "WRITE"]}],
            "initProcessEnabled": True,
            "sharedMemorySize": 64,
            "maxSwap": 0,
            "swappiness": 60,
        },
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "mine"}},
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:x"}],
        "runtimePlatform": {"cpuArchitecture": "X86_64"},
        "enableExecuteCommand": False,
    }
    members = {
        "parameters": {"script": "true", "nf-token": "abc"},
        "schedulingPriority": 5,
        "retryStrategy": {
            "attempts": 3,
            "evaluateOnExit": [
                {"onStatusReason": "Host EC2*", "action": "RETRY"},
                {"onReason": "*", "onExitCode": "1*", "action": "exit"},
            ],
        },
        "timeout": {"attemptDurationSeconds": 60},
        "propagateTags": True,
        "platformCapabilities": ["EC2"],
        "tags": {"team": "science", "our:note": "x"},
    }
    register(batch, container=container, **members)
    (described,) = describe(batch)
    shown = {**EMPTIES, **container, "environment": [{"name": "A", "value": "1"}]}
    shown["linuxParameters"] = {**container["linuxParameters"], "tmpfs": []}
    shown["logConfiguration"] = {**container["logConfiguration"], "secretOptions": []}
    assert described == {
        "jobDefinitionName": "d",
        "jobDefinitionArn": batch.arn("job-definition", "d:1"),
        "revision": 1,
        "status": "ACTIVE",
        "type": "container",
        "containerProperties": shown,
        "containerOrchestrationType": "ECS",
        **members,
    }


def test_deprecated_requirements_come_back_in_their_old_form(batch: Batch) -> None:
    register(batch, container={"resourceRequirements": [], "vcpus": 2, "memory": 256})
    (described,) = describe(batch)
    assert described["containerProperties"] == {**EMPTIES, "image": "busybox", "vcpus": 2, "memory": 256}


def test_a_fargate_definition_gets_the_latest_platform(batch: Batch) -> None:
    pair = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    register(
        batch,
        container={"resourceRequirements": pair, "executionRoleArn": "arn:aws:iam::1:role/x"},
        platformCapabilities=["FARGATE"],
    )
    (described,) = describe(batch)
    assert described["platformCapabilities"] == ["FARGATE"]
    assert described["containerProperties"]["fargatePlatformConfiguration"] == {"platformVersion": "LATEST"}
    assert described["containerProperties"]["resourceRequirements"] == pair


def test_definitions_are_found_by_name_status_and_list(batch: Batch) -> None:
    for name in ("a", "a", "b"):
        register(batch, name)
    batch.deregister_job_definition(jobDefinition="a:1")

    def found(**members: Any) -> list[tuple[str, int, str]]:
        return [(each["jobDefinitionName"], each["revision"], each["status"]) for each in describe(batch, **members)]

    assert found() == [("a", 2, "ACTIVE"), ("a", 1, "INACTIVE"), ("b", 1, "ACTIVE")]
    assert found(jobDefinitionName="a", status="ACTIVE") == [("a", 2, "ACTIVE")]
    assert found(status="INACTIVE") == [("a", 1, "INACTIVE")]
    assert found(jobDefinitionName="nothing") == []
    listed = ["b:1", batch.arn("job-definition", "a:1"), "a:7", "b:x", "arn:aws:batch:us-east-1:1:job-definition/a:1"]
    assert found(jobDefinitions=listed) == [("b", 1, "ACTIVE"), ("a", 1, "INACTIVE")]
    assert found(jobDefinitions=["a"]) == [("a", 2, "ACTIVE"), ("a", 1, "INACTIVE")]


def test_revisions_are_not_used_twice(batch: Batch) -> None:
    register(batch)
    assert batch.deregister_job_definition(jobDefinition=batch.arn("job-definition", "d:1")) == {}
    assert batch.deregister_job_definition(jobDefinition="d:1") == {}, "once is enough, twice does no harm"
    assert register(batch)["revision"] == 2
    batch.deregister_job_definition(jobDefinition="d")
    assert describe(batch, status="ACTIVE") == []


def test_pages_hold_all_definitions_once(batch: Batch) -> None:
    for name in ("a", "b", "b", "c"):
        register(batch, name)
    pages = list(batch.client.get_paginator("describe_job_definitions").paginate(maxResults=2))
    assert [len(page["jobDefinitions"]) for page in pages] == [2, 2]
    assert [each["jobDefinitionArn"].rpartition("/")[2] for page in pages for each in page["jobDefinitions"]] == [
        "a:1",
        "b:2",
        "b:1",
        "c:1",
    ]


def test_a_token_is_of_use_in_its_own_call_only(batch: Batch) -> None:
    register(batch)
    register(batch)
    token = batch.describe_job_definitions(maxResults=1)["nextToken"]
    other = batch.refusal("describe_job_definitions", nextToken=token, status="ACTIVE")
    assert other == "The nextToken is not valid: it is damaged, or belongs to a call with other arguments"
    assert batch.refusal("describe_job_definitions", nextToken="garbage!") == "The nextToken is not valid"


def test_describe_refuses_contradictions(batch: Batch) -> None:
    both = batch.refusal("describe_job_definitions", jobDefinitions=["a:1"], maxResults=5)
    assert both == "W: JobDefinitions and MaxResults cannot both be set"
    both = batch.refusal("describe_job_definitions", jobDefinitions=["a:1"], status="ACTIVE")
    assert both == "W: JobDefinitions cannot be set together with other parameters"
    assert batch.refusal("describe_job_definitions", maxResults=101).startswith("W: MaxResults should be between")
    many = batch.refusal("describe_job_definitions", jobDefinitions=["a:1"] * 101)
    assert many == "W: JobDefinitions cannot have more than 100 entries, got 101"


def test_deregistering_what_is_not_there_is_refused(batch: Batch) -> None:
    text = "JobDefinition name d:1 does not exist or is not in ACTIVE status"
    assert batch.refusal("deregister_job_definition", jobDefinition="d:1") == text
    arn = batch.arn("job-definition", "d:1")
    assert batch.refusal("deregister_job_definition", jobDefinition=arn) == f"JobDefinition {arn} not found."


ON_FARGATE = {"platformCapabilities": ["FARGATE"]}
ROLE = {"executionRoleArn": "arn:aws:iam::111122223333:role/x"}


def pair(vcpus: str, memory: str) -> dict[str, Any]:
    return {"resourceRequirements": [{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}]}


@pytest.mark.parametrize(
    ("container", "members", "text"),
    [
        ({"resourceRequirements": SMALL[1:]}, {}, "W: vCPU is not provided."),
        ({"resourceRequirements": SMALL[:1]}, {}, "W: Memory is not provided."),
        (
            pair("1.0", "128"),
            {},
            "W: Value 1.0 for type VCPU in resourceRequirement is not valid. Please provide a numeric value.",
        ),
        ({"vcpus": 1}, {}, "W: vCPU cannot be specified in both vcpus and resourceRequirements."),
        ({"image": ""}, {}, "W: Container image is required."),
        ({"user": "Root"}, {}, "W: User 'Root' does not match regex"),
        (
            {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]},
            {},
            "W: Environment variable names cannot start with AWS_BATCH: AWS_BATCH_X",
        ),
        (
            {"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]},
            {},
            "W: Mount point /v names an unknown volume v",
        ),
        ({"networkConfiguration": {}}, {}, "W: networkConfiguration not applicable for EC2."),
        (ROLE | pair("2", "1024"), ON_FARGATE, "W: Fargate resource requirements (2.00 vCPU, 1024 MiB) not valid."),
        (ROLE | pair("1.25", "2048"), ON_FARGATE, "W: Fargate resource requirements (1.25 vCPU) not valid"),
        (
            ROLE | pair("1", "2048") | {"privileged": True},
            ON_FARGATE,
            "Fargate requires that the 'privileged' setting be 'false' at the container level.",
        ),
        (
            ROLE | pair("1", "2048") | {"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 1}]},
            ON_FARGATE,
            "W: ulimits is not applicable for Fargate.",
        ),
        (
            {"image": "busybox"},
            {"retryStrategy": {"evaluateOnExit": [{"action": "EXIT"}]}},
            "W: RetryAttempts must be provided with retry strategy",
        ),
        (
            {"image": "busybox"},
            {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onReason": "*x"}]}},
            "Evaluate on exit condition contains restricted characters",
        ),
        (
            {"image": "busybox"},
            {"retryStrategy": {"attempts": 11}},
            "W: Retry attempts should be between 1 and 10, got 11",
        ),
        (
            {"image": "busybox"},
            {"timeout": {"attemptDurationSeconds": 59}},
            "W: attemptDurationSeconds should be at least 60, got 59",
        ),
        ({"image": "busybox"}, {"tags": {"aws:x": "y"}}, "W: Tag keys cannot start with aws:"),
        (
            {"command": ["x" * 25_000]},
            {},
            "W: Job definition size must be less than 24 KiB, got 25 KiB",
        ),
    ],
)
def test_registration_refuses(batch: Batch, container: dict[str, Any], members: dict[str, Any], text: str) -> None:
    properties = {"image": "busybox", "resourceRequirements": SMALL, **container}
    refusal = batch.refusal(
        "register_job_definition",
        jobDefinitionName="d",
        type="container",
        containerProperties=properties,
        **members,
    )
    assert refusal == text
    assert describe(batch) == []


def test_a_bad_name_is_refused(batch: Batch) -> None:
    properties = {"image": "busybox", "resourceRequirements": SMALL}
    refusal = batch.refusal(
        "register_job_definition", jobDefinitionName="a.b", type="container", containerProperties=properties
    )
    assert refusal.startswith("W: Job definition name should match valid pattern")


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({"type": "container"}, "Container properties should not be empty"),
        ({"type": "multinode"}, "Node properties should not be empty"),
        ({"type": "multinode", "containerProperties": {"image": "busybox"}}, "Node properties should not be empty"),
        ({"type": "container", "nodeProperties": OF_NODES}, "Container properties should not be empty"),
        (
            {"type": "container", "containerProperties": {}, "ecsProperties": {"taskProperties": []}},
            "W: A job definition can have only one of containerProperties, ecsProperties",
        ),
        (
            {"type": "multinode", "containerProperties": {}, "nodeProperties": OF_NODES},
            "W: A job definition can have only one of containerProperties, nodeProperties",
        ),
    ],
)
def test_a_definition_has_the_one_form_of_its_type(batch: Batch, members: dict[str, Any], text: str) -> None:
    assert batch.refusal("register_job_definition", jobDefinitionName="d", **members) == text
