"""DescribeJobs and ListJobs: jobs on every step of their way, as callers see them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from longshore.domain.environment import cluster_name
from longshore.domain.ids import parse_job_id
from longshore.domain.job import Attempt, Job, Wish, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import Transaction
from longshore.scheduling.classes import class_id
from longshore.testing.builders import an_attempt
from tests.api.batch_service import ACCOUNT, NOW_MS, REGION, Batch


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a queue and a definition."""
    batch.queue()
    batch.definition()
    return batch


def change(batch: Batch, job_id: str, attempts: Sequence[Attempt] = (), **members: Any) -> Job:
    """Give a job other values, as the control loop would."""
    parsed = parse_job_id(job_id)
    assert parsed is not None

    def work(tx: Transaction) -> Job:
        (key,) = tx.find_jobs(batch.scope, [parsed]).values()
        job = replace(tx.load_jobs([key])[key], **members)
        tx.insert_attempts(replace(attempt, job_key=key) for attempt in attempts)
        tx.save_jobs([job])
        return job

    return batch.write(work)


def attempt_of(batch: Batch, job_id: str, number: int = 1, **members: Any) -> Attempt:
    job = change(batch, job_id)
    return replace(an_attempt(job, number=number, environment="ce"), **members)


def later(batch: Batch, seconds: float) -> Any:
    return batch.clock.now() + timedelta(seconds=seconds)


def run_of(batch: Batch, attempt: Attempt, stream: str = "definition/default") -> dict[str, Any]:
    """What a description tells of where an attempt ran; the container instance is told in the golden answers."""
    cluster = cluster_name(batch.scope, "ce")
    return {
        "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{attempt.attempt_id}",
        "logStreamName": f"{stream}/{attempt.attempt_id}",
        "networkInterfaces": [],
    }


def test_a_running_job_shows_its_task(batch: Batch) -> None:
    job_id = batch.submit()
    attempt = attempt_of(batch, job_id, started_at=later(batch, 1))
    change(batch, job_id, [attempt], status=JobStatus.RUNNING, started_at=later(batch, 1), attempts_made=1)
    job = batch.job(job_id)
    assert (job["status"], job["startedAt"], job["attempts"]) == ("RUNNING", NOW_MS + 1000, [])
    assert "stoppedAt" not in job
    instance = job["container"].pop("containerInstanceArn")
    cluster = cluster_name(batch.scope, "ce")
    prefix, _, digits = instance.rpartition("/")
    assert prefix == f"arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/{cluster}"
    assert len(digits) == 32
    assert {**job["container"], **run_of(batch, attempt)} == job["container"]
    assert "exitCode" not in job["container"]


def test_before_it_runs_an_attempt_has_no_log(batch: Batch) -> None:
    job_id = batch.submit()
    change(batch, job_id, [attempt_of(batch, job_id)], status=JobStatus.STARTING, attempts_made=1)
    job = batch.job(job_id)
    assert "logStreamName" not in job["container"]
    assert "taskArn" in job["container"]
    assert "startedAt" not in job


