"""Requests on jobs that are carried out."""

from typing import Any

from tests.api.conformance.examples.definitions import (
    CONTAINER,
    FARGATE_SIZE,
    ON_FARGATE,
    POD,
    TASK,
    TASK_ON_FARGATE,
    TASK_ON_MANAGED_INSTANCES,
)
from tests.api.conformance.examples.resources import MANAGED_INSTANCES, first_page
from tests.api.conformance.world import SMALL, World, example
from tests.integration.live import eventually

SIZE = [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "77"}]
OVERRIDES = {
    "command": ["echo", "other"],
    "environment": [{"name": "OTHER", "value": "other value"}],
    "resourceRequirements": SIZE,
}
TASK_OVERRIDES = {"taskProperties": [{"containers": [{"name": "main", **OVERRIDES}]}]}
_POD_CONTAINER = {
    "name": "main",
    "image": "alpine",
    "command": ["printf"],
    "args": ["other"],
    "env": [{"name": "OTHER", "value": "other value"}],
    "resources": {"limits": {"cpu": "2", "memory": "80Mi"}, "requests": {"cpu": "1.5", "memory": "80Mi"}},
}
POD_OVERRIDES = {
    "podProperties": {
        "containers": [_POD_CONTAINER],
        "initContainers": [_POD_CONTAINER | {"name": "before"}],
        "metadata": {"labels": {"other": "label"}, "annotations": {"other": "note"}, "namespace": "other-jobs"},
    }
}
CONSUMED = {"consumableResourceList": [{"consumableResource": "licence", "quantity": 3}]}


def _new(world: World, **members: Any) -> dict[str, Any]:
    return {"jobName": "new", "jobQueue": world.queue, "jobDefinition": world.definition, **members}


@example("SubmitJob")
def with_all_settings(world: World) -> dict[str, Any]:
    definition = world.register(
        "whole", containerProperties=CONTAINER | {"resourceRequirements": SMALL}, parameters={"greeting": "hello"}
    )
    rules = [{"onStatusReason": "Host EC2*", "onReason": "Out*", "onExitCode": "13*", "action": "RETRY"}]
    return _new(
        world,
        jobDefinition=definition,
        parameters={"greeting": "welcome"},
        containerOverrides=OVERRIDES | {"command": ["printf", "Ref::greeting"]},
        retryStrategy={"attempts": 3, "evaluateOnExit": rules},
        propagateTags=True,
        timeout={"attemptDurationSeconds": 98},
        tags={"team": "a"},
    )


@example("SubmitJob")
def deprecated_size(world: World) -> dict[str, Any]:
    definition = world.register("old", containerProperties={"image": "busybox", "vcpus": 1, "memory": 70})
    return _new(world, jobDefinition=definition, containerOverrides={"vcpus": 2, "memory": 71})


def _fargate(world: World) -> str:
    order = world.order(world.fargate)
    world.make("CreateJobQueue", jobQueueName="fargate", priority=1, computeEnvironmentOrder=order)
    return "fargate"


@example("SubmitJob")
def on_fargate(world: World) -> dict[str, Any]:
    container = {"image": "busybox", "resourceRequirements": FARGATE_SIZE, **ON_FARGATE}
    definition = world.register("on-fargate", containerProperties=container, platformCapabilities=["FARGATE"])
    size = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}]
    overrides = {"containerOverrides": {"resourceRequirements": size}}
    return _new(world, jobQueue=_fargate(world), jobDefinition=definition, **overrides)


@example("SubmitJob")
def array(world: World) -> dict[str, Any]:
    depends = [{"jobId": world.array, "type": "N_TO_N"}]
    return _new(world, arrayProperties={"size": 2}, dependsOn=depends)


@example("SubmitJob")
def shared(world: World) -> dict[str, Any]:
    return _new(world, jobQueue=world.shared_queue, shareIdentifier="team", schedulingPriorityOverride=8)


@example("SubmitJob")
def consuming(world: World) -> dict[str, Any]:
    assert world.consumable, "made, so that it is there"
    return _new(world, consumableResourcePropertiesOverride=CONSUMED)


@example("SubmitJob")
def task(world: World) -> dict[str, Any]:
    definition = world.register("task", ecsProperties=TASK, parameters={"greeting": "hello"})
    return _new(world, jobDefinition=definition, ecsPropertiesOverride=TASK_OVERRIDES)


@example("SubmitJob")
def task_on_fargate(world: World) -> dict[str, Any]:
    definition = world.register("task", ecsProperties=TASK_ON_FARGATE, platformCapabilities=["FARGATE"])
    return _new(world, jobQueue=_fargate(world), jobDefinition=definition)


@example("SubmitJob")
def task_on_managed_instances(world: World) -> dict[str, Any]:
    world.make(
        "CreateComputeEnvironment",
        computeEnvironmentName="instances",
        type="MANAGED",
        computeResources=MANAGED_INSTANCES,
    )
    world.make("CreateJobQueue", jobQueueName="instances", priority=1, computeEnvironmentOrder=world.order("instances"))
    definition = world.register(
        "task", ecsProperties=TASK_ON_MANAGED_INSTANCES, platformCapabilities=["MANAGED_INSTANCES"]
    )
    return _new(world, jobQueue="instances", jobDefinition=definition)


@example("SubmitJob")
def pod(world: World) -> dict[str, Any]:
    definition = world.register("pod", eksProperties=POD, parameters={"greeting": "hello"})
    return _new(world, jobQueue=world.pod_queue, jobDefinition=definition, eksPropertiesOverride=POD_OVERRIDES)


