"""CancelJob, TerminateJob and their bulk forms: wishes are recorded, and whatever else was meant is no error."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from longshore.domain.ids import parse_job_id
from longshore.domain.job import Wish, WishKind
from longshore.domain.lifecycle.status import JobStatus
from longshore.ports.store import Transaction
from tests.api.batch_service import ACCOUNT, Batch

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def batch(batch: Batch) -> Batch:
    """With a queue and a definition."""
    batch.queue()
    batch.definition()
    return batch


def requests(batch: Batch) -> dict[str, Wish]:
    """What the control loop will find, by job id."""
    found: Sequence[Any] = batch.read(lambda reader: reader.requested_jobs(100))
    return {str(job.id): wish for job, wish in found}


def finish(batch: Batch, job_id: str) -> None:
    parsed = parse_job_id(job_id)
    assert parsed is not None

    def work(tx: Transaction) -> None:
        (key,) = tx.find_jobs(batch.scope, [parsed]).values()
        job = tx.load_jobs([key])[key]
        tx.save_jobs([replace(job, status=JobStatus.SUCCEEDED, stopped_at=batch.clock.now())])

    batch.write(work)


@pytest.mark.parametrize(
    ("operation", "kind"), [("cancel_job", WishKind.CANCEL), ("terminate_job", WishKind.TERMINATE)]
)
def test_a_request_is_recorded_and_wakes_the_control_loop(batch: Batch, operation: str, kind: WishKind) -> None:
    plain, array = batch.submit(), batch.submit(arrayProperties={"size": 2})
    before = batch.notifier.count
    for name in (plain, f"{array}:1", batch.arn("job", array)):
        assert getattr(batch, operation)(jobId=name, reason="enough") == {}
    wish = Wish(kind=kind, reason="enough")
    assert requests(batch) == {plain: wish, f"{array}:1": wish, array: wish}
    assert batch.notifier.count == before + 3
    assert batch.job(plain)["status"] == "SUBMITTED", "only the control loop moves a job"


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
@pytest.mark.parametrize("name", ["Whatever-string", UNKNOWN, f"{UNKNOWN}:3", f"{UNKNOWN}#0", "arn:aws:batch:x", ""])
def test_any_text_is_accepted(batch: Batch, operation: str, name: str) -> None:
    before = batch.notifier.count
    assert getattr(batch, operation)(jobId=name, reason="r") == {}
    assert (requests(batch), batch.notifier.count) == ({}, before)


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
def test_a_job_that_has_ended_is_left_as_it_is(batch: Batch, operation: str) -> None:
    job_id = batch.submit()
    finish(batch, job_id)
    described = batch.job(job_id)
    assert getattr(batch, operation)(jobId=job_id, reason="late") == {}
    assert (requests(batch), batch.job(job_id)) == ({}, described)


def test_a_termination_outdoes_a_cancellation(batch: Batch) -> None:
    job_id = batch.submit()
    batch.cancel_job(jobId=job_id, reason="first")
    batch.terminate_job(jobId=job_id, reason="second")
    batch.cancel_job(jobId=job_id, reason="third")
    assert requests(batch) == {job_id: Wish(kind=WishKind.TERMINATE, reason="second")}


def test_a_job_of_another_region_is_not_touched(batch: Batch) -> None:
    job_id = batch.submit()
    batch.terminate_job(jobId=f"arn:aws:batch:us-east-1:{ACCOUNT}:job/{job_id}", reason="r")
    assert requests(batch) == {}


@pytest.mark.parametrize("operation", ["cancel_job", "terminate_job"])
def test_a_reason_has_a_longest(batch: Batch, operation: str) -> None:
    job_id = batch.submit()
    text = "W: Reason cannot be longer than 1024 characters"
    assert batch.refusal(operation, jobId=job_id, reason="x" * 1025) == text
    getattr(batch, operation)(jobId=job_id, reason="x" * 1024)
    assert requests(batch)[job_id].reason == "x" * 1024


@pytest.mark.parametrize(
    ("operation", "kind"), [("cancel_jobs", WishKind.CANCEL), ("terminate_jobs", WishKind.TERMINATE)]
)
def test_many_jobs_are_told_apart(batch: Batch, operation: str, kind: WishKind) -> None:
    first, ended, array = batch.submit(), batch.submit(), batch.submit(arrayProperties={"size": 2})
    finish(batch, ended)
    jobs = [first, UNKNOWN, "nonsense", ended, f"{array}:0", batch.arn("job", array), f"{UNKNOWN}#1"]
    assert getattr(batch, operation)(jobs=jobs, reason="enough") == {
        "successful": [first, UNKNOWN, ended, f"{array}:0", batch.arn("job", array), f"{UNKNOWN}#1"],
        "errors": [{"job": "nonsense", "code": "ValidationException", "message": "nonsense is not a job id"}],
    }
    wish = Wish(kind=kind, reason="enough")
    assert requests(batch) == {first: wish, f"{array}:0": wish, array: wish}


@pytest.mark.parametrize("operation", ["cancel_jobs", "terminate_jobs"])
def test_the_number_of_jobs_is_limited(batch: Batch, operation: str) -> None:
    refusal = batch.refusal(operation, jobs=[UNKNOWN] * 51, reason="r")
    assert refusal == "W: Maximum number of jobs supported is 50, got 51"
    assert getattr(batch, operation)(jobs=[], reason="r") == {"successful": [], "errors": []}
