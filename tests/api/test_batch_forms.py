"""RegisterJobDefinition of several containers, pods and nodes: golden answers and refusals."""

from typing import Any

import pytest

from tests.api.batch_service import SMALL, Batch
from tests.api.forms import ROLE, a_pod, a_pod_container, a_range, a_task, a_task_container, of_nodes, pair

ON_FARGATE = {"platformCapabilities": ["FARGATE"]}
#: what a container of a task shows of what it was not given
TASK_EMPTIES: dict[str, list[Any]] = {
    name: [] for name in ("command", "dependsOn", "environment", "mountPoints", "secrets", "ulimits")
}
CONTAINER_EMPTIES: dict[str, list[Any]] = {
    name: [] for name in ("command", "environment", "mountPoints", "secrets", "ulimits", "volumes")
}
POD_EMPTIES: dict[str, list[Any]] = {name: [] for name in ("command", "args", "env", "volumeMounts")}


def register(batch: Batch, **members: Any) -> dict[str, Any]:
    """The definition as it is described after its registration."""
    batch.register_job_definition(jobDefinitionName="d", **members)
    (described,) = batch.describe_job_definitions()["jobDefinitions"]
    return described


def described(batch: Batch, kind: str, orchestration: str = "ECS", **members: Any) -> dict[str, Any]:
    return {
        "jobDefinitionName": "d",
        "jobDefinitionArn": batch.arn("job-definition", "d:1"),
        "revision": 1,
        "status": "ACTIVE",
        "type": kind,
        "parameters": {},
        "tags": {},
        "platformCapabilities": [],
        "containerOrchestrationType": orchestration,
        **members,
    }


def test_a_task_is_described_with_empty_collections(batch: Batch) -> None:
    found = register(batch, type="container", ecsProperties=a_task({"image": "busybox", "resourceRequirements": SMALL}))
    container = {
        **TASK_EMPTIES,
        "name": "default",
        "image": "busybox",
        "essential": True,
        "resourceRequirements": SMALL,
    }
    assert found == described(
        batch, "container", ecsProperties={"taskProperties": [{"containers": [container], "volumes": []}]}
    )


def test_a_whole_task_comes_back(batch: Batch) -> None:
    main = {
        **a_task_container("main"),
        "command": ["run", "Ref::input"],
        "dependsOn": [
            {"containerName": "log", "condition": "START"},
            {"containerName": "fetch", "condition": "SUCCESS"},
        ],
        "environment": [{"name": "A", "value": "1"}],
        "essential": True,
        "linuxParameters": {"initProcessEnabled": True, "devices": [], "tmpfs": []},
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "mine"}, "secretOptions": []},
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": True}],
        "privileged": True,
        "readonlyRootFilesystem": True,
        "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:x"},
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:x"}],
        "ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}],
        "user": "nobody",
        "stopTimeout": 10,
    }
    log = {
        **TASK_EMPTIES,
        **a_task_container("log"),
        "essential": False,
        "firelensConfiguration": {"type": "fluentbit", "options": {"a": "b"}},
        "startTimeout": 2,
    }
    fetch = {**TASK_EMPTIES, **a_task_container("fetch"), "essential": False}
    task = a_task(
        main,
        log,
        fetch,
        executionRoleArn=ROLE,
        taskRoleArn=ROLE,
        ipcMode="task",
        pidMode="host",
        volumes=[{"name": "data", "host": {"sourcePath": "/data"}}],
        enableExecuteCommand=False,
    )
    members: dict[str, Any] = {
        "consumableResourceProperties": {"consumableResourceList": [{"consumableResource": "licence", "quantity": 2}]},
        "parameters": {"input": "x"},
        "propagateTags": True,
        "platformCapabilities": ["EC2"],
    }
    found = register(batch, type="container", ecsProperties=task, **members)
    assert found == described(batch, "container", ecsProperties=task, **members)


