"""Requests on job definitions that are carried out: every form of definition, with all that it can hold."""

from typing import Any

from tests.api.conformance.examples.resources import first_page
from tests.api.conformance.world import SMALL, World, example

ROLE = "arn:aws:iam::000000000000:role/job"
SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:one"
EFS = {
    "name": "network",
    "efsVolumeConfiguration": {
        "fileSystemId": "fs-1",
        "transitEncryption": "ENABLED",
        "transitEncryptionPort": 2049,
        "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"},
    },
}
VOLUMES = [
    {"name": "host", "host": {"sourcePath": "/mnt/host"}},
    EFS,
    {"name": "plain", "efsVolumeConfiguration": {"fileSystemId": "fs-2", "rootDirectory": "/data"}},
    {
        "name": "objects",
        "s3filesVolumeConfiguration": {
            "fileSystemArn": "arn:aws:s3files:us-east-1:000000000000:file-system/fs-3",
            "rootDirectory": "/objects",
            "transitEncryptionPort": 2050,
            "accessPointArn": "arn:aws:s3files:us-east-1:000000000000:access-point/one",
        },
    },
]
MOUNTS = [{"sourceVolume": "host", "containerPath": "/data", "readOnly": True}]
LINUX = {
    "devices": [{"hostPath": "/dev/null", "containerPath": "/dev/nothing", "permissions": ["READ"]}],
    "initProcessEnabled": True,
    "sharedMemorySize": 65,
    "tmpfs": [{"containerPath": "/scratch", "size": 66, "mountOptions": ["noexec"]}],
    "maxSwap": 67,
    "swappiness": 68,
}
LOGS = {
    "logDriver": "awslogs",
    "options": {"awslogs-group": "group", "awslogs-stream-prefix": "prefix"},
    "secretOptions": [{"name": "token", "valueFrom": SECRET}],
}
PLATFORM = {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
ULIMITS = [{"name": "nofile", "softLimit": 1024, "hardLimit": 2048}]
#: What containers of containerProperties and of ecsProperties have in common.
COMMON = {
    "image": "busybox",
    "command": ["echo", "Ref::greeting"],
    "environment": [{"name": "VARIABLE", "value": "its value"}],
    "mountPoints": MOUNTS,
    "readonlyRootFilesystem": True,
    "privileged": True,
    "ulimits": ULIMITS,
    "user": "nobody",
    "resourceRequirements": [*SMALL, {"type": "GPU", "value": "1"}],
    "linuxParameters": LINUX,
    "logConfiguration": LOGS,
    "secrets": [{"name": "SECRET", "valueFrom": SECRET}],
    "repositoryCredentials": {"credentialsParameter": SECRET},
}
CONTAINER = {
    **COMMON,
    "jobRoleArn": ROLE,
    "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
    "volumes": VOLUMES,
    "enableExecuteCommand": True,
    "runtimePlatform": PLATFORM,
}
FARGATE_SIZE = [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "1024"}]
ON_FARGATE = {
    "networkConfiguration": {"assignPublicIp": "ENABLED"},
    "ephemeralStorage": {"sizeInGiB": 30},
    "runtimePlatform": PLATFORM,
    "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
}
CONSUMABLES = {"consumableResourceList": [{"consumableResource": "licence", "quantity": 2}]}


def _task(**members: Any) -> dict[str, Any]:
    return {"taskProperties": [members]}


SIDE = {"name": "side", "image": "busybox", "essential": False, "resourceRequirements": SMALL}
TASK = _task(
    containers=[
        {
            **COMMON,
            "name": "main",
            "essential": True,
            "dependsOn": [{"containerName": "side", "condition": "COMPLETE"}],
            "startTimeout": 90,
            "stopTimeout": 40,
        },
        SIDE,
        {
            "name": "router",
            "image": "busybox",
            "essential": False,
            "resourceRequirements": SMALL,
            "firelensConfiguration": {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true"}},
        },
    ],
    executionRoleArn="arn:aws:iam::000000000000:role/execution",
    taskRoleArn=ROLE,
    ipcMode="task",
    pidMode="host",
    volumes=VOLUMES,
    enableExecuteCommand=True,
    runtimePlatform=PLATFORM,
)
TASK_ON_FARGATE = _task(
    containers=[{"name": "main", "image": "busybox", "resourceRequirements": FARGATE_SIZE}],
    platformVersion="1.4.0",
    **ON_FARGATE,
)
TASK_ON_MANAGED_INSTANCES = _task(
    containers=[{"name": "main", "image": "busybox", "resourceRequirements": SMALL}], networkMode="host"
)
POD_CONTAINER = {
    "name": "main",
    "image": "busybox",
    "imagePullPolicy": "Never",
    "command": ["echo"],
    "args": ["hello", "Ref::greeting"],
    "env": [{"name": "VARIABLE", "value": "its value"}],
    "resources": {
        "limits": {"cpu": "1", "memory": "64Mi", "nvidia.com/gpu": "1"},
        "requests": {"cpu": "0.5", "memory": "64Mi", "nvidia.com/gpu": "1"},
    },
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch", "subPath": "part", "readOnly": True}],
    "securityContext": {
        "runAsUser": 1000,
        "runAsGroup": 1001,
        "privileged": True,
        "allowPrivilegeEscalation": True,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW"]},
        "seccompProfile": {"type": "Localhost", "localhostProfile": "profile.json"},
    },
}
POD = {
    "podProperties": {
        "serviceAccountName": "account",
        "hostNetwork": False,
        "dnsPolicy": "ClusterFirst",
        "imagePullSecrets": [{"name": "pull-secret"}],
        "containers": [POD_CONTAINER],
        "initContainers": [POD_CONTAINER | {"name": "before"}],
        "volumes": [
            {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "32Mi"}},
            {"name": "host", "hostPath": {"path": "/mnt/host"}},
            {"name": "hidden", "secret": {"secretName": "its-secret", "optional": True}},
            {"name": "claimed", "persistentVolumeClaim": {"claimName": "its-claim", "readOnly": True}},
        ],
        "metadata": {
            "labels": {"label": "one"},
            "annotations": {"annotation": "two"},
            "namespace": "batch-jobs",
        },
        "shareProcessNamespace": True,
        "securityContext": {
            "runAsUser": 1002,
            "runAsGroup": 1003,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "Localhost", "localhostProfile": "pod.json"},
            "fsGroup": 1004,
        },
    }
}