def test_ended_attempts_are_listed_oldest_first(batch: Batch) -> None:
    job_id = batch.submit()
    lost = attempt_of(
        batch,
        job_id,
        started_at=later(batch, 1),
        stopped_at=later(batch, 2),
        status_reason="Host EC2 (instance i-0123456789abcdef0) terminated.",
    )
    failed = attempt_of(
        batch,
        job_id,
        2,
        started_at=later(batch, 3),
        stopped_at=later(batch, 4),
        exit_code=137,
        reason="OutOfMemoryError: Container killed due to memory usage",
        status_reason="Essential container in task exited",
    )
    change(
        batch,
        job_id,
        [lost, failed],
        status=JobStatus.FAILED,
        status_reason=failed.status_reason,
        started_at=failed.started_at,
        stopped_at=failed.stopped_at,
        attempts_made=2,
        exit_code=137,
        reason=failed.reason,
    )
    job = batch.job(job_id)
    instance = job["container"]["containerInstanceArn"]
    run = {"exitCode": 137, "reason": failed.reason, "containerInstanceArn": instance, **run_of(batch, failed)}
    assert job["attempts"] == [
        {
            "container": {"containerInstanceArn": instance, **run_of(batch, lost)},
            "startedAt": NOW_MS + 1000,
            "stoppedAt": NOW_MS + 2000,
            "statusReason": lost.status_reason,
        },
        {
            "container": run,
            "startedAt": NOW_MS + 3000,
            "stoppedAt": NOW_MS + 4000,
            "statusReason": failed.status_reason,
        },
    ]
    assert {**job["container"], **run} == job["container"]
    assert (job["startedAt"], job["stoppedAt"]) == (NOW_MS + 3000, NOW_MS + 4000)
    assert batch.list_jobs(jobQueue="queue", jobStatus="FAILED") == {
        "jobSummaryList": [
            {
                "jobArn": batch.arn("job", job_id),
                "jobId": job_id,
                "jobName": "job",
                "capacityUsage": [{"capacityUnit": "VCPU", "quantity": 1.0}],
                "createdAt": NOW_MS,
                "scheduledAt": int(failed.opened_at.timestamp() * 1000),
                "status": "FAILED",
                "statusReason": "Essential container in task exited",
                "startedAt": NOW_MS + 3000,
                "stoppedAt": NOW_MS + 4000,
                "container": {"exitCode": 137, "reason": failed.reason},
                "jobDefinition": batch.arn("job-definition", "definition:1"),
            }
        ]
    }


def test_the_log_streams_prefix_is_the_definitions_or_the_drivers(batch: Batch) -> None:
    options = {"awslogs-group": "mine", "awslogs-stream-prefix": "run"}
    batch.definition("logged", container={"logConfiguration": {"logDriver": "awslogs", "options": options}})
    job_id = batch.submit(definition="logged")
    attempt = attempt_of(batch, job_id, started_at=later(batch, 0))
    change(batch, job_id, [attempt], status=JobStatus.RUNNING, attempts_made=1)
    assert batch.job(job_id)["container"]["logStreamName"] == f"run/default/{attempt.attempt_id}"


@pytest.mark.parametrize("kind", WishKind)
def test_a_wish_that_was_granted_is_shown(batch: Batch, kind: WishKind) -> None:
    job_id = batch.submit()
    wish = Wish(kind=kind, reason="enough")
    change(batch, job_id, status=JobStatus.FAILED, status_reason="enough", stopped_at=later(batch, 1), wish=wish)
    job = batch.job(job_id)
    assert (job["isCancelled"], job["isTerminated"]) == (kind is WishKind.CANCEL, kind is WishKind.TERMINATE)
    assert (job["status"], job["statusReason"]) == ("FAILED", "enough")


def test_a_listing_tells_whose_wish_was_granted(batch: Batch) -> None:
    """Present only when true. Source: AWS Batch API, JobSummary."""
    wished = {"stays": None, "cancelled": WishKind.CANCEL, "terminated": WishKind.TERMINATE}
    for name, kind in wished.items():
        change(batch, batch.submit(name), wish=None if kind is None else Wish(kind=kind, reason="r"))
    listed = batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED")["jobSummaryList"]
    told = {each["jobName"]: (each.get("isCancelled"), each.get("isTerminated")) for each in listed}
    assert told == {"stays": (None, None), "cancelled": (True, None), "terminated": (None, True)}


def test_a_waiting_job_shows_why_its_class_waits(batch: Batch) -> None:
    job_id = batch.submit()
    job = change(batch, job_id, status=JobStatus.RUNNABLE, intake=1)
    assert "statusReason" not in batch.job(job_id)
    published = json.dumps({"statusReason": "UNDETERMINED - Batch job is blocked, root cause is undetermined."})
    batch.write(lambda tx: tx.publish_class_reasons({class_id(job.spec): published}))
    text = "UNDETERMINED - Batch job is blocked, root cause is undetermined."
    assert batch.job(job_id)["statusReason"] == text
    (summary,) = batch.list_jobs(jobQueue="queue", jobStatus="RUNNABLE")["jobSummaryList"]
    assert summary["statusReason"] == text


