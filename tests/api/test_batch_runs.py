"""DescribeJobs and ListJobs: what attempts made of jobs of several containers, pods and nodes, as callers see it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from longshore.domain.environment import cluster_name
from longshore.domain.ids import parse_job_id, task_id
from longshore.domain.job import Attempt, Job, Part
from longshore.domain.lifecycle.events import PlacedNode
from longshore.domain.lifecycle.parts import open_parts
from longshore.domain.lifecycle.reasons import CONTAINER_EXITED, instance_id
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.workload import workload_of
from longshore.ports.store import Transaction
from longshore.testing.builders import LOCAL, an_attempt
from tests.api.batch_service import ACCOUNT, NOW_MS, REGION, Batch
from tests.api.forms import a_pod, a_pod_container, a_range, a_task, a_task_container, of_nodes

Changes = Mapping[tuple[int, str], Mapping[str, Any]]


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a queue, and a definition of each form."""
    batch.queue()
    batch.queue("pods", batch.eks_environment())
    sidekick = a_task_container("side", essential=False)
    batch.register_job_definition(
        jobDefinitionName="task", type="container", ecsProperties=a_task(a_task_container("main"), sidekick)
    )
    pod = a_pod(a_pod_container("main"), initContainers=[a_pod_container("first")], metadata={"namespace": "science"})
    batch.register_job_definition(jobDefinitionName="pod", type="container", eksProperties=pod)
    nodes = of_nodes(3, a_range("0:"), a_range("2:2", ecsProperties=a_task()))
    batch.register_job_definition(jobDefinitionName="nodes", type="multinode", nodeProperties=nodes)
    return batch


def later(batch: Batch, seconds: float) -> Any:
    return batch.clock.now() + timedelta(seconds=seconds)


def ran(batch: Batch, exit_code: int | None, *, seconds: float = 2, **members: Any) -> dict[str, Any]:
    """What became of a part: it started after a second and, with an exit code, ended after `seconds`."""
    if exit_code is None:
        return {"started_at": later(batch, 1), **members}
    ended = {"stopped_at": later(batch, seconds), "exit_code": exit_code, "status_reason": CONTAINER_EXITED}
    return {"started_at": later(batch, 1), **ended, **members}


def attempt(batch: Batch, job_id: str, status: JobStatus, parts: Changes, **members: Any) -> Attempt:
    """The job's first attempt, as the control loop would have stored it."""
    parsed = parse_job_id(job_id)
    assert parsed is not None

    def changed(part: Part) -> Part:
        return replace(part, **parts.get((part.node, part.container), {}))

    def work(tx: Transaction) -> Attempt:
        (key,) = tx.find_jobs(batch.scope, [parsed]).values()
        job: Job = tx.load_jobs([key])[key]
        workload = workload_of(job.spec)
        addresses = [f"127.0.0.{node.index + 2}" if job.spec.node_properties else "" for node in workload.nodes]
        placed = [
            PlacedNode(host_id=LOCAL, resources=node.resources, address=address)
            for node, address in zip(workload.nodes, addresses, strict=True)
        ]
        made = replace(an_attempt(job, environment="ce"), **members)
        made = replace(made, parts=tuple(map(changed, open_parts(workload, made, placed))))
        tx.insert_attempts([made])
        tx.save_jobs(
            [
                replace(
                    job,
                    status=status,
                    attempts_made=1,
                    started_at=made.started_at,
                    stopped_at=made.stopped_at,
                    exit_code=made.exit_code,
                    status_reason=made.status_reason,
                )
            ]
        )
        return made

    return batch.write(work)


def run_of(attempt: Attempt, batch: Batch, node: int = 0) -> str:
    """The ARN of the task of a node."""
    cluster = cluster_name(batch.scope, "ce")
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{task_id(attempt.attempt_id, node)}"


def test_each_container_of_a_task_tells_its_end(batch: Batch) -> None:
    job_id = batch.submit(definition="task")
    made = attempt(
        batch,
        job_id,
        JobStatus.FAILED,
        {(0, "main"): ran(batch, 3, reason="broken"), (0, "side"): ran(batch, 0)},
        **ran(batch, 3),
    )
    job = batch.job(job_id)
    (task,) = job["ecsProperties"]["taskProperties"]
    main, side = task["containers"]
    assert task["taskArn"] == run_of(made, batch)
    assert (main["exitCode"], main["reason"], main["name"]) == (3, "broken", "main")
    assert main["logStreamName"] == f"task/main/{made.attempt_id}"
    assert (side["exitCode"], side["logStreamName"]) == (0, f"task/side/{made.attempt_id}")
    assert "reason" not in side
    containers = [
        {
            "name": "main",
            "exitCode": 3,
            "reason": "broken",
            "logStreamName": main["logStreamName"],
            "networkInterfaces": [],
        },
        {
            "name": "side",
            "exitCode": 0,
            "logStreamName": side["logStreamName"],
            "networkInterfaces": [],
        },
    ]
    place = {name: task[name] for name in ("taskArn", "containerInstanceArn")}
    assert job["attempts"] == [
        {
            "taskProperties": [{**place, "containers": containers}],
            "startedAt": NOW_MS + 1000,
            "stoppedAt": NOW_MS + 2000,
            "statusReason": CONTAINER_EXITED,
        }
    ]
    assert "container" not in job