def _new(kind: str = "container", **members: Any) -> dict[str, Any]:
    return {"jobDefinitionName": "new", "type": kind, **members}


def _nodes(**members: Any) -> dict[str, Any]:
    group = {"targetNodes": "0:", **members}
    return _new("multinode", nodeProperties={"numNodes": 2, "mainNode": 1, "nodeRangeProperties": [group]})


@example("RegisterJobDefinition")
def container(world: World) -> dict[str, Any]:
    rules = [
        {"onStatusReason": "Host EC2*", "onReason": "Out*", "onExitCode": "13*", "action": "retry"},
        {"onReason": "*", "action": "exit"},
    ]
    return _new(
        parameters={"greeting": "hello"},
        schedulingPriority=5,
        containerProperties=CONTAINER,
        retryStrategy={"attempts": 4, "evaluateOnExit": rules},
        propagateTags=True,
        timeout={"attemptDurationSeconds": 99},
        tags={"team": "a"},
        platformCapabilities=["EC2"],
    )


@example("RegisterJobDefinition")
def deprecated_size(world: World) -> dict[str, Any]:
    return _new(containerProperties={"image": "busybox", "vcpus": 2, "memory": 70})


@example("RegisterJobDefinition")
def container_on_fargate(world: World) -> dict[str, Any]:
    properties = {
        "image": "busybox",
        "resourceRequirements": FARGATE_SIZE,
        "fargatePlatformConfiguration": {"platformVersion": "1.4.0"},
        **ON_FARGATE,
    }
    return _new(containerProperties=properties, platformCapabilities=["FARGATE"])


@example("RegisterJobDefinition")
def consuming(world: World) -> dict[str, Any]:
    assert world.consumable, "made, so that it is there"
    properties = {"image": "busybox", "resourceRequirements": SMALL}
    return _new(containerProperties=properties, consumableResourceProperties=CONSUMABLES)


@example("RegisterJobDefinition")
def task(world: World) -> dict[str, Any]:
    return _new(ecsProperties=TASK, parameters={"greeting": "hello"})


@example("RegisterJobDefinition")
def task_on_fargate(world: World) -> dict[str, Any]:
    return _new(ecsProperties=TASK_ON_FARGATE, platformCapabilities=["FARGATE"])


@example("RegisterJobDefinition")
def task_on_managed_instances(world: World) -> dict[str, Any]:
    return _new(ecsProperties=TASK_ON_MANAGED_INSTANCES, platformCapabilities=["MANAGED_INSTANCES"])


@example("RegisterJobDefinition")
def pod(world: World) -> dict[str, Any]:
    return _new(eksProperties=POD, parameters={"greeting": "hello"})


@example("RegisterJobDefinition")
def nodes(world: World) -> dict[str, Any]:
    definition = _nodes(container=CONTAINER | {"instanceType": "c5.large"})
    return definition | {"parameters": {"greeting": "hello"}}


@example("RegisterJobDefinition")
def nodes_of_deprecated_size(world: World) -> dict[str, Any]:
    return _nodes(container={"image": "busybox", "vcpus": 2, "memory": 70})


@example("RegisterJobDefinition")
def nodes_of_consumers(world: World) -> dict[str, Any]:
    assert world.consumable, "made, so that it is there"
    properties = {"image": "busybox", "resourceRequirements": SMALL}
    return _nodes(container=properties, consumableResourceProperties=CONSUMABLES)


@example("RegisterJobDefinition")
def nodes_of_tasks(world: World) -> dict[str, Any]:
    definition = _nodes(ecsProperties=TASK, instanceTypes=["c5.large"])
    return definition | {"parameters": {"greeting": "hello"}}


@example("RegisterJobDefinition")
def nodes_of_pods(world: World) -> dict[str, Any]:
    definition = _nodes(eksProperties=POD, instanceTypes=["c5.large"])
    return definition | {"parameters": {"greeting": "hello"}}


@example("DeregisterJobDefinition")
def deregister(world: World) -> dict[str, Any]:
    return {"jobDefinition": world.definition}


@example("DescribeJobDefinitions")
def describe(world: World) -> dict[str, Any]:
    world.register("other")
    return {"jobDefinitions": [world.definition]}


@example("DescribeJobDefinitions")
def describe_by_name(world: World) -> dict[str, Any]:
    for arn in (world.definition, world.register("other")):
        world.make("DeregisterJobDefinition", jobDefinition=arn)
    world.register("definition")
    return {"jobDefinitionName": "definition", "status": "INACTIVE"}


@example("DescribeJobDefinitions")
def describe_first(world: World) -> dict[str, Any]:
    return first_page(world, "DescribeJobDefinitions", [world.definition, world.register("b"), world.register("c")])