def test_jobs_are_described_by_id_and_arn_in_the_order_asked_for(batch: Batch) -> None:
    first, second = batch.submit(), batch.submit(arrayProperties={"size": 2})
    asked = [
        batch.arn("job", f"{second}:1"),
        first,
        "no-job",
        f"{first}#0",
        "00000000-0000-4000-8000-000000000000",
        first,
        f"arn:aws:batch:us-east-1:{ACCOUNT}:job/{first}",
        second,
    ]
    found = batch.describe_jobs(jobs=asked)["jobs"]
    assert [each["jobId"] for each in found] == [f"{second}:1", first, second]


def test_the_number_of_ids_is_limited(batch: Batch) -> None:
    assert batch.refusal("describe_jobs", jobs=["x"] * 101) == "W: Maximum number of jobs supported is  100"
    assert batch.refusal("describe_jobs", jobs=[]) == "W: Jobs should name at least one job"
    assert batch.describe_jobs(jobs=["x"] * 100) == {"jobs": []}


def names(batch: Batch, **members: Any) -> list[str]:
    return [each["jobName"] for each in batch.list_jobs(**members)["jobSummaryList"]]


def test_a_listing_shows_running_jobs_unless_told_otherwise(batch: Batch) -> None:
    for name in ("a", "b", "c"):
        batch.submit(name)
    change(batch, batch.submit("running"), status=JobStatus.RUNNING, started_at=later(batch, 0))
    assert names(batch, jobQueue="queue") == ["running"]
    assert names(batch, jobQueue=batch.arn("job-queue", "queue"), jobStatus="SUBMITTED") == ["c", "b", "a"]
    assert batch.list_jobs(jobQueue="queue", jobStatus="FAILED") == {"jobSummaryList": []}


def test_children_are_listed_by_their_parent(batch: Batch) -> None:
    parent = batch.submit(arrayProperties={"size": 3})
    listed = batch.list_jobs(arrayJobId=parent, jobStatus="SUBMITTED")["jobSummaryList"]
    assert listed[1] == {
        "jobArn": batch.arn("job", f"{parent}:1"),
        "jobId": f"{parent}:1",
        "jobName": "job",
        "capacityUsage": [{"capacityUnit": "VCPU", "quantity": 1.0}],
        "createdAt": NOW_MS,
        "status": "SUBMITTED",
        "arrayProperties": {"index": 1},
        "jobDefinition": batch.arn("job-definition", "definition:1"),
    }
    assert [each["jobId"] for each in listed] == [f"{parent}:{index}" for index in range(3)]
    assert names(batch, arrayJobId=parent) == [], "none of them runs"
    assert names(batch, arrayJobId=f"{parent}:0", jobStatus="SUBMITTED") == []
    assert names(batch, arrayJobId="nothing") == []
    assert names(batch, multiNodeJobId=parent) == []
    assert names(batch, jobQueue="queue", jobStatus="SUBMITTED") == ["job"], "only the parent"
    pages = list(
        batch.client.get_paginator("list_jobs").paginate(
            arrayJobId=parent, jobStatus="SUBMITTED", PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["jobSummaryList"]) for page in pages] == [2, 1]


@pytest.mark.parametrize("size", [1, 100])
def test_jobs_by_name_are_grouped(batch: Batch, size: int) -> None:
    """Those of one name, whatever its case, stand together, newest first. Source: AWS Batch API, ListJobs."""
    for name in ("Train-1", "train-2", "other", "train-1", "train-3", "train-2"):
        batch.submit(name)
    pages = batch.client.get_paginator("list_jobs").paginate(
        jobQueue="queue", filters=[{"name": "JOB_NAME", "values": ["TRAIN-*"]}], PaginationConfig={"PageSize": size}
    )
    found = [each["jobName"] for page in pages for each in page["jobSummaryList"]]
    assert found == ["train-3", "train-2", "train-2", "train-1", "Train-1"]


