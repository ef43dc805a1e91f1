"""GetJobQueueSnapshot: the front of a queue as the leader published it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from longshore.domain.ids import JobId
from longshore.domain.lifecycle.status import JobStatus
from longshore.domain.queue import FrontJob, QueueFront
from tests.api.batch_service import NOW_MS, Batch


def front_of(batch: Batch, queue: str, *job_ids: str, **members: Any) -> None:
    """Publish that these jobs, RUNNABLE now, come next, each a second longer at its place than the one before it."""
    ids = [JobId(uuid=job_id) for job_id in job_ids]
    keys = batch.read(lambda reader: reader.find_jobs(batch.scope, ids))
    jobs = batch.read(lambda reader: reader.load_jobs(list(keys.values())))
    runnable = [replace(job, status=JobStatus.RUNNABLE, intake=key) for key, job in jobs.items()]
    batch.write(lambda tx: tx.save_jobs(runnable))
    now = batch.clock.now()
    placed = tuple(FrontJob(key=keys[each], since=now - timedelta(seconds=place)) for place, each in enumerate(ids))
    front = QueueFront(scope=batch.scope, name=queue, jobs=placed, updated_at=now)
    batch.write(lambda tx: tx.put_queue_front(replace(front, **members)))


def test_a_queue_that_nobody_looked_at_is_empty(batch: Batch) -> None:
    batch.queue()
    assert batch.get_job_queue_snapshot(jobQueue=batch.arn("job-queue", "queue")) == {
        "frontOfQueue": {"jobs": []},
        "queueUtilization": {"totalCapacityUsage": [{"capacityUnit": "VCPU", "quantity": 0.0}]},
    }
    assert batch.refusal("get_job_queue_snapshot", jobQueue="no") == "JobQueue no not found."


def test_who_comes_next(batch: Batch) -> None:
    """In order, with since when; who has left meanwhile is left out."""
    batch.queue()
    batch.definition()
    first, gone, last = (batch.submit() for _ in range(3))
    front_of(batch, "queue", last, gone, first, held_milli={"": 1500})
    known = batch.read(lambda reader: reader.find_jobs(batch.scope, [JobId(uuid=gone)]))
    (job,) = batch.read(lambda reader: reader.load_jobs(list(known.values()))).values()
    batch.write(lambda tx: tx.save_jobs([replace(job, status=JobStatus.FAILED, stopped_at=batch.clock.now())]))
    assert batch.get_job_queue_snapshot(jobQueue="queue") == {
        "frontOfQueue": {
            "jobs": [
                {"jobArn": batch.arn("job", last), "earliestTimeAtPosition": NOW_MS},
                {"jobArn": batch.arn("job", first), "earliestTimeAtPosition": NOW_MS - 2000},
            ],
            "lastUpdatedAt": NOW_MS,
        },
        "queueUtilization": {
            "totalCapacityUsage": [{"capacityUnit": "VCPU", "quantity": 1.5}],
            "lastUpdatedAt": NOW_MS,
        },
    }


def test_capacity_of_a_queue_of_pods(batch: Batch) -> None:
    """By the unit that Kubernetes has. Source: AWS Batch API, QueueSnapshotCapacityUsage."""
    batch.queue("pods", batch.eks_environment())
    front_of(batch, "pods", held_milli={"": 1500})
    utilization = batch.get_job_queue_snapshot(jobQueue="pods")["queueUtilization"]
    assert utilization["totalCapacityUsage"] == [{"capacityUnit": "cpu", "quantity": 1.5}]


def test_shares_of_a_fair_share_queue(batch: Batch) -> None:
    """The twenty that hold most."""
    arn = batch.create_scheduling_policy(name="p")["arn"]
    batch.queue("fair", schedulingPolicyArn=arn)
    held = {f"s{number:02}": 1000 + number * 250 for number in range(25)}
    front_of(batch, "fair", held_milli=held, active_shares=30)
    utilization = batch.get_job_queue_snapshot(jobQueue="fair")["queueUtilization"]
    assert utilization["totalCapacityUsage"] == [{"capacityUnit": "VCPU", "quantity": 100.0}]
    assert utilization["fairshareUtilization"]["activeShareCount"] == 30
    top = utilization["fairshareUtilization"]["topCapacityUtilization"]
    assert len(top) == 20
    assert top[0] == {"shareIdentifier": "s24", "capacityUsage": [{"capacityUnit": "VCPU", "quantity": 7.0}]}