def test_a_container_that_waits_has_no_log(batch: Batch) -> None:
    job_id = batch.submit(definition="task")
    attempt(batch, job_id, JobStatus.STARTING, {(0, "side"): ran(batch, None)})
    job = batch.job(job_id)
    main, side = job["ecsProperties"]["taskProperties"][0]["containers"]
    assert "logStreamName" in side
    assert not {"logStreamName", "exitCode"} & set(main)
    assert job["attempts"] == []


def test_each_container_of_a_pod_tells_its_end(batch: Batch) -> None:
    job_id = batch.submit(definition="pod", queue="pods")
    made = attempt(
        batch,
        job_id,
        JobStatus.SUCCEEDED,
        {(0, "first"): ran(batch, 0), (0, "main"): ran(batch, 0, reason="fine")},
        environment_name="eks",
        **ran(batch, 0),
    )
    job = batch.job(job_id)
    pod = job["eksProperties"]["podProperties"]
    name, node = f"aws-batch.{UUID(hex=made.attempt_id)}", f"{instance_id(LOCAL)}.{REGION}.compute.internal"
    assert (pod["podName"], pod["nodeName"]) == (name, node)
    assert (pod["containers"][0]["exitCode"], pod["containers"][0]["reason"]) == (0, "fine")
    assert pod["initContainers"][0]["exitCode"] == 0
    first, main = (part.attempt_id for part in made.parts)
    assert job["eksAttempts"] == [
        {
            "containers": [{"name": "main", "containerID": main, "exitCode": 0, "reason": "fine"}],
            "initContainers": [{"name": "first", "containerID": first, "exitCode": 0}],
            "podName": name,
            "podNamespace": "science",
            "eksClusterArn": f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/one",
            "nodeName": node,
            "startedAt": NOW_MS + 1000,
            "stoppedAt": NOW_MS + 2000,
            "statusReason": CONTAINER_EXITED,
        }
    ]
    assert job["attempts"] == []
    (listed,) = batch.list_jobs(jobQueue="pods", jobStatus="SUCCEEDED")["jobSummaryList"]
    assert listed["capacityUsage"][0]["capacityUnit"] == "cpu"


def test_nodes_are_shown_as_jobs_of_their_own(batch: Batch) -> None:
    job_id = batch.submit(definition="nodes", tags={"a": "b"})
    made = attempt(
        batch,
        job_id,
        JobStatus.RUNNING,
        {(0, "default"): ran(batch, None), (1, "default"): ran(batch, 7), (2, "main"): {}},
        started_at=later(batch, 1),
    )
    parent, *nodes = batch.describe_jobs(jobs=[job_id, *(f"{job_id}#{index}" for index in range(3))])["jobs"]
    assert [node["status"] for node in nodes] == ["RUNNING", "FAILED", "STARTING"]
    assert [node["jobId"] for node in nodes] == [f"{job_id}#{index}" for index in range(3)]
    main, other, task = nodes
    assert (parent["status"], parent["startedAt"], parent["attempts"]) == ("RUNNING", NOW_MS + 1000, [])
    assert main["container"]["taskArn"] == run_of(made, batch)
    assert main["container"]["logStreamName"] == f"nodes/default/{made.attempt_id}"
    assert main["attempts"] == []
    run = {
        "containerInstanceArn": main["container"]["containerInstanceArn"],
        "taskArn": run_of(made, batch, 1),
        "exitCode": 7,
        "logStreamName": f"nodes/default/{task_id(made.attempt_id, 1)}",
        "networkInterfaces": [
            {"attachmentId": str(UUID(hex=made.parts[1].attempt_id)), "privateIpv4Address": "127.0.0.3"}
        ],
    }
    assert other["attempts"] == [
        {
            "container": run,
            "startedAt": NOW_MS + 1000,
            "stoppedAt": NOW_MS + 2000,
            "statusReason": CONTAINER_EXITED,
        }
    ]
    assert {**other["container"], **run} == other["container"]
    assert (other["stoppedAt"], other["statusReason"]) == (NOW_MS + 2000, CONTAINER_EXITED)
    assert task["ecsProperties"]["taskProperties"][0]["taskArn"] == run_of(made, batch, 2)
    assert "container" not in task
    assert "startedAt" not in task
    (listed,) = batch.list_jobs(multiNodeJobId=job_id, jobStatus="FAILED")["jobSummaryList"]
    assert (listed["jobId"], listed["container"]) == (f"{job_id}#1", {"exitCode": 7})
    assert listed["capacityUsage"] == [{"capacityUnit": "VCPU", "quantity": 1.0}]
    assert listed["scheduledAt"] == int(made.opened_at.timestamp() * 1000)


def test_the_job_and_its_main_node_end_alike(batch: Batch) -> None:
    job_id = batch.submit(definition="nodes")
    ends = {(0, "default"): ran(batch, 0), (1, "default"): ran(batch, 143), (2, "main"): ran(batch, 0)}
    attempt(batch, job_id, JobStatus.SUCCEEDED, ends, **ran(batch, 0))
    parent, main, other = batch.describe_jobs(jobs=[job_id, f"{job_id}#0", f"{job_id}#1"])["jobs"]
    assert [each["status"] for each in (parent, main, other)] == ["SUCCEEDED", "SUCCEEDED", "FAILED"]
    assert parent["attempts"] == main["attempts"]
    assert main["attempts"][0]["container"]["exitCode"] == 0
    assert (parent["startedAt"], parent["stoppedAt"]) == (main["startedAt"], main["stoppedAt"])
    assert "container" not in parent