def _nodes(world: World, group: dict[str, Any], **override: Any) -> dict[str, Any]:
    properties = {"numNodes": 2, "mainNode": 0, "nodeRangeProperties": [{"targetNodes": "0:", **group}]}
    definition = world.register("nodes", type="multinode", nodeProperties=properties, parameters={"greeting": "hello"})
    overrides = {"numNodes": 3, "nodePropertyOverrides": [{"targetNodes": "0:", **override}]}
    queue = world.pod_queue if "eksProperties" in group else _instances(world)
    return _new(world, jobDefinition=definition, jobQueue=queue, nodeOverrides=overrides)


def _instances(world: World) -> str:
    """A queue on instances: what is unmanaged takes no multi-node jobs."""
    world.make("UpdateComputeEnvironment", computeEnvironment=world.managed, state="DISABLED")
    order = world.order(world.managed)
    world.make("CreateJobQueue", jobQueueName="instances", priority=1, computeEnvironmentOrder=order)
    return "instances"


@example("SubmitJob")
def nodes(world: World) -> dict[str, Any]:
    group = {"container": CONTAINER | {"instanceType": "c5.large"}}
    return _nodes(world, group, containerOverrides=OVERRIDES | {"instanceType": "c5.xlarge"})


@example("SubmitJob")
def nodes_of_deprecated_size(world: World) -> dict[str, Any]:
    container = {"image": "busybox", "vcpus": 1, "memory": 70}
    return _nodes(world, {"container": container}, containerOverrides={"vcpus": 2, "memory": 71})


@example("SubmitJob")
def nodes_of_consumers(world: World) -> dict[str, Any]:
    assert world.consumable, "made, so that it is there"
    container = {"image": "busybox", "resourceRequirements": SMALL}
    return _nodes(world, {"container": container}, consumableResourcePropertiesOverride=CONSUMED)


@example("SubmitJob")
def nodes_of_tasks(world: World) -> dict[str, Any]:
    group = {"ecsProperties": TASK, "instanceTypes": ["c5.large"]}
    return _nodes(world, group, ecsPropertiesOverride=TASK_OVERRIDES, instanceTypes=["c5.xlarge"])


@example("SubmitJob")
def nodes_of_pods(world: World) -> dict[str, Any]:
    group = {"eksProperties": POD, "instanceTypes": ["c5.large"]}
    return _nodes(world, group, eksPropertiesOverride=POD_OVERRIDES)


@example("CancelJob")
def cancel(world: World) -> dict[str, Any]:
    return {"jobId": world.job, "reason": "not wanted any more"}


@example("CancelJobs")
def cancel_many(world: World) -> dict[str, Any]:
    return {"jobs": [world.job], "reason": "not wanted any more"}


@example("TerminateJob")
def terminate(world: World) -> dict[str, Any]:
    return {"jobId": world.job, "reason": "not wanted any more"}


@example("TerminateJobs")
def terminate_many(world: World) -> dict[str, Any]:
    return {"jobs": [world.job], "reason": "not wanted any more"}


@example("DescribeJobs")
def describe(world: World) -> dict[str, Any]:
    return {"jobs": [world.job]}


def three_jobs(world: World) -> list[str]:
    jobs = [world.job, world.submit("other"), world.submit("third")]
    world.settle()
    return jobs


@example("ListJobs")
def list_filtered(world: World) -> dict[str, Any]:
    three_jobs(world)
    return {"jobQueue": world.queue, "filters": [{"name": "JOB_NAME", "values": ["wait*"]}]}


@example("ListJobs")
def list_first(world: World) -> dict[str, Any]:
    members = {"jobQueue": world.queue, "jobStatus": "RUNNABLE"}
    return first_page(world, "ListJobs", three_jobs(world), **members)


@example("ListJobs")
def list_children(world: World) -> dict[str, Any]:
    job = world.array
    world.settle()
    return {"arrayJobId": job, "jobStatus": "RUNNABLE"}


@example("ListJobs")
def list_nodes(world: World) -> dict[str, Any]:
    request = nodes(world)
    job = world.make("SubmitJob", **request)["jobId"]
    world.settle()
    return {"multiNodeJobId": job, "jobStatus": "RUNNABLE"}


@example("GetJobQueueSnapshot")
def snapshot(world: World) -> dict[str, Any]:
    job, request = world.job, {"jobQueue": world.queue}

    def is_published() -> bool:
        if world.make("GetJobQueueSnapshot", **request)["frontOfQueue"]["jobs"]:
            return True
        (shown,) = world.make("DescribeJobs", jobs=[job])["jobs"]
        return shown["status"] not in ("SUBMITTED", "RUNNABLE")  # it may have been ended since

    if not world.is_hasty:
        eventually(is_published, what="the front of the queue is published")
    return request


@example("ListJobsByConsumableResource")
def list_consumers(world: World) -> dict[str, Any]:
    _consumers(world)
    filters = [{"name": "JOB_NAME", "values": ["one*"]}]
    return {"consumableResource": world.consumable, "filters": filters}


@example("ListJobsByConsumableResource")
def list_first_consumers(world: World) -> dict[str, Any]:
    made = _consumers(world)
    return first_page(world, "ListJobsByConsumableResource", made, consumableResource=world.consumable)


def _consumers(world: World) -> list[str]:
    assert world.consumable, "made, so that it is there"
    override = {"consumableResourcePropertiesOverride": CONSUMED}
    jobs = [world.submit(name, **override) for name in ("one", "two", "three")]
    world.settle()
    return jobs
