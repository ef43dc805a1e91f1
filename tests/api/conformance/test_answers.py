"""Every member of every answer is given by some answer."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from tests.api.conformance.coverage import declared
from tests.api.conformance.evidence import tops
from tests.api.conformance.examples.jobs import CONSUMED
from tests.api.conformance.gaps import GAPS, NOT_BUILT, note_members
from tests.api.conformance.model import OPERATIONS, answer_members, operation_model
from tests.api.conformance.observation import observe
from tests.api.conformance.wire import Reply, Wire
from tests.api.conformance.world import EXAMPLES, FOR_PODS, ON_EC2, OPEN_FOLDER, SMALL, TRAINING, Unmet, World
from tests.integration.live import FINAL, eventually


def given(value: Any, shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The members that are in `value`."""
    match shape:
        case StructureShape():
            for name, inner in value.items():
                yield (*path, name)
                yield from given(inner, shape.members[name], (*path, name))
        case ListShape():
            for item in value:
                yield from given(item, shape.member, path)
        case MapShape():
            for item in value.values():
                yield from given(item, shape.value, path)
        case _:
            pass


def run_jobs(world: World) -> None:
    """Jobs that end in all ways that show something, and lists of them."""
    world.make("CreateComputeEnvironment", computeEnvironmentName="runs", type="UNMANAGED")
    world.make("CreateJobQueue", jobQueueName="runs", priority=1, computeEnvironmentOrder=world.order("runs"))
    limited = {"jobQueue": "runs", "timeout": {"attemptDurationSeconds": 60}, "retryStrategy": {"attempts": 2}}
    container = {"image": "busybox", "command": ["false"], "resourceRequirements": SMALL}
    missing = {**container, "command": ["/no/such/program"]}
    jobs = [
        world.submit("fails", jobDefinition=world.register("fails", containerProperties=container), **limited),
        world.submit("missing", jobDefinition=world.register("missing", containerProperties=missing), **limited),
        world.submit("array", jobDefinition="fails", jobQueue="runs", arrayProperties={"size": 2}),
    ]
    eventually(lambda: all(job["status"] in FINAL for job in world.jobs), what="all jobs have ended")
    world.make("DescribeJobs", jobs=[f"{jobs[-1]}:0"])
    for operation in ("CancelJob", "TerminateJob"):
        waiting = world.submit(operation, jobDefinition="fails")
        world.make(operation, jobId=waiting, reason="to see that it is told")
        eventually(lambda: all(job["status"] in FINAL for job in world.jobs), what="it has ended")
        world.make("ListJobs", jobQueue=world.queue, filters=[{"name": "JOB_NAME", "values": [operation]}])
    for listed in ({"jobQueue": "runs"}, {"arrayJobId": jobs[-1]}):
        world.make("ListJobs", jobStatus="FAILED", **listed)
    world.make("CancelJobs", jobs=["nonsense"], reason="to see the error")
    world.make("TerminateJobs", jobs=["nonsense"], reason="to see the error")