def test_a_task_on_fargate_gets_the_latest_platform_and_adds_up_to_a_pair(batch: Batch) -> None:
    halves = [a_task_container(name, resourceRequirements=pair("0.25", "512")) for name in "ab"]
    found = register(batch, type="container", ecsProperties=a_task(*halves, executionRoleArn=ROLE), **ON_FARGATE)
    assert found["ecsProperties"]["taskProperties"][0]["platformVersion"] == "LATEST"


def test_a_pod_is_described_with_its_defaults(batch: Batch) -> None:
    limits = {"cpu": "1", "memory": "128Mi"}
    found = register(
        batch, type="container", eksProperties=a_pod({"image": "busybox", "resources": {"limits": limits}})
    )
    resources = {"limits": limits, "requests": {}}
    shown = {**POD_EMPTIES, "name": "Default", "image": "busybox", "resources": resources}
    pod = {"hostNetwork": True, "imagePullSecrets": [], "containers": [shown], "initContainers": [], "volumes": []}
    assert found == described(batch, "container", "EKS", eksProperties={"podProperties": pod})


def test_a_whole_pod_comes_back(batch: Batch) -> None:
    main = {
        "name": "main",
        "image": "busybox:1",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh"],
        "args": ["-c", "Ref::script"],
        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY"}],
        "resources": {
            "limits": {"cpu": "1", "memory": "128Mi", "nvidia.com/gpu": "1"},
            "requests": {"cpu": "0.25", "memory": "128Mi", "nvidia.com/gpu": "1"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch", "subPath": "a", "readOnly": True}],
        "securityContext": {
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
        },
    }
    first = {**POD_EMPTIES, "name": "first", "image": "busybox"}
    pod = a_pod(
        main,
        initContainers=[first],
        serviceAccountName="robot",
        hostNetwork=False,
        dnsPolicy="Default",
        imagePullSecrets=[{"name": "registry"}],
        volumes=[
            {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "host", "hostPath": {"path": "/data"}},
            {"name": "secret", "secret": {"secretName": "s", "optional": True}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
        ],
        metadata={"labels": {"app": "a"}, "annotations": {"example.com/note": "any text"}, "namespace": "science"},
        shareProcessNamespace=True,
        securityContext={"runAsUser": 1, "fsGroup": 2},
    )
    found = register(batch, type="container", eksProperties=pod)
    assert found == described(batch, "container", "EKS", eksProperties=pod)


def test_nodes_come_back(batch: Batch) -> None:
    container = {
        "image": "busybox",
        "instanceType": "m5.large",
        "environment": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
        "vcpus": 1,
        "memory": 64,
    }
    nodes = of_nodes(
        8,
        a_range("0:", container=container, instanceTypes=["m5.large"]),
        a_range(
            "2:3",
            ecsProperties=a_task(),
            consumableResourceProperties={"consumableResourceList": [{"consumableResource": "l", "quantity": 1}]},
        ),
        main=1,
    )
    found = register(batch, type="multinode", nodeProperties=nodes)
    first, second = nodes["nodeRangeProperties"]
    shown = {
        **CONTAINER_EMPTIES,
        **container,
        "environment": [{"name": "A", "value": "1"}],
        "resourceRequirements": [],
    }
    task = {"containers": [{**TASK_EMPTIES, **a_task_container(), "essential": True}], "volumes": []}
    ranges = [{**first, "container": shown}, {**second, "ecsProperties": {"taskProperties": [task]}}]
    assert found == described(batch, "multinode", nodeProperties={**nodes, "nodeRangeProperties": ranges})


def test_nodes_that_are_pods_belong_to_kubernetes(batch: Batch) -> None:
    nodes = of_nodes(2, a_range(":", eksProperties=a_pod()))
    assert register(batch, type="multinode", nodeProperties=nodes)["containerOrchestrationType"] == "EKS"


def refusal(batch: Batch, **members: Any) -> str:
    text = batch.refusal("register_job_definition", jobDefinitionName="d", **members)
    assert batch.describe_job_definitions() == {"jobDefinitions": []}
    return text


OTHER = a_task_container("other", essential=False)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ({"taskProperties": []}, "taskProperties should have exactly one element"),
        ({"taskProperties": a_task()["taskProperties"] * 2}, "taskProperties should have exactly one element"),
        ({"taskProperties": [{"containers": []}]}, "A task should have between 1 and 10 containers, got 0"),
        (
            a_task(*(a_task_container(f"c{index}") for index in range(11))),
            "A task should have between 1 and 10 containers, got 11",
        ),
        (a_task(a_task_container(), a_task_container()), "Container names should be unique, got main more than once"),
        (
            a_task(a_task_container("a.b")),
            "Containers need a name of 1 to 255 letters, digits, hyphens and underscores",
        ),
        (a_task(OTHER), "A task should have at least one essential container"),
        (
            a_task(a_task_container(dependsOn=[{"containerName": "x", "condition": "START"}])),
            "Container main depends on an unknown container x",
        ),
        (
            a_task(a_task_container(dependsOn=[{"containerName": "other", "condition": "HEALTHY"}]), OTHER),
            "The condition of dependsOn should be one of START, COMPLETE, SUCCESS",
        ),
        (
            a_task(
                a_task_container(),
                {**OTHER, "dependsOn": [{"containerName": "main", "condition": "COMPLETE"}]},
            ),
            "The condition COMPLETE cannot be set on the essential container main",
        ),
        (
            a_task(a_task_container(dependsOn=[{"containerName": "main", "condition": "START"}])),
            "Containers depend on each other in a circle: main -> main",
        ),
        (a_task(a_task_container(startTimeout=1)), "startTimeout should be at least 2, got 1"),
        (a_task(a_task_container(stopTimeout=0)), "stopTimeout should be at least 2, got 0"),
        (a_task(ipcMode="shareable"), "ipcMode should be host, task or none, got shareable"),
        (a_task(pidMode="none"), "pidMode should be host or task, got none"),
        (a_task(networkMode="host"), "networkMode is not applicable for EC2."),
        (a_task(platformVersion="LATEST"), "platformVersion not applicable for EC2."),
        (a_task(networkConfiguration={}), "networkConfiguration not applicable for EC2."),
        (a_task(a_task_container(resourceRequirements=SMALL[1:])), "vCPU is not provided."),
        (
            a_task(a_task_container(), {**OTHER, "resourceRequirements": SMALL[:1]}),
            "Memory is not provided.",
        ),
        (a_task(a_task_container(user="Root")), "User 'Root' does not match regex"),
        (
            a_task(a_task_container(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}])),
            "Mount point /v names an unknown volume v",
        ),
        (
            a_task(a_task_container(secrets=[{"name": "AWS_BATCH_X", "valueFrom": "x"}])),
            "Names of secrets cannot start with AWS_BATCH: AWS_BATCH_X",
        ),
    ],
)
def test_a_task_is_refused(batch: Batch, task: dict[str, Any], text: str) -> None:
    assert refusal(batch, type="container", ecsProperties=task) == f"W: {text}"