def test_filters_look_at_all_statuses(batch: Batch) -> None:
    batch.definition("other-definition")
    for name in ("Train-1", "train-2", "test"):
        batch.submit(name, definition="other-definition" if name == "test" else "definition")
        batch.clock.jump_wall(10)
    failed = batch.submit("train-3")
    change(batch, failed, status=JobStatus.FAILED, stopped_at=later(batch, 0))

    def found(name: str, value: str, **members: Any) -> list[str]:
        return names(batch, jobQueue="queue", filters=[{"name": name, "values": [value]}], **members)

    assert sorted(found("JOB_NAME", "TRAIN-*")) == ["Train-1", "train-2", "train-3"]
    assert found("JOB_NAME", "train-1") == ["Train-1"]
    assert found("JOB_NAME", "train") == []
    assert found("JOB_DEFINITION", "other-definition") == ["test"]
    assert found("JOB_DEFINITION", "def*") == ["train-3", "train-2", "Train-1"]
    assert found("JOB_DEFINITION", batch.arn("job-definition", "definition:1")) == ["train-3", "train-2", "Train-1"]
    assert found("JOB_DEFINITION", batch.arn("job-definition", "definition:2")) == []
    assert found("BEFORE_CREATED_AT", str(NOW_MS + 10_000)) == ["Train-1"]
    assert found("AFTER_CREATED_AT", str(NOW_MS + 10_000)) == ["train-3", "test"]
    assert found("AFTER_CREATED_AT", "1", jobStatus="FAILED") == ["train-3", "test", "train-2", "Train-1"]
    assert found("SHARE_IDENTIFIER", "share", jobStatus="SUBMITTED") == []


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ({}, "W: Exactly one of jobQueue, arrayJobId and multiNodeJobId should be given"),
        (
            {"jobQueue": "queue", "arrayJobId": "x"},
            "W: Exactly one of jobQueue, arrayJobId and multiNodeJobId should be given",
        ),
        ({"jobQueue": "other"}, "JobQueue other not found."),
        ({"jobQueue": "queue", "maxResults": 0}, "W: MaxResults should be at least 1, got 0"),
        ({"jobQueue": "queue", "nextToken": "x"}, "The nextToken is not valid"),
        (
            {"jobQueue": "queue", "filters": [{"name": "JOB_NAME", "values": ["a"]}] * 2},
            "W: Only one filter can be given",
        ),
        (
            {"jobQueue": "queue", "filters": [{"name": "JOB_NAME", "values": []}]},
            "W: The filter JOB_NAME needs exactly one value",
        ),
        (
            {"jobQueue": "queue", "filters": [{"name": "job_name", "values": ["a"]}]},
            "W: Filters are JOB_NAME, JOB_DEFINITION, BEFORE_CREATED_AT, AFTER_CREATED_AT and SHARE_IDENTIFIER, "
            "not job_name",
        ),
        (
            {"jobQueue": "queue", "filters": [{"name": "AFTER_CREATED_AT", "values": ["yesterday"]}]},
            "W: Times in filters are milliseconds since the epoch, got yesterday",
        ),
        (
            {"jobQueue": "queue", "filters": [{"name": "AFTER_CREATED_AT", "values": ["9" * 30]}]},
            f"W: Times in filters are milliseconds since the epoch, got {'9' * 30}",
        ),
    ],
)
def test_a_listing_is_refused(batch: Batch, members: dict[str, Any], text: str) -> None:
    assert batch.refusal("list_jobs", **members) == text


def test_pages_go_on_where_the_last_one_ended(batch: Batch) -> None:
    for name in ("a", "b", "c"):
        batch.submit(name)
    first = batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED", maxResults=2)
    batch.submit("d")
    second = batch.list_jobs(jobQueue="queue", jobStatus="SUBMITTED", maxResults=2, nextToken=first["nextToken"])
    assert [each["jobName"] for page in (first, second) for each in page["jobSummaryList"]] == ["c", "b", "a"]
    assert "nextToken" not in second
    refusal = batch.refusal("list_jobs", jobQueue="queue", jobStatus="RUNNING", nextToken=first["nextToken"])
    assert refusal == "The nextToken is not valid: it is damaged, or belongs to a call with other arguments"


def test_a_page_has_a_ceiling(batch: Batch) -> None:
    parent = batch.submit(arrayProperties={"size": 1001})
    page = batch.list_jobs(arrayJobId=parent, jobStatus="SUBMITTED", maxResults=5000)
    assert len(page["jobSummaryList"]) == 1000
    assert "nextToken" in page