def run_forms(world: World) -> None:
    """Tasks, pods and nodes that are run, that come to nothing, and that are listed."""
    world.make("CreateComputeEnvironment", computeEnvironmentName="on", type="MANAGED", computeResources=ON_EC2)
    world.make("CreateComputeEnvironment", computeEnvironmentName="pods", **FOR_PODS)
    for name in ("on", "pods"):
        world.make(
            "CreateJobQueue",
            jobQueueName=name,
            priority=1,
            computeEnvironmentOrder=world.order(name),
            schedulingPolicyArn=world.policy,
        )
    assert world.consumable, "made, so that it is there"
    fine: dict[str, Any] = {"image": "busybox", "command": ["true"]}
    missing = {"image": "busybox", "command": ["/no/such/program"]}
    sized = {"resourceRequirements": SMALL}
    of_pods = {"resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}
    task_containers = [{"name": "main", **fine, **sized}, {"name": "side", "essential": False, **missing, **sized}]
    task = {"ecsProperties": {"taskProperties": [{"containers": task_containers}]}}
    nodes = {"nodes": {"container": fine | sized}, "nodes-of-tasks": task}
    forms: dict[str, dict[str, Any]] = {"task": task}
    forms |= {
        name: {
            "type": "multinode",
            "nodeProperties": {
                "numNodes": 2,
                "mainNode": 0,
                "nodeRangeProperties": [{"targetNodes": "0:", **form}],
            },
        }
        for name, form in nodes.items()
    }
    forms |= {
        name: {
            "eksProperties": {
                "podProperties": {
                    "containers": [{"name": "main", **main, **of_pods}],
                    "initContainers": [{"name": "before", **before, **of_pods}],
                    "metadata": {"namespace": "batch-jobs"},
                }
            }
        }
        for name, main, before in (
            ("pod", fine, fine),
            ("lost-pod", missing, fine),
            ("idle-pod", fine, missing),
        )
    }
    jobs = {
        name: world.submit(
            name,
            jobDefinition=world.register(name, **form),
            jobQueue="pods" if "eksProperties" in form else "on",
            shareIdentifier="team",
            consumableResourcePropertiesOverride=CONSUMED,
        )
        for name, form in forms.items()
    }
    world.make(
        "CreateJobQueue",
        jobQueueName="managed-instances",
        priority=1,
        computeEnvironmentOrder=world.order(world.managed_instances),
    )
    shared = {"ecsProperties": {"taskProperties": [{"containers": task_containers[:1], "networkMode": "host"}]}}
    definition = world.register("shared", platformCapabilities=["MANAGED_INSTANCES"], **shared)
    world.submit("shared", jobDefinition=definition, jobQueue="managed-instances")
    eventually(lambda: all(job["status"] in FINAL for job in world.jobs), what="all jobs have ended")
    world.make("DescribeJobs", jobs=[f"{jobs[name]}#0" for name in nodes])
    world.make("ListJobsByConsumableResource", consumableResource=world.consumable)
    for status in FINAL:
        world.make("ListJobs", jobQueue="on", jobStatus=status)
        world.make("ListJobs", jobQueue="pods", jobStatus=status)
    slow = {**fine, "command": ["sleep", "100"], **sized}
    job = world.submit(
        "slow",
        jobDefinition=world.register("slow", containerProperties=slow),
        jobQueue="on",
        shareIdentifier="team",
    )
    world.submit(
        "waits",
        jobDefinition="slow",
        jobQueue="on",
        shareIdentifier="team",
        containerOverrides={"resourceRequirements": [{"type": "VCPU", "value": "8"}]},
    )
    eventually(lambda: all(_snapshot(world)), what="one job runs and another comes next")
    world.make("TerminateJob", jobId=job, reason="seen")


def run_trainings(world: World) -> None:
    """Service jobs that end, one of which is terminated, and lists of them."""
    limits = [{"maxCapacity": 4, "capacityUnit": "NUM_INSTANCES"}]
    world.make(
        "CreateServiceEnvironment",
        serviceEnvironmentName="runs",
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=limits,
    )
    order = [{"order": 1, "serviceEnvironment": "runs"}]
    members = {
        "jobQueueType": "SAGEMAKER_TRAINING",
        "serviceEnvironmentOrder": order,
        "schedulingPolicyArn": world.policy,
    }
    world.make("CreateJobQueue", jobQueueName="runs", priority=1, **members)
    shared = {"jobQueue": "runs", "shareIdentifier": "team"}
    rules = [{"action": "RETRY", "onStatusReason": "Received status from SageMaker: *"}]
    payload = json.loads(TRAINING) | {
        "AlgorithmSpecification": {
            "TrainingImage": "busybox",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["false"],
        },
        "OutputDataConfig": {"S3OutputPath": f"file://{OPEN_FOLDER}"},
    }
    world.submit_service_job(
        "fails",
        serviceRequestPayload=json.dumps(payload),
        retryStrategy={"attempts": 2, "evaluateOnExit": rules},
        **shared,
    )
    eventually(lambda: all(job["status"] in FINAL for job in world.jobs), what="it has ended")
    waiting = world.submit_service_job("waits")
    world.make("TerminateServiceJob", jobId=waiting, reason="to see that it is told")
    eventually(lambda: all(job["status"] in FINAL for job in world.jobs), what="all have ended")
    for queue in ("runs", world.service_queue):
        world.make("ListServiceJobs", jobQueue=queue, jobStatus="FAILED")
    world.make("TerminateServiceJobs", jobs=["nonsense"], reason="to see the error")


def run_preemptions(world: World) -> None:
    """A service job that goes back for one of higher priority in its share, and what the share holds meanwhile."""
    unit = "ml.m5.large"
    policy = world.make(
        "CreateSchedulingPolicy", name="quotas", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"}
    )
    limits = [{"maxCapacity": 1, "capacityUnit": unit}]
    world.make(
        "CreateServiceEnvironment",
        serviceEnvironmentName="shared",
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=limits,
    )
    world.make(
        "CreateJobQueue",
        jobQueueName="shared",
        priority=1,
        jobQueueType="SAGEMAKER_TRAINING",
        serviceEnvironmentOrder=[{"order": 1, "serviceEnvironment": "shared"}],
        schedulingPolicyArn=policy["arn"],
    )
    world.make(
        "CreateQuotaShare",
        quotaShareName="share",
        jobQueue="shared",
        capacityLimits=limits,
        resourceSharingConfiguration={"strategy": "RESERVE"},
        preemptionConfiguration={"inSharePreemption": "ENABLED"},
    )
    payload = json.loads(TRAINING) | {
        "AlgorithmSpecification": {
            "TrainingImage": "busybox",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["sleep", "100"],
        },
        "OutputDataConfig": {"S3OutputPath": f"file://{OPEN_FOLDER}"},
    }

    def submit(name: str, priority: int) -> str:
        return world.submit_service_job(
            name,
            jobQueue="shared",
            quotaShareName="share",
            schedulingPriority=priority,
            serviceRequestPayload=json.dumps(payload),
        )

    def is_running(job: str) -> bool:
        return world.make("DescribeServiceJob", jobId=job)["status"] == "RUNNING"

    ordinary = submit("ordinary", 1)
    eventually(lambda: is_running(ordinary), what="the ordinary job runs")
    urgent = submit("urgent", 9)
    eventually(lambda: is_running(urgent), what="the urgent job runs in its place")
    world.make("DescribeServiceJob", jobId=ordinary)

    def held() -> Any:
        shown = world.make("GetJobQueueSnapshot", jobQueue="shared")["queueUtilization"]
        return shown["quotaShareUtilization"]["topCapacityUtilization"]

    eventually(held, what="what the share holds is published")
    for job in (ordinary, urgent):
        world.make("TerminateServiceJob", jobId=job, reason="seen")
    eventually(lambda: all(job["status"] in FINAL for job in world.jobs), what="all have ended")


def _snapshot(world: World) -> tuple[Any, Any]:
    """Which jobs of the queue come next, and which shares hold something."""
    shown = world.make("GetJobQueueSnapshot", jobQueue="on")
    return shown["frontOfQueue"]["jobs"], shown["queueUtilization"]["fairshareUtilization"]["topCapacityUtilization"]


def all_replies(wire: Wire) -> Iterator[Reply]:
    """What is answered to all examples, and around them."""
    for operation, builds in EXAMPLES.items():
        for build in builds:
            world = World(wire=wire)
            try:
                reply = world.ask(operation, build(world))
                if reply.status == 200:
                    observe(world, reply)
            except Unmet:
                pass
            yield from world.replies
    for run in (run_jobs, run_trainings, run_preemptions, run_forms):
        world = World(wire=wire)
        run(world)
        yield from world.replies


@pytest.mark.timeout(180)
def test_members_of_answers_are_given(wire: Wire) -> None:
    """All but those that are listed as gaps, and those that there is never anything to say in."""
    seen = {(operation, member.path) for operation in OPERATIONS for member in answer_members(operation)} & {
        (reply.operation, path)
        for reply in all_replies(wire)
        if reply.status == 200 and (shape := operation_model(reply.operation).output_shape) is not None
        for path in given(reply.body, shape)
    }
    unseen: list[str] = []
    for operation in (name for name in OPERATIONS if name not in NOT_BUILT):
        whole = answer_members(operation)
        excused = {each.path for each in whole if declared(each, "never_answered")}
        unseen += tops(operation, whole, {path for name, path in seen if name == operation} | excused)
    note_members("answers", GAPS["answers"], sorted(unseen))
    assert sorted(unseen) == GAPS["answers"], "what is on the left is in no answer; what is on the right is listed"