@pytest.mark.parametrize(
    ("containers", "members", "text"),
    [
        (
            [a_task_container(name, resourceRequirements=pair("0.5", "512")) for name in "abc"],
            {},
            "W: Fargate resource requirements (1.50 vCPU) not valid",
        ),
        (
            [a_task_container(name, resourceRequirements=pair("1", "512")) for name in "ab"],
            {},
            "W: Fargate resource requirements (2.00 vCPU, 1024 MiB) not valid.",
        ),
        (
            [a_task_container(resourceRequirements=[*pair("1", "2048"), {"type": "GPU", "value": "1"}])],
            {},
            "W: GPU is not applicable for Fargate.",
        ),
        (
            [a_task_container(resourceRequirements=pair("1", "2048"), privileged=True)],
            {},
            "Fargate requires that the 'privileged' setting be 'false' at the container level.",
        ),
        (
            [a_task_container(resourceRequirements=pair("1", "2048"), stopTimeout=121)],
            {},
            "W: stopTimeout should be at most 120 for Fargate, got 121",
        ),
        (
            [a_task_container(resourceRequirements=pair("1", "2048"))],
            {"executionRoleArn": None},
            "W: executionRoleArn is required for Fargate.",
        ),
        (
            [a_task_container(resourceRequirements=pair("1", "2048"))],
            {"platformVersion": "2.0"},
            "W: platformVersion should be 1.3.0, 1.4.0 or LATEST, got 2.0",
        ),
    ],
)
def test_a_task_on_fargate_is_refused(
    batch: Batch, containers: list[dict[str, Any]], members: dict[str, Any], text: str
) -> None:
    given = {name: value for name, value in ({"executionRoleArn": ROLE} | members).items() if value is not None}
    assert refusal(batch, type="container", ecsProperties=a_task(*containers, **given), **ON_FARGATE) == text


