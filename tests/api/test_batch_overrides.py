"""SubmitJob of several containers, pods and nodes: what overrides make of a job, and what is refused."""

from typing import Any

import pytest

from tests.api.batch_service import Batch
from tests.api.forms import ROLE, a_pod, a_pod_container, a_range, a_task, a_task_container, of_nodes, pair

#: By definition, where it is not `queue`.
QUEUES = {"pod": "pods"}


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a queue, and a definition of each form."""
    batch.queue()
    batch.create_consumable_resource(consumableResourceName="licence", totalQuantity=9)
    batch.definition("plain")
    task = a_task(
        a_task_container("main", command=["run", "Ref::input"], environment=[{"name": "A", "value": "1"}]),
        a_task_container("side", command=["watch", "Ref::input"], essential=False),
    )
    batch.queue("pods", batch.eks_environment())
    pod = a_pod(
        a_pod_container(
            "main",
            command=["Ref::shell"],
            args=["-c", "Ref::input"],
            env=[{"name": "A", "value": "1"}],
            resources={
                "limits": {"cpu": "1", "memory": "64Mi", "nvidia.com/gpu": "1"},
                "requests": {"cpu": "0.5", "memory": "64Mi"},
            },
        ),
        initContainers=[a_pod_container("first")],
        metadata={"labels": {"a": "1", "b": "2"}, "namespace": "one"},
    )
    container = {"image": "busybox", "command": ["run", "Ref::input"], "resourceRequirements": pair("1", "64")}
    nodes = of_nodes(4, a_range("0:0", container=container), a_range("1:", container=container))
    parameters = {"input": "default", "shell": "sh"}
    for name, kind, form in (
        ("task", "container", {"ecsProperties": task}),
        ("pod", "container", {"eksProperties": pod}),
        ("nodes", "multinode", {"nodeProperties": nodes}),
        ("closed", "multinode", {"nodeProperties": of_nodes(2, a_range("0:1", container=container), main=1)}),
    ):
        batch.register_job_definition(jobDefinitionName=name, type=kind, parameters=parameters, **form)
    return batch


def submitted(batch: Batch, definition: str, **members: Any) -> dict[str, Any]:
    return batch.job(batch.submit(definition=definition, queue=QUEUES.get(definition, "queue"), **members))


def test_a_job_of_several_containers_is_described_whole(batch: Batch) -> None:
    job_id = batch.submit(definition="task")
    empties: dict[str, list[Any]] = {
        name: [] for name in ("dependsOn", "environment", "mountPoints", "secrets", "ulimits", "networkInterfaces")
    }
    main, side = (
        {**empties, "image": "busybox", "name": name, "command": [command, "default"], "essential": name == "main"}
        for name, command in (("main", "run"), ("side", "watch"))
    )
    asked = a_task_container()["resourceRequirements"]
    main |= {"environment": [{"name": "A", "value": "1"}], "resourceRequirements": asked}
    side |= {"resourceRequirements": asked}
    assert batch.job(job_id) == batch.as_submitted(
        job_id,
        "task:1",
        parameters={"input": "default", "shell": "sh"},
        ecsProperties={"taskProperties": [{"containers": [main, side], "volumes": []}]},
    )


def test_containers_of_a_task_are_overridden_by_name(batch: Batch) -> None:
    changes = {
        "name": "side",
        "command": ["echo", "Ref::word"],
        "environment": [{"name": "B", "value": "2"}],
        "resourceRequirements": [{"type": "MEMORY", "value": "256"}, {"type": "GPU", "value": "1"}],
    }
    job = submitted(
        batch,
        "task",
        parameters={"input": "given", "word": "hello"},
        ecsPropertiesOverride={"taskProperties": [{"containers": [changes]}]},
    )
    main, side = job["ecsProperties"]["taskProperties"][0]["containers"]
    assert main["command"] == ["run", "given"]
    assert main["environment"] == [{"name": "A", "value": "1"}]
    assert side["command"] == ["echo", "hello"]
    assert side["environment"] == [{"name": "B", "value": "2"}]
    assert side["resourceRequirements"] == [*pair("1", "256"), {"type": "GPU", "value": "1"}]


def test_containers_of_a_pod_are_overridden_by_name(batch: Batch) -> None:
    changes = {
        "name": "main",
        "image": "busybox:2",
        "command": ["Ref::shell", "-e"],
        "args": ["-c", "echo Ref::input"],
        "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "2"}},
    }
    first = {"name": "first", "args": ["Ref::input"]}
    metadata = {"labels": {"b": "3"}, "annotations": {"c": "4"}, "namespace": "two"}
    job = submitted(
        batch,
        "pod",
        parameters={"shell": "bash"},
        eksPropertiesOverride={
            "podProperties": {"containers": [changes], "initContainers": [first], "metadata": metadata}
        },
    )
    pod = job["eksProperties"]["podProperties"]
    assert pod["containers"] == [
        {
            "name": "main",
            "image": "busybox:2",
            "command": ["bash", "-e"],
            "args": ["-c", "echo default"],
            "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}],
            "resources": {"limits": {"nvidia.com/gpu": "1", "memory": "256Mi"}, "requests": {"cpu": "2"}},
            "volumeMounts": [],
        }
    ]
    assert pod["initContainers"][0]["args"] == ["default"]
    assert pod["metadata"] == {"labels": {"a": "1", "b": "3"}, "annotations": {"c": "4"}, "namespace": "two"}
    assert pod["hostNetwork"] is True
    assert not {"container", "ecsProperties", "nodeProperties"} & set(job)
    assert job["eksAttempts"] == []


def test_nodes_are_overridden_by_range_and_number(batch: Batch) -> None:
    job_id = batch.submit(
        definition="nodes",
        parameters={"input": "given"},
        tags={"a": "b"},
        nodeOverrides={
            "numNodes": 3,
            "nodePropertyOverrides": [
                {
                    "targetNodes": "1:",
                    "containerOverrides": {"command": ["work", "Ref::input"], "instanceType": "m5.large"},
                    "instanceTypes": ["m5.large"],
                    "consumableResourcePropertiesOverride": {
                        "consumableResourceList": [{"consumableResource": "licence", "quantity": 2}]
                    },
                }
            ],
        },
    )
    job = batch.job(job_id)
    first, others = job["nodeProperties"]["nodeRangeProperties"]
    assert (job["nodeProperties"]["numNodes"], job["nodeProperties"]["mainNode"]) == (3, 0)
    assert first["container"]["command"] == ["run", "given"]
    assert others["container"]["command"] == ["work", "given"]
    assert (others["container"]["instanceType"], others["instanceTypes"]) == ("m5.large", ["m5.large"])
    assert others["consumableResourceProperties"]["consumableResourceList"][0]["quantity"] == 2
    assert not {"container", "nodeDetails"} & set(job)
    node = batch.job(f"{job_id}#2")
    assert node["jobArn"] == batch.arn("job", f"{job_id}#2")
    assert node["nodeDetails"] == {"nodeIndex": 2, "isMainNode": False}
    assert node["container"] == {**others["container"], "networkInterfaces": []}
    assert (node["status"], node["tags"], job["tags"]) == ("SUBMITTED", {}, {"a": "b"})
    assert "nodeProperties" not in node
    assert batch.describe_jobs(jobs=[f"{job_id}#3"]) == {"jobs": []}
    assert batch.job(batch.arn("job", f"{job_id}#0"))["nodeDetails"]["isMainNode"] is True


def test_nodes_are_listed(batch: Batch) -> None:
    job_id = batch.submit(definition="nodes")
    (parent,) = batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"]
    assert parent["nodeProperties"] == {"numNodes": 4}
    pages = list(
        batch.client.get_paginator("list_jobs").paginate(multiNodeJobId=job_id, jobStatus="SUBMITTED", maxResults=3)
    )
    nodes = [node for page in pages for node in page["jobSummaryList"]]
    assert [len(page["jobSummaryList"]) for page in pages] == [3, 1]
    assert [node["jobId"] for node in nodes] == [f"{job_id}#{index}" for index in range(4)]
    assert nodes[1]["nodeProperties"] == {"isMainNode": False, "numNodes": 4, "nodeIndex": 1}
    assert batch.list_jobs(multiNodeJobId=job_id) == {"jobSummaryList": []}
    plain = batch.submit(definition="plain")
    assert batch.list_jobs(multiNodeJobId=plain, jobStatus="SUBMITTED") == {"jobSummaryList": []}


def test_consumable_resources_of_a_job_come_from_the_definition_or_the_submission(batch: Batch) -> None:
    def taking(quantity: int) -> dict[str, Any]:
        return {"consumableResourceList": [{"consumableResource": "licence", "quantity": quantity}]}

    batch.definition("taking", consumableResourceProperties=taking(1))
    assert submitted(batch, "taking")["consumableResourceProperties"] == taking(1)
    job = submitted(batch, "taking", consumableResourcePropertiesOverride=taking(3))
    assert job["consumableResourceProperties"] == taking(3)
    assert "consumableResourceProperties" not in submitted(batch, "plain")


def test_an_array_of_tasks_has_children_of_the_same_form(batch: Batch) -> None:
    job_id = batch.submit(definition="task", arrayProperties={"size": 2})
    job, child = batch.job(job_id), batch.job(f"{job_id}:1")
    assert job["ecsProperties"] == child["ecsProperties"]
    assert "container" not in child


EKS_TEXT = "Container overrides or node overrides should not be set for Batch on EKS jobs."
COMMAND = {"command": ["x"]}
OF_MAIN = {"taskProperties": [{"containers": [{"name": "main"}]}]}


@pytest.mark.parametrize(
    ("definition", "overrides", "text"),
    [
        (
            "task",
            {"containerOverrides": COMMAND},
            "W: containerOverrides should not be set for a job definition with ecsProperties",
        ),
        ("pod", {"containerOverrides": COMMAND}, EKS_TEXT),
        ("pod", {"nodeOverrides": {"numNodes": 2}}, EKS_TEXT),
        (
            "nodes",
            {"containerOverrides": COMMAND},
            "W: containerOverrides should not be set for a job definition with nodeProperties",
        ),
        (
            "plain",
            {"eksPropertiesOverride": {"podProperties": {"containers": [{"name": "main"}]}}},
            "W: eksPropertiesOverride should not be set for a job definition with containerProperties",
        ),
        (
            "task",
            {"ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "nobody", **COMMAND}]}]}},
            "Container overrides should match containers of the job definition. Non matching containers - nobody",
        ),
        (
            "task",
            {"ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "main"}] * 2}]}},
            "W: A container can be overridden once only",
        ),
        (
            "task",
            {"ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "main", "command": [""]}]}]}},
            "W: Command field cannot have empty strings",
        ),
        (
            "task",
            {"ecsPropertiesOverride": {"taskProperties": [{"containers": [{"name": "main", "command": ["Ref::x"]}]}]}},
            "Unable to substitute value. No parameter found for reference x",
        ),
        (
            "pod",
            {"eksPropertiesOverride": {"podProperties": {"containers": [{"name": "main", "args": ["Ref::x"]}]}}},
            "Unable to substitute value. No parameter found for reference x",
        ),
        (
            "pod",
            {"eksPropertiesOverride": {"podProperties": {"containers": [{"name": "main", "image": "a b"}]}}},
            "W: Image 'a b' does not match regex",
        ),
        (
            "pod",
            {
                "eksPropertiesOverride": {
                    "podProperties": {
                        "containers": [
                            {"name": "main", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}
                        ]
                    }
                }
            },
            "W: cpu in limits should be at least cpu in requests.",
        ),
        (
            "pod",
            {"eksPropertiesOverride": {"podProperties": {"metadata": {"namespace": "default"}}}},
            "W: Kubernetes namespace 'default' is not valid",
        ),
        (
            "nodes",
            {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:1", "containerOverrides": COMMAND}]}},
            "NodeOverride targets should match job definition. Non matching targets - 0:1",
        ),
        (
            "nodes",
            {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "x", "containerOverrides": COMMAND}]}},
            "NodeOverride targets should match job definition. Non matching targets - x",
        ),
        (
            "nodes",
            {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "1:", "ecsPropertiesOverride": OF_MAIN}]}},
            "W: ecsPropertiesOverride should not be set for a job definition with containerProperties",
        ),
        (
            "nodes",
            {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "1:", "instanceTypes": ["a", "b"]}]}},
            "W: instanceTypes cannot have more than one element",
        ),
        (
            "nodes",
            {"nodeOverrides": {"numNodes": 1}},
            "W: The lower boundaries of the node ranges should be fewer than the overriding numNodes",
        ),
        ("nodes", {"nodeOverrides": {"numNodes": 1001}}, "W: numNodes should be between 1 and 1000, got 1001"),
        (
            "closed",
            {"nodeOverrides": {"numNodes": 3}},
            "W: numNodes can be overridden only where a node range has an open upper boundary",
        ),
        (
            "pod",
            {"propagateTags": True},
            "W: propagateTags should not be set for a job definition with eksProperties",
        ),
        ("nodes", {"arrayProperties": {"size": 2}}, "W: A multi-node parallel job cannot be an array job"),
    ],
)
def test_an_override_is_refused(batch: Batch, definition: str, overrides: dict[str, Any], text: str) -> None:
    queue = QUEUES.get(definition, "queue")
    found = batch.refusal("submit_job", jobName="job", jobQueue=queue, jobDefinition=definition, **overrides)
    assert found == text
    assert batch.list_jobs(jobQueue=queue, jobStatus="SUBMITTED") == {"jobSummaryList": []}


@pytest.mark.parametrize("definition", ["plain", "task", "pod", "nodes"])
def test_empty_overrides_change_nothing(batch: Batch, definition: str) -> None:
    """Some clients send every member that they know."""
    empty: dict[str, Any] = {
        "containerOverrides": {"environment": [], "command": [], "resourceRequirements": []},
        "ecsPropertiesOverride": {"taskProperties": []},
        "eksPropertiesOverride": {"podProperties": {}},
        "nodeOverrides": {"nodePropertyOverrides": []},
        "consumableResourcePropertiesOverride": {"consumableResourceList": []},
    }
    members = ("container", "ecsProperties", "eksProperties", "nodeProperties")
    plain, given = submitted(batch, definition), submitted(batch, definition, **empty)
    assert [given.get(member) for member in members] == [plain.get(member) for member in members]


def test_fargate_checks_the_effective_sum(batch: Batch) -> None:
    batch.queue("fargate", batch.fargate_environment())
    halves = [a_task_container(name, resourceRequirements=pair("0.25", "512")) for name in "ab"]
    batch.register_job_definition(
        jobDefinitionName="on-fargate",
        type="container",
        platformCapabilities=["FARGATE"],
        ecsProperties=a_task(*halves, executionRoleArn=ROLE),
    )
    override = {"name": "a", "resourceRequirements": [{"type": "MEMORY", "value": "1024"}]}
    found = batch.refusal(
        "submit_job",
        jobName="j",
        jobQueue="fargate",
        jobDefinition="on-fargate",
        ecsPropertiesOverride={"taskProperties": [{"containers": [override]}]},
    )
    assert found == "W: Fargate resource requirements (0.50 vCPU, 1536 MiB) not valid."
