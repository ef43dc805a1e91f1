"""Tags that limit what runs at once: what is taken, what is refused, and in which words."""

import pytest

from tests.api.batch_service import Batch


@pytest.fixture
def batch(batch: Batch) -> Batch:
    batch.queue()
    batch.definition()
    return batch


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max-concurrent", "0", "should be a number from 1"),
        ("max-concurrent", "two", "should be a number from 1"),
        ("concurrency-key", "", "should be KEY, or KEY=NUMBER"),
        ("concurrency-key", "db=0", "should be KEY, or KEY=NUMBER"),
        ("concurrency-key", "=2", "should be KEY, or KEY=NUMBER"),
    ],
)
def test_malformed_values_of_jobs(batch: Batch, name: str, value: str, told: str) -> None:
    refused = batch.refusal(
        "submit_job",
        jobName="a",
        jobQueue="queue",
        jobDefinition="definition",
        arrayProperties={"size": 3},
        tags={f"longshore:{name}": value},
    )
    assert f"longshore:{name} {told}" in refused
    assert repr(value) in refused


def test_max_concurrent_is_for_arrays(batch: Batch) -> None:
    request = {"jobName": "a", "jobQueue": "queue", "jobDefinition": "definition"}
    refused = batch.refusal("submit_job", tags={"longshore:max-concurrent": "2"}, **request)
    assert "longshore:max-concurrent is for array jobs" in refused
    batch.submit_job(tags={"longshore:max-concurrent": "2"}, arrayProperties={"size": 3}, **request)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("max-jobs", "0", "longshore:max-jobs should be a number from 1"),
        ("max-vcpus", "0.0", "longshore:max-vcpus should be a number of vCPUs above 0"),
        ("max-vcpus", "1.2345", "longshore:max-vcpus should be a number of vCPUs above 0"),
        ("max-jobs-per-share", "2", "jobs of queue have no shares"),
    ],
)
def test_what_a_queue_does_not_take(batch: Batch, name: str, value: str, told: str) -> None:
    arn = batch.arn("job-queue", "queue")
    assert told in batch.refusal("tag_resource", resourceArn=arn, tags={f"longshore:{name}": value})
    assert batch.list_tags_for_resource(resourceArn=arn) == {"tags": {}}


def test_caps_wake_the_controller(batch: Batch) -> None:
    """They take effect at once."""
    before = batch.notifier.count
    arn = batch.arn("job-queue", "queue")
    batch.tag_resource(resourceArn=arn, tags={"longshore:max-jobs": "3", "longshore:max-vcpus": "0.5"})
    batch.untag_resource(resourceArn=arn, tagKeys=["longshore:max-jobs"])
    assert batch.notifier.count == before + 2