def asking(**resources: dict[str, str]) -> dict[str, Any]:
    return a_pod(a_pod_container(resources=resources))


@pytest.mark.parametrize(
    ("pod", "text"),
    [
        ({}, "A pod should have between 1 and 10 containers, got 0"),
        (a_pod(initContainers=[a_pod_container(f"c{index}") for index in range(11)]), "A pod cannot have more than 10"),
        (a_pod(initContainers=[a_pod_container()]), "Container names should be unique, got main more than once"),
        (a_pod(a_pod_container("a.b")), "Container name a.b should be 1 to 63 letters, digits and hyphens"),
        (a_pod(a_pod_container(image="has space")), "Image 'has space' does not match regex"),
        (a_pod(a_pod_container(imagePullPolicy="Sometimes")), "imagePullPolicy should be one of Always"),
        (a_pod(dnsPolicy="None"), "dnsPolicy should be one of Default"),
        (a_pod(a_pod_container(env=[{"name": "AWS_BATCH_X", "value": "1"}])), "Environment variable names cannot"),
        (asking(), "vCPU is not provided."),
        (asking(limits={"cpu": "1"}), "Memory is not provided."),
        (asking(limits={"cpu": "1", "memory": "128"}), "Value 128 for memory in resources of container main is not"),
        (asking(limits={"cpu": "1", "memory": "3Mi"}), "Memory should be at least 4 MiB."),
        (asking(limits={"cpu": "0.3", "memory": "64Mi"}), "cpu should be a multiple of 0.25."),
        (asking(limits={"cpu": "0", "memory": "64Mi"}), "cpu should be a multiple of 0.25."),
        (asking(limits={"disk": "1"}), "Resources of a container are cpu, memory, nvidia.com/gpu, not disk"),
        (
            asking(limits={"cpu": "1", "memory": "64Mi"}, requests={"memory": "32Mi"}),
            "memory in limits should be equal to memory in requests.",
        ),
        (
            asking(limits={"cpu": "1", "memory": "64Mi"}, requests={"cpu": "2"}),
            "cpu in limits should be at least cpu in requests.",
        ),
        (asking(limits={"cpu": "1", "memory": "64Mi", "nvidia.com/gpu": "0.5"}), "Value 0.5 for nvidia.com/gpu"),
        (
            a_pod(a_pod_container(volumeMounts=[{"name": "v", "mountPath": "/v"}])),
            "Volume mount /v names an unknown volume v",
        ),
        (a_pod(a_pod_container(volumeMounts=[{"name": "v"}])), "Volume mounts need a name and a mountPath"),
        (a_pod(volumes=[{"name": "v"}]), "Volume v should be exactly one of hostPath, emptyDir, secret and"),
        (a_pod(volumes=[{"name": "V", "emptyDir": {}}]), "Volume name V should be a DNS subdomain name"),
        (a_pod(volumes=[{"name": "v", "emptyDir": {}}] * 2), "Volume v is defined more than once"),
        (a_pod(volumes=[{"name": "v", "emptyDir": {"medium": "Disk"}}]), 'The medium of volume v should be "" or'),
        (a_pod(volumes=[{"name": "v", "hostPath": {}}]), "The hostPath of volume v needs a path"),
        (a_pod(metadata={"namespace": "kube-system"}), "Kubernetes namespace 'kube-system' is not valid"),
        (a_pod(metadata={"labels": {"a": "b c"}}), "Labels should be up to 63 letters"),
        (a_pod(a_pod_container(securityContext={"runAsUser": -1})), "runAsUser should be between 0 and 2147483647"),
        (a_pod(securityContext={"seccompProfile": {"type": "Localhost"}}), "localhostProfile should be given with"),
    ],
)
def test_a_pod_is_refused(batch: Batch, pod: dict[str, Any], text: str) -> None:
    found = refusal(batch, type="container", eksProperties=pod)
    assert found.startswith(f"W: {text}"), found


@pytest.mark.parametrize("members", [{"platformCapabilities": ["EC2"]}, {"propagateTags": False}])
def test_a_pod_knows_neither_platforms_nor_tags(batch: Batch, members: dict[str, Any]) -> None:
    (name,) = members
    text = f"W: {name} should not be set for a job definition with eksProperties"
    assert refusal(batch, type="container", eksProperties=a_pod(), **members) == text
    nodes = of_nodes(2, a_range(":", eksProperties=a_pod()))
    assert refusal(batch, type="multinode", nodeProperties=nodes, **members) == text


ON_TWO_TYPES = [
    a_range("0:0", container={"image": "busybox", "resourceRequirements": SMALL, "instanceType": "m5.large"}),
    a_range("1:", container={"image": "busybox", "resourceRequirements": SMALL}, instanceTypes=["c5.large"]),
]


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        (of_nodes(0), "numNodes should be between 1 and 1000, got 0"),
        (of_nodes(1001), "numNodes should be between 1 and 1000, got 1001"),
        (of_nodes(2, main=2), "mainNode should be between 0 and 1, got 2"),
        (of_nodes(2, main=-1), "mainNode should be between 0 and 1, got -1"),
        (of_nodes(6, *(a_range(f"{index}:") for index in range(6))), "nodeRangeProperties should have between 1 and 5"),
        (of_nodes(2, a_range("a:b")), "targetNodes should be a range such as 0:3, got a:b"),
        (of_nodes(2, a_range("0:2")), "targetNodes 0:2 should be within 0:1"),
        (of_nodes(2, a_range(":"), a_range("2:")), "targetNodes 2: should be within 0:1"),
        (
            of_nodes(3, a_range("0:0"), a_range("2:")),
            "The node ranges should account for all nodes, none accounts for 1",
        ),
        (of_nodes(2, {"targetNodes": ":", "instanceTypes": []}), "Node range : should have exactly one of container"),
        (
            of_nodes(2, a_range(":", ecsProperties=a_task(), eksProperties=a_pod())),
            "Node range : should have exactly one of container",
        ),
        (
            of_nodes(2, a_range("0:0", ecsProperties=a_task()), a_range("1:", eksProperties=a_pod())),
            "The node ranges should be all of Amazon ECS or all of Amazon EKS",
        ),
        (of_nodes(2, *ON_TWO_TYPES), "All node ranges should have the same instance type, got c5.large, m5.large"),
        (
            of_nodes(2, a_range(":", ecsProperties=a_task(), instanceTypes=["a", "b"])),
            "instanceTypes cannot have more than one element",
        ),
        (of_nodes(2, a_range(":", container={"image": "busybox"})), "vCPU is not provided."),
        (of_nodes(2, a_range(":", container={"resourceRequirements": SMALL})), "Container image is required."),
    ],
)
def test_nodes_are_refused(batch: Batch, nodes: dict[str, Any], text: str) -> None:
    found = refusal(batch, type="multinode", nodeProperties=nodes)
    assert found.startswith(f"W: {text}"), found


def test_fargate_knows_no_nodes(batch: Batch) -> None:
    found = refusal(batch, type="multinode", nodeProperties=of_nodes(2), **ON_FARGATE)
    assert found == "W: Multi-node parallel jobs are not applicable for Fargate."
